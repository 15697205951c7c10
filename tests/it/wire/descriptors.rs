//! What sessions cost the system, and that the server releases all of it. Seen from outside, so the
//! server is the program.

use std::fs;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use crate::support::client::Client;
use crate::support::data::{connect, connect_stranger, drain, read_some, reset};
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};
use crate::support::wait::wait_until;

#[test]
fn an_idle_session_takes_three_descriptors() {
    let server = TestServer::program(&[]);
    // The server has started when it has greeted a client, which stays until the end.
    let _first = Client::greeted(server.address);
    let before = counts(&server);
    let mut clients: Vec<Client> = Vec::new();
    for count in 1..=20 {
        clients.push(Client::logged_in(server.address));
        assert_eq!(counts(&server), (before.0 + 3 * count, before.1 + count));
    }
    // However the sessions end.
    for (number, mut client) in clients.into_iter().enumerate() {
        match number % 3 {
            0 => {
                client.command("QUIT", 221);
                client.expect_closed();
            }
            1 => drop(client),
            _ => reset(client.stream),
        }
    }
    wait_until("all is released", || counts(&server) == before);
    server.finish();
}

/// After transfers of every kind and outcome the session is as small as before.
#[test]
fn transfers_leave_no_descriptors() {
    let server = TestServer::program(&[]);
    // The server has started when it has greeted a client, which stays until the end.
    let _first = Client::greeted(server.address);
    server.write("file", "text");
    server.write_sparse("large", 1 << 30);
    let before = counts(&server);
    let mut client = Client::logged_in(server.address);
    let idle = (before.0 + 3, before.1 + 1);
    for _ in 0..10 {
        client.fetch("RETR file");
        client.fetch("LIST");
        client.store("STOR new", "text");
        client.extended_passive();
        client.command("RETR missing", 550);
        client.command("STOR missing/file", 553);
        let port = client.extended_passive();
        drain_stranger(port, &mut client);
        let mut data = client.data();
        client.command("RETR large", 150);
        read_some(&mut data, 1000);
        client.command("ABOR", 426);
        client.expect(226);
        for command in [
            "STAT .",
            "SIZE file",
            "MLST file",
            "CWD missing",
            "RNFR file",
            "NOOP",
        ] {
            client.send(command);
            client.reply();
        }
        assert_eq!(counts(&server), idle);
    }
    // A passive port costs one more, and one only.
    for _ in 0..3 {
        client.extended_passive();
        assert_eq!(counts(&server), (idle.0 + 1, idle.1));
    }
    client.command("ABOR", 226);
    assert_eq!(counts(&server), idle);
    drop(client);
    wait_until("all is released", || counts(&server) == before);
    server.finish();
}

/// A stranger connects while a transfer waits for its client, and the client aborts.
fn drain_stranger(port: std::net::SocketAddr, client: &mut Client) {
    client.command("LIST", 150);
    drain(connect_stranger(port).expect("a connection"));
    client.command("ABOR", 426);
    client.expect(226);
}

/// Without free descriptors some clients are refused or must wait; later everything works as
/// before.
#[test]
fn the_server_recovers_from_too_few_descriptors() {
    let limit = ["sh", "-c", "ulimit -n 40 && exec \"$0\" \"$@\""];
    let setup = Setup::new().wrapped(|serve| process::prefixed(&limit, &serve));
    let server = setup.program();
    // The server has started when it has greeted a client, which stays until the end.
    let _first = Client::greeted(server.address);
    server.write("file", "text");
    let before = counts(&server);
    let mut client = Client::logged_in(server.address);
    let crowd: Vec<_> = (0..50).map(|_| connect(server.address)).collect();
    wait_until("the descriptors are used up", || counts(&server).0 >= 38);
    for _ in 0..5 {
        for command in [
            "EPSV",
            "RETR file",
            "LIST",
            "STOR new",
            "SIZE file",
            "STAT .",
            "ABOR",
        ] {
            client.send(command);
            // A transfer that waits for us is ended by the ABOR.
            client.reply();
        }
        client.send("NOOP");
        while client.line().is_some_and(|line| !line.starts_with(b"200 ")) {}
    }
    drop(crowd);
    // Some of the closed connections are still in the backlog, and are accepted before a new
    // client.
    wait_until("a new client is served", || {
        let greeting = Client::connect(server.address).line();
        greeting.is_some_and(|line| line.starts_with(b"220 "))
    });
    wait_until("the crowd is gone", || counts(&server).1 == before.1 + 1);
    assert_eq!(client.fetch("RETR file"), b"text");
    assert_eq!(
        Client::logged_in(server.address).fetch("RETR file"),
        b"text"
    );
    server.finish();
}

/// However much a client sends without reading, the server holds little of it.
#[test]
fn a_client_that_never_reads_takes_little_memory() {
    let server = TestServer::program(&[]);
    // The server has started when it has greeted a client, which stays until the end.
    let _first = Client::greeted(server.address);
    Client::logged_in(server.address).command("HELP", 214);
    let before = resident_kib(&server);
    let mut deaf: Vec<Client> = (0..4).map(|_| Client::logged_in(server.address)).collect();
    for client in &mut deaf {
        let since_full = Duration::from_millis(100);
        client
            .stream
            .set_write_timeout(Some(since_full))
            .expect("a timeout");
        let commands = b"HELP\r\n".repeat(10_000);
        let stopped = loop {
            if let Err(error) = client.stream.write(&commands) {
                break error.kind();
            }
        };
        assert!(matches!(
            stopped,
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB");
    drop(deaf);
    server.finish();
}

/// Open descriptors and threads.
fn counts(server: &TestServer<Program>) -> (usize, usize) {
    let count = |what: &str| {
        let path = format!("/proc/{}/{what}", server.id());
        fs::read_dir(path).expect("the server's /proc").count()
    };
    (count("fd"), count("task"))
}

fn resident_kib(server: &TestServer<Program>) -> u64 {
    let path = format!("/proc/{}/status", server.id());
    let status = fs::read_to_string(path).expect("the server's /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no VmRSS:\n{status}"))
}
