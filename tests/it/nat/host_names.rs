//! Masquerade by host name: the address behind it changes, is unknown, or cannot be asked for.
//!
//! The resolver's clients wait for minutes (see `support/lab/resolver.rs`), so a server that waited
//! for an answer would be late for every deadline here.

use std::fs;
use std::net::Ipv4Addr;

use rustix::process::Signal;

use super::announcements::{assert_announced, assert_not_connected};
use super::home_network::{
    INNER, OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, Router, change_router, home_network,
};
use super::home_server::HomeServer;
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::lab::Resolver;
use crate::support::wait::wait_until;

/// A server that asks a resolver which knows these names.
fn home(names: &[(&str, &str)], arguments: &[&str]) -> (HomeServer, Resolver) {
    let lab = home_network(&Router::default());
    let resolver = lab.resolver("server", names);
    (HomeServer::within(lab, arguments), resolver)
}

#[test]
fn the_announced_address_follows_the_resolver() {
    scenario(
        "host_names::the_announced_address_follows_the_resolver",
        || {
            let (home, resolver) = home(&[(NAME, "203.0.113.1")], &NAMED);
            home.server.log_with("ftp.home.example is 203.0.113.1");
            let mut client = home.client("client", OUTSIDE);
            assert_served(&home, &mut client, OUTER);

            change_router(&home.lab, &moved());
            resolver.lead(&[(NAME, "203.0.113.2")]);
            home.server
                .log_with("ftp.home.example is now 203.0.113.2, it was 203.0.113.1");
            assert_served(&home, &mut client, OUTER_SECOND);
            let output = home.ftplib("client", OUTSIDE_SECOND, true).expect_success();
            assert_announced(&output, 227, OUTER_SECOND);
            home.finish();
            "the session's next 227 names the new address; served"
        },
    );
}

/// The same with too rare lookups: the old address is announced, which no longer is the router's.
/// SIGHUP helps.
#[test]
fn a_rare_refresh_announces_the_old_address() {
    let flags = [&NAMED[..4], &["--masquerade-refresh", "3600"]].concat();
    let (home, resolver) = home(&[(NAME, "203.0.113.1")], &flags);
    home.server.log_with("ftp.home.example is 203.0.113.1");
    let mut client = home.client("client", OUTSIDE);
    assert_served(&home, &mut client, OUTER);

    change_router(&home.lab, &moved());
    resolver.lead(&[(NAME, "203.0.113.2")]);
    // This takes several times as long as the scenario above takes to notice.
    let output = home.ftplib("client", OUTSIDE_SECOND, true).expect_failure();
    assert_not_connected(&output);
    assert_eq!(client.passive().ip(), OUTER);
    let log = home.server.log();
    assert!(!log.contains(" is now "), "{log}");

    home.server.signal(Signal::HUP);
    home.server
        .log_with("ftp.home.example is now 203.0.113.2, it was 203.0.113.1");
    assert_served(&home, &mut client, OUTER_SECOND);
    home.finish();
}

#[test]
fn the_last_address_outlives_a_silent_resolver() {
    scenario(
        "host_names::the_last_address_outlives_a_silent_resolver",
        || {
            let (home, resolver) = home(&[(NAME, "203.0.113.1")], &NAMED);
            home.server.log_with("ftp.home.example is 203.0.113.1");
            let mut running = home.client("client", OUTSIDE);
            resolver.pause(true);
            home.server.log_with(
                "cannot resolve ftp.home.example: the resolver does not answer; \
             clients are still given 203.0.113.1",
            );
            let lookup = hanging_lookup(&home);
            assert_served(&home, &mut running, OUTER);
            let mut new = home.client("client", OUTSIDE);
            assert_served(&home, &mut new, OUTER);
            home.server.signal(Signal::HUP);
            home.server.log_with("reloaded the settings");
            assert_served(&home, &mut running, OUTER);
            // The same lookup is still the only one and has not returned: nothing can have waited
            // for it.
            assert_eq!(lookups(&home), [lookup]);

            change_router(&home.lab, &moved());
            resolver.lead(&[(NAME, "203.0.113.2")]);
            resolver.pause(false);
            home.server
                .log_with("ftp.home.example is now 203.0.113.2, it was 203.0.113.1");
            assert_served(&home, &mut running, OUTER_SECOND);
            home.finish();
            "logins and PASV do not wait; the last address, then the new one"
        },
    );
}

#[test]
fn nothing_waits_for_a_silent_resolver() {
    scenario("host_names::nothing_waits_for_a_silent_resolver", || {
        let lab = home_network(&Router::default());
        let resolver = lab.resolver("server", &[(NAME, "203.0.113.1")]);
        resolver.pause(true);
        let home = HomeServer::within(lab, &NAMED);
        let lookup = hanging_lookup(&home);
        let mut client = home.client("client", OUTSIDE);
        assert_eq!(client.passive().ip(), INNER);
        home.server.signal(Signal::HUP);
        let log = home.server.log_with("reloaded the settings");
        assert!(
            log.contains("announced as ftp.home.example (not resolved yet)"),
            "{log}"
        );
        assert_eq!(client.passive().ip(), INNER);
        home.server.log_with(
            "cannot resolve ftp.home.example: the resolver does not answer; \
             until it is resolved, clients are given the address that they connected to",
        );
        home.server.signal(Signal::USR1);
        home.server.log_with("ftp.home.example is not resolved yet");
        assert_eq!(lookups(&home), [lookup]);
        // Ends in time although the lookup does not.
        home.finish();
        "all answered at once; 227 names the local address"
    });
}

#[test]
fn a_name_may_be_unknown_at_start() {
    scenario("host_names::a_name_may_be_unknown_at_start", || {
        let (home, resolver) = home(&[], &NAMED);
        let log = home.server.log_with("cannot resolve ftp.home.example: ");
        assert!(log.contains("announced as ftp.home.example (not resolved yet)"));
        let mut client = home.client("client", OUTSIDE);
        assert_eq!(client.passive().ip(), INNER);
        resolver.lead(&[(NAME, "203.0.113.1")]);
        home.server.log_with("ftp.home.example is 203.0.113.1");
        assert_served(&home, &mut client, OUTER);
        resolver.lead(&[]);
        home.server.log_with("clients are still given 203.0.113.1");
        assert_served(&home, &mut client, OUTER);
        let log = home.server.log();
        assert_eq!(log.matches("cannot resolve").count(), 2, "{log}");
        home.finish();
        "the server starts and warns once; the address is announced once it is resolved"
    });
}

/// The name that gets no answer is the first that is looked up.
#[test]
fn every_rule_takes_host_names() {
    scenario("host_names::every_rule_takes_host_names", || {
        let flags = [
            "-n",
            "a.silent.example",
            "--masquerade-address-map",
            "192.168.77.2=one.home.example,192.168.77.12=two.home.example",
            "--masquerade-client",
            "203.0.113.77/32=far.home.example,203.0.113.10/32=a.silent.example",
            "-r",
            "60000-60009",
        ];
        let names = [
            ("one.home.example", "203.0.113.1"),
            ("two.home.example", "203.0.113.2"),
            ("far.home.example", "203.0.113.1"),
        ];
        let (home, _resolver) = home(&names, &flags);
        for (name, address) in names {
            home.server.log_with(&format!("{name} is {address}"));
        }
        for (host, to, outer) in [
            ("client", OUTSIDE, OUTER),
            ("client", OUTSIDE_SECOND, OUTER_SECOND),
            ("guest", OUTSIDE, OUTER),
        ] {
            assert_served(&home, &mut home.client(host, to), outer);
        }
        // The one whose address is not known.
        let mut last = home.client_from("client", Some("203.0.113.10"), OUTSIDE);
        assert_eq!(last.passive().ip(), INNER);
        assert_eq!(lookups(&home).len(), 1);
        home.finish();
        "each 227 names the address of its rule's name"
    });
}

/// A download to where the next 227 leads, which must be this address.
#[track_caller]
pub(super) fn assert_served(home: &HomeServer, client: &mut Client, outer: Ipv4Addr) {
    let to = client.passive();
    assert_eq!(to.ip(), outer);
    let data = client.connect_data(to);
    let served = fs::read(home.root().join("from-server.bin")).expect("the file");
    assert!(client.fetch_over(data, "RETR from-server.bin") == served);
}

/// The lookup that does not return. The resolver has been silent since before it began.
#[track_caller]
fn hanging_lookup(home: &HomeServer) -> String {
    let mut hanging = Vec::new();
    wait_until("a lookup hangs", || {
        hanging = lookups(home);
        hanging.len() == 1
    });
    hanging.remove(0)
}

/// The numbers of the server's threads that look something up.
fn lookups(home: &HomeServer) -> Vec<String> {
    let tasks = format!("/proc/{}/task", home.server.id());
    let tasks = fs::read_dir(tasks).expect("the server's threads").flatten();
    tasks
        .filter(|task| {
            let name = fs::read_to_string(task.path().join("comm"));
            name.is_ok_and(|name| name.trim_end() == "lookup")
        })
        .map(|task| task.file_name().to_string_lossy().into_owned())
        .collect()
}

fn moved() -> Router {
    Router {
        moved: true,
        ..Router::default()
    }
}

const NAME: &str = "ftp.home.example";
const NAMED: [&str; 6] = ["-n", NAME, "-r", "60000-60009", "--masquerade-refresh", "1"];
