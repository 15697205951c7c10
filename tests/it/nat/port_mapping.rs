//! A server that has the router forward its ports, with a real router: miniupnpd.
//!
//! ```text
//!  client ──── wan ──── router ──── lan ──┬── server     192.168.77.2
//!  11.22.33.9           11.22.33.1        └── neighbour  192.168.77.3
//!                       192.168.77.1
//! ```
//!
//! The router forwards nothing but what it is asked for. miniupnpd refuses documentation addresses
//! and private ones as public, so that this sealed Internet has others.

mod lies;
mod miniupnpd;
mod others;
mod own_number;
mod pcp_lies;
mod pinhole;
mod removal;
mod upnp;

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::{Client, Origin};
use crate::support::file_contents::noise;
use crate::support::lab::{Lab, connect};
use crate::support::wait::{wait_at_most, wait_until};
use miniupnpd::{Miniupnpd, Options};
use rustix::process::Signal;
use tempfile::TempDir;

/// The lab without anything that runs in it.
fn sealed_lab() -> Lab {
    let mut lab = Lab::new();
    for host in ["client", "router", "server", "neighbour"] {
        lab.host(host);
    }
    lab.network("client", "wan", "11.22.33.9/24");
    lab.plug("router", "wan", "11.22.33.1/24", "client", "wan");
    lab.network("router", "lan", "192.168.77.1/24");
    lab.plug("server", "lan", "192.168.77.2/24", "router", "lan");
    lab.plug("neighbour", "lan", "192.168.77.3/24", "router", "lan");
    for host in ["server", "neighbour"] {
        lab.default_route(host, "192.168.77.1");
    }
    lab.forward("router");
    lab.nft("router", miniupnpd::TABLE);
    lab
}

/// A server that asks in this protocol, and the router.
fn mapped(protocol: &str, options: &Options) -> (HomeServer, Miniupnpd) {
    let lab = sealed_lab();
    let router = Miniupnpd::start(&lab, options);
    let flags = ["-r", "60000-60003", "--port-mapping", protocol];
    (HomeServer::within(lab, &flags), router)
}

/// A client outside downloads and uploads, with PASV and with EPSV.
fn assert_served_outside(home: &HomeServer, control: u16) {
    let to = format!("{OUTER}:{control}");
    let mut client = home.client("client", &to);
    for extended in [false, true] {
        let data = if extended {
            let to = client.extended_passive();
            client.connect_data(to)
        } else {
            let to = client.passive();
            assert_eq!(to.ip(), OUTER);
            client.connect_data(to)
        };
        assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
    }
    let to = client.passive();
    let data = client.connect_data(to);
    client.store_over(data, "STOR upload.bin", b"from outside");
    assert_eq!(home.server.read("upload.bin"), b"from outside");
}

#[test]
fn clients_outside_are_served_through_pcp() {
    scenario(
        "port_mapping::clients_outside_are_served_through_pcp",
        || {
            check_served("pcp", "PCP");
            "PASV and EPSV name what the router has answered; removed at SIGTERM"
        },
    );
}

#[test]
fn clients_outside_are_served_through_nat_pmp() {
    scenario(
        "port_mapping::clients_outside_are_served_through_nat_pmp",
        || {
            check_served("nat-pmp", "NAT-PMP");
            "PASV and EPSV name what the router has answered; removed at SIGTERM"
        },
    );
}

#[test]
fn clients_outside_are_served_through_upnp() {
    scenario(
        "port_mapping::clients_outside_are_served_through_upnp",
        || {
            check_served("upnp", "UPnP");
            "PASV and EPSV name what the router has answered; removed at SIGTERM"
        },
    );
}

#[test]
fn auto_takes_pcp_first() {
    check_served("auto", "PCP");
}

#[track_caller]
fn check_served(flag: &str, protocol: &str) {
    let (home, router) = mapped(flag, &Options::default());
    home.server.log_with(&format!(
        "the router 192.168.77.1 ({protocol}) forwards from 11.22.33.1 to 192.168.77.2: port 21 to the \
         control port 2121, the passive ports 60000-60003"
    ));
    assert_served_outside(&home, 21);
    // Inside, nothing changes.
    let mut client = home.client("neighbour", "192.168.77.2:2121");
    assert_eq!(client.passive().ip(), Ipv4Addr::new(192, 168, 77, 2));
    drop(client);
    home.server.signal(Signal::USR1);
    home.server.log_with(&format!(
        "({protocol}) forwards from 11.22.33.1 to 192.168.77.2: port 21 to the control port 2121, the \
         passive ports 60000-60003\n"
    ));
    let lab = &home.lab;
    assert_eq!(router.mapped(lab).len(), 5);
    home.server.signal(Signal::TERM);
    // The last line.
    let log = home.server.log_with("Z INFO  ended\n");
    assert_eq!(router.mapped(lab), [""; 0], "{log}\n{}", router.log());
    assert!(!log.contains("does not confirm"), "{log}");
}

/// Without the flag, the same router forwards nothing.
#[test]
fn clients_outside_fail_without_port_mapping() {
    let (home, router) = mapped("off", &Options::default());
    let connected = home
        .lab
        .namespace_of("client")
        .enter(|| connect(None, (OUTER, 21).into()));
    assert!(connected.is_err());
    assert_eq!(router.mapped(&home.lab), [""; 0]);
    home.finish();
}

/// It shows what the router answers, and leaves what a running server has.
#[test]
fn check_asks_the_router_and_leaves_no_mapping() {
    let (home, router) = mapped("auto", &Options::default());
    home.server.log_with("(PCP) forwards from");
    let before = router.mapped(&home.lab);
    let report = home.ask(&["--check", "-p", "2122"]).expect_success();
    for part in [
        "The router 192.168.77.1 forwards ports when it is asked (PCP); its public address is 11.22.33.1.",
        "11.22.33.1 port 60000, by the router's port mapping",
        "Every kind of client can be served.",
    ] {
        assert!(
            report.text().contains(part),
            "no {part}:\n{}",
            report.text()
        );
    }
    assert_eq!(router.mapped(&home.lab), before);
    drop(router);
    let silent = home.ask(&["--check", "-p", "2122"]).expect_failure();
    let line = "FAILS    --port-mapping: the router 192.168.77.1 forwards nothing (PCP: it does not answer;";
    assert!(silent.text().contains(line), "{}", silent.text());
    home.finish();
}

/// The numbers of ports that another host has are others.
#[test]
fn a_port_of_another_host_has_another_number() {
    check_conflict("auto");
    check_conflict("upnp");
}

#[track_caller]
fn check_conflict(protocol: &str) {
    let lab = sealed_lab();
    let router = Miniupnpd::start(&lab, &Options::default());
    router.map_for_neighbour(&lab, &[21, 60_001]);
    let flags = ["-r", "60000-60003", "--port-mapping", protocol];
    let home = HomeServer::within(lab, &flags);
    let log = home
        .server
        .log_with("clients outside reach the control port at port ");
    let number = log.split("reach the control port at port ").nth(1);
    let number = number.and_then(|rest| rest.split(',').next());
    let control: u16 = number
        .and_then(|number| number.parse().ok())
        .expect("a port");
    assert_ne!(control, 21);
    let mut client = home.client("client", &format!("{OUTER}:{control}"));
    // Each port of the range is announced, the one with another number too.
    let announced: Vec<u16> = (0..4)
        .map(|_| {
            let to = client.passive();
            let data = client.connect_data(to);
            assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            to.port()
        })
        .collect();
    assert!(!announced.contains(&60_001), "{announced:?}");
    assert!(home.server.log().contains(" to passive port 60001"));
    drop(client);
    let check = home.ask(&["--check", "-p", "2122"]).expect_success().text();
    let words: Vec<&str> = check.split_whitespace().collect();
    let line = "the router forwards its port 21 to another machine, 192.168.77.3; the control port gets \
                another number";
    assert!(words.join(" ").contains(line), "{check}");
    home.finish();
    drop(router);
}

/// The router forwards for a few seconds at most, and is asked again in time.
#[test]
fn mappings_are_renewed() {
    check_renewals(1);
}

/// The first mappings have ended then.
#[test]
fn long_mappings_last_when_they_are_renewed() {
    check_renewals(3);
}

#[track_caller]
fn check_renewals(count: usize) {
    let options = Options {
        lifetime_max: Some(8),
        ..Options::default()
    };
    let (home, router) = mapped("pcp", &options);
    home.server.log_with("(PCP) forwards from");
    let requests = || router.log().matches("PCP request received").count();
    // Five ports in each round.
    let at_most = Duration::from_secs(40);
    wait_at_most(at_most, "the renewals", || requests() >= 5 * (count + 1));
    // On a busy machine a rule may end before its renewal comes. One that is not renewed does not
    // come back.
    wait_until("all mappings are there", || {
        router.mapped(&home.lab).len() == 5
    });
    assert_served_outside(&home, 21);
    home.finish();
}

/// It announces that it has forgotten its mappings.
#[test]
fn a_router_that_has_restarted_is_asked_again() {
    let (home, router) = mapped("auto", &Options::default());
    home.server.log_with("(PCP) forwards from");
    drop(router);
    home.lab.nft("router", &miniupnpd::forgetting());
    let router = Miniupnpd::start(&home.lab, &Options::default());
    wait_until("the mappings are there again", || {
        router.mapped(&home.lab).len() == 5
    });
    assert_served_outside(&home, 21);
    home.finish();
}

/// It is silent for a while: what was learned stays in use, and it is asked again.
#[test]
fn long_a_router_that_vanishes_and_comes_back_is_asked_again() {
    let options = Options {
        lifetime_max: Some(8),
        ..Options::default()
    };
    let (home, router) = mapped("pcp", &options);
    home.server.log_with("(PCP) forwards from 11.22.33.1 ");
    // Its rules stay.
    router.pause(true);
    home.server.log_with(
        "--port-mapping: the router 192.168.77.1 does not confirm what it forwards (PCP: it does not \
         answer); the last answer stays in use; what it forwards ends 8 s after that; it is asked again within 5 minutes",
    );
    let mut client = home.client("client", "11.22.33.1:21");
    assert_eq!(client.passive().ip(), OUTER);
    drop(client);
    let forwards = || home.server.log().matches("(PCP) forwards from").count();
    let before = forwards();
    router.pause(false);
    wait_until("it is asked again", || forwards() > before);
    assert_served_outside(&home, 21);
    home.finish();
}

/// The router is gone for longer than it forwards: what is announced stays, and the log and SIGUSR1
/// say that it is of no use.
#[test]
fn long_mappings_that_are_lost_are_announced_and_reported() {
    let options = Options {
        lifetime_max: Some(8),
        ..Options::default()
    };
    let (home, router) = mapped("pcp", &options);
    home.server.log_with("(PCP) forwards from 11.22.33.1 ");
    router.pause(true);
    let line = "--port-mapping: the router 192.168.77.1 forwards nothing (PCP: it does not answer); the \
                mappings are lost, and clients outside cannot connect until it answers again; clients \
                outside are still given its address 11.22.33.1; look at the router\n";
    home.server.log_with(line);
    home.server.signal(Signal::USR1);
    wait_until("the report", || {
        home.server.log().matches(line).count() == 2
    });
    router.pause(false);
    let forwards = || home.server.log().matches("(PCP) forwards from").count();
    wait_until("it is asked again", || forwards() == 2);
    assert_served_outside(&home, 21);
    home.finish_with(|log| assert_eq!(log.matches(line).count(), 2, "{log}"));
}

/// The router permits some ports only. Those that it does not are not searched for.
#[test]
fn long_ports_that_are_not_permitted_are_left_out() {
    // With NAT-PMP, miniupnpd looks for a number among all that there are, for each port; with PCP
    // it does so for the control port, which may have any.
    for (protocol, allowed, count) in [("pcp", "2121,60000-60001", 3), ("upnp", "60000-60001", 2)] {
        let options = Options {
            allowed: Some(allowed),
            ..Options::default()
        };
        let lab = sealed_lab();
        let router = Miniupnpd::start(&lab, &options);
        let flags = ["-r", "60000-60005", "--port-mapping", protocol];
        let home = HomeServer::within(lab, &flags);
        home.server
            .log_with("passive ports that the router does not forward are left out: 60002-60005; ");
        let log = home.server.log();
        let is_closed = log.contains("clients outside cannot reach the control port: ");
        assert_eq!(is_closed, protocol == "upnp", "{log}");
        assert_eq!(router.mapped(&home.lab).len(), count, "{protocol}");
        home.finish();
    }
}

/// None of the range: clients outside could log in, and no more.
#[test]
fn a_range_that_is_not_permitted_is_one_warning() {
    let options = Options {
        allowed: Some("2121"),
        ..Options::default()
    };
    let (home, router) = mapped("upnp", &options);
    let line = "the router forwards none of the passive ports 60000-60003: it does not permit it; permit \
                UPnP in its settings; clients outside can log in, and every transfer fails; permit these \
                ports in its settings, or give others with --passive-ports\n";
    home.server.log_with(line);
    assert_eq!(router.mapped(&home.lab).len(), 1);
    home.finish_with(|log| assert_eq!(log.matches(line).count(), 1, "{log}"));
}

/// SIGHUP: ports that are not wanted any more are removed.
#[test]
fn a_reload_changes_what_is_forwarded() {
    let lab = sealed_lab();
    let router = Miniupnpd::start(&lab, &Options::default());
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("config");
    let configure = |text: &str| fs::write(&file, text).expect("the configuration");
    configure("port-mapping auto\npassive-ports 60000-60003\n");
    let home = HomeServer::within(lab, &["--config", file.to_str().expect("a path")]);
    home.server.log_with("the passive ports 60000-60003");
    let has = |count| wait_until("other mappings", || router.mapped(&home.lab).len() == count);
    has(5);
    configure("port-mapping auto\npassive-ports 60000-60001\n");
    home.server.signal(Signal::HUP);
    has(3);
    assert_served_outside(&home, 21);
    configure("passive-ports 60000-60001\n");
    home.server.signal(Signal::HUP);
    has(0);
    let mut client = home.client("neighbour", "192.168.77.2:2121");
    assert_eq!(client.passive().ip(), Ipv4Addr::new(192, 168, 77, 2));
    drop(client);
    home.finish();
}

/// After a crash, nothing is mapped twice.
#[test]
fn a_server_that_was_killed_finds_its_mappings_again() {
    let (mut home, router) = mapped("auto", &Options::default());
    home.server.log_with("(PCP) forwards from");
    let before = router.mapped(&home.lab);
    home.server.signal(Signal::KILL);
    let flags = ["-r", "60000-60003", "--port-mapping", "auto"];
    wait_until("the port is free", || {
        let inside = (Ipv4Addr::new(192, 168, 77, 2), 2121).into();
        let namespace = home.lab.namespace_of("neighbour");
        namespace.connect(None, inside).is_err()
    });
    home.serve_on("server", &flags);
    let origin = Origin {
        host: Some(home.lab.namespace_of("client")),
        address: None,
    };
    wait_until("the second server has asked", || {
        router.log().matches("PCP request received").count() >= 10
    });
    let mut client = Client::logged_in_from(origin, (OUTER, 21).into());
    let mut to = client.passive();
    wait_until("the answers are in use", || {
        to = client.passive();
        to.ip() == OUTER
    });
    let data = client.connect_data(to);
    assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
    assert_eq!(router.mapped(&home.lab), before);
}

/// The users file is taken by itself: the control port is not forwarded any more.
#[test]
fn an_anonymous_line_that_comes_closes_the_control_port() {
    let lab = sealed_lab();
    let router = Miniupnpd::start(&lab, &Options::default());
    let place = TempDir::new().expect("a temporary directory");
    let file = place.path().join("users");
    let share = place.path().display();
    let anna = format!("anna:$6$saltsalt${}:{share}:read\n", ".".repeat(86));
    fs::write(&file, &anna).expect("a users file");
    let name = file.display().to_string();
    let flags = ["-r", "60000", "--port-mapping", "nat-pmp", "--users", &name];
    let home = HomeServer::within(lab, &flags);
    home.server.log_with(" forwards from 11.22.33.1 ");
    assert_eq!(router.mapped(&home.lab).len(), 2);
    fs::write(&file, anna + &format!("anonymous::{share}:read\n")).expect("a users file");
    wait_until("the control port is closed", || {
        router.mapped(&home.lab).len() == 1
    });
}

/// What a former run had forwarded, and this one does not want, is removed: here everyone could log
/// in from outside.
#[test]
fn ports_of_a_server_that_was_killed_are_removed() {
    for protocol in ["pcp", "nat-pmp", "upnp"] {
        let (mut home, router) = mapped(protocol, &Options::default());
        home.server.log_with(" forwards from 11.22.33.1 ");
        home.kill();
        assert_eq!(router.mapped(&home.lab).len(), 5);
        let flags = [
            "-r",
            "60000-60001",
            "--anonymous",
            "--port-mapping",
            protocol,
        ];
        let again = home.serve_again(&flags);
        again.log_with("to 192.168.77.2: the passive ports 60000-60001\n");
        again.signal(Signal::TERM);
        again.log_with("Z INFO  ended\n");
        wait_until("the removal", || router.mapped(&home.lab).is_empty());
    }
}

/// The provider gives the router another address while a client is connected.
#[test]
fn another_public_address_reaches_running_sessions() {
    let options = Options {
        lifetime_max: Some(8),
        ..Options::default()
    };
    let (home, router) = mapped("pcp", &options);
    home.server.log_with("(PCP) forwards from 11.22.33.1 ");
    let mut client = home.client("client", "11.22.33.1:21");
    assert_eq!(client.passive().ip(), OUTER);
    home.lab.remove_address("router", "wan", "11.22.33.1/24");
    home.lab.address("router", "wan", "11.22.33.2/24");
    // For the connection that there is.
    home.lab.address("router", "wan", "11.22.33.1/24");
    home.server.log_with("(PCP) forwards from 11.22.33.2 ");
    let to = client.passive();
    assert_eq!(to.ip(), Ipv4Addr::new(11, 22, 33, 2));
    let data = client.connect_data(to);
    assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
    drop(client);
    home.finish();
    drop(router);
}

const OUTER: Ipv4Addr = Ipv4Addr::new(11, 22, 33, 1);
