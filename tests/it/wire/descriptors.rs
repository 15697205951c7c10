//! What sessions cost the system, and that the server releases all of it. Seen from outside, so the
//! server is the program.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use crate::support::client::{Client, sorted_names};
use crate::support::data::{connect_stranger, drain, read_some, reset};
use crate::support::fault::{EAGAIN, ENFILE, KernelFaults};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Setup, TestServer};
use crate::support::wait::wait_until;

#[test]
fn an_idle_session_takes_three_descriptors() {
    let server = TestServer::program(&[]);
    // The server has started when it has greeted a client, which stays until the end.
    let _first = Client::greeted(server.address);
    let before = server.counts();
    let mut clients: Vec<Client> = Vec::new();
    for count in 1..=20 {
        clients.push(Client::logged_in(server.address));
        assert_eq!(server.counts(), (before.0 + 3 * count, before.1 + count));
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
    wait_until("all is released", || server.counts() == before);
    server.finish();
}

/// It keeps what the next command needs, and little of what the commands before needed.
#[test]
fn an_idle_session_takes_little_memory() {
    let flags = ["--max-cons-per-ip", "0"];
    let server = TestServer::program(&flags);
    server.write("file", "text");
    let _first = Client::logged_in(server.address);
    let before = server.heap_kib();
    let mut clients: Vec<_> = (0..IDLE)
        .map(|_| Client::logged_in(server.address))
        .collect();
    let idle = (server.heap_kib() - before) / IDLE;
    for client in &mut clients {
        client.fetch("LIST");
        client.fetch("RETR file");
    }
    let after_transfers = (server.heap_kib() - before) / IDLE;
    assert!(
        idle <= IDLE_KIB_MAX && after_transfers <= AFTER_TRANSFERS_KIB_MAX,
        "{idle} KiB, and {after_transfers} KiB after transfers"
    );
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
    let before = server.counts();
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
        assert_eq!(server.counts(), idle);
    }
    // A passive port costs one more, and one only.
    for _ in 0..3 {
        client.extended_passive();
        assert_eq!(server.counts(), (idle.0 + 1, idle.1));
    }
    client.command("ABOR", 226);
    assert_eq!(server.counts(), idle);
    drop(client);
    wait_until("all is released", || server.counts() == before);
    server.finish();
}

/// A stranger connects while a transfer waits for its client, and the client aborts.
fn drain_stranger(port: std::net::SocketAddr, client: &mut Client) {
    client.command("LIST", 150);
    drain(connect_stranger(port).expect("a connection"));
    client.command("ABOR", 426);
    client.expect(226);
}

/// However many clients come, those inside have descriptors for all that they can do at once.
#[test]
fn a_crowd_takes_no_descriptors_from_those_inside() {
    let limit = ["prlimit", "--nofile=96"];
    let setup = Setup::new().wrapped(|serve| process::prefixed(&limit, &serve));
    let server = setup.program();
    let mut inside: Vec<Client> = (0..8).map(|_| server.client()).collect();
    let crowd: Vec<_> = (0..50).map(|_| Client::connect(server.address)).collect();
    // Each upload has a pipe.
    let bytes = noise(1_000_000);
    let mut uploads = Vec::new();
    for (number, client) in inside.iter_mut().enumerate() {
        let mut data = client.data();
        client.command(format!("STOR file{number}"), 150);
        data.write_all(&bytes).expect("sending data");
        uploads.push(data);
    }
    for (client, data) in inside.iter_mut().zip(uploads) {
        drop(data);
        client.expect(226);
    }
    let mut ports = Vec::new();
    for client in &mut inside {
        ports.push(client.extended_passive());
    }
    for (number, (client, port)) in inside.iter_mut().zip(ports).enumerate() {
        let data = client.connect_data(port);
        assert!(client.fetch_over(data, format!("RETR file{number}")) == bytes);
        assert_eq!(sorted_names(client.fetch("NLST")).len(), 8);
    }
    for mut client in crowd {
        client.expect(421);
        client.expect_closed();
    }
    // One leaves, and one gets in.
    inside.pop();
    wait_until("a new client is served", || {
        Client::connect(server.address).reply().code == 220
    });
    let log = server.finish();
    let warning = "the limit of 96 open files is enough for 8 clients, not for --max-cons ";
    assert!(log.contains(warning), "{log}");
}

/// Where the whole system has no descriptor left, commands fail and new clients wait. No session
/// ends, and later everything works as before.
#[test]
fn the_server_recovers_from_a_system_without_descriptors() {
    let server = TestServer::program(&[]);
    server.write("file", "text");
    let mut client = server.client();
    let before = server.counts();
    let calls = "accept4,epoll_create1,eventfd2,openat,openat2,socket";
    let faults = KernelFaults::start(server.id(), calls, ENFILE);
    for command in [
        "EPSV",
        "RETR file",
        "LIST",
        "STOR new",
        "SIZE file",
        "STAT .",
    ] {
        client.send(command);
        let reply = client.reply();
        assert!(reply.code >= 400, "{command}: {}", reply.text());
    }
    client.expect_in_step();
    let mut new = Client::connect(server.address);
    new.expect_silence(Duration::from_millis(100));
    assert!(faults.end() > 0);
    new.expect(220);
    drop(new);
    client.store("STOR new", "new text");
    assert_eq!(client.fetch("RETR new"), b"new text");
    wait_until("the new client is gone", || server.counts() == before);
    // Once each, however often the server has tried.
    let log = server.finish();
    for line in [
        " ERROR cannot accept connections: ",
        " INFO  accepts connections again, after ",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line:?} in\n{log}");
    }
    assert!(!log.contains("(os error "), "{log}");
}

/// A client for which the system has no thread gets a reply, and the others are not disturbed.
#[test]
fn a_client_without_a_thread_is_refused() {
    let server = TestServer::program(&[]);
    let mut inside = server.client();
    let before = server.counts();
    let faults = KernelFaults::start(server.id(), "clone,clone3", EAGAIN);
    for _ in 0..3 {
        let mut client = Client::connect(server.address);
        client.expect(421);
        client.expect_closed();
    }
    inside.store("STOR file", "text");
    assert_eq!(inside.fetch("RETR file"), b"text");
    assert!(faults.end() > 0);
    wait_until("all is released", || server.counts() == before);
    assert_eq!(server.client().fetch("RETR file"), b"text");
    let log = server.finish();
    let line = " ERROR #2 -@127.0.0.1 cannot serve the client: Resource temporarily unavailable; the \
                system has no thread for it, or no memory for one; the lowest limit of threads is that \
                of ";
    assert!(log.contains(line), "{log}");
    assert!(log.contains(", or lower --max-cons"), "{log}");
}

/// However much a client sends without reading, the server holds little of it.
#[test]
fn a_client_that_never_reads_takes_little_memory() {
    let server = TestServer::program(&[]);
    // The server has started when it has greeted a client, which stays until the end.
    let _first = Client::greeted(server.address);
    Client::logged_in(server.address).command("HELP", 214);
    let before = server.resident_kib();
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
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB");
    drop(deaf);
    server.finish();
}

/// Sessions at a time: with this number a page more or less makes no difference.
const IDLE: u64 = 128;

/// What the allocator takes for a session that has logged in.
const IDLE_KIB_MAX: u64 = 6;

/// The same for one that has transferred something.
const AFTER_TRANSFERS_KIB_MAX: u64 = 9;
