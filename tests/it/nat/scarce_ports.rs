//! More clients at once than ports: all are served, none is sent outside the range.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::announcements::announcements;
use super::home_network::{OUTER, OUTSIDE, far_apart};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process::{self, Finished};
use crate::support::wait::pass_time;

#[test]
fn twenty_curls_share_two_ports() {
    scenario("scarce_ports::twenty_curls_share_two_ports", || {
        for addresses in [Addresses::One, Addresses::Many] {
            let home = HomeServer::new(&TWO_PORTS);
            curls(&home, 20, addresses);
            home.finish();
        }
        "20 of 20, twice; all in the range"
    });
}

#[test]
fn twenty_lftps_share_two_ports() {
    scenario("scarce_ports::twenty_lftps_share_two_ports", || {
        for addresses in [Addresses::One, Addresses::Many] {
            let home = HomeServer::new(&TWO_PORTS);
            lftps(&home, 20, addresses);
            home.finish();
        }
        "20 of 20, twice; all in the range"
    });
}

#[test]
fn twenty_late_clients_share_two_ports() {
    scenario("scarce_ports::twenty_late_clients_share_two_ports", || {
        // Nearly all of it is waiting, so both at the same time.
        in_parallel(&[Addresses::One, Addresses::Many], |addresses| {
            let home = HomeServer::new(&TWO_PORTS);
            late_clients(&home, 20, addresses);
            home.finish();
        });
        "20 of 20, twice; all in the range"
    });
}

/// With less patience than the queue is long, some get 425: the wait is what serves the others.
#[test]
fn a_short_passive_timeout_fails_late_clients() {
    let home = HomeServer::new(&[&ONE_PORT[..], &["--passive-timeout", "1"]].concat());
    let mut waiting: Vec<Client> = (0..4).map(|_| home.client("client", OUTSIDE)).collect();
    for client in &mut waiting {
        client.send("PASV");
    }
    let replies = waiting.iter_mut().map(|client| client.reply().code);
    let codes: Vec<u16> = replies.collect();
    for code in [227, 425] {
        assert!(codes.contains(&code), "no {code}: {codes:?}");
    }
    home.finish();
}

#[test]
fn eight_clients_share_one_port() {
    scenario("scarce_ports::eight_clients_share_one_port", || {
        in_parallel(&[Addresses::One, Addresses::Many], |addresses| {
            let home = HomeServer::new(&ONE_PORT);
            curls(&home, 8, addresses);
            lftps(&home, 8, addresses);
            late_clients(&home, 8, addresses);
            home.finish();
        });
        "8 of 8 of each kind, twice; all in the range"
    });
}

/// A port is needed until the client's connection has shown to be no look, not as long as its
/// transfer lasts.
#[test]
fn a_port_is_free_once_its_client_has_connected() {
    scenario(
        "scarce_ports::a_port_is_free_once_its_client_has_connected",
        || {
            let home = HomeServer::new(&ONE_PORT);
            let large = home.root().join("large.bin");
            // More than all buffers on the way hold, so that no transfer ends before it is read.
            let file = File::create(large).expect("a large file");
            file.set_len(64 << 20).expect("its length");
            let mut running = Vec::new();
            for _ in 0..8 {
                let mut client = home.client("client", OUTSIDE);
                let asked = Instant::now();
                let to = client.passive();
                assert!(
                    asked.elapsed() < LOOK_MAX,
                    "only after {:?}",
                    asked.elapsed()
                );
                assert_eq!(to.port(), 60_000);
                let data = client.connect_data(to);
                client.command("RETR large.bin", 150);
                running.push((client, data));
            }
            for (mut client, mut data) in running {
                let bytes = io::copy(&mut data, &mut io::sink()).expect("reading data");
                assert_eq!(bytes, 64 << 20);
                client.expect(226);
            }
            home.finish();
            "8 of 8, none waited longer than a look lasts"
        },
    );
}

/// They ask again as soon as their port is taken away; the others, who have the same address and so
/// cannot share it, are served in between. Of the ports that the two give up at last, one is kept
/// from that address for a while.
#[test]
fn clients_that_never_connect_starve_no_other() {
    scenario(
        "scarce_ports::clients_that_never_connect_starve_no_other",
        || {
            let home = HomeServer::new(&TWO_PORTS);
            let mut hoarders = [
                home.client("client", OUTSIDE),
                home.client("client", OUTSIDE),
            ];
            for hoarder in &mut hoarders {
                assert!(in_two_ports(hoarder.passive()));
            }
            let begun = Instant::now();
            let mut client = home.client("client", OUTSIDE);
            client.send("PASV");
            home.server.session_log_with(3, " waits for a passive port");
            // Each gives its own port back with this, and asks behind the client for another.
            for hoarder in &mut hoarders {
                hoarder.send("PASV");
            }
            let to = client.expect_announced();
            assert!(in_two_ports(to), "{to}");
            let data = client.connect_data(to);
            assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            assert!(
                begun.elapsed() < YIELDED,
                "only after {:?}",
                begun.elapsed()
            );
            // They hold both ports again, and eight more clients want one.
            for hoarder in &mut hoarders {
                assert!(in_two_ports(hoarder.expect_announced()));
            }
            let begun = Instant::now();
            curls(&home, 8, Addresses::One);
            assert!(
                begun.elapsed() < YIELDED,
                "only after {:?}",
                begun.elapsed()
            );
            for hoarder in &mut hoarders {
                let text = hoarder.command("RETR from-server.bin", 425).text();
                assert!(text.starts_with("425 No data connection to 203"), "{text}");
                assert!(
                    text.contains(" before other clients needed the port; "),
                    "{text}"
                );
                hoarder.command("NOOP", 200);
            }
            home.finish();
            "all others served within 8 s"
        },
    );
}

#[test]
fn the_log_warns_of_a_small_range() {
    scenario("scarce_ports::the_log_warns_of_a_small_range", || {
        let home = HomeServer::new(&ONE_PORT);
        let mut holder = home.client("client", OUTSIDE);
        let mut waiting = home.client("client", OUTSIDE);
        let to = holder.passive();
        let asked = Instant::now();
        waiting.send("PASV");
        waiting.expect_silence(Duration::from_millis(100));
        let data = holder.connect_data(to);
        holder.fetch_over(data, "RETR from-server.bin");
        waiting.expect_announced();
        let most = asked.elapsed().as_secs_f64() + 0.1;
        let log = home.server.log_with("is too small");
        let line = log.lines().find(|line| line.contains("is too small"));
        let line = line.expect("it was there");
        assert!(line.contains("--passive-ports 60000 "), "{line}");
        let (_, seconds) = line.split_once("waited ").expect("how long");
        let (seconds, _) = seconds.split_once(' ').expect("how long");
        let seconds: f64 = seconds.parse().expect("how long");
        assert!((0.1..most).contains(&seconds), "{line}");
        home.finish();
        "both are there"
    });
}

#[test]
fn the_log_has_no_warning_while_ports_suffice() {
    let home = HomeServer::new(&TWO_PORTS);
    let mut holder = home.client("client", OUTSIDE);
    let to = holder.passive();
    let mut other = home.client("client", OUTSIDE);
    assert!(other.fetch_passive("RETR from-server.bin") == noise(SIZE));
    let data = holder.connect_data(to);
    assert!(holder.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
    let log = home.server.log();
    assert!(!log.contains("too small"), "a client waited:\n{log}");
    home.finish();
}

/// Where clients come from.
#[derive(Clone, Copy, Debug)]
enum Addresses {
    One,
    /// Far apart, so that clients share ports.
    Many,
}

impl Addresses {
    fn of(self, number: usize) -> String {
        match self {
            Self::One => "203.0.113.9".to_owned(),
            Self::Many => far_apart(u8::try_from(number).expect("few clients")),
        }
    }
}

fn curls(home: &HomeServer, count: usize, addresses: Addresses) {
    let commands = (0..count).map(|number| {
        let address = addresses.of(number);
        // curl prints the replies; what it fetches is checked byte by byte.
        let flags = ["--disable-epsv", "--interface", &address];
        // In curl's eyes the wait for a 227 is part of connecting.
        let fetch = [
            "--no-ftp-skip-pasv-ip",
            "--connect-timeout",
            "40",
            &format!("ftp://{OUTSIDE}/from-server.bin"),
        ];
        home.curl_command("client", &flags, &fetch)
    });
    assert_all_served(all_at_once(commands));
}

fn lftps(home: &HomeServer, count: usize, addresses: Addresses) {
    let url = home.lftp_url(OUTSIDE);
    let commands = (0..count).map(|number| {
        let address = addresses.of(number);
        let script = format!(
            "set net:timeout 40; set ftp:fix-pasv-address false; \
             set net:socket-bind-ipv4 {address}; cat {url}/from-server.bin"
        );
        home.lftp_command("client", &script)
    });
    assert_all_served(all_at_once(commands));
}

/// Clients that connect to the announced port only when up to three seconds have passed; most of
/// them sooner.
fn late_clients(home: &HomeServer, count: usize, addresses: Addresses) {
    thread::scope(|scope| {
        for number in 0..count {
            scope.spawn(move || {
                let from = addresses.of(number);
                let mut client = home.client_from("client", Some(&from), OUTSIDE);
                let to = client.passive();
                assert!(in_two_ports(to), "{to}");
                let late = LATE_MAX.mul_f64((number as f64 / (count as f64 - 1.0)).powi(3));
                pass_time(late, "how the server serves late clients is what is tested");
                let data = client.connect_data(to);
                assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
                client.command("QUIT", 221);
            });
        }
    });
}

fn all_at_once(commands: impl Iterator<Item = Command>) -> Vec<Finished> {
    let commands: Vec<Command> = commands.collect();
    thread::scope(|scope| {
        let running: Vec<_> = commands
            .into_iter()
            .map(|mut command| scope.spawn(move || process::run(&mut command, SECONDS_MAX)))
            .collect();
        running
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .collect()
    })
}

#[track_caller]
fn assert_all_served(outputs: Vec<Finished>) {
    let wanted = noise(SIZE);
    let count = outputs.len();
    let fine = |output: &&Finished| output.succeeded() && output.stdout == wanted;
    let served = outputs.iter().filter(fine).count();
    let first = outputs.iter().find(|output| !fine(output));
    let first = first.map(|output| String::from_utf8_lossy(&output.stderr));
    assert_eq!(served, count, "the first that was not: {first:?}");
    for output in outputs {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let announced = announcements(&stderr);
        assert!(!announced.is_empty(), "no 227 in:\n{stderr}");
        for announced in announced {
            assert_eq!(announced.address, Some(OUTER), "{stderr}");
            assert!((60_000..=60_001).contains(&announced.port), "{stderr}");
        }
    }
}

fn in_two_ports(to: SocketAddr) -> bool {
    to.ip() == OUTER && (60_000..=60_001).contains(&to.port())
}

fn in_parallel<T: Copy + Send>(of: &[T], work: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = of
            .iter()
            .map(|&item| scope.spawn(move || work(item)))
            .collect();
        for thread in running {
            thread.join().expect("one of two outputs at the same time");
        }
    });
}

const TWO_PORTS: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000-60001"];
const ONE_PORT: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000"];
/// As long as a connection may be a look while others wait for its port, and some more.
const LOOK_MAX: Duration = Duration::from_secs(1);
const LATE_MAX: Duration = Duration::from_secs(3);
/// The five seconds that a port is reserved for a client that does not connect, and some more.
const YIELDED: Duration = Duration::from_secs(8);
