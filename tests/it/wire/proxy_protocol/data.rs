//! Data connections through the balancer: their headers say whose they are.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::version::TLS13;

use super::headers::{local, v1, v2, v2_with};
use super::{Balanced, CLIENT, DIALLED};
use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::data::{connect, connect_from, read_all};
use crate::support::file_contents::noise;
use crate::support::log;
use crate::support::server::{SecureServer, Setup, own_address};
use crate::support::wait::wait_until;

impl Balanced {
    /// A data connection of the balancer that has sent these bytes.
    fn data(&self, to: SocketAddr, bytes: &[u8]) -> TcpStream {
        let stream = connect_from(Some(self.balancer), to);
        let mut stream = stream.expect("a data connection");
        stream.write_all(bytes).expect("sending");
        stream
    }
}

/// Another port of the same client.
fn header() -> Vec<u8> {
    v2("198.51.100.7:40001", "203.0.113.5:60000")
}

#[test]
fn transfers_go_through_the_balancer() {
    let balanced = Balanced::new(&[]);
    let bytes = noise(1 << 20);
    balanced.server.write("file", &bytes);
    let mut client = balanced.client(v1(CLIENT, DIALLED));
    for header in [
        header(),
        v1("198.51.100.7:40001", "203.0.113.5:60000"),
        v2_with(CLIENT, DIALLED, &[4, 0, 1, 0]),
    ] {
        let to = client.extended_passive();
        let mut data = balanced.data(to, &header);
        client.command("RETR file", 150);
        assert!(read_all(&mut data) == bytes);
        client.expect(226);

        let to = client.extended_passive();
        client.command("STOR new", 150);
        let mut data = balanced.data(to, &header);
        data.write_all(&bytes).expect("sending");
        drop(data);
        client.expect(226);
        assert!(balanced.server.read("new") == bytes);
    }
    client.expect_in_step();
}

/// The bytes of an upload may come in one segment with the header, before the command.
#[test]
fn bytes_after_the_header_are_the_file() {
    let balanced = Balanced::new(&[]);
    let mut client = balanced.client(v2(CLIENT, DIALLED));
    for early in [true, false] {
        let to = client.extended_passive();
        let send = || {
            let data = balanced.data(to, &[&header()[..], b"\r\n\r\n\0text"].concat());
            data.shutdown(Shutdown::Write).expect("an end");
            data
        };
        let data = early.then(send);
        client.command("STOR new", 150);
        let data = data.unwrap_or_else(send);
        client.expect(226);
        drop(data);
        assert_eq!(balanced.server.read("new"), b"\r\n\r\n\0text");
    }
}

#[test]
fn a_header_in_pieces_holds_up_its_own_connection_only() {
    let balanced = Balanced::new(&[]);
    balanced.server.write("file", "text");
    let mut client = balanced.client(v2(CLIENT, DIALLED));
    for early in [true, false] {
        let to = client.extended_passive();
        let silent = balanced.data(to, b"");
        let cut = balanced.data(to, &header()[..20]);
        let open = || balanced.data(to, &header()[..3]);
        let data = early.then(open);
        client.command("RETR file", 150);
        let mut data = data.unwrap_or_else(open);
        for byte in &header()[3..] {
            data.write_all(&[*byte]).expect("sending");
        }
        assert_eq!(read_all(&mut data), b"text");
        client.expect(226);
        drop((silent, cut));
    }
    // However many there are.
    let to = client.extended_passive();
    let silent: Vec<_> = (0..40).map(|_| balanced.data(to, b"PROXY ")).collect();
    client.command("RETR file", 150);
    let mut data = balanced.data(to, &header());
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
    drop(silent);
}

#[test]
fn headers_of_other_clients_are_refused() {
    let balanced = Balanced::new(&[]);
    balanced.server.write("file", "text");
    let mut client = balanced.client(v2(CLIENT, DIALLED));
    for other in [v2("198.51.100.8:40000", DIALLED), local()] {
        let to = client.extended_passive();
        let mut early = balanced.data(to, &other);
        client.command("RETR file", 150);
        let mut late = balanced.data(to, &other);
        for stream in [&mut early, &mut late] {
            assert_eq!(read_all(stream), b"", "it is another client's");
        }
        let mut data = balanced.data(to, &header());
        assert_eq!(read_all(&mut data), b"text");
        client.expect(226);
    }
}

#[test]
fn a_data_connection_without_a_header_is_refused() {
    let balanced = Balanced::new(&[]);
    let mut client = balanced.client(v2(CLIENT, DIALLED));
    let to = client.extended_passive();
    client.command("STOR new", 150);
    let text = format!(
        "closed a connection from {} to passive port",
        balanced.balancer
    );
    let wrong = balanced.data(to, b"text");
    wait_until("a line of the log", || !log::lines_with(&text).is_empty());
    drop(wrong);
    let lines = log::lines_with(&text);
    assert!(lines[0].contains("which sent no PROXY header"), "{lines:?}");
    assert!(lines[0].contains("send-proxy-v2"), "{lines:?}");
    drop(balanced.data(to, &[&header()[..], b"right"].concat()));
    client.expect(226);
    assert_eq!(balanced.server.read("new"), b"right");
}

/// The balancer may carry the control connection alone.
#[test]
fn clients_may_connect_to_the_passive_port_themselves() {
    let balanced = Balanced::new(&[]);
    balanced.server.write("file", "text");
    let mut client = balanced.client(v2("127.0.0.1:40000", DIALLED));
    let to = client.extended_passive();
    let mut data = connect(to);
    client.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
    // And one without a balancer.
    assert_eq!(balanced.server.client().fetch("RETR file"), b"text");
}

#[test]
fn tls_follows_the_header() {
    let balancer = own_address();
    let secure = SecureServer::in_process(&["--proxy-protocol", &balancer.to_string()]);
    secure.server.write("file", "text");
    let config = secure.config(&TLS13);
    let mut client = Client::connect_from(balancer, secure.server.address);
    client.send_bytes(v2(CLIENT, DIALLED));
    client.expect(220);
    client.auth_tls(&config);
    client.log_in();
    client.protect_data();
    let to = client.extended_passive();
    let stream = connect_from(Some(balancer), to);
    let mut stream = stream.expect("a data connection");
    stream.write_all(&header()).expect("sending");
    client.command("RETR file", 150);
    let (bytes, _) = Protected::over(stream, &config).read_to_end();
    assert_eq!(bytes, b"text");
    client.expect(226);
}

/// Elsewhere, clients of different networks share the only port. A connection of a balancer shows
/// whose it is only later.
#[test]
fn a_port_has_one_session_at_a_time() {
    let setup = Setup::new().on_own_address().flags(&["-r", "20150-20150"]);
    let balanced = Balanced::from_setup(setup);
    balanced.server.write("file", "text");
    let sources = ["198.51.100.7:40000", "203.0.113.77:40000"];
    let [mut first, mut second] = sources.map(|source| balanced.client(v2(source, DIALLED)));
    let port = first.extended_passive();
    second.send("EPSV");
    second.expect_silence(Duration::from_millis(300));
    first.command("RETR file", 150);
    let mut data = balanced.data(port, &v2(sources[0], DIALLED));
    assert_eq!(read_all(&mut data), b"text");
    first.expect(226);
    let port = second.expect_announced();
    let mut data = balanced.data(port, &v2(sources[1], DIALLED));
    second.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    second.expect(226);
}
