//! Strangers on the data port: they get nothing and change nothing, and the client is served.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use super::home_network::{OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::data::{is_timeout, read_all};
use crate::support::file_contents::noise;
use crate::support::lab::{self};

#[test]
fn one_stranger_is_refused() {
    scenario("strangers::one_stranger_is_refused", || check(1));
}

#[test]
fn five_strangers_are_refused() {
    scenario("strangers::five_strangers_are_refused", || check(5));
}

#[test]
fn a_thousand_strangers_are_refused() {
    scenario("strangers::a_thousand_strangers_are_refused", || {
        check(1000)
    });
}

/// One event for all of them, more than one turn is for, and no further event after the client's.
#[test]
fn a_hundred_strangers_at_once_are_refused() {
    scenario("strangers::a_hundred_strangers_at_once_are_refused", || {
        let home = HomeServer::new(&ROUTED);
        let mut client = home.client("client", OUTSIDE);
        let to = client.passive();
        client.command("RETR from-server.bin", 150);
        home.server.pause(true);
        let strangers = come(&home, 100, to);
        let mut data = client.connect_data(to);
        home.server.pause(false);
        let begun = Instant::now();
        assert!(read_all(&mut data) == noise(SIZE));
        client.expect(226);
        // Not only when a timer makes the server look again.
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_refused(strangers);
        serves_as_before(client);
        home.finish();
        "refused without a reply; the client is served"
    });
}

/// What a stranger sends must not end up in the file that the right client uploads.
#[test]
fn strangers_leave_no_bytes_in_an_upload() {
    scenario("strangers::strangers_leave_no_bytes_in_an_upload", || {
        let home = HomeServer::new(&ROUTED);
        let mut client = home.client("client", OUTSIDE);
        for before in [true, false] {
            let to = client.passive();
            let mut strangers = Vec::new();
            if before {
                strangers = come(&home, 3, to);
            }
            client.send("STOR upload.bin");
            client.expect(150);
            if !before {
                strangers = come(&home, 3, to);
            }
            for stranger in &mut strangers {
                // On an error the server has closed the connection already.
                let _ = stranger.write_all(b"a stranger's bytes");
            }
            assert_refused(strangers);
            let mut data = client.connect_data(to);
            data.write_all(&noise(SIZE)).expect("sending a file");
            drop(data);
            client.expect(226);
            let stored = fs::read(home.root().join("upload.bin")).expect("the upload");
            assert!(stored == noise(SIZE), "{} bytes", stored.len());
        }
        client.command("QUIT", 221);
        home.finish();
        "the file is the client's alone"
    });
}

/// The same stranger where any address may connect.
#[test]
fn strangers_are_served_with_foreign_addresses() {
    let home = HomeServer::new(&[&ROUTED[..], &["--permit-foreign-addresses"]].concat());
    let mut client = home.client("client", OUTSIDE);
    let to = client.passive();
    let mut stranger = come(&home, 1, to).pop().expect("a stranger");
    client.command("RETR from-server.bin", 150);
    let mut bytes = Vec::new();
    stranger.read_to_end(&mut bytes).expect("a file");
    assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
    client.expect(226);
    home.finish();
}

/// `count` strangers connect before the transfer command, and again after its 150.
fn check(count: usize) -> &'static str {
    allow_many_sockets();
    let home = HomeServer::new(&ROUTED);
    let mut client = home.client("client", OUTSIDE);

    let to = client.passive();
    let before = come(&home, count, to);
    // As most clients do: connected first, and the command is sent when that stands.
    let data = client.connect_data(to);
    let bytes = client.fetch_over(data, "RETR from-server.bin");
    assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
    assert_refused(before);

    let to = client.passive();
    client.command("RETR from-server.bin", 150);
    let after = come(&home, count, to);
    assert_refused(after);
    client.expect_silence(Duration::from_millis(20));
    let mut bytes = Vec::new();
    let read = client.connect_data(to).read_to_end(&mut bytes);
    read.expect("the rest of the file");
    assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
    client.expect(226);

    let to = client.passive();
    let before = come(&home, count, to);
    client.expect_silence(Duration::from_millis(20));
    let data = client.connect_data(to);
    client.store_over(data, "STOR upload.bin", noise(SIZE));
    let stored = fs::read(home.root().join("upload.bin")).expect("the upload");
    assert!(stored == noise(SIZE), "{} bytes", stored.len());
    assert_refused(before);
    serves_as_before(client);
    home.finish();
    "refused without a reply; the client is served"
}

/// No extra reply was sent.
fn serves_as_before(mut client: Client) {
    client.command("NOOP", 200);
    client.command("PWD", 257);
    client.command("QUIT", 221);
}

/// Connections from another address than the client's.
fn come(home: &HomeServer, count: usize, to: SocketAddr) -> Vec<TcpStream> {
    let from: IpAddr = "203.0.113.28".parse().expect("an address");
    home.lab.namespace_of("client").enter(|| {
        let connect = |number| {
            let stranger = lab::connect(Some(from), to);
            stranger.unwrap_or_else(|error| panic!("stranger {number} of {count}: {error}"))
        };
        (0..count).map(connect).collect()
    })
}

/// Each connection was closed without a byte.
#[track_caller]
fn assert_refused(strangers: Vec<TcpStream>) {
    for mut stranger in strangers {
        stranger
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a read timeout");
        let mut byte = [0];
        match stranger.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => panic!("a stranger was served"),
            // A reset: the server closed without reading what the stranger sent.
            Err(error) => assert!(!is_timeout(&error), "the connection stays open: {error}"),
        }
    }
}

/// A thousand sockets are more than a process may have by default.
fn allow_many_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit
        .maximum
        .map_or(Some(16_384), |most| Some(most.min(16_384)));
    setrlimit(Resource::Nofile, limit).expect("room for more sockets");
}
