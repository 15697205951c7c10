//! Idle control connections: routers forget what is silent, so the server is not.

use std::time::Duration;

use super::home_network::{OUTSIDE, ROUTED};
use super::home_server::HomeServer;
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::client_program::SECONDS_MAX;
use crate::support::process;
use crate::support::wait::{is_so_within, pass_time};

/// The kernel's timer shows when it will ask; the test does not wait for it.
#[test]
fn keepalive_is_armed() {
    scenario("keepalive::keepalive_is_armed", || {
        let home = HomeServer::new(&ROUTED);
        let _idle = home.client("client", OUTSIDE);
        // Other timers come first while data is on its way; then the socket shows this one.
        let mut text = String::new();
        is_so_within(Duration::from_secs(5), || {
            let mut list = home.lab.on("server", "ss");
            list.args(["-H", "-t", "-n", "-o", "state", "established"]);
            text = process::run(&mut list, SECONDS_MAX).expect_success().text();
            text.contains("timer:(keepalive,")
        });
        let seconds = seconds_left(&text);
        let seconds = seconds.unwrap_or_else(|| panic!("no keepalive timer:\n{text}"));
        assert!(seconds <= 60, "{seconds} s:\n{text}");
        home.finish();
        "the kernel asks after 60 s at most"
    });
}

/// The same with the clock: the router forgets after 90 s, the client is silent for 150.
#[test]
fn long_idle_connections_survive_a_router_that_forgets() {
    let (home, mut client) = forgetful(90);
    let idle = Duration::from_secs(150);
    pass_time(idle, "the router forgets by the clock");
    client.command("NOOP", 200);
    assert!(!client.fetch_passive("RETR from-server.bin").is_empty());
    home.finish();
}

/// A router that forgets sooner than the server asks: this is what keepalive saves the others from.
#[test]
fn long_idle_connections_break_when_a_router_forgets_sooner() {
    let (home, mut client) = forgetful(20);
    let idle = Duration::from_secs(40);
    pass_time(idle, "the router forgets by the clock");
    client.send("NOOP");
    // Nothing, or "(…)" for the end of the connection: the router itself answers what it cannot
    // place.
    let line = client.line_within(Duration::from_secs(5));
    assert!(
        line.as_ref().is_none_or(|text| text.starts_with('(')),
        "the router has not forgotten: {line:?}"
    );
    home.finish();
}

/// A router that forgets silent connections, and passes nothing of a connection that it does not
/// know.
fn forgetful(seconds: u32) -> (HomeServer, Client) {
    let home = HomeServer::new(&ROUTED);
    let conntrack = "net/netfilter/nf_conntrack_tcp";
    let seconds = seconds.to_string();
    home.lab.set(
        "router",
        &format!("{conntrack}_timeout_established"),
        &seconds,
    );
    home.lab.set("router", &format!("{conntrack}_loose"), "0");
    let client = home.client("client", OUTSIDE);
    (home, client)
}

/// The time in `timer:(keepalive,59sec,0)`.
fn seconds_left(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("timer:(keepalive,")?;
    let (left, _) = rest.split_once(',')?;
    match left.strip_suffix("min") {
        Some(minutes) => Some(minutes.parse::<u32>().ok()? * 60),
        // `1min30sec`, `59sec` or `900ms`.
        None if left.contains("min") => Some(u32::MAX),
        None if left.ends_with("ms") => Some(1),
        None => left.strip_suffix("sec")?.parse().ok(),
    }
}
