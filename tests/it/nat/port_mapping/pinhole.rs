//! IPv6 around the NAT: the router's firewall lets nothing in but what it is asked for.
//!
//! ```text
//!  client ───────── wan ── router ── lan ──── server   2001:db8:77::2
//!  2001:db8:1::9           fe80::1
//! ```

use rustix::process::Signal;

use super::miniupnpd::{Miniupnpd, Options};
use super::sealed_lab;
use crate::nat::home_server::{HomeServer, SIZE};
use crate::nat::matrix::scenario;
use crate::support::file_contents::noise;
use crate::support::lab::{Lab, connect};
use crate::support::wait::wait_until;

/// The sealed lab with IPv6.
fn sealed_lab_v6() -> Lab {
    let lab = sealed_lab();
    lab.address("client", "wan", "2001:db8:1::9/64");
    lab.address("router", "wan", "2001:db8:1::1/64");
    lab.address("router", "lan", "2001:db8:77::1/64");
    lab.address("router", "lan", "fe80::1/64");
    lab.address("server", "lan", "2001:db8:77::2/64");
    lab.default_route("client", "2001:db8:1::1");
    lab.sh("server", "ip -6 route add default via fe80::1 dev lan");
    lab
}

fn served(protocol: &str, options: &Options) -> (HomeServer, Miniupnpd) {
    let lab = sealed_lab_v6();
    let router = Miniupnpd::start(&lab, options);
    let flags = ["-r", "60000-60003", "--port-mapping", protocol];
    (HomeServer::within(lab, &flags), router)
}

/// A client outside downloads.
fn assert_served(home: &HomeServer) {
    let mut client = home.client("client", SERVER);
    let to = client.extended_passive();
    let data = client.connect_data(to);
    assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
}

fn assert_closed(home: &HomeServer) {
    let client = home.lab.namespace_of("client");
    let to = SERVER.parse().expect("an address and a port");
    assert!(client.enter(|| connect(None, to)).is_err());
}

#[track_caller]
fn check_served(flag: &str, protocol: &str) {
    let (home, router) = served(flag, &Options::default());
    let line = format!(
        "the router fe80::1 ({protocol}) lets clients in over IPv6, to 2001:db8:77::2: the control \
         port 2121, the passive ports 60000-60003\n"
    );
    home.server.log_with(&line);
    assert_served(&home);
    assert_eq!(router.opened(&home.lab).len(), 5);
    home.server.signal(Signal::USR1);
    wait_until("the report", || {
        home.server.log().matches(&line).count() == 2
    });
    home.server.signal(Signal::TERM);
    let log = home.server.log_with("Z INFO  ended\n");
    assert_eq!(router.opened(&home.lab), [""; 0], "{log}\n{}", router.log());
    assert!(!log.contains("does not confirm"), "{log}");
}

#[test]
fn clients_outside_are_let_in_by_pcp() {
    scenario(
        "port_mapping::pinhole::clients_outside_are_let_in_by_pcp",
        || {
            check_served("auto", "PCP");
            "EPSV is served at the machine's own address; closed at SIGTERM"
        },
    );
}

#[test]
fn clients_outside_are_let_in_by_upnp() {
    scenario(
        "port_mapping::pinhole::clients_outside_are_let_in_by_upnp",
        || {
            check_served("upnp", "UPnP");
            "EPSV is served at the machine's own address; closed at SIGTERM"
        },
    );
}

/// Without the flag, the same router lets nothing in.
#[test]
fn clients_outside_are_not_let_in_without_port_mapping() {
    let (home, router) = served("off", &Options::default());
    assert_closed(&home);
    assert_eq!(router.opened(&home.lab), [""; 0]);
    home.finish();
}

/// The router lets clients in for a few seconds at most, and is asked again in time.
#[test]
fn long_openings_are_renewed() {
    let options = Options {
        lifetime_max: Some(8),
        ..Options::default()
    };
    let (home, router) = served("pcp", &options);
    home.server.log_with("(PCP) lets clients in over IPv6");
    // Five ports for each family in each round.
    wait_until("two renewals", || {
        router.log().matches("PCP request received").count() >= 30
    });
    assert_served(&home);
    home.finish();
}

/// After a crash, the next start knows its openings again; with PCP the router would refuse them to
/// anyone else.
#[test]
fn a_server_that_was_killed_finds_its_openings_again() {
    for protocol in ["pcp", "upnp"] {
        let (mut home, router) = served(protocol, &Options::default());
        home.server.log_with(" lets clients in over IPv6");
        home.kill();
        // With less ports: the others are closed.
        let again = home.serve_again(&["-r", "60000-60001", "--port-mapping", protocol]);
        again.log_with(" lets clients in over IPv6, to 2001:db8:77::2: the control port 2121");
        wait_until("the others are closed", || {
            router.opened(&home.lab).len() == 3
        });
        assert_served(&home);
    }
}

/// A silent router changes nothing but what the log says, and says once.
#[test]
fn a_silent_router_is_opened_by_hand() {
    let lab = sealed_lab_v6();
    let router = Miniupnpd::start(&lab, &Options::default());
    lab.nft(
        "router",
        "table inet mute { chain input { type filter hook input priority 0; \
                       meta nfproto ipv6 udp dport { 1900, 5351 } drop; }; }",
    );
    let home = HomeServer::within(lab, &["-r", "60000-60003", "--port-mapping", "auto"]);
    home.server.log_with("(PCP) forwards from 11.22.33.1 ");
    let line = "clients outside reach this server over IPv6 only if the firewall of the router fe80::1 lets \
                them in, and it opens no port when it is asked (PCP: it does not answer; UPnP: it does not \
                answer): in its settings for IPv6, allow TCP to 2001:db8:77::2, ports 2121, 60000-60003\n";
    home.server.log_with(line);
    let check = home.ask(&["--check", "-p", "2122"]).expect_success();
    // The report has lines of 100 columns.
    let words = check
        .text()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let finding = line.trim_end().replace("ports 2121", "ports 2122");
    assert!(words.contains(&format!("note {finding}")), "{words}");
    // What is done by hand is enough.
    home.lab.nft(
        "router",
        "add rule inet miniupnpd upnp_forward ip6 daddr 2001:db8:77::2 tcp dport { 2121, 60000-60003 } accept",
    );
    assert_served(&home);
    home.finish_with(|log| assert_eq!(log.matches(line).count(), 1, "{log}"));
    drop(router);
}

#[test]
fn check_asks_the_firewall_and_leaves_no_opening() {
    let (home, router) = served("auto", &Options::default());
    home.server.log_with("(PCP) lets clients in over IPv6");
    let before = router.opened(&home.lab);
    let check = home.ask(&["--check", "-p", "2122"]).expect_success();
    let words = check
        .text()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let line =
        "The router fe80::1 lets clients in over IPv6 when it is asked (PCP), to 2001:db8:77::2.";
    assert!(words.contains(line), "{words}");
    // A busy router takes its time, and the check does not wait for it.
    wait_until("the opening is closed", || {
        router.opened(&home.lab) == before
    });
    home.finish();
}

/// The address of the day is for outgoing connections only.
#[test]
fn temporary_addresses_are_not_opened() {
    let lab = sealed_lab_v6();
    let deprecated = "ip -6 address add 2001:db8:77::1:1/64 dev lan nodad preferred_lft 0";
    lab.sh("server", deprecated);
    let router = Miniupnpd::start(&lab, &Options::default());
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "pcp"]);
    home.server
        .log_with("lets clients in over IPv6, to 2001:db8:77::2: ");
    // The control port and one passive port.
    assert_eq!(router.opened(&home.lab).len(), 2);
    home.finish();
}

const SERVER: &str = "[2001:db8:77::2]:2121";
