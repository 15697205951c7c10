//! `--proxy-protocol`: a balancer's connections begin with a header that names the client.

mod data;
mod headers;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use rustls::version::TLS13;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{accept, active_listener, read_all};
use crate::support::log;
use crate::support::server::{InProcess, SecureServer, Setup, TestServer, USER, own_address};
use crate::support::wait::wait_until;
use headers::{local, unix, v1, v2, v2_with};

/// A server, and the address of its balancer.
pub(super) struct Balanced {
    pub(super) server: TestServer<InProcess>,
    pub(super) balancer: Ipv4Addr,
}

impl Balanced {
    pub(super) fn new(flags: &[&str]) -> Self {
        Self::from_setup(Setup::new().flags(flags))
    }

    pub(super) fn from_setup(setup: Setup<'_>) -> Self {
        let balancer = own_address();
        let network = balancer.to_string();
        let setup = setup.flags(&["--proxy-protocol", &network]);
        Self {
            server: setup.in_process(),
            balancer,
        }
    }

    /// A connection of the balancer that has sent these bytes.
    pub(super) fn send(&self, bytes: impl AsRef<[u8]>) -> Client {
        let mut client = Client::connect_from(self.balancer, self.server.address);
        client.send_bytes(bytes);
        client
    }

    /// A client behind the balancer that is logged in.
    pub(super) fn client(&self, header: impl AsRef<[u8]>) -> Client {
        let mut client = self.send(header);
        client.expect(220);
        client.log_in();
        client
    }

    /// The line about a connection without a header.
    fn assert_logged(&self, what: &str) {
        let text = format!("closed a connection from {}, which ", self.balancer);
        wait_until("a line of the log", || !log::lines_with(&text).is_empty());
        let lines = log::lines_with(&text);
        assert!(lines[0].contains(what), "{what}: {lines:?}");
        assert!(lines[0].contains("send-proxy-v2"), "{lines:?}");
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

/// The client that the server sees.
#[track_caller]
fn assert_client(client: &mut Client, address: &str) {
    let text = client.command("STAT", 211).text();
    let expected = format!("Connected from {address}.");
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn a_header_names_the_client() {
    let balanced = Balanced::new(&[]);
    for (header, client_address) in [
        (v1(CLIENT, DIALLED), "198.51.100.7"),
        (v2(CLIENT, DIALLED), "198.51.100.7"),
        (v1(CLIENT_V6, DIALLED_V6), "2001:db8::7"),
        (v2(CLIENT_V6, DIALLED_V6), "2001:db8::7"),
        (v2_with(CLIENT, DIALLED, &[4, 0, 2, 0, 0]), "198.51.100.7"),
        (v2_with(CLIENT, DIALLED, &[7; 2036]), "198.51.100.7"),
    ] {
        let mut client = balanced.client(&header);
        assert_client(&mut client, client_address);
        client.expect_in_step();
    }
}

#[test]
fn a_header_may_come_in_pieces_and_with_commands() {
    let balanced = Balanced::new(&[]);
    for header in [v1(CLIENT, DIALLED), v2_with(CLIENT, DIALLED, &[7; 40])] {
        let mut client = Client::connect_from(balanced.balancer, balanced.server.address);
        for byte in &header {
            client.send_bytes([*byte]);
        }
        client.expect(220);
        client.log_in();
        assert_client(&mut client, "198.51.100.7");

        let mut client = balanced.send([&header[..], b"NOOP\r\nSYST\r\nNO"].concat());
        client.expect_all(&[220, 200, 215]);
        client.send_bytes("OP\r\n");
        client.expect(200);
    }
}

/// With implicit TLS, the header comes before the handshake.
#[test]
fn a_header_comes_before_tls() {
    let balancer = own_address();
    let flags = [
        "--tls-implicit",
        "0",
        "--proxy-protocol",
        &balancer.to_string(),
    ];
    let secure = SecureServer::in_process(&flags);
    let config = secure.config(&TLS13);
    let [explicit, implicit] = [0, 1].map(|index| {
        let mut client = Client::connect_from(balancer, secure.server.addresses()[index]);
        client.send_bytes(v2(CLIENT, DIALLED));
        client
    });
    let mut explicit = explicit;
    explicit.expect(220);
    explicit.auth_tls(&config);
    let mut implicit = implicit;
    implicit.secure(&config);
    implicit.expect(220);
    for client in [&mut explicit, &mut implicit] {
        client.log_in();
        assert_client(client, "198.51.100.7");
    }
}

#[test]
fn clients_elsewhere_send_no_header() {
    let balanced = Balanced::new(&[]);
    balanced.server.client().expect_in_step();
    for header in [v1(CLIENT, DIALLED), v2(CLIENT, DIALLED)] {
        let from = own_address();
        let mut client = Client::connect_from(from, balanced.server.address);
        client.expect(220);
        client.send_bytes([&header[..], b"USER x\r\n"].concat());
        client.expect_closed();
        let expected = format!("{from} is not in --proxy-protocol");
        let is_first = header.starts_with(b"PROXY");
        assert_eq!(log::lines_with(&expected).len(), usize::from(is_first));
    }
    // One that has logged in is no scanner.
    let mut client = balanced.server.client();
    client.send_bytes(v1(CLIENT, DIALLED));
    client.expect(500);
    client.expect_in_step();
}

/// The header of the balancer counts, not another one from the client behind it.
#[test]
fn a_client_behind_the_balancer_has_no_header_of_its_own() {
    let balanced = Balanced::new(&[]);
    let headers = [v2(CLIENT, DIALLED), v1("198.51.100.99:40000", DIALLED)];
    let mut client = balanced.send(headers.concat());
    client.expect(220);
    client.expect_closed();
    assert!(!log::lines_with("-@198.51.100.7 sent a PROXY header").is_empty());
}

#[test]
fn other_beginnings_are_refused() {
    for (bytes, what) in [
        (b"USER joe\r\n".to_vec(), "sent no PROXY header"),
        (b"\x16\x03\x01".to_vec(), "sent no PROXY header"),
        (
            [b"PROXY TCP4 ", &[b'1'; 120][..]].concat(),
            "without a line end",
        ),
        (
            b"PROXY TCP4 198.51.100.7\r\n".to_vec(),
            "a malformed PROXY header (version 1)",
        ),
        (
            v2_with(CLIENT, DIALLED, &[7; 2037]),
            "of more than 2064 bytes",
        ),
        (unix(), "of a connection that is not TCP"),
    ] {
        let balanced = Balanced::new(&[]);
        // Before the rest comes, and without waiting for the time limit.
        balanced.send(&bytes).expect_closed();
        balanced.assert_logged(what);
        balanced.client(v2(CLIENT, DIALLED)).expect_in_step();
        // The next ones are counted.
        for _ in 0..3 {
            balanced.send(&bytes).expect_closed();
        }
        balanced.assert_logged(what);
    }
}

#[test]
fn a_header_that_is_cut_is_refused_at_its_end() {
    for header in [v1(CLIENT, DIALLED), v2(CLIENT, DIALLED)] {
        let balanced = Balanced::new(&[]);
        let mut client = balanced.send(&header[..header.len() - 1]);
        client.end_sending();
        client.expect_closed();
        balanced.assert_logged("ended in the middle of its PROXY header");
    }
}

/// A look at the port, as of a balancer that checks whether the server lives.
#[test]
fn a_connection_that_ends_at_once_is_no_news() {
    let balanced = Balanced::new(&[]);
    let mut client = balanced.send("");
    client.end_sending();
    client.expect_closed();
    balanced.send("PROXY\r\n").expect_closed();
    balanced.assert_logged("sent no PROXY header");
}

#[test]
fn long_the_time_for_a_header_is_bounded() {
    let balanced = Balanced::new(&[]);
    let header = v2(CLIENT, DIALLED);
    let mut silent = balanced.send("");
    let mut cut = balanced.send(&header[..20]);
    // Meanwhile others are served.
    balanced.client(&header).expect_in_step();
    balanced.server.client().expect_in_step();
    silent.expect_closed();
    cut.expect_closed();
    balanced.assert_logged("sent no complete PROXY header in 10 s");
}

#[test]
fn silent_connections_keep_no_one_out() {
    let balanced = Balanced::new(&[]);
    let header = v1(CLIENT, DIALLED);
    let mut silent = Vec::new();
    for count in [100, 300] {
        silent.extend((0..count).map(|_| balanced.send(&header[..10])));
        balanced.client(&header).expect_in_step();
        balanced.server.client().expect_in_step();
    }
    // The oldest gave way; the newest still waits.
    silent[0].expect_closed();
    balanced.assert_logged("was one of too many");
    let mut newest = silent.pop().expect("the newest");
    newest.send_bytes(&header[10..]);
    newest.expect(220);
}

/// The addresses are those of the connection itself.
#[test]
fn health_checks_are_served() {
    let balanced = Balanced::new(&[]);
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), local()] {
        let mut client = balanced.client(&header);
        assert_client(&mut client, &balanced.balancer.to_string());
        client.command("QUIT", 221);
    }
}

/// Each second, one would end the session of a client that is about to log in.
#[test]
fn health_checks_take_the_place_of_no_client() {
    let balanced = Balanced::new(&["--max-cons", "1"]);
    let mut client = balanced.send(v2(CLIENT, DIALLED));
    client.expect(220);
    balanced.send(local()).expect(421);
    client.log_in();
    client.command("QUIT", 221);
    client.expect_closed();
    balanced.send(local()).expect(220);
    // Another client may.
    let mut first = balanced.send(v2(CLIENT, DIALLED));
    first.expect(220);
    balanced.client(v2("198.51.100.8:40000", DIALLED));
    first.expect(421);
}

#[test]
fn limits_and_networks_are_about_the_client() {
    let flags = [
        "--max-cons-per-ip",
        "1",
        "--deny",
        "198.51.100.66,127.0.0.0/8",
    ];
    let balanced = Balanced::new(&flags);
    let mut first = balanced.client(v2(CLIENT, DIALLED));
    balanced.send(v1(CLIENT, DIALLED)).expect(421);
    let mut other = balanced.client(v2("198.51.100.8:40000", DIALLED));
    let mut denied = balanced.send(v1("198.51.100.66:40000", DIALLED));
    denied.expect(421);
    first.expect_in_step();
    other.expect_in_step();
    let text = "refused 198.51.100.66:40000: its address is in --deny 198.51.100.66/32";
    assert!(!log::lines_with(text).is_empty());
}

#[test]
fn failed_logins_are_of_the_client() {
    let balanced = Balanced::new(&["--block-after", "3"]);
    for _ in 0..3 {
        let mut client = balanced.send(v2("198.51.100.77:40000", DIALLED));
        client.expect(220);
        client.command(format!("USER {USER}"), 331);
        client.command("PASS wrong", 530);
    }
    balanced
        .send(v2("198.51.100.77:40001", DIALLED))
        .expect(421);
    balanced.client(v2(CLIENT, DIALLED)).expect_in_step();
}

#[test]
fn replies_announce_the_address_that_the_client_dialled() {
    let map = "10.0.0.1=203.0.113.9,10.0.0.2=203.0.113.10";
    let balanced = Balanced::new(&["--masquerade-address-map", map]);
    for (dialled, expected) in [
        ("10.0.0.1:21", [203, 0, 113, 9]),
        ("10.0.0.2:21", [203, 0, 113, 10]),
        (DIALLED, [203, 0, 113, 5]),
    ] {
        let mut client = balanced.client(v2(CLIENT, dialled));
        assert_eq!(client.passive().ip(), IpAddr::from(expected), "{dialled}");
    }
}

/// The server dials the client itself.
#[test]
fn active_mode_does_not_go_through_the_balancer() {
    let balanced = Balanced::new(&[]);
    balanced.server.write("file", "text");
    let mut client = balanced.client(v2("127.0.0.1:40000", DIALLED));
    let (listener, command) = active_listener();
    client.command(command, 200);
    client.command("RETR file", 150);
    let (mut data, from) = accept(&listener);
    assert_eq!(read_all(&mut data), b"text");
    assert_eq!(from.ip(), balanced.server.address.ip());
    client.expect(226);
    let mut client = balanced.client(v2(CLIENT, DIALLED));
    client.command("PORT 127,0,0,1,200,0", 501);
}

#[test]
fn a_reload_changes_who_is_a_balancer() {
    let place = TempDir::new().expect("a temporary directory");
    let file = place.path().join("ftp.conf");
    let balancer = own_address();
    fs::write(&file, format!("proxy-protocol {balancer}\n")).expect("a file");
    let server = Setup::new().flags(&["--config", path(&file)]).in_process();
    let mut early = Client::connect_from(balancer, server.address);
    early.send_bytes(v2(CLIENT, DIALLED));
    early.expect(220);
    fs::write(&file, "").expect("a file");
    server.reload();
    wait_until("connections without a header", || {
        let mut client = Client::connect_from(balancer, server.address);
        client
            .line_within(std::time::Duration::from_secs(1))
            .is_some()
    });
    early.log_in();
    assert_client(&mut early, "198.51.100.7");
}

const CLIENT: &str = "198.51.100.7:40000";
const DIALLED: &str = "203.0.113.5:21";
const CLIENT_V6: &str = "[2001:db8::7]:40000";
const DIALLED_V6: &str = "[2001:db8:1::5]:21";
