//! The control connection over TLS: implicit TLS, what is required, and how the server ends it.

use std::io::{Read, Write};

use rustls::version;

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::data::{connect, guarded};
use crate::support::server::{PASSWORD, SecureServer, USER};

#[test]
fn no_login_in_clear_text_where_tls_is_required() {
    let secure = SecureServer::in_process(&["--tls-control-required"]);
    let mut client = Client::greeted(secure.server.address);
    let text = client.command(format!("USER {USER}"), 530).text();
    assert!(text.contains("AUTH TLS"), "{text}");
    client.command(format!("PASS {PASSWORD}"), 530);
    client.command("AUTH TLS", 234);
    client.secure(&secure.config(&version::TLS12));
    client.log_in();
}

/// The log has its name, and says what to change in the client. Once in a session.
#[test]
fn a_login_in_clear_text_is_logged_with_its_name() {
    let secure = SecureServer::program(&["--tls-control-required"]);
    let mut client = Client::greeted(secure.server.address);
    for _ in 0..2 {
        client.command("USER a\" b", 530);
        client.command(format!("PASS {PASSWORD}"), 530);
    }
    client.command("QUIT", 221);
    client.expect_closed();
    let log = secure.server.finish();
    let line = "INFO  #1 -@127.0.0.1 login refused from 127.0.0.1 as \"a\\\" b\": TLS is required \
                (--tls-control-required); choose explicit TLS in the client\n";
    assert_eq!(log.matches(line).count(), 1, "{log}");
    assert_eq!(log.matches("login refused").count(), 1, "{log}");
}

#[test]
fn implicit_tls_needs_no_command() {
    let secure = SecureServer::in_process(&["--tls-implicit", "0"]);
    let address = secure.server.addresses()[1];
    for version in VERSIONS {
        let config = secure.config(version);
        secure.server.write("file", "text");
        let mut client = Client::connect(address);
        client.secure(&config);
        client.expect(220);
        client.log_in();
        // Without PBSZ and PROT.
        assert_eq!(client.fetch_securely("RETR file", &config), b"text");
        client.command("PROT C", 200);
        assert_eq!(client.fetch("RETR file"), b"text");
        client.command("QUIT", 221);
        client.expect_closed();
    }
    // A client without TLS gets nothing in clear text but TLS's own alert.
    let mut stream = connect(address);
    stream.write_all(b"USER joe\r\n").expect("sending");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(
        rest.is_empty() || rest[0] == ALERT,
        "{}",
        rest.escape_ascii()
    );
}

#[test]
fn excess_clients_of_implicit_tls_get_no_clear_text() {
    let secure = SecureServer::in_process(&["--tls-implicit", "0", "--max-cons", "1"]);
    let _only = secure.server.client();
    let mut stream = guarded(connect(secure.server.addresses()[1]));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an end");
    assert_eq!(rest, b"", "clear text");
}

/// The farewell is protected too, and so is its end.
#[test]
fn a_shutdown_is_announced_inside_tls() {
    for version in VERSIONS {
        let secure = SecureServer::in_process(&[]);
        let mut client = secure.client(&secure.config(version));
        client.command("NOOP", 200);
        secure.server.shut_down();
        client.expect(421);
        client.expect_closed();
    }
}

/// A handshake has a time limit: the shorter of the two.
#[test]
fn a_stalled_handshake_is_closed() {
    for limit in ["--timeout", "--login-timeout"] {
        let secure = SecureServer::in_process(&[limit, "1", "--tls-implicit", "0"]);
        let mut client = Client::greeted(secure.server.address);
        client.command("AUTH TLS", 234);
        let mut silent = guarded(connect(secure.server.addresses()[1]));
        for stream in [&mut client.stream, &mut silent] {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).expect("an end");
            assert!(
                rest.is_empty() || rest[0] == ALERT,
                "{}",
                rest.escape_ascii()
            );
        }
    }
}

/// The first byte of a record that holds an alert.
const ALERT: u8 = 21;
