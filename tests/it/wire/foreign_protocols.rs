//! Clients that do not speak FTP: web browsers, load balancers, SSH, and TLS on the wrong port.

use std::net::{Ipv4Addr, SocketAddr};

use rustls::version;

use crate::support::client::Client;
use crate::support::log;
use crate::support::server::{PASSWORD, SecureServer, TestServer, USER, own_address};

/// A web page has chosen the body.
#[test]
fn commands_in_a_web_request_are_not_executed() {
    let server = TestServer::in_process(&[]);
    for start in ["POST / HTTP/1.1", "PUT /x HTTP/1.1", "Host: nas:2121"] {
        let mut client = Client::greeted(server.address);
        client.send_bytes(request(start));
        client.expect_closed();
    }
    // As a browser does, without waiting for the greeting.
    let mut client = Client::connect(server.address);
    client.send_bytes(request("POST / HTTP/1.1"));
    client.expect(220);
    client.expect_closed();
    assert!(!server.path("made").exists());
    // The same lines without HTTP.
    let mut client = Client::greeted(server.address);
    client.send_bytes(login_and_change());
    client.expect_all(&[331, 230, 257]);
    assert!(server.path("made").is_dir());
}

/// A browser can be led to this port while it believes that it speaks to a web server.
#[test]
fn commands_in_a_web_request_inside_tls_are_not_executed() {
    let secure = SecureServer::in_process(&["--tls-implicit", "0"]);
    let config = secure.config(&version::TLS13);
    let mut explicit = secure.secured(&config);
    let mut implicit = Client::connect(secure.server.addresses()[1]);
    implicit.secure(&config);
    implicit.expect(220);
    for client in [&mut explicit, &mut implicit] {
        client.send_bytes(request("POST / HTTP/1.1"));
        client.expect_closed();
    }
    assert!(!secure.server.path("made").exists());
}

#[test]
fn other_protocols_are_disconnected_and_the_log_names_the_remedy() {
    let server = TestServer::in_process(&[]);
    let hello = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[7; 500][..],
    ]
    .concat();
    for (bytes, remedy) in [
        (
            b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 21\r\n".to_vec(),
            "is not in --proxy-protocol; if a balancer of yours",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\xc0\x00\x02\x01\x9c\x40\0\x15"
                .to_vec(),
            "is not in --proxy-protocol; if a balancer of yours",
        ),
        (hello, "choose plain FTP in the client"),
        (
            b"SSH-2.0-OpenSSH_10.0\r\n".to_vec(),
            "choose FTP instead of SFTP",
        ),
        (b"GET / HTTP/1.1\r\n".to_vec(), "use an FTP client"),
    ] {
        let from = own_address();
        let mut client = client_from(from, server.address);
        client.send_bytes([&bytes[..], &login_and_change()].concat());
        client.expect_closed();
        let is_first = !bytes.starts_with(b"\r\n");
        // The second kind of PROXY header is counted with the first.
        assert_eq!(warnings(from).len(), usize::from(is_first));
        let lines = warnings(from).concat();
        assert!(lines.contains(remedy) || !is_first, "{lines}");
    }
    assert!(!server.path("made").exists());
    server.client().expect_in_step();
}

/// The first only; another protocol has its own count.
#[test]
fn scanners_do_not_fill_the_log() {
    let server = TestServer::in_process(&[]);
    let from = own_address();
    for number in 1..=12 {
        let mut client = client_from(from, server.address);
        client.send("GET / HTTP/1.1");
        client.expect_closed();
        assert_eq!(warnings(from).len(), 1, "{number}");
    }
    let mut client = client_from(from, server.address);
    client.send("SSH-2.0-x");
    client.expect_closed();
    assert_eq!(warnings(from).len(), 2);
}

#[test]
fn many_unknown_commands_end_a_session_before_its_login() {
    let server = TestServer::in_process(&[]);
    let mut client = Client::greeted(server.address);
    for _ in 0..10 {
        client.command("EHLO example.com", 500);
    }
    client.command("NOOP", 200);
    client.command("MAIL FROM:<joe@example.com>", 421);
    client.expect_closed();
    let mut client = server.client();
    for _ in 0..20 {
        client.command("get file", 500);
    }
    client.expect_in_step();
}

fn request(start: &str) -> Vec<u8> {
    let headers = "Host: nas:2121\r\nContent-Type: text/plain\r\nContent-Length: 60\r\n\r\n";
    [
        format!("{start}\r\n{headers}").as_bytes(),
        &login_and_change(),
    ]
    .concat()
}

fn login_and_change() -> Vec<u8> {
    format!("USER {USER}\r\nPASS {PASSWORD}\r\nMKD made\r\n").into()
}

/// A client whose lines in the log are its own.
fn client_from(from: Ipv4Addr, server: SocketAddr) -> Client {
    let mut client = Client::connect_from(from, server);
    client.expect(220);
    client
}

fn warnings(client: Ipv4Addr) -> Vec<String> {
    let mut lines = log::lines_with(&format!(" -@{client} "));
    lines.retain(|line| line.contains("was disconnected"));
    lines
}
