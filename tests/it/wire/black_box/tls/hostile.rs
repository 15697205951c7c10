//! Peers that speak something else than TLS: they cost nothing and hinder no one.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustls::version;

use crate::support::server::SecureServer;

#[test]
fn garbage_on_data_connections_ends_the_transfer() {
    let secure = SecureServer::black_box();
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    let mut runner = TestRunner::new(Config::with_cases(64));
    let client = std::cell::RefCell::new(&mut client);
    let run = runner.run(&garbage(), |bytes| {
        let mut client = client.borrow_mut();
        for command in ["RETR file", "STOR file"] {
            let mut socket = client.data();
            client.command(command, 150);
            spoil(&mut socket, &bytes);
            let reply = client.reply();
            prop_assert!(matches!(reply.code, 425 | 522), "{}", reply.text());
        }
        Ok(())
    });
    run.expect("no surprise");
    let mut client = client.borrow_mut();
    assert_eq!(secure.server.read("file"), b"text");
    assert_eq!(client.fetch_securely("RETR file", &config), b"text");
}

/// In an established session: bytes that were not encrypted with its keys end it.
#[test]
fn garbage_after_the_handshake_ends_the_session() {
    let secure = SecureServer::black_box();
    let config = secure.config(&version::TLS13);
    let mut runner = TestRunner::new(Config::with_cases(32));
    let run = runner.run(&garbage(), |bytes| {
        let mut client = secure.client(&config);
        spoil(&mut client.stream, &bytes);
        Ok(())
    });
    run.expect("no surprise");
    secure.client(&config).expect_in_step();
}

/// ABOR ends a handshake too.
#[test]
fn abor_ends_a_handshake() {
    let secure = SecureServer::black_box();
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    let _silent = client.data();
    client.command("RETR file", 150);
    client.command("ABOR", 426);
    client.expect(226);
    client.expect_in_step();
    assert_eq!(client.fetch_securely("RETR file", &config), b"text");
}

/// Bytes that sometimes begin as TLS does.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let begun = prop_oneof![
        Just(Vec::new()),
        Just(vec![22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]),
        Just(vec![22, 3, 1, 0xff, 0xff]),
        Just(vec![23, 3, 3, 0, 16]),
        Just(vec![21, 3, 3, 0, 2, 2, 40]),
        Just(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    let rest = prop::collection::vec(any::<u8>(), 1..600);
    (begun, rest).prop_map(|(begun, rest)| [begun, rest].concat())
}

/// Sends the bytes, closes the sending side, and reads to the end.
fn spoil(stream: &mut TcpStream, bytes: &[u8]) {
    // The server may have had enough before the last byte.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_ne!(
            error.kind(),
            ErrorKind::WouldBlock,
            "the connection stays open"
        );
    }
}
