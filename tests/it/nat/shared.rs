//! One forwarded port for many clients: those with different addresses listen on it at the same time.

use std::fs;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::home::OUTSIDE;
use super::matrix::scenario;
use super::raw::{Client, read_to_end};
use super::site::Site;
use crate::support::file_contents::noise;

#[test]
fn by_two_hundred_clients() {
    scenario("shared::by_two_hundred_clients", || {
        let site = Site::new(&ONE_PORT);
        neighbourhood(&site);
        for number in 1..=CLIENTS {
            fs::write(site.root().join(name(number)), contents(number)).expect("a file to serve");
        }
        let all_are_told = Barrier::new(usize::from(CLIENTS));
        thread::scope(|scope| {
            for number in 1..=CLIENTS {
                let (site, all_are_told) = (&site, &all_are_told);
                scope.spawn(move || {
                    let mut client = neighbour(site, number);
                    let to = client.pasv();
                    assert_eq!(to.port(), 60_000);
                    // Nobody connects before the last one has its 227: all wait on the one port.
                    all_are_told.wait();
                    fetch(&mut client, to, number);
                    client.expect("QUIT", "221");
                });
            }
        });
        let log = site.server.log();
        assert!(!log.contains("too small"), "somebody waited:\n{log}");
        site.finish();
        "200 of 200 wait on it at the same time, each gets its own file"
    });
}

/// Where anybody may take anybody's connection, nobody can share.
#[test]
fn not_with_foreign_addresses() {
    let site = Site::new(&[&ONE_PORT[..], &["--permit-foreign-addresses"]].concat());
    let mut one = site.client_from("client", Some("203.0.113.10"), OUTSIDE);
    let mut other = site.client_from("client", Some("203.0.113.11"), OUTSIDE);
    let to = one.pasv();
    other.send("PASV");
    other.assert_silent(Duration::from_millis(300));
    let data = one.connect(to);
    one.download_over(data, "from-server.bin");
    other.announced();
    site.finish();
}

/// Several sessions of one address take turns, beside the others.
#[test]
fn not_by_two_sessions_of_one_address() {
    scenario("shared::not_by_two_sessions_of_one_address", || {
        let site = Site::new(&ONE_PORT);
        let mut first = site.client_from("client", Some("203.0.113.10"), OUTSIDE);
        let mut second = site.client_from("client", Some("203.0.113.10"), OUTSIDE);
        let mut other = site.client_from("client", Some("203.0.113.11"), OUTSIDE);
        let to = first.pasv();
        second.send("PASV");
        second.assert_silent(Duration::from_millis(300));
        let elsewhere = other.pasv();
        assert_eq!(to, elsewhere);
        let data = other.connect(elsewhere);
        other.download_over(data, "from-server.bin");
        second.assert_silent(Duration::from_millis(300));
        let data = first.connect(to);
        first.download_over(data, "from-server.bin");
        let to = second.announced();
        let data = second.connect(to);
        second.download_over(data, "from-server.bin");
        site.finish();
        "the second waits for the first, another client for nobody"
    });
}

/// Connects before or after its command, as clients do.
fn fetch(client: &mut Client, to: SocketAddr, number: u8) {
    let bytes = match number.is_multiple_of(2) {
        true => {
            let data = client.connect(to);
            client.download_over(data, &name(number))
        }
        false => {
            client.expect(&format!("RETR {}", name(number)), "150");
            let bytes = read_to_end(&mut client.connect(to));
            client.expect_reply("226");
            bytes
        }
    };
    assert!(bytes == contents(number), "not the file of client {number}");
}

/// A network of further clients.
fn neighbourhood(site: &Site) {
    site.lab.local_network("client", "198.51.100.0/24");
    site.lab.route("isp", "198.51.100.0/24", "203.0.113.9");
}

fn neighbour(site: &Site, number: u8) -> Client {
    site.client_from("client", Some(&format!("198.51.100.{number}")), OUTSIDE)
}

fn name(number: u8) -> String {
    format!("file-{number}")
}

fn contents(number: u8) -> Vec<u8> {
    noise(10_000 + 100 * usize::from(number))
}

const CLIENTS: u8 = 200;
const ONE_PORT: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000"];
