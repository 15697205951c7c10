//! Connections from other addresses to a passive port: they get nothing, and the client notices
//! nothing.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use crate::support::data::{
    connect, connect_from, connect_stranger, drain, read_all, wait_until_closed,
};
use crate::support::file_contents::noise;
use crate::support::server::TestServer;

#[test]
fn one_stranger_is_refused() {
    check(1);
}

#[test]
fn five_strangers_are_refused() {
    check(5);
}

#[test]
fn two_hundred_strangers_are_refused() {
    // More than two turns are for.
    check(200);
}

/// `count` strangers connect before the transfer command, and again after its 150.
fn check(count: usize) {
    let server = TestServer::black_box();
    let bytes = noise(100_000);
    server.write("file", &bytes);
    let mut client = server.client();

    // Before the client has connected, and before its command.
    let port = client.extended_passive();
    let strangers = crowd(port, count);
    let mut data = connect(port);
    client.command("RETR file", 150);
    assert!(read_all(&mut data) == bytes);
    client.expect(226);
    expect_refused(strangers);
    client.expect_in_step();

    // While the server waits for the client.
    let port = client.extended_passive();
    client.command("STOR new", 150);
    for stranger in crowd(port, count) {
        expect_refused(vec![stranger]);
    }
    let mut data = connect(port);
    data.write_all(&bytes).expect("sending data");
    drop(data);
    client.expect(226);
    client.expect_in_step();
    assert!(server.read("new") == bytes);

    // Once the client sends, no one else can connect.
    let port = client.extended_passive();
    client.command("STOR new", 150);
    let mut data = connect(port);
    data.write_all(b"a byte").expect("sending data");
    wait_until_closed(port);
    drop(data);
    client.expect(226);
    client.expect_in_step();
}

/// The client connects twice: it is served once, and nothing remains for the next transfer. A
/// server may close the port after the first connection, so that the second one is refused.
#[test]
fn a_second_connection_of_the_client_is_closed() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    let port = client.extended_passive();
    let mut first = connect(port);
    let second = connect_from(None::<IpAddr>, port);
    client.command("RETR file", 150);
    assert_eq!(read_all(&mut first), b"text");
    client.expect(226);
    match second {
        Ok(second) => assert_eq!(drain(second), 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
    }
    client.command("RETR file", 425);
}

/// What strangers send is no upload either.
#[test]
fn a_stranger_uploads_nothing() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let port = client.extended_passive();
    client.command("STOR new", 150);
    let mut stranger = connect_stranger(port).expect("a connection");
    // The server may have closed it already.
    let _ = stranger.write_all(b"not yours");
    drain(stranger);
    let mut data = connect(port);
    data.write_all(b"mine").expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(server.read("new"), b"mine");
}

fn crowd(port: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count)
        .map(|_| connect_stranger(port).expect("a connection"))
        .collect()
}

#[track_caller]
fn expect_refused(strangers: Vec<TcpStream>) {
    for stranger in strangers {
        assert_eq!(drain(stranger), 0, "a stranger was sent something");
    }
}
