//! `--inetd`: one server for each client, whose connection is standard input. The client reads all
//! that the server sends: a log line among the replies would be no reply.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustls::version::TLS13;
use tempfile::TempDir;

use crate::support::certificates::{Certificate, trusting_any};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{accept, read_all, read_some};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{self, PASSWORD, Setup, USER, own_address};
use crate::support::wait::wait_until;

/// An inetd: it accepts, and starts a server for each client.
struct Inetd {
    listener: TcpListener,
    share: TempDir,
}

impl Inetd {
    fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").expect("a listener"),
            share: TempDir::new().expect("a temporary directory"),
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.share.path().join(name), bytes).expect("a file");
    }

    fn command(&self, flags: &[&str]) -> Command {
        let share = path(self.share.path());
        let common = ["--inetd", "-d", share, "-u", USER, "-P", PASSWORD, "-w"];
        server::command(&[&common, flags].concat())
    }

    /// A client, and the server that has it as all three of its standard files.
    fn connect(&self, flags: &[&str]) -> (Client, Child) {
        let client = Client::connect(self.address());
        let (connection, _) = accept(&self.listener);
        connection.set_read_timeout(None).expect("no timeout");
        connection.set_write_timeout(None).expect("no timeout");
        let file = || Stdio::from(OwnedFd::from(connection.try_clone().expect("a descriptor")));
        let mut command = self.command(flags);
        command.stdin(file()).stdout(file()).stderr(file());
        (client, command.spawn().expect("a server"))
    }
}

#[track_caller]
fn ended(child: &mut Child) -> Option<i32> {
    let status = process::wait(child, Duration::from_secs(15));
    status.expect("it ends with its session").code()
}

#[test]
fn a_server_serves_one_client_and_ends() {
    let inetd = Inetd::new();
    let (mut client, mut child) = inetd.connect(&["--log-level", "trace"]);
    client.expect(220);
    client.log_in();
    client.store("STOR new", "text");
    assert_eq!(client.fetch("RETR new"), b"text");
    assert_eq!(client.fetch_passive("RETR new"), b"text");
    assert_eq!(client.fetch_active("RETR new").0, b"text");
    client.command("QUIT", 221);
    client.expect_orderly_close();
    assert_eq!(ended(&mut child), Some(0));
}

#[test]
fn it_ends_when_its_client_is_gone() {
    let inetd = Inetd::new();
    let (mut client, mut child) = inetd.connect(&[]);
    client.expect(220);
    drop(client);
    assert_eq!(ended(&mut child), Some(0));
    let (mut client, mut child) = inetd.connect(&["--deny", "127.0.0.0/8"]);
    client.expect(421);
    client.expect_closed();
    assert_eq!(ended(&mut child), Some(0));
}

/// The client sees the end of the connection, although the process still runs.
#[test]
fn a_hook_does_not_keep_the_connection_open() {
    let inetd = Inetd::new();
    let place = TempDir::new().expect("a temporary directory");
    let (hook, go) = (place.path().join("hook"), place.path().join("go"));
    let script = format!(
        "#!/bin/sh\nwhile [ ! -e {} ]; do sleep 0.05; done\n",
        path(&go)
    );
    super::activation::write_script(&hook, &script);
    let (mut client, mut child) = inetd.connect(&["--on-event", path(&hook)]);
    client.expect(220);
    client.log_in();
    client.command("QUIT", 221);
    client.expect_orderly_close();
    assert_eq!(child.try_wait().expect("its state"), None);
    fs::write(&go, "").expect("a file");
    assert_eq!(ended(&mut child), Some(0));
}

/// Each process has the whole range, and finds the ports of others in use.
#[test]
fn servers_share_a_range_of_passive_ports() {
    let inetd = Inetd::new();
    inetd.write("big", &noise(8 << 20));
    let mut sessions: Vec<(Client, Child)> = (0..3)
        .map(|_| inetd.connect(&["-r", "20110-20112"]))
        .collect();
    let mut transfers = Vec::new();
    for (client, _) in &mut sessions {
        client.expect(220);
        client.log_in();
        let mut data = client.data();
        client.command("RETR big", 150);
        read_some(&mut data, 1);
        transfers.push(data);
    }
    for ((mut client, mut child), mut data) in sessions.into_iter().zip(transfers) {
        assert_eq!(read_all(&mut data).len(), (8 << 20) - 1);
        client.expect(226);
        client.command("QUIT", 221);
        assert_eq!(ended(&mut child), Some(0));
    }
}

/// Clients that come to the port of `--tls-implicit` begin with TLS.
#[test]
fn the_port_says_what_clients_begin_with() {
    let inetd = Inetd::new();
    let certificate = Certificate::new(inetd.share.path(), &[]);
    let port = inetd.address().port().to_string();
    let config = trusting_any(&TLS13);
    let flags = certificate.flags();
    let (mut client, mut child) = inetd.connect(&[&flags, &["--tls-implicit", &port][..]].concat());
    client.secure(&config);
    client.expect(220);
    client.log_in();
    client.command("QUIT", 221);
    assert_eq!(ended(&mut child), Some(0));
    let (mut client, mut child) = inetd.connect(&flags);
    client.expect(220);
    client.auth_tls(&config);
    client.log_in();
    client.command("QUIT", 221);
    assert_eq!(ended(&mut child), Some(0));
}

/// Its one client comes through a balancer.
#[test]
fn the_client_may_have_a_proxy_header() {
    let inetd = Inetd::new();
    for pieces in [1, 2] {
        let (mut client, mut child) = inetd.connect(&PROXY);
        let header = b"PROXY TCP4 198.51.100.7 203.0.113.5 40000 21\r\n";
        let (start, rest) = header.split_at(header.len() / pieces);
        client.send_bytes(start);
        client.send_bytes(rest);
        client.expect(220);
        client.log_in();
        let text = client.command("STAT", 211).text();
        assert!(text.contains("Connected from 198.51.100.7."), "{text}");
        client.command("QUIT", 221);
        assert_eq!(ended(&mut child), Some(0));
    }
    // One without a header is sent away.
    let (mut client, mut child) = inetd.connect(&PROXY);
    client.send("NOOP");
    client.expect_closed();
    assert_eq!(ended(&mut child), Some(0));
}

#[test]
fn long_the_time_for_a_proxy_header_is_bounded() {
    let inetd = Inetd::new();
    let (mut client, mut child) = inetd.connect(&PROXY);
    client.expect_closed();
    assert_eq!(ended(&mut child), Some(0));
}

const PROXY: [&str; 2] = ["--proxy-protocol", "127.0.0.1"];

/// The reason stands where the log goes, which is not the connection.
#[test]
fn a_server_that_cannot_start_sends_its_client_away() {
    let inetd = Inetd::new();
    for flags in [
        &["--nonsense"][..],
        &["--max-cons", "5"],
        &["--tls", "--certfile", "/nowhere"],
    ] {
        let (mut client, mut child) = inetd.connect(flags);
        assert_eq!(
            client.expect(421).text(),
            "421 The server cannot start; try again later."
        );
        client.expect_closed();
        assert_eq!(ended(&mut child), Some(2), "{flags:?}");
    }
}

#[test]
fn another_standard_input_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let null = fs::File::open("/dev/null").expect("a file");
    for (input, expected) in [
        (
            Stdio::from(null),
            "--inetd: standard input is no TCP connection: the flag is for a server that inetd",
        ),
        (
            Stdio::from(OwnedFd::from(listener)),
            "--inetd: standard input is a listening socket; write nowait in the configuration of",
        ),
    ] {
        let mut command = server::command(&["--inetd", "-d", "/usr"]);
        let child = process::start_reading(&mut command, input);
        process::finish(child, &command, 20).expect_refusal(expected);
    }
}

/// A real one: that of OpenBSD.
#[test]
fn inetd_starts_a_server_for_each_client() {
    let (share, state) = (TempDir::new(), TempDir::new());
    let (share, state) = (share.expect("a directory"), state.expect("a directory"));
    fs::write(share.path().join("file"), "text").expect("a file");
    let address: SocketAddr = (own_address(), 2121).into();
    let command = server::command::<&str>(&[]);
    let program = command.get_program().to_str().expect("a path").to_owned();
    let config = state.path().join("inetd.conf");
    let line = format!(
        "{} stream tcp4 nowait root {program} ftp-server-sync --inetd -d {}\n",
        address,
        path(share.path())
    );
    fs::write(&config, line).expect("a file");
    let mut command = Command::new("inetd");
    command.args(["-i", path(&config)]);
    let mut inetd = process::start(&mut command);
    wait_until("inetd listens", || TcpStream::connect(address).is_ok());
    for _ in 0..2 {
        let mut client = Client::greeted(address);
        client.command("USER anonymous", 331);
        client.command("PASS x", 230);
        assert_eq!(client.fetch("RETR file"), b"text");
        client.command("QUIT", 221);
        client.expect_orderly_close();
    }
    inetd.kill().expect("its end");
    inetd.wait().expect("its end");
}

/// systemd's own tool, and a real client.
#[test]
fn a_socket_unit_with_accept_starts_a_server_for_each_client() {
    let mut setup = Setup::new().flags(&["--inetd"]);
    fs::write(setup.root().join("file"), "text").expect("a file");
    let host = own_address();
    let listen = format!("--listen={host}:2121");
    let words = ["systemd-socket-activate", "--accept", "--inetd", &listen];
    let mut command = process::prefixed(&words, &setup.command());
    let mut child = process::start(&mut command);
    wait_until("systemd-socket-activate listens", || {
        TcpStream::connect((host, 2121)).is_ok()
    });
    let url = format!("ftp://{USER}:{PASSWORD}@{host}:2121/");
    for (name, expected) in [("", "file"), ("file", "text")] {
        let url = format!("{url}{name}");
        let found = process::run(Command::new("curl").args(["-sS", &url]), 20).expect_success();
        assert!(found.text().contains(expected), "{}", found.text());
    }
    child.kill().expect("its end");
    child.wait().expect("its end");
}

/// Where stderr is not the connection, the log goes there.
#[test]
fn the_log_goes_to_another_stderr() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let mut client = Client::connect(listener.local_addr().expect("an address"));
    let (connection, _) = accept(&listener);
    let mut setup = Setup::without_account().flags(&["--inetd", "-D"]);
    let mut command = setup.command();
    let child = process::start_reading(&mut command, OwnedFd::from(connection).into());
    client.expect(220);
    client.command("QUIT", 221);
    let finished = process::finish(child, &command, 20).expect_success();
    let text = finished.text();
    assert!(
        text.contains("serving the one client that inetd has passed (--inetd)"),
        "{text}"
    );
    assert!(
        text.contains("#1 -@127.0.0.1 closed") && text.contains(" ended\n"),
        "{text}"
    );
}
