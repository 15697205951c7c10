//! What others reach, and which part of the range.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::super::home_network::{OUTSIDE, OUTSIDE_SECOND, Router};
use super::super::home_server::{HomeServer, SIZE};
use super::{ROUTED, Site, fetches, nothing, without_data};
use crate::support::client::Client;
use crate::support::file_contents::noise;
use crate::support::lab::Lab;

pub(super) fn sites() -> Vec<Site> {
    vec![
        not_forwarded(),
        no_range(),
        part_of_range(),
        one_client_alone(),
        part_of_outer_range(),
        own_firewall(),
        extended_passive(),
    ]
}

fn not_forwarded() -> Site {
    Site {
        name: "not forwarded",
        symptom: "the router forwards no passive port",
        router: Router {
            forwarded: None,
            ..Router::default()
        },
        set_up: nothing,
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client("client", OUTSIDE);
            client.passive();
            without_data(&mut client)
        },
        message: "check the port forwarding of the router",
        flag: "",
        public: "",
        works: None,
    }
}

fn no_range() -> Site {
    Site {
        name: "no range",
        symptom: "the server has no range that the router could forward",
        router: Router::default(),
        flags: &["-n", "203.0.113.1"],
        message: "give a range that it forwards with --passive-ports",
        flag: "--passive-ports",
        public: "60000-60009",
        works: Some(|home| fetches(&mut home.client("client", OUTSIDE))),
        ..not_forwarded()
    }
}

fn part_of_range() -> Site {
    Site {
        name: "part of range",
        symptom: "the router forwards fewer ports than the server uses",
        router: Router {
            forwarded: Some(60_000..=60_004),
            ..Router::default()
        },
        set_up: nothing,
        flags: ROUTED,
        fails: |home| {
            let [_, second] = reach_a_part(home, 60_004);
            second
        },
        message: "of the range, 60000-60004 is reached",
        flag: "--passive-ports 60000-60004",
        public: "",
        works: Some(|home| {
            let mut client = home.client("client", OUTSIDE);
            for _ in 0..20 {
                fetches(&mut client);
            }
        }),
    }
}

fn part_of_outer_range() -> Site {
    Site {
        name: "part of outer range",
        symptom: "the same where the router has other numbers",
        router: Router {
            forwarded: Some(60_000..=60_004),
            outer_first: Some(50_000),
            ..Router::default()
        },
        flags: &[
            "-n",
            "203.0.113.1",
            "-r",
            "60000-60009",
            "--outer-ports",
            "50000-50009",
        ],
        fails: |home| {
            let [_, second] = reach_a_part(home, 50_004);
            second
        },
        message: "of the range, 50000-50004 is reached",
        flag: "--passive-ports 60000-60004 --outer-ports 50000-50004",
        ..part_of_range()
    }
}

/// Its own firewall may be the reason.
fn one_client_alone() -> Site {
    Site {
        name: "one client alone",
        symptom: "the same, before a second client has failed",
        fails: |home| {
            let mut first = home.client_from("client", Some("203.0.113.10"), OUTSIDE);
            reach_all(&mut first, 60_004);
            let mut client = home.client_from("client", Some("203.0.113.11"), OUTSIDE);
            // Each port that it leaves comes last from then on.
            assert!((0..MANY).any(|_| client.passive().port() > 60_004));
            without_data(&mut client)
        },
        message: "others reached 60000-60004 within the last hour; look at the client's own firewall",
        ..part_of_range()
    }
}

/// Clients reach each port that is forwarded, and then two get one that is not: the replies.
fn reach_a_part(home: &HomeServer, last: u16) -> [String; 2] {
    let from = |last: u8| home.client_from("client", Some(&format!("203.0.113.{last}")), OUTSIDE);
    reach_all(&mut from(10), last);
    // Alone, the first one that fails may have a firewall.
    [11, 12].map(|number| {
        let mut client = from(number);
        for _ in 0..MANY {
            let to = client.passive();
            if to.port() > last {
                return without_data(&mut client);
            }
            fetches_at(&mut client, to);
        }
        panic!("no port after {last}");
    })
}

/// The client reaches each of the five ports up to the last one that is forwarded.
fn reach_all(client: &mut Client, last: u16) {
    let mut reached = BTreeSet::new();
    for _ in 0..MANY {
        // The others are left at once.
        let to = client.passive();
        if to.port() <= last {
            fetches_at(client, to);
            reached.insert(to.port());
        }
    }
    assert_eq!(reached.len(), 5);
}

fn fetches_at(client: &mut Client, to: SocketAddr) {
    let data = client.connect_data(to);
    assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
}

fn own_firewall() -> Site {
    Site {
        name: "own firewall",
        symptom: "one client's own firewall blocks its data connections",
        router: Router::default(),
        set_up: nothing,
        flags: &["-n", "203.0.113.1", "-r", "60000"],
        fails: |home| {
            fetches(&mut home.client_from("client", Some("203.0.113.11"), OUTSIDE));
            let mut client = home.client("client", OUTSIDE);
            client.passive();
            without_data(&mut client)
        },
        message: "others reach this port; the client's own firewall may block it, or the client \
                  trusts the address 203.0.113.1, which does not lead here",
        flag: "",
        public: "",
        works: None,
    }
}

/// A balancer carries the control connection, and the server announces its own public address.
fn extended_passive() -> Site {
    Site {
        name: "extended passive",
        symptom: "a balancer carries port 21 only, and PASV leads around it: EPSV hangs",
        router: Router::default(),
        set_up: control_only,
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client("client", OUTSIDE_SECOND);
            fetches(&mut client);
            client.extended_passive();
            without_data(&mut client)
        },
        message: "the client reaches ports after PASV and not after EPSV",
        flag: "--deny-commands EPSV",
        public: "",
        works: Some(|home| {
            let mut client = home.client("client", OUTSIDE_SECOND);
            client.command("EPSV", 502);
            fetches(&mut client);
        }),
    }
}

/// The second public address leads to the same address of the server, without passive ports.
fn control_only(lab: &mut Lab) {
    lab.nft(
        "router",
        "
table ip balancer {
    chain raw {
        type filter hook prerouting priority raw;
        ip daddr 203.0.113.2 tcp dport 60000-60009 drop
    }
    chain prerouting {
        type nat hook prerouting priority dstnat - 1;
        ip daddr 203.0.113.2 tcp dport 21 dnat to 192.168.77.2:2121
    }
}",
    );
}

/// The server uses its ports in turn: more than each of them once.
const MANY: usize = 30;
