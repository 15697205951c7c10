//! The control connection: AUTH TLS, implicit TLS, and how both begin and end.

use std::io::{Read, Write};
use std::net::Shutdown;

use rustls::version;

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::server::{SecureServer, TestServer};

#[test]
fn both_versions_of_tls_work() {
    let secure = SecureServer::black_box();
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        let features = client.command("FEAT", 211).text();
        for feature in ["AUTH TLS", "PBSZ", "PROT"] {
            assert!(features.contains(feature), "{features}");
        }
        client.command("AUTH TLS", 503);
        client.command("CCC", 534);
        client.command("REIN", 502);
        client.expect_in_step();
        client.command("QUIT", 221);
        // `None` for close_notify alone: any other end is an error.
        client.expect_closed();
        let tls = client.tls.as_mut().expect("TLS");
        let state = tls.process_new_packets().expect("no fault");
        assert!(state.peer_has_closed(), "no close_notify");
    }
}

#[test]
fn auth_takes_every_name_that_clients_use() {
    let secure = SecureServer::black_box();
    let config = secure.config(&version::TLS13);
    for name in ["TLS", "tls", "TLS-C", "SSL", "TLS-P"] {
        let mut client = Client::greeted(secure.server.address);
        client.command(format!("AUTH {name}"), 234);
        client.secure(&config);
        client.log_in();
        client.expect_in_step();
    }
}

#[test]
fn without_tls_nothing_of_it_is_offered() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    assert!(!client.command("FEAT", 211).text().contains("AUTH"));
    client.command("AUTH TLS", 502);
    client.command("PROT P", 502);
    client.command("PBSZ 0", 502);
}

#[test]
fn commands_and_records_are_independent() {
    let secure = SecureServer::black_box();
    for version in VERSIONS {
        let mut client = secure.client(&secure.config(version));
        client.send_bytes("NOOP\r\n".repeat(2700));
        client.expect_all(&[200; 2700]);
        for byte in b"NOOP\r\n" {
            client.send_bytes([*byte]);
        }
        client.expect(200);
        client.expect_in_step();
    }
}

/// A record need not come in one piece.
#[test]
fn records_may_come_byte_by_byte() {
    let secure = SecureServer::black_box();
    let mut client = secure.client(&secure.config(&version::TLS13));
    client.stream.set_nodelay(true).expect("no delay");
    let tls = client.tls.as_mut().expect("TLS");
    tls.writer().write_all(b"NOOP\r\nNOOP\r\n").expect("room");
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).expect("records");
    for byte in bytes {
        client.stream.write_all(&[byte]).expect("sending");
    }
    client.expect_all(&[200, 200]);
}

#[test]
fn keys_may_be_updated_at_any_time() {
    let secure = SecureServer::black_box();
    let mut client = secure.client(&secure.config(&version::TLS13));
    for _ in 0..20 {
        let tls = client.tls.as_mut().expect("TLS");
        tls.refresh_traffic_keys().expect("an update");
        client.command("NOOP", 200);
    }
}

#[test]
fn a_client_may_close_without_close_notify() {
    let secure = SecureServer::black_box();
    for version in VERSIONS {
        let mut client = secure.client(&secure.config(version));
        client.send("NOOP");
        client.stream.shutdown(Shutdown::Write).expect("an end");
        client.expect(200);
        client.expect_closed();
    }
}

#[test]
fn a_client_may_send_close_notify() {
    let secure = SecureServer::black_box();
    for version in VERSIONS {
        let mut client = secure.client(&secure.config(version));
        client.send("NOOP");
        let tls = client.tls.as_mut().expect("TLS");
        tls.send_close_notify();
        tls.write_tls(&mut client.stream).expect("close_notify");
        client.expect(200);
        client.expect_closed();
    }
}

#[test]
fn auth_tls_discards_the_login() {
    let secure = SecureServer::black_box();
    let mut client = secure.server.client();
    client.command("PWD", 257);
    client.command("AUTH TLS", 234);
    client.secure(&secure.config(&version::TLS13));
    client.command("PWD", 530);
}

/// Clear text that an attacker puts behind AUTH is never executed.
#[test]
fn clear_text_after_auth_is_never_executed() {
    let secure = SecureServer::black_box();
    let mut client = secure.server.client();
    client.send_bytes("AUTH TLS\r\nDELE file\r\n");
    client.expect(421);
    client.expect_closed();
    // Nor when it comes after the handshake has begun.
    let mut client = secure.server.client();
    client.command("AUTH TLS", 234);
    client.send_bytes("NOOP\r\nNOOP\r\n");
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"2"), "{}", rest.escape_ascii());
}

/// Without the flag they may do as they like.
#[test]
fn data_connections_need_not_resume_by_default() {
    let secure = SecureServer::black_box();
    secure.server.write("file", "text");
    for version in VERSIONS {
        let mut client = secure.client(&secure.config(version));
        let other = secure.config(version);
        assert_eq!(client.fetch_securely("RETR file", &other), b"text");
    }
}
