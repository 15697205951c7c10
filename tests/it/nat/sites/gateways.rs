//! The data connection comes from another address than the control connection.

use super::super::home_network::{OUTSIDE, OUTSIDE_V6, Router};
use super::{ROUTED, Site, fetches, fetches_from, nothing, origin, without_data};
use crate::support::lab::connect;

pub(super) fn sites() -> Vec<Site> {
    vec![
        two_addresses(),
        privacy_addresses(),
        pool(),
        gateway_of_control(),
        gateway_of_data(),
        hairpin(),
    ]
}

/// As with two uplinks, or a VPN that carries one of the two.
fn two_addresses() -> Site {
    Site {
        name: "two addresses",
        symptom: "a client with two uplinks, or whose provider gives each connection another address",
        router: Router::default(),
        set_up: nothing,
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client("client", OUTSIDE);
            let to = client.passive();
            let other = origin(home, "client", "203.0.113.28");
            let _data = other.connect(to).expect("a data connection");
            without_data(&mut client)
        },
        message: "203.0.113.28 came to the port instead",
        flag: "--trust-gateway 203.0.113.28",
        public: "",
        works: Some(|home| {
            let mut client = home.client("client", OUTSIDE);
            let to = client.passive();
            fetches_from(&mut client, &origin(home, "client", "203.0.113.28"), to);
        }),
    }
}

fn privacy_addresses() -> Site {
    Site {
        name: "privacy addresses",
        symptom: "a client that changes its IPv6 address within its network",
        set_up: |lab| lab.address("client", "wan", "2001:db8:1::1234/64"),
        fails: |home| {
            let mut client = home.client_from("client", Some(FIRST), OUTSIDE_V6);
            let to = client.extended_passive();
            let _data = origin(home, "client", SECOND)
                .connect(to)
                .expect("a data connection");
            without_data(&mut client)
        },
        message: "2001:db8:1::1234 came to the port instead",
        flag: "--trust-gateway 2001:db8:1::/64",
        works: Some(|home| {
            let mut client = home.client_from("client", Some(FIRST), OUTSIDE_V6);
            let to = client.extended_passive();
            fetches_from(&mut client, &origin(home, "client", SECOND), to);
        }),
        ..two_addresses()
    }
}

fn pool() -> Site {
    Site {
        name: "pool",
        symptom: "a provider's NAT with a pool of addresses",
        router: Router::default(),
        set_up: nothing,
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client_from("client", Some("203.0.113.10"), OUTSIDE);
            let to = client.passive();
            let [first, second] = ["203.0.113.12", "203.0.113.13"].map(|address| {
                let data = origin(home, "client", address).connect(to);
                data.expect("a data connection")
            });
            let reply = without_data(&mut client);
            drop((first, second));
            reply
        },
        message: "203.0.113.12 and 203.0.113.13 came to the port instead",
        flag: "--trust-gateway 203.0.113.8/29",
        public: "",
        works: Some(|home| {
            let mut client = home.client_from("client", Some("203.0.113.10"), OUTSIDE);
            for address in ["203.0.113.12", "203.0.113.13"] {
                let to = client.passive();
                fetches_from(&mut client, &origin(home, "client", address), to);
            }
        }),
    }
}

/// As with docker's userland proxy, or a node of a cluster.
fn gateway_of_control() -> Site {
    Site {
        name: "gateway of control",
        symptom: "docker's proxy, or a node of a cluster, replaces the client's address on the \
                  control connection",
        router: Router::default(),
        set_up: |lab| lab.hide_clients("2121"),
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client("client", OUTSIDE);
            let mut once = || {
                let to = client.passive();
                let _data = client.connect_data(to);
                without_data(&mut client)
            };
            // Scans of ports come once.
            let first = once();
            assert!(!first.contains("--trust-gateway"), "{first}");
            once()
        },
        message: "the client came through 192.168.77.1, and 203.0.113.9 came to the port",
        flag: "--trust-gateway 192.168.77.1",
        public: "",
        works: Some(|home| fetches(&mut home.client("client", OUTSIDE))),
    }
}

fn gateway_of_data() -> Site {
    Site {
        name: "gateway of data",
        symptom: "the same on the data connection",
        set_up: |lab| lab.hide_clients("60000-60009"),
        fails: |home| {
            let mut client = home.client("client", OUTSIDE);
            let to = client.passive();
            let _data = client.connect_data(to);
            without_data(&mut client)
        },
        message: "192.168.77.1 came to the port instead",
        ..gateway_of_control()
    }
}

/// A client in the local network reaches the server by the public address, but for its data.
fn hairpin() -> Site {
    Site {
        name: "hairpin",
        symptom: "a client in the LAN uses the public address for one of its two connections",
        router: Router {
            hairpin: true,
            ..Router::default()
        },
        set_up: nothing,
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client("neighbour", OUTSIDE);
            let port = client.passive().port();
            let direct = ([192, 168, 77, 2], port).into();
            let host = home.lab.namespace_of("neighbour");
            let _data = host
                .enter(|| connect(None, direct))
                .expect("a data connection");
            without_data(&mut client)
        },
        message: "the client came through 192.168.77.1, and 192.168.77.3 came to the port",
        flag: "--trust-gateway 192.168.77.1",
        public: "",
        works: Some(|home| {
            let mut client = home.client("neighbour", OUTSIDE);
            let port = client.passive().port();
            let direct = ([192, 168, 77, 2], port).into();
            fetches_from(
                &mut client,
                &origin(home, "neighbour", "192.168.77.3"),
                direct,
            );
        }),
    }
}

const FIRST: &str = "2001:db8:1::9";
const SECOND: &str = "2001:db8:1::1234";
