//! What the server says to the service manager that has started it (sd_notify). The test is the
//! service manager.

use std::fs::{self, Permissions};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{self, Command};
use std::time::Duration;

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::support::client_program::path;
use crate::support::data::read_some;
use crate::support::file_contents::noise;
use crate::support::process::prefixed;
use crate::support::server::{Program, Setup, TestServer};
use crate::support::wait::{GUARD, pass_time, wait_until};

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(GUARD)).expect("a timeout");
        Self { socket, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("notify")
    }

    fn start(&self, setup: Setup<'_>) -> TestServer<Program> {
        let path = self.path();
        setup
            .wrapped(move |mut serve| {
                serve.env("NOTIFY_SOCKET", path);
                serve
            })
            .program()
    }

    /// The next message.
    #[track_caller]
    fn message(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// The next message that begins so; others may come before.
    #[track_caller]
    fn message_with(&self, start: &str) -> String {
        loop {
            let message = self.message();
            if message.starts_with(start) {
                return message;
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.socket.set_nonblocking(true).expect("a socket");
        let is_silent = self.socket.recv(&mut [0; 1]).is_err();
        self.socket.set_nonblocking(false).expect("a socket");
        is_silent
    }
}

#[test]
fn a_server_is_ready_when_it_serves() {
    let manager = Manager::new();
    let server = manager.start(Setup::new());
    assert_eq!(manager.message(), "READY=1");
    assert_eq!(manager.message(), "STATUS=0 sessions, 0 transfers");
    server.client().command("QUIT", 221);
    server.signal(Signal::TERM);
    let stopping = manager.message_with("STOPPING=1\n");
    // The grace of 10 s, and the time that sessions and hooks have after it.
    let limit = stopping.strip_prefix("STOPPING=1\nEXTEND_TIMEOUT_USEC=");
    let limit: u64 = limit.expect("a limit").parse().expect("a number");
    assert!((15_000_000..60_000_000).contains(&limit), "{limit}");
    assert_eq!(server.ended().0, Some(0));
    assert!(manager.is_silent(), "a message after the end");
}

#[test]
fn a_reload_has_a_begin_and_an_end() {
    let manager = Manager::new();
    let place = TempDir::new().expect("a temporary directory");
    let config = place.path().join("ftp.conf");
    let server = {
        fs::write(&config, "banner first\n").expect("a file");
        manager.start(Setup::new().flags(&["--config", path(&config)]))
    };
    assert_eq!(manager.message(), "READY=1");
    for (text, line) in [
        ("banner second\n", "reloaded the settings"),
        ("timeout soon\n", "not reloading, the old settings stay"),
    ] {
        fs::write(&config, text).expect("a file");
        let before = monotonic_microseconds();
        server.signal(Signal::HUP);
        let reloading = manager.message_with("RELOADING=1\n");
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let time: u64 = time.expect("a time").parse().expect("a number");
        assert!(
            (before..=monotonic_microseconds()).contains(&time),
            "{time}"
        );
        assert_eq!(manager.message(), "READY=1");
        server.log_with(line);
    }
    server.finish();
}

fn monotonic_microseconds() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let microseconds = time.tv_sec * 1_000_000 + time.tv_nsec / 1000;
    u64::try_from(microseconds).expect("a time after the start of the machine")
}

/// A socket that only root can reach, and one that the sandbox keeps out of reach.
#[test]
fn a_server_without_rights_is_heard() {
    let manager = Manager::new();
    let directory = manager.directory.path();
    fs::set_permissions(directory, Permissions::from_mode(0o700)).expect("a mode");
    let setup = Setup::new().flags(&["--run-as", "65534:65534", "--sandbox"]);
    for directory in [setup.root(), setup.directory().to_owned()] {
        fs::set_permissions(directory, Permissions::from_mode(0o777)).expect("a mode");
    }
    let server = manager.start(setup);
    assert_eq!(manager.message(), "READY=1");
    server.client().command("QUIT", 221);
    server.signal(Signal::TERM);
    manager.message_with("STOPPING=1\n");
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn the_socket_may_be_abstract() {
    let name = format!("ftp-server-sync-test-{}", process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = Manager {
        socket: UnixDatagram::bind_addr(&address).expect("a socket"),
        directory: TempDir::new().expect("a temporary directory"),
    };
    let timeout = Some(GUARD);
    manager.socket.set_read_timeout(timeout).expect("a timeout");
    let setup = Setup::new().flags(&["--sandbox"]).wrapped(|mut serve| {
        serve.env("NOTIFY_SOCKET", format!("@{name}"));
        serve
    });
    let server = setup.program();
    assert_eq!(manager.message(), "READY=1");
    server.signal(Signal::TERM);
    manager.message_with("STOPPING=1\n");
    assert_eq!(server.ended().0, Some(0));
}

/// It serves all the same.
#[test]
fn a_socket_that_is_not_there_has_a_line_in_the_log() {
    let manager = Manager::new();
    fs::remove_file(manager.path()).expect("the socket");
    let server = manager.start(Setup::new());
    server.log_with("the service manager is not informed (NOTIFY_SOCKET): No such file");
    server.client().expect_in_step();
    server.finish();
}

/// It waits for the service manager then, and a signal ends that wait too early.
#[test]
fn a_signal_takes_no_message_away() {
    let manager = Manager::new();
    let others = UnixDatagram::unbound().expect("a socket");
    others.connect(manager.path()).expect("a connection");
    others.set_nonblocking(true).expect("a socket");
    while others.send(b"of another service").is_ok() {}
    let server = manager.start(Setup::new());
    for _ in 0..20 {
        server.signal(Signal::USR1);
        pass_time(
            Duration::from_millis(20),
            "a moment in which no message is read",
        );
    }
    manager.message_with("READY=1");
    server.signal(Signal::TERM);
    manager.message_with("STOPPING=1\n");
    assert_eq!(server.ended().0, Some(0));
}

/// The server's own number stands in `WATCHDOG_PID`, or another one.
fn watched(serve: &Command, number: &str) -> Command {
    let script = format!("WATCHDOG_USEC=200000 WATCHDOG_PID={number} exec \"$@\"");
    prefixed(&["sh", "-c", &script, "sh"], serve)
}

#[test]
fn a_stopped_server_feeds_no_watchdog() {
    let manager = Manager::new();
    let socket = manager.path();
    let setup = Setup::new().wrapped(|serve| {
        let mut command = watched(&serve, "$$");
        command.env("NOTIFY_SOCKET", socket);
        command
    });
    let server = setup.program();
    for _ in 0..3 {
        manager.message_with("WATCHDOG=1");
    }
    server.pause(true);
    while !manager.is_silent() {}
    pass_time(
        Duration::from_millis(600),
        "three intervals in which no message comes",
    );
    assert!(manager.is_silent(), "it is stopped, and sends");
    server.pause(false);
    for _ in 0..2 {
        manager.message_with("WATCHDOG=1");
    }
    // It goes on until the end.
    server.write("big", noise(32 << 20));
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR big", 150);
    read_some(&mut data, 1);
    server.signal(Signal::TERM);
    manager.message_with("STOPPING=1\n");
    for _ in 0..2 {
        manager.message_with("WATCHDOG=1");
    }
    drop(data);
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn the_watchdog_of_another_process_is_none() {
    let manager = Manager::new();
    let socket = manager.path();
    let setup = Setup::new().wrapped(|serve| {
        let mut command = watched(&serve, "1");
        command.env("NOTIFY_SOCKET", socket);
        command
    });
    let server = setup.program();
    assert_eq!(manager.message(), "READY=1");
    assert_eq!(manager.message(), "STATUS=0 sessions, 0 transfers");
    pass_time(
        Duration::from_millis(300),
        "an interval in which no message comes",
    );
    assert!(manager.is_silent(), "a message for another process");
    server.finish();
}

/// A status is as old as ten seconds.
#[test]
fn long_the_status_counts_sessions_and_transfers() {
    let manager = Manager::new();
    let server = manager.start(Setup::new());
    server.write("big", noise(32 << 20));
    let (_idle, mut busy) = (server.client(), server.client());
    let mut data = busy.data();
    busy.command("RETR big", 150);
    read_some(&mut data, 1);
    manager.message_with("STATUS=2 sessions, 1 transfer");
    drop(data);
    busy.expect(426);
    busy.command("QUIT", 221);
    manager.message_with("STATUS=1 session, 0 transfers");
    wait_until("the last message", || manager.is_silent());
    server.finish();
}
