//! What sessions cost the system, and that it gets everything back. Seen from outside, so the server is the binary.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{
    Client, PASSWORD, STRANGER, connect, connect_from, drain, read_some, serving, wait_until,
};
use crate::support::server::Server;

#[test]
fn three_for_an_idle_session() {
    let site = Outside::new();
    let before = site.counts();
    let mut clients: Vec<Client> = Vec::new();
    for count in 1..=20 {
        clients.push(Client::logged_in(site.server.address));
        assert_eq!(site.counts(), (before.0 + 3 * count, before.1 + count));
    }
    // However the sessions end, and without a word of it to the others.
    for (number, mut client) in clients.into_iter().enumerate() {
        match number % 3 {
            0 => {
                client.command("QUIT", 221);
                client.expect_closed();
            }
            1 => drop(client),
            _ => {
                let socket = socket2::SockRef::from(&client.stream);
                socket
                    .set_linger(Some(Duration::ZERO))
                    .expect("no lingering");
            }
        }
    }
    wait_until("all is given back", || site.counts() == before);
    site.server.finish(&[PASSWORD]);
}

/// After whatever transfers the session is as small as before.
#[test]
fn three_after_transfers() {
    let site = Outside::new();
    fs::write(site.path("file"), "text").expect("a file");
    let large = fs::File::create(site.path("large")).expect("a file");
    large.set_len(1 << 30).expect("a size");
    let before = site.counts();
    let mut client = Client::logged_in(site.server.address);
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
        assert_eq!(site.counts(), idle);
    }
    // A passive port costs one more, and one only.
    for _ in 0..3 {
        client.extended_passive();
        assert_eq!(site.counts(), (idle.0 + 1, idle.1));
    }
    client.command("ABOR", 226);
    assert_eq!(site.counts(), idle);
    drop(client);
    wait_until("all is given back", || site.counts() == before);
    site.server.finish(&[PASSWORD]);
}

/// A stranger comes while a transfer waits for its client, and the client aborts.
fn drain_stranger(port: std::net::SocketAddr, client: &mut Client) {
    client.command("LIST", 150);
    drain(connect_from(STRANGER, port).expect("a connection"));
    client.command("ABOR", 426);
    client.expect(226);
}

/// Without descriptors some are turned away or must wait; with them again everything works as before.
#[test]
fn out_of_descriptors() {
    let site = Outside::run(|serve| {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\""]);
        command.arg(serve.get_program()).args(serve.get_args());
        command
    });
    fs::write(site.path("file"), "text").expect("a file");
    let before = site.counts();
    let mut client = Client::logged_in(site.server.address);
    let crowd: Vec<_> = (0..50).map(|_| connect(site.server.address)).collect();
    wait_until("the descriptors are used up", || site.counts().0 >= 38);
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
    // Some of the crowd are still in the backlog, and come and go before a newcomer is served.
    wait_until("a newcomer is served", || {
        let greeting = Client::connect(site.server.address).line();
        greeting.is_some_and(|line| line.starts_with(b"220 "))
    });
    wait_until("the crowd is gone", || site.counts().1 == before.1 + 1);
    assert_eq!(client.fetch("RETR file"), b"text");
    assert_eq!(
        Client::logged_in(site.server.address).fetch("RETR file"),
        b"text"
    );
    site.server.finish(&[PASSWORD]);
}

/// However much a client sends without reading, the server keeps little of it.
#[test]
fn memory_for_a_client_that_never_reads() {
    let site = Outside::new();
    Client::logged_in(site.server.address).command("HELP", 214);
    let before = site.resident_kib();
    let mut deaf: Vec<Client> = (0..4)
        .map(|_| Client::logged_in(site.server.address))
        .collect();
    for client in &mut deaf {
        let since_full = Duration::from_millis(300);
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
    let grown = site.resident_kib().saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB");
    drop(deaf);
    site.server.finish(&[PASSWORD]);
}

/// The binary and the directory that it shares.
struct Outside {
    server: Server,
    directory: TempDir,
    /// Proves that the server has done with starting, and is there before and after all others.
    _first: Client,
}

impl Outside {
    fn new() -> Self {
        Self::run(|serve| serve)
    }

    fn run(wrap: impl FnOnce(Command) -> Command) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().to_str().expect("a path of text");
        let serve = serving(root, &[]);
        let server = Server::spawn(&mut wrap(serve));
        Self {
            _first: Client::greeted(server.address),
            server,
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Open descriptors and threads.
    fn counts(&self) -> (usize, usize) {
        let count = |what: &str| {
            let path = format!("/proc/{}/{what}", self.server.id());
            fs::read_dir(path).expect("the server's /proc").count()
        };
        (count("fd"), count("task"))
    }

    fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server.id());
        let status = fs::read_to_string(path).expect("the server's /proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no VmRSS:\n{status}"))
    }
}
