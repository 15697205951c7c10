//! Peers that speak something else than TLS: they cost nothing and hinder no one.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustls::version;

use crate::support::garbage::{garbage, spoil};
use crate::support::server::SecureServer;

#[test]
fn garbage_on_data_connections_ends_the_transfer() {
    let secure = SecureServer::black_box();
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    // After each, the server waits a moment for another connection.
    let mut runner = TestRunner::new(Config::with_cases(5));
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
