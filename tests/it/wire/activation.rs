//! Control sockets that a service manager has opened and passes (`LISTEN_FDS`). The test is the
//! service manager: it holds the sockets, and servers come and go.

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustls::version::TLS13;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::support::certificates::trusting_any;
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{read_all, read_some};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{self, PASSWORD, Program, Setup, TestServer, USER, own_address};
use crate::support::wait::wait_until;

/// A socket that outlives servers.
struct Held(TcpListener);

impl Held {
    fn new(address: &str) -> Self {
        Self(TcpListener::bind(address).expect("a listener"))
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    fn descriptor(&self) -> OwnedFd {
        self.0.try_clone().expect("a descriptor").into()
    }

    fn start(&self, setup: Setup<'_>) -> TestServer<Program> {
        setup
            .input(self.descriptor())
            .wrapped(|serve| passing(&serve, &[]))
            .program()
    }
}

/// The command gets its standard input as the first socket that is passed.
fn passing(serve: &Command, variables: &[(&str, &str)]) -> Command {
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let mut command = process::prefixed(&["sh", "-c", script, "sh"], serve);
    command.envs(variables.iter().copied());
    command
}

#[test]
fn clients_of_a_passed_socket_may_have_proxy_headers() {
    let held = Held::new("127.0.0.1:0");
    let flags = ["--proxy-protocol", "127.0.0.1"];
    let _server = held.start(Setup::without_account().flags(&flags));
    let mut client = Client::connect(held.address());
    client.send_bytes("PROXY TCP4 198.51.100.7 203.0.113.5 40000 21\r\n");
    client.expect(220);
    client.command("USER anonymous", 331);
    client.command("PASS x", 230);
    let text = client.command("STAT", 211).text();
    assert!(text.contains("Connected from 198.51.100.7."), "{text}");
    let mut client = Client::connect(held.address());
    client.send("NOOP");
    client.expect_closed();
}

/// A script between the service manager and the server.
#[test]
fn sockets_for_the_parent_are_named_in_the_log() {
    let held = Held::new("127.0.0.1:0");
    let port = held.address().port().to_string();
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 \"$@\"; exit $?";
    let flags = ["-i", "127.0.0.1", "-p", &port];
    let mut command = process::prefixed(&["sh", "-c", script, "sh"], &server::command(&flags));
    let child = process::start_reading(&mut command, held.descriptor().into());
    let found = process::finish(child, &command, 20);
    let log = String::from_utf8_lossy(&found.stderr);
    for text in [
        "WARN  the sockets of the service manager (LISTEN_FDS) are not used",
        "start the server with exec",
        "Address already in use",
    ] {
        assert!(log.contains(text), "{log}");
    }
}

#[test]
fn passed_sockets_replace_the_flags() {
    let place = TempDir::new().expect("a temporary directory");
    let config = place.path().join("ftp.conf");
    fs::write(&config, "banner first\n").expect("a file");
    let held = Held::new("127.0.0.1:0");
    // The password has the program execute itself once more, and the socket stays.
    let setup = Setup::new().flags(&["--config", path(&config), "-r", "2000-3000"]);
    let server = held.start(setup);
    assert_eq!(server.address, held.address());
    server.log_with("has passed (LISTEN_FDS); --interface, --port and --tls-implicit are not used");
    let mut client = server.client();
    client.store("STOR new", "text");
    fs::write(&config, "banner second\n").expect("a file");
    server.signal(Signal::HUP);
    wait_until("the new greeting", || {
        let greeting = Client::connect(held.address()).expect(220);
        greeting.text() == "220 second"
    });
    client.expect_in_step();
    server.finish();
}

#[test]
fn sockets_of_all_kinds_are_described_as_they_are() {
    for (address, shown) in [
        ("127.0.0.1:0", ""),
        ("[::1]:0", ""),
        ("[::]:0", " (IPv6 and IPv4)"),
    ] {
        let held = Held::new(address);
        let server = held.start(Setup::without_account());
        let line = format!("listening on {}{shown}\n", held.address());
        server.log_with(&line);
        let mut client = Client::greeted(server.address);
        client.command("USER anonymous", 331);
        client.command("PASS x", 230);
        client.fetch("LIST");
        server.finish();
    }
}

/// By systemd's own tool, which starts the server when the first client comes.
#[test]
fn names_say_what_clients_begin_with() {
    let host = own_address();
    let (plain, secure) = (format!("{host}:2121"), format!("{host}:2990"));
    let words = [
        "systemd-socket-activate",
        "--fdname=control:implicit-tls",
        &format!("--listen={plain}"),
        &format!("--listen={secure}"),
    ];
    let state = TempDir::new().expect("a temporary directory");
    let mut setup = Setup::new()
        .flags(&["--tls"])
        .wrapped(|serve| process::prefixed(&words, &serve));
    let mut command = setup.command();
    let setenv = format!("--setenv=STATE_DIRECTORY={}", path(state.path()));
    let mut activate = Command::new("systemd-socket-activate");
    activate.arg(setenv).args(command.get_args());
    process::copy_environment(&command, &mut activate);
    command = activate;
    let mut child = process::start(&mut command);
    let is_listening = || TcpStream::connect(&plain).is_ok();
    wait_until("systemd-socket-activate listens", is_listening);
    let mut client = Client::logged_in(plain.parse().expect("an address"));
    client.fetch("LIST");
    let config = trusting_any(&TLS13);
    let mut client = Client::connect(secure.parse().expect("an address"));
    client.secure(&config);
    client.expect(220);
    client.log_in();
    client.protect_data();
    client.fetch_securely("LIST", &config);
    child.kill().expect("the server's end");
    child.wait().expect("the server's end");
}

#[test]
fn wrong_sockets_are_refused() {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let place = TempDir::new().expect("a temporary directory");
    let unix = UnixListener::bind(place.path().join("unix")).expect("a socket");
    let held = Held::new("127.0.0.1:0");
    let connection = TcpStream::connect(held.address()).expect("a connection");
    let idle = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let file = fs::File::open("/dev/null").expect("a file");
    let descriptors: [(OwnedFd, &str); 5] = [
        (udp.into(), "is no TCP socket"),
        (unix.into(), "is no TCP socket"),
        (file.into(), "is no TCP socket"),
        (connection.into(), "does not listen"),
        (idle.into(), "does not listen"),
    ];
    for (descriptor, problem) in descriptors {
        let expected = format!(
            "LISTEN_FDS: descriptor 1 of 1 (unknown) {problem}; in the socket unit, write \
             ListenStream= with a port and Accept=no"
        );
        refusal(descriptor, &[], &[]).expect_refusal(&expected);
    }
}

/// No memory is taken for them, and no descriptor is looked at.
#[test]
fn more_sockets_than_there_can_be_are_refused() {
    let script = "LISTEN_PID=$$ LISTEN_FDS=2147483647 exec \"$@\"";
    let serve = server::command(&["-d", "/usr", "-p", "0", "-i", "127.0.0.1"]);
    let mut command = process::prefixed(&["sh", "-c", script, "sh"], &serve);
    let expected = "LISTEN_FDS=2147483647: more than 256 sockets; give the number of those";
    process::run(&mut command, 20).expect_refusal(expected);
}

#[test]
fn sockets_that_the_flags_do_not_suit_are_refused() {
    let held = Held::new("127.0.0.1:0");
    let port = held.address().port();
    let range = format!("{port}-{}", port.saturating_add(1));
    for (names, flags, expected) in [
        (
            "implicit-tls",
            &[][..],
            "LISTEN_FDNAMES: a socket with the name implicit-tls is passed, but TLS is off; add --tls",
        ),
        (
            "implicit_tls",
            &[],
            "(implicit_tls): unknown name; in the socket unit, write FileDescriptorName=control or",
        ),
        (
            "control:more",
            &[],
            "LISTEN_FDNAMES has 2 names for 1 sockets of LISTEN_FDS",
        ),
        (
            "control",
            &["-r", &range],
            &format!("contains the port {port} of a socket that is passed (LISTEN_FDS)"),
        ),
        (
            "control",
            &["--inetd"],
            "--inetd: listening sockets are passed too (LISTEN_FDS)",
        ),
    ] {
        let variables = [("LISTEN_FDNAMES", names)];
        refusal(held.descriptor(), &variables, flags).expect_refusal(expected);
    }
}

/// What a server says that gets this socket.
fn refusal(descriptor: OwnedFd, variables: &[(&str, &str)], flags: &[&str]) -> process::Finished {
    let serve = server::command(&[&["-d", "/"], flags].concat());
    let mut command = passing(&serve, variables);
    let child = process::start_reading(&mut command, descriptor.into());
    process::finish(child, &command, 20)
}

/// The variables that another process was given say nothing about this one's descriptors.
#[test]
fn sockets_of_another_process_are_none() {
    let held = Held::new("127.0.0.1:0");
    let setup = Setup::new().input(held.descriptor()).wrapped(|serve| {
        let script = "exec 3<&0 </dev/null; LISTEN_PID=1 LISTEN_FDS=1 exec \"$@\"";
        process::prefixed(&["sh", "-c", script, "sh"], &serve)
    });
    let server = setup.program();
    assert_ne!(server.address, held.address());
    server.client().expect_in_step();
    server.finish();
}

/// The sockets are in use, by this server.
#[test]
fn a_check_opens_no_passed_socket() {
    let held = Held::new("127.0.0.1:0");
    let flags = ["-d", "/usr", "-i", "192.0.2.77", "--check"];
    let mut command = passing(&server::command(&flags), &[]);
    let child = process::start_reading(&mut command, held.descriptor().into());
    let finished = process::finish(child, &command, 20).expect_success();
    let text = finished.text();
    assert!(
        text.contains("127.0.0.1") && !text.contains("192.0.2.77\n"),
        "{text}"
    );
}

pub(super) fn write_script(file: &Path, text: &str) {
    fs::write(file, text).expect("a script");
    fs::set_permissions(file, Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn hooks_inherit_no_socket_and_no_variable() {
    let place = TempDir::new().expect("a temporary directory");
    let (hook, seen) = (place.path().join("hook"), place.path().join("seen"));
    let script = format!(
        "#!/bin/sh\n(env; ls -l /proc/self/fd) >{0}.new; mv {0}.new {0}\n",
        path(&seen)
    );
    write_script(&hook, &script);
    for sandbox in [&[][..], &["--sandbox"]] {
        let held = Held::new("127.0.0.1:0");
        let setup = Setup::new()
            .flags(&["--on-event", path(&hook)])
            .flags(sandbox)
            .input(held.descriptor())
            .wrapped(|serve| passing(&serve, &[("NOTIFY_SOCKET", "/nowhere")]));
        let server = setup.program();
        server.client().command("QUIT", 221);
        wait_until("the hook has run", || seen.exists());
        let seen_by_hook = fs::read_to_string(&seen).expect("a file");
        for text in ["LISTEN_", "NOTIFY_", "socket:"] {
            assert!(!seen_by_hook.contains(text), "{text} in\n{seen_by_hook}");
        }
        server.finish();
        fs::remove_file(&seen).expect("a file");
    }
}

/// What clients have seen while servers were replaced.
#[derive(Default)]
struct Seen {
    logins: AtomicUsize,
    is_over: AtomicBool,
}

/// Connects again and again. Each connection has a greeting: 421 of a server that ends is one.
fn log_in_repeatedly(address: SocketAddr, seen: &Seen) {
    while !seen.is_over.load(Ordering::Relaxed) {
        let mut client = Client::connect(address);
        let greeting = client.reply();
        assert!([220, 421].contains(&greeting.code), "{}", greeting.text());
        let mut has_code = |line: String, code: &str| {
            // The server may have closed the connection.
            let _ = client.stream.write_all(format!("{line}\r\n").as_bytes());
            let reply = client.line().unwrap_or_default();
            reply.starts_with(code.as_bytes())
        };
        if has_code(format!("USER {USER}"), "331") && has_code(format!("PASS {PASSWORD}"), "230") {
            seen.logins.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// As `systemctl restart` does it: the old server gets SIGTERM, and the new one starts when that
/// has ended. No client is refused meanwhile, and a running transfer gets its time.
#[test]
fn a_restart_loses_no_client() {
    let held = Held::new("127.0.0.1:0");
    let big = noise(32 << 20);
    let seen = Seen::default();
    let start = || {
        let setup = Setup::new().flags(&["--max-cons-per-ip", "0"]);
        let server = held.start(setup);
        server.write("big", &big);
        server
    };
    thread::scope(|scope| {
        let clients = [(); 3].map(|()| scope.spawn(|| log_in_repeatedly(held.address(), &seen)));
        let served = |least: usize| {
            let before = seen.logins.load(Ordering::Relaxed);
            wait_until("clients are served", || {
                let is_broken = clients.iter().any(|client| client.is_finished());
                is_broken || seen.logins.load(Ordering::Relaxed) >= before + least
            });
        };
        let mut server = start();
        for _restart in 0..3 {
            served(10);
            let mut busy = server.client();
            let mut data = busy.data();
            busy.command("RETR big", 150);
            read_some(&mut data, 1);
            server.signal(Signal::TERM);
            server.log_with("shutting down: SIGTERM asks for it");
            assert!(read_all(&mut data) == big[1..], "the download is not whole");
            busy.expect_all(&[226, 421]);
            let (code, log) = server.ended();
            assert_eq!(code, Some(0), "{log}");
            server = start();
        }
        served(10);
        seen.is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("no client is refused");
        }
        server.finish();
    });
}

/// Clients that come during the grace wait for the next server, even if the old one goes on for a
/// long time.
#[test]
fn an_ending_server_leaves_new_clients_to_the_next_one() {
    let held = Held::new("127.0.0.1:0");
    let old = held.start(Setup::new().flags(&["--shutdown-grace", "600"]));
    old.write("big", noise(32 << 20));
    let mut busy = old.client();
    let mut data = busy.data();
    busy.command("RETR big", 150);
    read_some(&mut data, 1);
    old.signal(Signal::TERM);
    old.log_with("shutting down: SIGTERM asks for it");
    let mut waiting = Client::connect(held.address());
    waiting.expect_silence(Duration::from_millis(100));
    let new = held.start(Setup::new().flags(&["--banner", "new"]));
    assert_eq!(waiting.expect(220).text(), "220 new");
    waiting.log_in();
    drop(data);
    busy.expect_all(&[426, 421]);
    assert_eq!(old.ended().0, Some(0));
    waiting.expect_in_step();
    new.finish();
}
