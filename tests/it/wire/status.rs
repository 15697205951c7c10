//! The status socket of a running server: what it shows of each session, and the orders that it
//! takes.

mod drain;
mod places;

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use ftp_server_sync::status::snapshot::{Activity, Direction, ServerPhase};
use rustix::process::Signal;
use rustls::version::TLS13;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::client_program::path;
use crate::support::data::{accept, active_listener, connect, drain, read_some};
use crate::support::fault::KernelTrace;
use crate::support::file_contents::noise;
use crate::support::server::{SecureServer, Setup, TestServer, USER};
use crate::support::status_client::StatusClient;
use crate::support::thread_status::{field, threads};
use crate::support::wait::wait_until;

#[test]
fn a_session_is_shown_from_its_greeting_to_its_end() {
    let server =
        TestServer::program(&["-r", "20000-20003", "-n", "203.0.113.9", "--max-cons", "7"]);
    let mut status = server.status_client();
    let before = status.who();
    assert_eq!(before.sessions, []);
    assert_eq!(before.server.pid, server.id());
    assert_eq!(before.server.phase, ServerPhase::Serving);
    assert_eq!(before.server.listen, [server.address]);
    assert_eq!(before.server.directory, path(&server.root()));
    assert_eq!(before.server.sessions_max, 7);
    let ports = before.server.passive_ports.expect("a range");
    assert_eq!((ports.from, ports.to, ports.in_use), (20000, 20003, 0));
    let public = "203.0.113.9".parse().expect("an address");
    assert_eq!(before.server.masquerade_address, Some(public));

    let mut client = Client::greeted(server.address);
    let session = status.session();
    assert_eq!((session.number, &session.user), (1, &None));
    assert_eq!(session.client, client.local_address());
    assert_eq!(session.local, server.address);
    assert_eq!((session.activity, session.tls), (Activity::Login, None));
    client.command("USER stranger", 331);
    client.command("PASS wrong", 530);
    client.log_in();
    let session = status.session();
    assert_eq!(session.user.as_deref(), Some(USER));
    assert_eq!(
        (session.activity, session.announced),
        (Activity::Idle, None)
    );
    client.command("QUIT", 221);
    client.expect_closed();
    wait_until("the session has ended", || status.who().sessions.is_empty());
    let totals = status.who().totals;
    assert_eq!((totals.sessions, totals.logins), (1, 1));
    assert_eq!((totals.failed_logins, totals.refused_connections), (1, 0));
}

/// The port and the rule that the client was given, and whether it came.
#[test]
fn a_passive_port_is_shown_with_its_rule() {
    let server = TestServer::program(&["-D", "-r", "20000-20003"]);
    let mut status = server.status_client();
    let mut client = server.client();
    let port = client.passive().port();
    let session = status.session();
    assert_eq!(session.activity, Activity::WaitingForConnection { port });
    let announced = session.announced.expect("an announcement");
    assert_eq!(
        (announced.address, announced.port),
        (server.address.ip(), port)
    );
    let rule = &announced.rule;
    server.log_with(&format!(
        "passive mode announces {}, port {port}, by {rule}",
        announced.address
    ));
    assert_eq!(announced.is_connected, None);
    let in_use =
        |status: &mut StatusClient| status.who().server.passive_ports.expect("ports").in_use;
    assert_eq!(in_use(&mut status), 1);
    // Another one: no client came to the first.
    let address = client.passive();
    let _data = connect(address);
    wait_until("the connection is seen", || {
        status.session().activity == Activity::Connected
    });
    let announced = status.session().announced.expect("one");
    assert_eq!(announced.is_connected, Some(true));
    client.command("STOR new", 150);
    assert_eq!(
        status.session().announced.expect("one").is_connected,
        Some(true)
    );
    drop(_data);
    client.expect(226);
}

#[test]
fn a_client_that_does_not_come_is_counted() {
    let server = TestServer::program(&["--passive-timeout", "1"]);
    let mut status = server.status_client();
    let mut client = server.client();
    client.passive();
    client.command("RETR none", 550);
    server.write("file", "text");
    client.command("RETR file", 150);
    let transfer = status.transfer();
    assert!(!transfer.is_connected);
    assert_eq!((transfer.bytes, transfer.size), (0, Some(4)));
    client.expect(425);
    assert_eq!(
        status.session().announced.expect("one").is_connected,
        Some(false)
    );
    let totals = status.who().totals;
    assert_eq!(totals.never_connected, 1);
    assert_eq!(
        (totals.downloads.completed, totals.downloads.failed),
        (0, 1)
    );
}

/// A client that reads nothing has what its kernel has taken, and not what ours still holds.
#[test]
fn a_download_is_shown_with_what_has_arrived() {
    let server = TestServer::program(&[]);
    server.write("big", noise(64 << 20));
    let mut status = server.status_client();
    let mut client = server.client();
    client.command("REST 1000", 350);
    let address = client.passive();
    let mut data = connect(address);
    client.command("RETR big", 150);
    read_some(&mut data, 1);
    let handed = |status: &mut StatusClient| status.who().totals.downloads.bytes;
    let mut last = 0;
    wait_until("the kernel's buffers are full", || {
        let before = std::mem::replace(&mut last, handed(&mut status));
        last > 0 && before == last
    });
    let transfer = status.transfer();
    assert_eq!(
        (transfer.command.as_str(), &*transfer.path),
        ("RETR", "/big")
    );
    assert_eq!(transfer.direction, Direction::Download);
    assert!(transfer.is_connected && !transfer.is_protected);
    assert_eq!(transfer.passive_port, Some(address.port()));
    assert_eq!((transfer.offset, transfer.size), (1000, Some(64 << 20)));
    let held = handed(&mut status) - transfer.bytes;
    assert!(held > 0, "{transfer:?}");
    assert!(transfer.bytes > 0 && transfer.rate > 0.0, "{transfer:?}");
    let left = transfer.seconds_left.expect("a size");
    let expected = ((64 << 20) - 1000 - transfer.bytes) as f64 / transfer.rate;
    assert!(
        (left - expected).abs() < 1.0,
        "{left} instead of {expected}"
    );
    drop(data);
    client.expect(426);
    wait_until("it idles", || status.session().activity == Activity::Idle);
}

/// Without a passive port, the kernel's bytes are found by the client's end.
#[test]
fn active_mode_is_shown_too() {
    let server = TestServer::program(&[]);
    server.write("big", noise(64 << 20));
    let mut status = server.status_client();
    let mut client = server.client();
    let (listener, command) = active_listener();
    client.command(command, 200);
    client.command("RETR big", 150);
    let (mut data, _) = accept(&listener);
    read_some(&mut data, 1);
    wait_until("the kernel holds some", || {
        let snapshot = status.who();
        let Activity::Transfer(transfer) = &snapshot.sessions[0].activity else {
            return false;
        };
        assert_eq!(transfer.passive_port, None);
        transfer.bytes > 0 && snapshot.totals.downloads.bytes > transfer.bytes
    });
}

#[test]
fn uploads_and_listings_are_shown() {
    let server = TestServer::program(&[]);
    let mut status = server.status_client();
    let mut client = server.client();
    client.command("ALLO 5000", 200);
    let mut data = connect(client.passive());
    client.command("STOR a name", 150);
    data.write_all(&[0; 1000]).expect("sending");
    wait_until("the bytes have come", || status.transfer().bytes == 1000);
    let transfer = status.transfer();
    assert_eq!(
        (transfer.command.as_str(), &*transfer.path),
        ("STOR", "/a name")
    );
    assert_eq!(
        (transfer.direction, transfer.size),
        (Direction::Upload, Some(5000))
    );
    drop(data);
    client.expect(226);
    // ALLO was for that file alone.
    let address = client.passive();
    client.command("STOR other", 150);
    assert_eq!(status.transfer().size, None);
    drop(connect(address));
    client.expect(226);
    let address = client.passive();
    client.command("LIST", 150);
    let transfer = status.transfer();
    assert_eq!((transfer.command.as_str(), &*transfer.path), ("LIST", "/"));
    assert_eq!(transfer.direction, Direction::Listing);
    drain(connect(address));
    client.expect(226);
    let totals = status.who().totals;
    assert_eq!((totals.uploads.completed, totals.uploads.bytes), (2, 1000));
    assert_eq!((totals.listings.completed, totals.listings.failed), (1, 0));
    assert!(totals.listings.bytes > 0);
}

#[test]
fn tls_is_shown() {
    let secure = SecureServer::program(&[]);
    secure.server.write("big", noise(64 << 20));
    let config = secure.config(&TLS13);
    let mut client = secure.client(&config);
    let mut status = secure.server.status_client();
    assert_eq!(status.session().tls.as_deref(), Some("TLS 1.3"));
    let socket = client.data();
    client.command("RETR big", 150);
    let mut data = Protected::over(socket, &config);
    data.read_some(1);
    assert!(status.transfer().is_protected);
}

#[test]
fn a_session_is_ended_by_its_number() {
    let server = TestServer::program(&[]);
    server.write("big", noise(64 << 20));
    let (mut busy, mut idle) = (server.client(), server.client());
    let mut data = busy.data();
    busy.command("RETR big", 150);
    read_some(&mut data, 1);
    let mut status = server.status_client();
    assert_eq!(status.error("kick 3"), "no session has the number 3");
    assert_eq!(status.done("kick 1"), "session 1 ends");
    let reply = busy.expect(421);
    assert_eq!(reply.text(), "421 The operator has ended this session.");
    busy.expect_closed();
    idle.expect_in_step();
    assert_eq!(status.session().number, 2);
    let log = server.finish();
    for line in [
        "ending session 1, of 127.0.0.1: a client of the status socket asks for it",
        "bytes: the operator has ended the session",
        "closed: the operator has ended the session",
    ] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
}

/// It is shown with its command, others are not kept waiting, and no one claims that it has ended.
#[test]
fn a_session_that_hangs_is_shown() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let mut other = server.client();
    let hang = KernelTrace::delay(server.id(), "mkdirat", Duration::from_secs(300));
    client.send("MKD down");
    let mut status = server.status_client();
    let working = Activity::Working {
        command: "MKD /down".to_owned(),
    };
    wait_until("the session hangs", || {
        status.who().sessions[0].activity == working
    });
    other.expect_in_step();
    let asked = status.done("kick 1");
    assert!(asked.contains("session 1 was asked to end"), "{asked}");
    assert_eq!(status.who().sessions[0].activity, working);
    server.signal(Signal::USR1);
    server.log_with("s: MKD /down");
    hang.end_with_any();
    client.expect(257);
    client.expect(421);
    client.expect_closed();
}

#[test]
fn a_reload_is_answered_when_it_is_done() {
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("ftp.conf");
    fs::write(&file, "max-cons 3").expect("a file");
    let server = TestServer::program(&["--config", path(&file)]);
    let mut status = server.status_client();
    assert_eq!(status.who().server.sessions_max, 3);
    fs::write(&file, "max-cons 4").expect("a file");
    assert_eq!(status.done("reload"), "reloaded");
    assert_eq!(status.who().server.sessions_max, 4);
    fs::write(&file, "max-cons none").expect("a file");
    let problem = status.error("reload");
    assert!(problem.contains("--max-cons none: "), "{problem}");
    assert_eq!(status.who().server.sessions_max, 4);
    fs::write(&file, "max-cons 4\nstatus-socket off").expect("a file");
    assert_eq!(status.done("reload"), "reloaded");
    server.log_with("--status-socket has changed: restart the server");
    status.who();
}

/// A snapshot of many sessions wakes none of them.
#[test]
fn idle_sessions_are_not_woken() {
    let setup = Setup::without_account().host("127.0.0.1");
    let flags = [
        "--max-cons-per-ip",
        "0",
        "--login-timeout",
        "0",
        "--timeout",
        "0",
    ];
    let server = setup.flags(&flags).program();
    let clients: Vec<_> = (0..300).map(|_| Client::greeted(server.address)).collect();
    let mut status = server.status_client();
    assert_eq!(status.who().sessions.len(), clients.len());
    let switches = || -> Vec<String> {
        let all = threads(server.id()).into_iter();
        let sessions = all.filter(|thread| field(thread, "Name").starts_with("session "));
        let count = |thread: String| field(&thread, "voluntary_ctxt_switches");
        sessions.map(count).collect()
    };
    let mut before = switches();
    wait_until("all of them wait", || {
        let last = std::mem::replace(&mut before, switches());
        last == before
    });
    for _ in 0..20 {
        assert_eq!(status.who().sessions.len(), clients.len());
    }
    assert_eq!(before.len(), clients.len());
    assert_eq!(switches(), before);
}

/// Its directory is none that the server needs for something else.
#[test]
fn the_socket_works_in_a_sandbox() {
    let directory = TempDir::new().expect("a temporary directory");
    let socket = directory.path().join("status");
    drop(UnixListener::bind(&socket).expect("a socket that is left behind"));
    let flags = ["--sandbox", "--status-socket", path(&socket)];
    let server = TestServer::program(&flags);
    server.write("big", noise(64 << 20));
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR big", 150);
    read_some(&mut data, 1);
    let mut status = StatusClient::connect(&socket);
    wait_until("the kernel's bytes are known", || {
        let snapshot = status.who();
        let Activity::Transfer(transfer) = &snapshot.sessions[0].activity else {
            return false;
        };
        snapshot.totals.downloads.bytes > transfer.bytes
    });
    drop(data);
    client.expect(426);
    server.finish();
    assert!(!socket.exists(), "it is left behind");
}
