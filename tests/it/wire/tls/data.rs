//! Transfers over TLS where TLS is required, of all sizes and in active mode, and when they cannot
//! go on.

use std::net::TcpStream;

use rustls::version;

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected};
use crate::support::data::{accept, active_listener};
use crate::support::file_contents::noise;
use crate::support::server::SecureServer;

#[test]
fn files_of_every_size_are_transferred() {
    let secure = SecureServer::in_process(&["--tls-data-required"]);
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        for size in SIZES {
            let bytes = noise(size);
            client.store_securely("STOR new", &bytes, &config);
            assert!(secure.server.read("new") == bytes, "{size} bytes up");
            let fetched = client.fetch_securely("RETR new", &config);
            assert!(fetched == bytes, "{size} bytes down");
        }
        client.store_securely("APPE new", b"more", &config);
        assert!(secure.server.read("new").ends_with(b"more"));
        assert_eq!(client.fetch_securely("NLST", &config), b"new\r\n");
        client.command("MKD empty", 257);
        assert_eq!(client.fetch_securely("NLST empty", &config), b"");
        client.command("RMD empty", 250);
        client.command("REST 2999990", 350);
        let rest = client.fetch_securely("RETR new", &config);
        assert_eq!(rest.len(), 14);
        client.command("TYPE A", 200);
        client.store_securely("STOR text", b"one\r\ntwo\r\n", &config);
        assert_eq!(secure.server.read("text"), b"one\ntwo\n");
        assert_eq!(
            client.fetch_securely("RETR text", &config),
            b"one\r\ntwo\r\n"
        );
        client.command("DELE text", 250);
    }
}

/// We are TLS's server also where we connect to the client.
#[test]
fn active_mode_works_over_tls() {
    let secure = SecureServer::in_process(&["--tls-require-resumption"]);
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        let bytes = noise(200_000);
        let socket = accept_data(&mut client, "STOR new");
        let mut data = Protected::over(socket, &config);
        data.write(&bytes);
        data.close();
        client.expect(226);
        let socket = accept_data(&mut client, "RETR new");
        let (fetched, ending) = Protected::over(socket, &config).read_to_end();
        assert!(fetched == bytes && ending == Ending::CloseNotify);
        client.expect(226);
    }
}

#[test]
fn data_in_clear_text_is_refused_where_tls_is_required() {
    let secure = SecureServer::in_process(&["--tls-data-required"]);
    secure.server.write("file", "text");
    let mut client = secure.server.client();
    client.extended_passive();
    for command in [
        "RETR file",
        "STOR file",
        "LIST",
        "NLST",
        "MLSD",
        "APPE file",
    ] {
        client.command(command, 521);
    }
    assert_eq!(secure.server.read("file"), b"text");
}

#[test]
fn a_shutdown_truncates_a_transfer() {
    let secure = SecureServer::in_process(&[]);
    secure.server.write_sparse("large", 1 << 30);
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    let socket = client.data();
    client.command("RETR large", 150);
    let mut data = Protected::over(socket, &config);
    data.read_some(1000);
    secure.server.shut_down();
    assert_eq!(data.read_to_end().1, Ending::Truncated);
    client.expect(421);
    client.expect_closed();
}

#[test]
fn a_client_that_stops_reading_is_426() {
    let secure = SecureServer::in_process(&["--data-timeout", "1"]);
    secure.server.write_sparse("large", 1 << 30);
    let config = secure.config(&version::TLS12);
    let mut client = secure.client(&config);
    let socket = client.data();
    client.command("RETR large", 150);
    let mut data = Protected::over(socket, &config);
    data.read_some(1000);
    client.expect(426);
    client.expect_in_step();
}

/// A data connection that the server has opened for this command.
#[track_caller]
fn accept_data(client: &mut Client, command: &str) -> TcpStream {
    let (listener, port) = active_listener();
    client.command(port, 200);
    client.command(command, 150);
    accept(&listener).0
}

/// Around the size of a record, and more than several of them.
const SIZES: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 200_000, 3_000_000];
