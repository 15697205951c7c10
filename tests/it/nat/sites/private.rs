//! Clients of private networks, and other addresses of the server's machine.

use super::super::home_network::{OUTSIDE, OUTSIDE_SECOND, Router, far_apart};
use super::{ROUTED, Site, fetches, nothing, without_data};
use crate::support::lab::Lab;

pub(super) fn sites() -> Vec<Site> {
    vec![
        private_address(),
        router_inside(),
        old_address(),
        routed_network(),
        overlay_network(),
        vpn(),
        second_interface(),
        second_public_address(),
    ]
}

fn private_address() -> Site {
    Site {
        name: "private address",
        symptom: "the server has no public address to announce",
        router: Router::default(),
        set_up: nothing,
        flags: &["-r", "60000-60009"],
        fails: |home| {
            let mut client = home.client("client", OUTSIDE);
            client.passive();
            without_data(&mut client)
        },
        message: "set --masquerade-address",
        flag: "--masquerade-address",
        public: "203.0.113.1",
        works: Some(|home| fetches(&mut home.client("client", OUTSIDE))),
    }
}

fn router_inside() -> Site {
    Site {
        name: "router inside",
        symptom: "`-n` has the router's address in the LAN",
        flags: &["-n", "192.168.77.1", "-r", "60000-60009"],
        message: "give the router's public address with --masquerade-address",
        ..private_address()
    }
}

fn old_address() -> Site {
    Site {
        name: "old address",
        symptom: "`-n` has an old or wrong public address: EPSV works, PASV does not",
        flags: &["-n", "203.0.113.99", "-r", "60000"],
        fails: |home| {
            let mut client = home.client("client", OUTSIDE);
            client.fetch("RETR from-server.bin");
            client.passive();
            without_data(&mut client)
        },
        message: "clients that are not given the address 203.0.113.99 reach the port",
        flag: "--masquerade-address PUBLIC",
        ..private_address()
    }
}

/// Cameras behind a router inside, to which the server has a route.
fn routed_network() -> Site {
    Site {
        name: "routed network",
        symptom: "cameras in a VLAN, or a site-to-site VPN: a private network that is routed",
        set_up: |lab| {
            lab.host("camera");
            lab.network("neighbour", "vlan", "10.20.30.1/24");
            lab.plug("camera", "eth0", "10.20.30.5/24", "neighbour", "vlan");
            lab.default_route("camera", "10.20.30.1");
            lab.forward("neighbour");
            lab.route("server", "10.20.0.0/16", "192.168.77.3");
        },
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client("camera", INSIDE);
            client.passive();
            without_data(&mut client)
        },
        message: "the client is in another private network, and is given the router's address",
        flag: "--masquerade-client 10.20.0.0/16=local",
        works: Some(|home| fetches(&mut home.client("camera", INSIDE))),
        ..private_address()
    }
}

/// An overlay network, whose routes are not in the main table.
fn overlay_network() -> Site {
    Site {
        name: "overlay network",
        symptom: "clients of an overlay network such as Tailscale, with addresses in 100.64.0.0/10",
        set_up: |lab| tunnel(lab, "100.101.1.2", "100.99.3.4/10", "100.64.0.0/10"),
        fails: |home| {
            let mut client = home.client("peer", "100.101.1.2:2121");
            client.passive();
            without_data(&mut client)
        },
        flag: "--masquerade-client 100.64.0.0/10=local",
        works: Some(|home| fetches(&mut home.client("peer", "100.101.1.2:2121"))),
        ..routed_network()
    }
}

fn vpn() -> Site {
    Site {
        name: "vpn",
        symptom: "clients that come over a VPN interface",
        set_up: |lab| tunnel(lab, "10.8.0.1", "10.8.0.6/24", "10.8.0.0/24"),
        fails: |home| {
            let mut client = home.client("peer", "10.8.0.1:2121");
            client.passive();
            without_data(&mut client)
        },
        flag: "--masquerade-client 10.8.0.0/24=local",
        works: Some(|home| fetches(&mut home.client("peer", "10.8.0.1:2121"))),
        ..routed_network()
    }
}

/// An interface without a network, and its routes in a table of their own.
fn tunnel(lab: &mut Lab, own: &str, peer: &str, network: &str) {
    lab.host("peer");
    lab.network("peer", "vpn", peer);
    lab.plug("server", "vpn", &format!("{own}/32"), "peer", "vpn");
    lab.sh(
        "server",
        &format!("ip route add {network} dev vpn table 52 && ip rule add lookup 52 pref 5270"),
    );
}

/// The machine has a public address too.
fn second_interface() -> Site {
    Site {
        name: "second interface",
        symptom: "a client that came by another public address of the server's own",
        set_up: |lab| {
            lab.plug("server", "wan", "203.0.113.6/24", "isp", "wan");
            lab.route("server", "198.18.0.0/16", "203.0.113.254");
        },
        flags: ROUTED,
        fails: |home| {
            let mut client = home.client_from("client", Some(&far_apart(1)), SECOND);
            client.passive();
            without_data(&mut client)
        },
        message: "the client connected to 203.0.113.6, and the announced address leads to another \
                  address of this machine",
        flag: "--masquerade-address-map 203.0.113.6=203.0.113.6",
        works: Some(|home| fetches(&mut home.client_from("client", Some(&far_apart(1)), SECOND))),
        ..private_address()
    }
}

fn second_public_address() -> Site {
    Site {
        name: "second public address",
        symptom: "two public addresses, and `-n` has one of them",
        set_up: nothing,
        fails: |home| {
            fetches(&mut home.client("client", OUTSIDE));
            let mut client = home.client("client", OUTSIDE_SECOND);
            client.passive();
            without_data(&mut client)
        },
        message: "the client connected to 192.168.77.12, and the announced address leads to another \
                  address of this machine",
        flag: "--masquerade-address-map 192.168.77.12=PUBLIC",
        public: "203.0.113.2",
        works: Some(|home| {
            fetches(&mut home.client("client", OUTSIDE));
            fetches(&mut home.client("client", OUTSIDE_SECOND));
        }),
        ..second_interface()
    }
}

const SECOND: &str = "203.0.113.6:2121";
const INSIDE: &str = "192.168.77.2:2121";
