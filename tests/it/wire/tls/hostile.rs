//! Peers that send something else than TLS, or stop in the middle of a handshake: they cost nothing
//! and hinder no one.

use std::fs;
use std::io::Write;
use std::time::Duration;

use proptest::test_runner::{Config, TestRunner};
use rustls::version;

use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::data::connect;
use crate::support::file_contents::noise;
use crate::support::garbage::{garbage, spoil};
use crate::support::server::{Program, SecureServer, Setup, TestServer};
use crate::support::wait::{pass_time, wait_until};

#[test]
fn garbage_instead_of_a_handshake_ends_the_connection() {
    let secure = SecureServer::in_process(&["--tls-implicit", "0"]);
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    let mut runner = TestRunner::new(Config::with_cases(64));
    let run = runner.run(&garbage(), |bytes| {
        let mut other = Client::greeted(secure.server.address);
        other.command("AUTH TLS", 234);
        spoil(&mut other.stream, &bytes);
        spoil(&mut connect(secure.server.addresses()[1]), &bytes);
        Ok(())
    });
    run.expect("no surprise");
    client.expect_in_step();
}

#[test]
fn a_data_connection_without_a_handshake_is_425() {
    let secure = SecureServer::in_process(&["--passive-timeout", "1"]);
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    for command in ["RETR file", "STOR file", "STOR new"] {
        let mut socket = client.data();
        client.command(command, 150);
        // The beginning of a ClientHello, and nothing more.
        socket.write_all(&[22, 3, 1, 2, 0, 1]).expect("sending");
        client.expect(425);
        client.expect_in_step();
    }
    assert_eq!(secure.server.read("file"), b"text");
    assert!(!secure.server.path("new").exists());
    assert_eq!(client.fetch_securely("RETR file", &config), b"text");
}

/// The port is free as soon as the client has connected, before its handshake.
#[test]
fn a_handshake_does_not_occupy_the_port() {
    let setup = Setup::new().on_own_address().flags(&["-r", "20000"]);
    let secure = SecureServer::in_process_from(setup);
    let server = &secure.server;
    server.write("file", "text");
    let mut client = secure.client(&secure.config(&version::TLS13));
    let _silent = client.data();
    client.command("RETR file", 150);
    let mut other = server.client();
    assert_eq!(other.fetch("RETR file"), b"text");
}

/// A server that waits uses no processor time: it does not poll.
#[test]
fn a_waiting_server_does_not_wake_up() {
    let secure = SecureServer::program(&["--shutdown-grace", "0"]);
    let server = &secure.server;
    server.write_sparse("large", 1 << 30);
    let config = secure.config(&version::TLS13);
    let secured = || secure.client(&config);
    // One that sends nothing after AUTH, one that stops within its ClientHello and closes its side.
    let mut silent = Client::greeted(server.address);
    silent.command("AUTH TLS", 234);
    let mut half = Client::greeted(server.address);
    half.command("AUTH TLS", 234);
    half.stream
        .write_all(&[22, 3, 1, 2, 0, 1])
        .expect("sending");
    // The same on data connections, and one that stops reading.
    let mut mute = secured();
    let _data = mute.data();
    mute.command("RETR large", 150);
    let mut torn = secured();
    let mut data = torn.data();
    torn.command("STOR new", 150);
    data.write_all(&[22, 3, 1, 2, 0, 1]).expect("sending");
    let mut deaf = secured();
    let socket = deaf.data();
    deaf.command("RETR large", 150);
    let mut reading = Protected::over(socket, &config);
    reading.read_some(1000);
    // One whose upload pauses in the middle of a record, and one that is idle.
    let mut pausing = secured();
    let socket = pausing.data();
    pausing.command("STOR paused", 150);
    let mut paused = Protected::over(socket, &config);
    paused.write(&noise(20_000));
    paused.socket.write_all(&[23, 3, 3, 1]).expect("sending");
    let mut idle = secured();
    idle.command("NOOP", 200);

    let settled = settle(server);
    pass_time(
        IDLE,
        "a server that looks again and again shows only over time",
    );
    let later = switches(server);
    assert!(
        later - settled < 10,
        "the server woke up {} times for nothing",
        later - settled
    );
    secure.server.finish();
}

/// A server that looked every 50 ms would do so ten times.
const IDLE: Duration = Duration::from_millis(500);
const SETTLED: Duration = Duration::from_millis(100);

/// How often the server's threads have given up the processor of their own will: each wait is one.
fn switches(server: &TestServer<Program>) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).expect("its threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .flat_map(|status| {
            let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
            let counts = counts.filter_map(|line| line.split_whitespace().last()?.parse().ok());
            counts.collect::<Vec<u64>>()
        })
        .sum()
}

/// Waits until nothing happens any more; what has happened until then.
fn settle(server: &TestServer<Program>) -> u64 {
    let mut before = switches(server);
    wait_until("the server has nothing to do", || {
        pass_time(SETTLED, "nothing must happen during this time");
        let now = switches(server);
        std::mem::replace(&mut before, now) == now
    });
    before
}
