//! Leaving the queue for a passive port: at once, and without a trace.
//!
//! One port, and clients of one address, who cannot share it. `holder` has it and does not come; whoever asks next waits. The story is always: `leaver` waits before
//! `next`, leaves in some way, then `holder` is done, and `next` has the port long before any timer helps.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::home::{FORWARDED, OUTSIDE};
use super::matrix::scenario;
use super::raw::Client;
use super::site::{SIZE, Site};
use crate::support::file_contents::noise;

#[test]
fn abor_leaves_it() {
    scenario("queue::abor_leaves_it", || {
        let (site, mut leaver, rest) = three_on_one_port();
        let asked = Instant::now();
        leaver.send("ABOR");
        leaver.expect_reply("425");
        leaver.expect_reply("226");
        assert_at_once(asked);
        rest.go_on();
        // Its session goes on as well.
        assert!(leaver.download("from-server.bin") == noise(SIZE));
        site.finish();
        "425 and 226 at once; the next one is served"
    });
}

#[test]
fn quit_leaves_it() {
    scenario("queue::quit_leaves_it", || {
        let (site, mut leaver, rest) = three_on_one_port();
        let asked = Instant::now();
        leaver.send("QUIT");
        leaver.expect_reply("425");
        leaver.expect_reply("221");
        assert_at_once(asked);
        rest.go_on();
        site.finish();
        "425 and 221 at once; the next one is served"
    });
}

#[test]
fn a_lost_connection_leaves_it() {
    scenario("queue::a_lost_connection_leaves_it", || {
        let (site, leaver, rest) = three_on_one_port();
        let left = Instant::now();
        drop(leaver);
        // Before the port comes free: a session that only notices then would be given it first.
        while !site.server.log().contains("#2 closed") {
            assert_at_once(left);
            thread::sleep(Duration::from_millis(5));
        }
        rest.go_on();
        site.finish();
        "the next one is served"
    });
}

#[test]
fn waits_no_longer_than_the_passive_timeout() {
    scenario("queue::waits_no_longer_than_the_passive_timeout", || {
        let site = Site::new(&[&ONE_PORT[..], &["--passive-timeout", "2"]].concat());
        // Held by another program, so that it does not come free by itself.
        let server = site.lab.namespace_of("server");
        let held = server.listen(([0, 0, 0, 0], *FORWARDED.start()));
        let held = held.expect("a port of another program");
        let mut client = site.client("client", OUTSIDE);
        let asked = Instant::now();
        client.expect("PASV", "425");
        let waited = asked.elapsed();
        assert!(
            (2.0..4.0).contains(&waited.as_secs_f64()),
            "425 after {waited:?}"
        );
        client.expect("PWD", "257");
        site.server.log_with("no passive port came free");
        site.server
            .log_with("passive port 60000 is held by other programs: a client waited 2");
        drop(held);
        client.expect("QUIT", "221");
        site.finish();
        "425 in time"
    });
}

/// Those who stay when the leaver has left.
struct Rest {
    holder: Client,
    to: SocketAddr,
    next: Client,
}

impl Rest {
    /// The holder comes at last; then the port is free for the next one.
    fn go_on(self) {
        let Self {
            mut holder,
            to,
            mut next,
        } = self;
        let data = holder.connect(to);
        let done = Instant::now();
        assert!(holder.download_over(data, "from-server.bin") == noise(SIZE));
        let to = next.announced();
        assert_at_once(done);
        let data = next.connect(to);
        assert!(next.download_over(data, "from-server.bin") == noise(SIZE));
        next.expect("QUIT", "221");
        holder.expect("QUIT", "221");
    }
}

/// The leaver waits, and behind it the next one; in the log they are #2 and #3.
fn three_on_one_port() -> (Site, Client, Rest) {
    let site = Site::new(&ONE_PORT);
    let mut holder = site.client("client", OUTSIDE);
    let to = holder.pasv();
    let mut leaver = site.client("client", OUTSIDE);
    let mut next = site.client("client", OUTSIDE);
    for waiting in [&mut leaver, &mut next] {
        waiting.send("PASV");
        waiting.assert_silent(Duration::from_millis(200));
    }
    let rest = Rest { holder, to, next };
    (site, leaver, rest)
}

/// Sooner than the second after which sessions look by themselves.
#[track_caller]
fn assert_at_once(since: Instant) {
    let waited = since.elapsed();
    assert!(waited < Duration::from_millis(700), "only after {waited:?}");
}

const ONE_PORT: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000"];
