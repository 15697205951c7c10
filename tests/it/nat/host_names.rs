//! Masquerade by host name: the address behind it changes, is unknown, or cannot be asked for.
//!
//! The resolver's clients wait for minutes (see `support/lab/resolver.rs`), so whatever waited for an answer would
//! be late for every deadline here.

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::announced::{assert_announced, assert_not_connected};
use super::home::{
    INNER, OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, Router, change_router, home,
};
use super::matrix::scenario;
use super::raw::Client;
use super::site::Site;
use crate::support::lab::Resolver;

/// A server that asks a resolver which knows these names.
fn site(names: &[(&str, &str)], arguments: &[&str]) -> (Site, Resolver) {
    let lab = home(&Router::default());
    let resolver = lab.resolver("server", names);
    (Site::within(lab, arguments), resolver)
}

#[test]
fn follow_the_resolver() {
    scenario("host_names::follow_the_resolver", || {
        let (site, resolver) = site(&[(NAME, "203.0.113.1")], &NAMED);
        site.server.log_with("ftp.home.example is 203.0.113.1");
        let mut client = site.client("client", OUTSIDE);
        assert_served(&site, &mut client, OUTER);

        change_router(&site.lab, &moved());
        resolver.lead(&[(NAME, "203.0.113.2")]);
        site.server
            .log_with("ftp.home.example is now 203.0.113.2, it was 203.0.113.1");
        assert_served(&site, &mut client, OUTER_SECOND);
        let story = site.ftplib("client", OUTSIDE_SECOND, true).expect_success();
        assert_announced(&story, "227", OUTER_SECOND);
        site.finish();
        "the session's next 227 names the new address; served"
    });
}

/// The same with too rare lookups: the old address is told, and the router forwards it no more. SIGHUP helps.
#[test]
fn are_not_followed_for_an_hour() {
    let flags = [&NAMED[..4], &["--masquerade-refresh", "3600"]].concat();
    let (site, resolver) = site(&[(NAME, "203.0.113.1")], &flags);
    site.server.log_with("ftp.home.example is 203.0.113.1");
    let mut client = site.client("client", OUTSIDE);
    assert_served(&site, &mut client, OUTER);

    change_router(&site.lab, &moved());
    resolver.lead(&[(NAME, "203.0.113.2")]);
    // Several times as long as the scenario above takes to notice.
    thread::sleep(Duration::from_secs(4));
    assert_eq!(client.pasv().ip(), OUTER);
    let story = site.ftplib("client", OUTSIDE_SECOND, true).expect_failure();
    assert_not_connected(&story);

    site.server.signal(Signal::HUP);
    site.server
        .log_with("ftp.home.example is now 203.0.113.2, it was 203.0.113.1");
    assert_served(&site, &mut client, OUTER_SECOND);
    site.finish();
}

#[test]
fn outlive_a_silent_resolver() {
    scenario("host_names::outlive_a_silent_resolver", || {
        let (site, resolver) = site(&[(NAME, "203.0.113.1")], &NAMED);
        site.server.log_with("ftp.home.example is 203.0.113.1");
        let mut running = site.client("client", OUTSIDE);
        resolver.pause(true);
        let lookup = hanging_lookup(&site);
        site.server.log_with(
            "cannot resolve ftp.home.example: the resolver does not answer; \
             clients are still told 203.0.113.1",
        );
        assert_served(&site, &mut running, OUTER);
        let mut new = site.client("client", OUTSIDE);
        assert_served(&site, &mut new, OUTER);
        site.server.signal(Signal::HUP);
        site.server.log_with("reloaded the settings");
        assert_served(&site, &mut running, OUTER);
        // The lookup of before is the only one, and has not come back: nobody can have waited for it.
        assert_eq!(lookups(&site), [lookup]);

        change_router(&site.lab, &moved());
        resolver.lead(&[(NAME, "203.0.113.2")]);
        resolver.pause(false);
        site.server
            .log_with("ftp.home.example is now 203.0.113.2, it was 203.0.113.1");
        assert_served(&site, &mut running, OUTER_SECOND);
        site.finish();
        "logins and PASV wait for nothing; the last address, then the new one"
    });
}

#[test]
fn may_be_silent_from_the_start() {
    scenario("host_names::may_be_silent_from_the_start", || {
        let lab = home(&Router::default());
        let resolver = lab.resolver("server", &[(NAME, "203.0.113.1")]);
        resolver.pause(true);
        let site = Site::within(lab, &NAMED);
        let lookup = hanging_lookup(&site);
        let mut client = site.client("client", OUTSIDE);
        assert_eq!(client.pasv().ip(), INNER);
        site.server.signal(Signal::HUP);
        let log = site.server.log_with("reloaded the settings");
        assert!(
            log.contains("announced as ftp.home.example (not known yet)"),
            "{log}"
        );
        assert_eq!(client.pasv().ip(), INNER);
        site.server.log_with(
            "cannot resolve ftp.home.example: the resolver does not answer; \
             until it is known, clients are told the address that they connected to",
        );
        site.server.signal(Signal::USR1);
        site.server.log_with("ftp.home.example is not known yet");
        assert_eq!(lookups(&site), [lookup]);
        // Ends in time although the lookup does not.
        site.finish();
        "all answered at once; 227 names the local address"
    });
}

#[test]
fn may_be_unknown_at_start() {
    scenario("host_names::may_be_unknown_at_start", || {
        let (site, resolver) = site(&[], &NAMED);
        let log = site.server.log_with("cannot resolve ftp.home.example: ");
        assert!(log.contains("announced as ftp.home.example (not known yet)"));
        let mut client = site.client("client", OUTSIDE);
        assert_eq!(client.pasv().ip(), INNER);
        resolver.lead(&[(NAME, "203.0.113.1")]);
        site.server.log_with("ftp.home.example is 203.0.113.1");
        assert_served(&site, &mut client, OUTER);
        resolver.lead(&[]);
        site.server.log_with("clients are still told 203.0.113.1");
        assert_served(&site, &mut client, OUTER);
        let log = site.server.log();
        assert_eq!(log.matches("cannot resolve").count(), 2, "{log}");
        site.finish();
        "the server starts and warns once; the name's address once it is known"
    });
}

/// The name that gets no answer is the first that is looked up.
#[test]
fn stand_in_every_rule() {
    scenario("host_names::stand_in_every_rule", || {
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
        let (site, _resolver) = site(&names, &flags);
        for (name, address) in names {
            site.server.log_with(&format!("{name} is {address}"));
        }
        for (host, to, outer) in [
            ("client", OUTSIDE, OUTER),
            ("client", OUTSIDE_SECOND, OUTER_SECOND),
            ("guest", OUTSIDE, OUTER),
        ] {
            assert_served(&site, &mut site.client(host, to), outer);
        }
        // The one whose address nobody knows.
        let mut last = site.client_from("client", Some("203.0.113.10"), OUTSIDE);
        assert_eq!(last.pasv().ip(), INNER);
        assert_eq!(lookups(&site).len(), 1);
        site.finish();
        "each 227 names what its rule's name leads to"
    });
}

/// A download to where the next 227 leads, which must be this address.
#[track_caller]
fn assert_served(site: &Site, client: &mut Client, outer: Ipv4Addr) {
    let to = client.pasv();
    assert_eq!(to.ip(), outer);
    let data = client.connect(to);
    let served = fs::read(site.root().join("from-server.bin")).expect("the file");
    assert!(client.download_over(data, "from-server.bin") == served);
}

/// The lookup that will not come back; the one before it may be still about to.
#[track_caller]
fn hanging_lookup(site: &Site) -> String {
    for _ in 0..50 {
        let before = lookups(site);
        thread::sleep(Duration::from_millis(200));
        if let ([one], [same]) = (&before[..], &lookups(site)[..])
            && one == same
        {
            return one.clone();
        }
    }
    panic!("no lookup hangs:\n{}", site.server.log());
}

/// The numbers of the server's threads that look something up.
fn lookups(site: &Site) -> Vec<String> {
    let tasks = format!("/proc/{}/task", site.server.id());
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
