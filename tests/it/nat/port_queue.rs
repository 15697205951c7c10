//! Leaving the queue for a passive port: at once, and without a trace.
//!
//! One port, and clients of one address, which cannot share it. `holder` has the port and does not
//! connect; others wait. In each test `leaver` waits before `next` and leaves in some way; then
//! `holder` finishes, and `next` has the port long before any timer expires.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::home_network::{FORWARDED, OUTSIDE};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::file_contents::noise;

#[test]
fn abor_leaves_the_queue() {
    scenario("port_queue::abor_leaves_the_queue", || {
        let (home, mut leaver, rest) = three_on_one_port();
        let asked = Instant::now();
        leaver.send("ABOR");
        leaver.expect(425);
        leaver.expect(226);
        assert_at_once(asked);
        rest.go_on();
        // Its session goes on as well.
        assert!(leaver.fetch_passive("RETR from-server.bin") == noise(SIZE));
        home.finish();
        "425 and 226 at once; the next one is served"
    });
}

#[test]
fn quit_leaves_the_queue() {
    scenario("port_queue::quit_leaves_the_queue", || {
        let (home, mut leaver, rest) = three_on_one_port();
        let asked = Instant::now();
        leaver.send("QUIT");
        leaver.expect(425);
        leaver.expect(221);
        assert_at_once(asked);
        rest.go_on();
        home.finish();
        "425 and 221 at once; the next one is served"
    });
}

#[test]
fn a_lost_connection_leaves_the_queue() {
    scenario("port_queue::a_lost_connection_leaves_the_queue", || {
        let (home, leaver, rest) = three_on_one_port();
        let left = Instant::now();
        drop(leaver);
        // Before the port is free: a session that notices only then would get the port first.
        home.server.session_log_with(2, " closed");
        assert_at_once(left);
        rest.go_on();
        home.finish();
        "the next one is served"
    });
}

#[test]
fn the_queue_waits_no_longer_than_the_passive_timeout() {
    scenario(
        "port_queue::the_queue_waits_no_longer_than_the_passive_timeout",
        || {
            let home = HomeServer::new(&[&ONE_PORT[..], &["--passive-timeout", "2"]].concat());
            // In use by another program, so that it stays so.
            let server = home.lab.namespace_of("server");
            let held = server.listen(([0, 0, 0, 0], *FORWARDED.start()));
            let held = held.expect("a port of another program");
            let mut client = home.client("client", OUTSIDE);
            let asked = Instant::now();
            client.command("PASV", 425);
            let waited = asked.elapsed();
            assert!(
                (2.0..4.0).contains(&waited.as_secs_f64()),
                "425 after {waited:?}"
            );
            client.command("PWD", 257);
            home.server.log_with("no passive port became free");
            home.server
                .log_with("--passive-ports 60000 is in use by other programs: a client waited 2");
            drop(held);
            client.command("QUIT", 221);
            home.finish();
            "425 in time"
        },
    );
}

/// Those who stay when the leaver has left.
struct Rest {
    holder: Client,
    to: SocketAddr,
    next: Client,
}

impl Rest {
    /// The holder connects at last; then the port is free for the next one.
    fn go_on(self) {
        let Self {
            mut holder,
            to,
            mut next,
        } = self;
        let data = holder.connect_data(to);
        let done = Instant::now();
        assert!(holder.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
        let to = next.expect_announced();
        assert_at_once(done);
        let data = next.connect_data(to);
        assert!(next.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
        next.command("QUIT", 221);
        holder.command("QUIT", 221);
    }
}

/// The leaver waits, and behind it the next one; in the log they are #2 and #3.
fn three_on_one_port() -> (HomeServer, Client, Rest) {
    let home = HomeServer::new(&ONE_PORT);
    let mut holder = home.client("client", OUTSIDE);
    let to = holder.passive();
    let mut leaver = home.client("client", OUTSIDE);
    let mut next = home.client("client", OUTSIDE);
    for (waiting, number) in [(&mut leaver, 2), (&mut next, 3)] {
        waiting.send("PASV");
        home.server
            .session_log_with(number, " waits for a passive port");
    }
    let rest = Rest { holder, to, next };
    (home, leaver, rest)
}

/// Sooner than the second after which sessions look by themselves.
#[track_caller]
fn assert_at_once(since: Instant) {
    let waited = since.elapsed();
    assert!(waited < Duration::from_millis(700), "only after {waited:?}");
}

const ONE_PORT: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000"];
