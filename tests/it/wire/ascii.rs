//! `--ascii`: nothing is converted unasked, and what a conversion may have damaged is logged.

use std::fs::File;

use crate::support::client::Client;
use crate::support::server::{PASSWORD, TestServer, USER};

/// A client that has logged in and sent no TYPE, as cameras do.
fn silent_client<B>(server: &TestServer<B>) -> Client {
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), 230);
    client
}

/// What a picture looks like: line ends of both kinds, bare CR, NUL.
const BINARY: &[u8] = b"\xff\xd8\r\n\0\n\r\xff\xd9";

#[test]
fn nothing_is_converted_before_the_client_requests_it() {
    let server = TestServer::in_process(&[]);
    let mut client = silent_client(&server);
    client.store("STOR picture", BINARY);
    assert_eq!(server.read("picture"), BINARY);
    assert_eq!(client.command("SIZE picture", 213).text(), "213 9");
    assert_eq!(client.fetch("RETR picture"), BINARY);
    client.command("TYPE A", 200);
    server.write("text", "one\ntwo\n");
    assert_eq!(client.fetch("RETR text"), b"one\r\ntwo\r\n");
    client.command("TYPE I", 200);
    assert_eq!(client.fetch("RETR text"), b"one\ntwo\n");
    // The next login begins anew.
    client.command("TYPE A", 200);
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), 230);
    assert_eq!(client.fetch("RETR text"), b"one\ntwo\n");
}

#[test]
fn nothing_is_ever_converted_if_the_operator_says_so() {
    let server = TestServer::in_process(&["--ascii", "never"]);
    let mut client = silent_client(&server);
    let text = client.command("TYPE A", 200).text();
    assert!(text.contains("as they are"), "{text}");
    client.store("STOR picture", BINARY);
    assert_eq!(server.read("picture"), BINARY);
    assert_eq!(client.command("SIZE picture", 213).text(), "213 9");
    client.command("REST 4", 350);
    client.store("STOR picture", "end");
    assert_eq!(server.read("picture"), b"\xff\xd8\r\nend");
    // Listings are text.
    assert_eq!(client.fetch("NLST"), b"picture\r\n");
}

#[test]
fn sizes_in_ascii_mode_are_counted_up_to_a_limit() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    let text = "line\n".repeat(1_000_000);
    server.write("text", &text);
    client.command("TYPE A", 200);
    assert_eq!(client.command("SIZE text", 213).text(), "213 6000000");
    let large = File::create(server.path("large")).expect("a file");
    large.set_len((64 << 20) + 1).expect("its size");
    let refusal = client.command("SIZE large", 550).text();
    assert!(refusal.contains("ASCII mode"), "{refusal}");
    client.command("TYPE I", 200);
    assert_eq!(client.command("SIZE large", 213).text(), "213 67108865");
}

/// Once in a session, and not for text.
#[test]
fn converted_uploads_of_binary_data_are_logged() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    client.command("TYPE A", 200);
    client.store("STOR text", "one\r\ntwo\n");
    client.store("STOR picture", BINARY);
    client.store("STOR another", BINARY);
    client.command("TYPE I", 200);
    client.store("STOR whole", BINARY);
    let log = server.log_with("STOR /whole");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("NUL")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("STOR /picture in type A"), "{}", lines[0]);
}
