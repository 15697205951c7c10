//! The control connection comes from the server's own machine, or from a neighbour that passes
//! clients on.

use std::net::SocketAddr;

use super::super::home_network::Router;
use super::super::home_server::HomeServer;
use super::relay::relay;
use super::{ROUTED, Site, fetches, without_data};
use crate::support::client::Client;
use crate::support::lab::Lab;

pub(super) fn sites() -> Vec<Site> {
    vec![tunnel(), tunnel_of_one_port(), container(), neighbour()]
}

/// A tunnel or a proxy on the server's machine, such as `ssh -R` or stunnel.
fn tunnel() -> Site {
    Site {
        name: "tunnel",
        symptom: "a proxy or a tunnel on the server's machine (stunnel, `ssh -R`)",
        router: Router::default(),
        set_up: forward_proxy,
        flags: ROUTED,
        fails: |home| {
            let mut client = through(home, "192.168.77.2", "127.0.0.1");
            let to = client.passive();
            assert!(to.ip().is_loopback(), "{to}");
            without_data(&mut client)
        },
        message: "the client came through a proxy or a tunnel on this machine",
        flag: "--masquerade-client 127.0.0.0/8=203.0.113.1",
        public: "",
        works: Some(|home| {
            let mut client = through(home, "192.168.77.2", "127.0.0.1");
            fetches_through(home, &mut client, "192.168.77.2", "127.0.0.1");
        }),
    }
}

/// It carries the control connection only.
fn tunnel_of_one_port() -> Site {
    Site {
        name: "tunnel of one port",
        symptom: "the same, without the passive ports",
        fails: |home| {
            let mut client = through(home, "192.168.77.2", "127.0.0.1");
            client.extended_passive();
            without_data(&mut client)
        },
        message: "let it pass the passive ports on too",
        flag: "",
        works: None,
        ..tunnel()
    }
}

/// A port handler of a container without root connects from the container's own address.
fn container() -> Site {
    Site {
        name: "container",
        symptom: "a container without root, whose port handler connects from its own address",
        flags: &["-n", "203.0.113.2", "-r", "60000-60009"],
        fails: |home| {
            let mut client = through(home, "192.168.77.12", "192.168.77.2");
            let to = client.passive();
            assert_eq!(to.ip().to_string(), "192.168.77.2");
            without_data(&mut client)
        },
        flag: "--masquerade-client 192.168.77.2=203.0.113.2",
        works: Some(|home| {
            let mut client = through(home, "192.168.77.12", "192.168.77.2");
            fetches_through(home, &mut client, "192.168.77.12", "192.168.77.2");
        }),
        ..tunnel()
    }
}

/// A second router that translates for clients outside.
fn neighbour() -> Site {
    Site {
        name: "neighbour",
        symptom: "a second router, a VPS with a tunnel or a proxy in the LAN translates for clients \
                  outside",
        set_up: translating_neighbour,
        flags: &["-n", "203.0.113.5", "-r", "60000-60009"],
        fails: |home| {
            let mut client = home.client("client", "203.0.113.5:21");
            let to = client.passive();
            assert_eq!(to.ip().to_string(), "192.168.77.2");
            without_data(&mut client)
        },
        message: "if 192.168.77.3 is a router or a proxy for clients outside",
        flag: "--masquerade-client 192.168.77.3=203.0.113.5",
        works: Some(|home| fetches(&mut home.client("client", "203.0.113.5:21"))),
        ..tunnel()
    }
}

/// A client whose control connection a program on the server's machine passes on: from its address
/// `front` to the server at `back`.
fn through(home: &HomeServer, front: &str, back: &str) -> Client {
    let _relay = relay(
        &home.lab.namespace_of("server"),
        socket(front, PROXY),
        socket(back, 2121),
    );
    home.client("client", &format!("{}:{PROXY}", outer(front)))
}

/// The same for a data connection.
fn fetches_through(home: &HomeServer, client: &mut Client, front: &str, back: &str) {
    let to = client.passive();
    assert_eq!(to.ip().to_string(), outer(front));
    let host = home.lab.namespace_of("server");
    let _relay = relay(&host, socket(front, to.port()), socket(back, to.port()));
    let data = client.connect_data(to);
    let bytes = client.fetch_over(data, "RETR from-server.bin");
    assert!(!bytes.is_empty());
}

fn socket(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

/// The public address that leads to this one.
fn outer(inner: &str) -> &'static str {
    match inner {
        "192.168.77.12" => "203.0.113.2",
        _ => "203.0.113.1",
    }
}

/// The router forwards the proxy's port as well.
fn forward_proxy(lab: &mut Lab) {
    let rules = format!(
        "
table ip proxy {{
    chain prerouting {{
        type nat hook prerouting priority dstnat - 1;
        ip daddr 203.0.113.1 tcp dport {PROXY} dnat to 192.168.77.2
        ip daddr 203.0.113.2 tcp dport {PROXY} dnat to 192.168.77.12
    }}
}}"
    );
    lab.nft("router", &rules);
}

fn translating_neighbour(lab: &mut Lab) {
    lab.plug("neighbour", "wan", "203.0.113.5/24", "isp", "wan");
    lab.forward("neighbour");
    lab.nft(
        "neighbour",
        "
table ip translates {
    chain prerouting {
        type nat hook prerouting priority dstnat;
        iifname wan tcp dport 21 dnat to 192.168.77.2:2121
        iifname wan tcp dport 60000-60009 dnat to 192.168.77.2
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname lan masquerade
    }
}",
    );
}

const PROXY: u16 = 2100;
