//! The forwarder of `ftp-proto/examples/alg` before a server of ours: what clients and the server
//! see of each other.

use std::io::Write;
use std::net::{IpAddr, Shutdown, TcpListener};

use rustls::version;

use crate::support::client::{Client, Origin};
use crate::support::data::{
    STRANGER, active_listener, connect_stranger, drain, read_all, read_some, reset,
    wait_until_closed,
};
use crate::support::file_contents::noise;
use crate::support::forwarder::{Forwarder, refused};
use crate::support::server::{InProcess, SecureServer, Setup, TestServer, own_address};
use crate::support::wait::wait_until;

#[test]
fn data_passes_in_both_modes() {
    let (server, forwarder) = pair(&[], PORTS);
    let bytes = noise(300_000);
    server.write("file", &bytes);
    let mut client = Client::logged_in(forwarder.address);
    assert!(client.fetch("RETR file") == bytes);
    assert!(client.fetch_passive("RETR file") == bytes);
    client.store("STOR new", &bytes);
    assert!(server.read("new") == bytes);
    let port = client.passive();
    assert_eq!(port.ip(), forwarder.address.ip());
    assert!((40_000..=40_003).contains(&port.port()), "{port}");
    let (found, from) = client.fetch_active("RETR file");
    assert!(found == bytes);
    assert_eq!(from, IpAddr::from([127, 0, 0, 1]));
    assert!(client.fetch("LIST").ends_with(b"new\r\n"));
    client.command("QUIT", 221);
    client.expect_closed();
    // The forwarder waits for the client's own end, too.
    drop(client);
    forwarder.log_with(": ended");
    let log = forwarder.finish();
    assert!(log.contains(": connected to "), "{log}");
    assert_eq!(log.matches(" is now 22").count(), 5, "{log}");
}

#[test]
fn without_ports_the_address_alone_changes() {
    let server = TestServer::in_process(&[]);
    server.write("file", "text");
    // Data goes straight to the server, so the announced address has to be the server's.
    let forwarder = Forwarder::on(server.address.ip(), server.address, &[]);
    let mut client = Client::logged_in(forwarder.address);
    assert_eq!(client.fetch_passive("RETR file"), b"text");
    assert_eq!(client.fetch("RETR file"), b"text");
    let elsewhere = Forwarder::on(own_address().into(), server.address, &[]);
    let mut client = Client::logged_in(elsewhere.address);
    assert_eq!(client.passive().ip(), elsewhere.address.ip());
    elsewhere.log_with(" is now 227 ");
}

/// The urgent byte is lost on the way, and ABOR works in each form that clients send.
#[test]
fn abor_ends_the_transfer() {
    let forms: [fn(&mut Client); 5] = [
        |client| client.send("ABOR"),
        |client| client.send_urgent(b"ABOR\r\n"),
        |client| {
            client.send_urgent(b"\xff");
            client.send(b"\xf4\xff\xf2ABOR");
        },
        |client| {
            client.send_bytes(b"\xff\xf4\xff");
            client.send_urgent(b"\xf2");
            client.send("ABOR");
        },
        |client| {
            client.send_urgent(b"\xff\xf4\xff");
            client.send(b"\xf2ABOR");
        },
    ];
    let (server, forwarder) = pair(&[], PORTS);
    server.write_sparse("large", 1 << 30);
    server.write("file", "text");
    for send in forms {
        let mut client = Client::logged_in(forwarder.address);
        let mut data = client.data();
        client.command("RETR large", 150);
        read_some(&mut data, 100_000);
        send(&mut client);
        client.expect_all(&[426, 226]);
        assert!(drain(data) < 1 << 29, "the transfer went on");
        client.expect_in_step();
        assert_eq!(client.fetch("RETR file"), b"text");
    }
    forwarder.finish();
}

#[test]
fn strangers_get_no_data() {
    let (server, forwarder) = pair(&[], PORTS);
    server.write("file", "text");
    let mut client = Client::logged_in(forwarder.address);
    let port = client.passive();
    client.command("RETR file", 150);
    let stranger = connect_stranger(port).expect("a connection");
    assert_eq!(drain(stranger), 0);
    let mut data = client.connect_data(port);
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
    forwarder.log_with("127.0.0.2");
}

#[test]
fn a_port_is_leased_until_the_session_asks_again_or_ends() {
    let (server, forwarder) = pair(&[], &["--passive-ports", "40000"]);
    server.write("file", "text");
    let mut clients = [(); 3].map(|()| Client::logged_in(forwarder.address));
    let port = clients[0].passive();
    assert_eq!(clients[0].passive(), port);
    clients[1].send("PASV");
    clients[0].command("QUIT", 221);
    assert_eq!(clients[1].expect_announced(), port);
    clients[2].send("EPSV");
    // A data connection gives the port back, long before the transfer ends.
    let mut data = clients[1].connect_data(port);
    assert_eq!(clients[2].expect_announced(), port);
    clients[1].command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    clients[1].expect(226);
    let data = clients[2].connect_data(port);
    assert_eq!(clients[2].fetch_over(data, "RETR file"), b"text");
    forwarder.finish();
}

#[test]
fn ports_are_open_while_they_are_leased() {
    let (_server, forwarder) = pair(&[], PORTS);
    let mut client = Client::logged_in(forwarder.address);
    let first = client.passive();
    let second = client.passive();
    wait_until_closed(first);
    client.command("QUIT", 221);
    wait_until_closed(second);
}

/// Otherwise a client could have the server connect to the forwarder's machine.
#[test]
fn active_mode_goes_to_the_client_alone() {
    for ports in [PORTS, &[]] {
        let (server, forwarder) = pair(&[], ports);
        server.write("file", "text");
        let origin = Origin {
            address: Some(STRANGER.into()),
            ..Origin::default()
        };
        let mut client = Client::logged_in_from(origin, forwarder.address);
        client.command("PORT 127,0,0,1,100,0", 501);
        client.command("EPRT |1|127.0.0.1|25600|", 501);
        client.command("PORT 127,0,0,2,0,80", 501);
    }
}

/// The server reaches the forwarder, which does not reach the client: an orderly end would be an
/// empty upload.
#[test]
fn active_mode_without_a_listener_is_no_upload() {
    let (server, forwarder) = pair(&["--data-timeout", "1"], PORTS);
    server.write_sparse("large", 1 << 30);
    let mut client = Client::logged_in(forwarder.address);
    let (listener, command) = active_listener();
    drop(listener);
    for transfer in ["STOR new", "RETR large"] {
        client.command(&command, 200);
        client.command(transfer, 150);
        client.expect(426);
    }
    client.expect_in_step();
    forwarder.log_with("cannot connect to 127.0.0.1:");
}

/// As devices do that do not wait for replies.
#[test]
fn an_upload_is_complete_when_its_client_leaves() {
    let (server, forwarder) = pair(&[], PORTS);
    for round in 0..10 {
        let bytes = noise(round * 200_000 + 1);
        let name = format!("new{round}");
        let mut client = Client::logged_in(forwarder.address);
        let mut data = client.data();
        client.send(format!("STOR {name}"));
        data.write_all(&bytes).expect("sending data");
        drop(data);
        drop(client);
        wait_until("the upload is there", || {
            server.path(&name).exists() && server.read(&name) == bytes
        });
    }
}

/// The client has ended its side; it still gets the replies to all that it sent.
#[test]
fn half_closed_connections_are_served() {
    let (_server, forwarder) = pair(&[], &[]);
    let mut client = Client::greeted(forwarder.address);
    client.send_bytes("NOOP\r\nSYST\r\nQUIT\r\n");
    client.stream.shutdown(Shutdown::Write).expect("an end");
    let codes = [(); 3].map(|()| client.reply().code);
    assert_eq!(codes[2], 221);
    client.expect_orderly_close();
    forwarder.log_with(": ended");
}

#[test]
fn a_client_that_stops_reading_data_ends_the_transfer() {
    let (server, forwarder) = pair(&[], PORTS);
    server.write_sparse("large", 1 << 30);
    let mut client = Client::logged_in(forwarder.address);
    let mut data = client.data();
    client.command("RETR large", 150);
    read_some(&mut data, 100_000);
    drop(data);
    client.expect(426);
    client.expect_in_step();
}

/// An orderly end would make the piece a whole file.
#[test]
fn a_broken_upload_is_not_complete() {
    let (_server, forwarder) = pair(&["--data-timeout", "1"], PORTS);
    let mut client = Client::logged_in(forwarder.address);
    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(&noise(1000)).expect("sending data");
    reset(data);
    client.expect(426);
    client.expect_in_step();
}

#[test]
fn tls_passes_unread() {
    let secure = SecureServer::in_process(&[]);
    let forwarder = Forwarder::on(own_address().into(), secure.server.address, PORTS);
    let mut client = Client::greeted(forwarder.address);
    client.auth_tls(&secure.config(&version::TLS13));
    client.log_in();
    client.expect_in_step();
    let announced = client.passive();
    assert_eq!(announced.ip(), secure.server.address.ip());
    let log = forwarder.log_with("encrypted: no reply can be rewritten from now on");
    assert!(!log.contains("is now"), "{log}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let closed = TcpListener::bind((own_address(), 0)).expect("a listener");
    let server = closed.local_addr().expect("its address");
    drop(closed);
    let forwarder = Forwarder::on(own_address().into(), server, &[]);
    let mut client = Client::connect(forwarder.address);
    client.expect(421);
    client.expect_closed();
    forwarder.log_with(&format!("cannot connect to {server}: "));
}

#[test]
fn wrong_flags_are_named() {
    let other = TcpListener::bind((own_address(), 0)).expect("a listener");
    let taken: &str = &other.local_addr().expect("its address").to_string();
    for (flags, text) in [
        (&[][..], "--listen is missing"),
        (&["--port", "21"], "unknown flag --port"),
        (&["--listen"], "--listen needs a value"),
        (
            &["--listen", "21"],
            "--listen 21: not a value such as 192.168.77.2:2121",
        ),
        (&["--listen", taken, "--server", "ftp"], "--server ftp: not"),
        (
            &[LISTEN, &["--masquerade-address", "::1"]].concat(),
            "--masquerade-address ::1: not",
        ),
        (
            &[LISTEN, MASQUERADE, &["--passive-ports", "5-4"]].concat(),
            "--passive-ports 5-4: not a range",
        ),
        (
            &[LISTEN, MASQUERADE, &["--passive-ports", "0-4"]].concat(),
            "--passive-ports 0-4: not a range",
        ),
        (
            &[LISTEN, MASQUERADE, &["--passive-ports", "x"]].concat(),
            "--passive-ports x: not a range",
        ),
        (
            &[&["--listen", taken], &LISTEN[2..], MASQUERADE].concat(),
            "--listen: cannot listen on",
        ),
    ] {
        let output = refused(flags);
        assert!(
            output.text().contains(text),
            "no {text:?}:\n{}",
            output.text()
        );
    }
}

/// A server, and a forwarder with these flags on an address of its own.
fn pair(server: &[&str], forwarder: &[&str]) -> (TestServer<InProcess>, Forwarder) {
    let server = Setup::new().flags(server).in_process();
    let forwarder = Forwarder::on(own_address().into(), server.address, forwarder);
    (server, forwarder)
}

const PORTS: &[&str] = &["--passive-ports", "40000-40003"];
const LISTEN: &[&str] = &["--listen", "127.0.0.1:0", "--server", "127.0.0.1:21"];
const MASQUERADE: &[&str] = &["--masquerade-address", "203.0.113.1"];
