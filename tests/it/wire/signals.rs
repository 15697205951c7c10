//! The server as a process: SIGHUP, SIGUSR1, SIGTERM and SIGINT in every state of its sessions.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::data::{connect, read_all, read_some};
use crate::support::file_contents::noise;
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};

/// A download that has begun and cannot end before we read on.
fn download(client: &mut Client) -> TcpStream {
    let mut data = client.data();
    client.command("RETR big", 150);
    read_some(&mut data, 1);
    data
}

/// More than the buffers of both sides hold.
fn big() -> Vec<u8> {
    noise(64 << 20)
}

#[test]
fn sigterm_lets_transfers_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = TestServer::program(&[]);
        let big = big();
        server.write("big", &big);
        let (mut busy, mut idle) = (server.client(), server.client());
        let mut data = download(&mut busy);
        server.signal(signal);
        idle.expect(421);
        idle.expect_closed();
        assert!(read_all(&mut data) == big[1..], "the download is not whole");
        busy.expect(226);
        busy.expect(421);
        busy.expect_closed();
        assert_eq!(server.ended().0, Some(0));
    }
}

/// What each session waits for, in the report of SIGUSR1, and why transfers and sessions end, in
/// the log.
#[test]
fn the_log_explains_waits_and_ends() {
    let server = TestServer::program(&["-r", "20000", "--timeout", "3", "--data-timeout", "1"]);
    server.write("big", big());
    let mut owner = server.client();
    owner.extended_passive();
    let mut queued = server.client();
    queued.send("EPSV");
    server.session_log_with(2, " waits for a passive port");
    server.signal(Signal::USR1);
    server.log_with("waiting for a connection to port 20000");
    server.log_with("waiting for a passive port for");
    owner.command("ABOR", 226);
    queued.expect(229);
    queued.command("ABOR", 226);
    queued.command("QUIT", 221);

    let data = download(&mut owner);
    owner.expect(426);
    server.log_with("bytes: no byte moved for 1 s");
    drop(data);
    owner.command("STAT", 211);
    let _data = download(&mut owner);
    owner.send("ABOR");
    server.log_with("bytes: the client aborted it");
    owner.expect(426);
    owner.expect(226);
    server.log_with("closed: no command came for 3 s");
    let mut gone = server.client();
    let _data = download(&mut gone);
    drop(gone);
    server.log_with("bytes: the client is gone");
    server.log_with("closed: the client is gone");
    server.finish();
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = TestServer::program(&[]);
    server.write("big", big());
    let mut client = server.client();
    let _data = download(&mut client);
    server.signal(Signal::TERM);
    server.log_with("shutting down: SIGTERM asks for it");
    server.signal(Signal::TERM);
    client.expect(421);
    client.expect_closed();
    let (code, log) = server.ended();
    assert_eq!(code, Some(0));
    assert!(log.contains("RETR /big ended after"), "{log}");
}

#[test]
fn the_shutdown_grace_has_an_end() {
    let server = TestServer::program(&["--shutdown-grace", "1"]);
    server.write("big", big());
    let mut client = server.client();
    let _data = download(&mut client);
    server.signal(Signal::TERM);
    client.expect(421);
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn without_grace_one_signal_is_enough() {
    let server = TestServer::program(&["--shutdown-grace", "0"]);
    server.write("big", big());
    let mut client = server.client();
    let _data = download(&mut client);
    server.signal(Signal::TERM);
    client.expect(421);
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn sigusr1_logs_what_each_session_does() {
    let server = TestServer::program(&[]);
    server.write("big", big());
    let mut busy = server.client();
    let _data = download(&mut busy);
    let _stranger = Client::greeted(server.address);
    server.signal(Signal::USR1);
    server.log_with("2 sessions");
    server.log_with(&format!(" {USER}@{} from port ", server.address.ip()));
    server.log_with(": RETR /big, ");
    server.log_with(", not logged in, for ");
    busy.command("STAT", 211);
    server.signal(Signal::INT);
    server.signal(Signal::INT);
}

#[test]
fn sighup_reloads_or_logs_why_not() {
    let config = TempDir::new().expect("a temporary directory");
    let file = config.path().join("ftp.conf");
    fs::write(&file, "banner first").expect("a file");
    let server = TestServer::program(&["--config", file.to_str().expect("a path")]);
    assert_eq!(greeting(&server), "220 first");
    fs::write(&file, "banner second\ntimeout soon").expect("a file");
    server.signal(Signal::HUP);
    server.log_with("not reloading, the old settings stay: ");
    server.log_with("ftp.conf:2: --timeout soon");
    assert_eq!(greeting(&server), "220 first");
    fs::write(&file, "banner second").expect("a file");
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    assert_eq!(greeting(&server), "220 second");
    server.finish();
}

/// The files of a running session must not change.
#[test]
fn a_new_directory_applies_to_new_sessions() {
    let directory = TempDir::new().expect("a temporary directory");
    let place = |name: &str| directory.path().join(name);
    let text = |path: &Path| path.to_str().expect("a path").to_owned();
    for name in ["old", "new"] {
        fs::create_dir(place(name)).expect("a directory");
        fs::write(place(name).join("file"), name).expect("a file");
    }
    let file = place("ftp.conf");
    let configure = |name: &str| {
        fs::write(&file, format!("directory {}", text(&place(name)))).expect("a file");
    };
    configure("old");
    let config = text(&file);
    // The directory is the file's.
    let account = ["-i", "127.0.0.1", "-p", "0", "-u", USER, "-P", PASSWORD];
    let setup = Setup::from_flags_alone().flags(&account);
    let server = setup.flags(&["--config", &config]).program();
    let mut running = Client::logged_in(server.address);
    configure("new");
    server.signal(Signal::HUP);
    server.log_with("running sessions stay in ");
    server.log_with("reloaded the settings");
    assert_eq!(running.fetch("RETR file"), b"old");
    let mut new = Client::logged_in(server.address);
    assert_eq!(new.fetch("RETR file"), b"new");
    server.finish();
}

fn greeting(server: &TestServer<Program>) -> String {
    Client::connect(server.address).expect(220).text()
}

/// Sessions in every state there is: a reload and a report do not disturb them, and each ends with
/// 421.
#[test]
fn signals_reach_sessions_in_every_state() {
    let server = TestServer::program(&["-r", "20200-20203", "--login-delay", "60"]);
    server.write("big", big());
    let address = server.address;

    let mut greeted = Client::greeted(address);
    let mut named = Client::greeted(address);
    named.command(format!("USER {USER}"), 331);
    let mut delayed = Client::greeted(address);
    delayed.command(format!("USER {USER}"), 331);
    delayed.send("PASS wrong");
    let mut half_a_line = server.client();
    half_a_line.send_bytes("NO");
    let mut idle = server.client();
    let mut announced = server.client();
    announced.extended_passive();
    let mut connected = server.client();
    let _connection = connected.data();
    let mut awaited = server.client();
    awaited.extended_passive();
    awaited.command("RETR big", 150);
    let mut downloading = server.client();
    let _download = download(&mut downloading);
    let mut uploading = server.client();
    let upload = uploading.extended_passive();
    uploading.command("STOR new", 150);
    let _upload = connect(upload);

    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    server.signal(Signal::USR1);
    server.log_with("10 sessions");

    half_a_line.send_bytes("OP\r\n");
    half_a_line.expect(200);
    half_a_line.send_bytes("NO");
    for client in [&mut idle, &mut announced, &mut connected] {
        client.expect_in_step();
    }
    for client in [&mut downloading, &mut uploading] {
        client.command("STAT", 211);
    }

    server.signal(Signal::TERM);
    server.log_with("shutting down: SIGTERM asks for it");
    server.signal(Signal::TERM);
    for client in [
        &mut greeted,
        &mut named,
        &mut delayed,
        &mut half_a_line,
        &mut idle,
        &mut announced,
        &mut connected,
        &mut awaited,
        &mut downloading,
        &mut uploading,
    ] {
        client.expect(421);
        client.expect_closed();
    }
    let (code, log) = server.ended();
    assert_eq!(code, Some(0));
    assert!(!log.contains("panicked"), "{log}");
}
