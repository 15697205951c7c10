//! One forwarded port for many clients: those that are far apart wait on it at the same time, and
//! neighbours take turns.

use std::fs;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

use rustix::process::Signal;

use super::home_network::{OUTSIDE, far_apart};
use super::home_server::HomeServer;
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::data::read_all;
use crate::support::file_contents::noise;

#[test]
fn two_hundred_clients_share_one_port() {
    scenario("shared_port::two_hundred_clients_share_one_port", || {
        let home = with_files();
        let all_are_told = Barrier::new(usize::from(CLIENTS));
        thread::scope(|scope| {
            for number in 1..=CLIENTS {
                let (home, all_are_told) = (&home, &all_are_told);
                scope.spawn(move || {
                    let mut client = client(home, &far_apart(number));
                    let to = client.passive();
                    assert_eq!(to.port(), 60_000);
                    // No client connects before the last one has its 227: all wait on the one port.
                    all_are_told.wait();
                    fetch(&mut client, to, number);
                    client.command("QUIT", 221);
                });
            }
        });
        let log = home.server.log();
        assert!(!log.contains("too small"), "a client waited:\n{log}");
        home.finish();
        "200 of 200 wait on it at the same time, each gets its own file"
    });
}

/// Of one network, whose addresses a provider's NAT could use for each of them.
#[test]
fn two_hundred_neighbours_take_turns() {
    scenario("shared_port::two_hundred_neighbours_take_turns", || {
        let home = with_files();
        home.lab.local_network("client", "198.51.100.0/24");
        home.lab.route("isp", "198.51.100.0/24", "203.0.113.9");
        let waiting_at_once = Barrier::new(usize::from(CLIENTS));
        thread::scope(|scope| {
            for number in 1..=CLIENTS {
                let (home, waiting_at_once) = (&home, &waiting_at_once);
                scope.spawn(move || {
                    let mut client = client(home, &format!("198.51.100.{number}"));
                    waiting_at_once.wait();
                    let to = client.passive();
                    assert_eq!(to.port(), 60_000);
                    fetch(&mut client, to, number);
                    client.command("QUIT", 221);
                });
            }
        });
        home.server.log_with("too small");
        home.finish();
        "200 of 200 served, each with its own file"
    });
}

/// Where any address may connect, sessions cannot share a port.
#[test]
fn foreign_addresses_take_turns() {
    let home = HomeServer::new(&[&ONE_PORT[..], &["--permit-foreign-addresses"]].concat());
    let [mut one, mut other] = [1, 2].map(|number| client(&home, &far_apart(number)));
    let to = one.passive();
    other.send("PASV");
    home.server.session_log_with(2, " waits for a passive port");
    let data = one.connect_data(to);
    one.fetch_over(data, "RETR from-server.bin");
    other.expect_announced();
    home.finish();
}

/// Several sessions of one address take turns, beside the others.
#[test]
fn two_sessions_of_one_address_take_turns() {
    scenario(
        "shared_port::two_sessions_of_one_address_take_turns",
        || {
            let home = HomeServer::new(&ONE_PORT);
            let [mut first, mut second] = [1, 1].map(|number| client(&home, &far_apart(number)));
            let mut other = client(&home, &far_apart(2));
            let to = first.passive();
            second.send("PASV");
            home.server.session_log_with(2, " waits for a passive port");
            let elsewhere = other.passive();
            assert_eq!(to, elsewhere);
            let data = other.connect_data(elsewhere);
            other.fetch_over(data, "RETR from-server.bin");
            home.server.signal(Signal::USR1);
            home.server.log_with("waiting for a passive port for");
            let data = first.connect_data(to);
            first.fetch_over(data, "RETR from-server.bin");
            let to = second.expect_announced();
            let data = second.connect_data(to);
            second.fetch_over(data, "RETR from-server.bin");
            home.finish();
            "the second waits for the first, another client does not wait"
        },
    );
}

/// Connects before or after its command, as clients do.
fn fetch(client: &mut Client, to: SocketAddr, number: u8) {
    let bytes = if number.is_multiple_of(2) {
        let data = client.connect_data(to);
        client.fetch_over(data, format!("RETR {}", name(number)))
    } else {
        client.command(format!("RETR {}", name(number)), 150);
        let bytes = read_all(&mut client.connect_data(to));
        client.expect(226);
        bytes
    };
    assert!(bytes == contents(number), "not the file of client {number}");
}

/// A server with a file for each client.
fn with_files() -> HomeServer {
    let home = HomeServer::new(&ONE_PORT);
    for number in 1..=CLIENTS {
        fs::write(home.root().join(name(number)), contents(number)).expect("a file to serve");
    }
    home
}

fn client(home: &HomeServer, from: &str) -> Client {
    home.client_from("client", Some(from), OUTSIDE)
}

fn name(number: u8) -> String {
    format!("file-{number}")
}

fn contents(number: u8) -> Vec<u8> {
    noise(10_000 + 100 * usize::from(number))
}

const CLIENTS: u8 = 200;
const ONE_PORT: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000"];
