//! Data connections that never come, and those that only look so: what STAT and the log say.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::data::connect;
use crate::support::server::{Program, TestServer};
use crate::support::wait::GUARD;

#[test]
fn who_gives_up_has_missed_something() {
    let server = TestServer::program(&[]);
    let told = |command: Option<&str>| {
        let mut client = Client::logged_in(server.address);
        let port = client.extended_passive().port();
        if let Some(command) = command {
            client.command(command, 150);
        }
        (client, port)
    };
    let (mut again, port) = told(None);
    let (mut active, _) = told(None);
    let (mut aborts, _) = told(None);
    let (mut aborts_transfer, _) = told(Some("STOR new"));
    let (mut quits, _) = told(None);
    let (vanishes, _) = told(Some("NLST"));
    let mut late = Client::logged_in(server.address);
    let _data = connect(late.extended_passive());
    thread::sleep(PATIENCE);

    // Its connection is there, though nobody has looked at it yet.
    late.command("ABOR", 226);
    assert_eq!(missed(&mut late), None);

    again.command("PASV", 227);
    again.command("PASV", 227);
    let line = format!(
        " 1 data connection never came: port {port} was announced; does a firewall block the port?"
    );
    assert_eq!(missed(&mut again), Some(line));
    active.command("EPRT |1|127.0.0.1|51210|", 200);
    aborts.command("ABOR", 226);
    aborts_transfer.send("ABOR");
    aborts_transfer.expect_all(&[426, 226]);
    for client in [&mut active, &mut aborts, &mut aborts_transfer] {
        assert!(missed(client).is_some());
        client.expect_in_step();
    }
    quits.command("QUIT", 221);
    drop(vanishes);
    let all = "never connected, 6 times: does a firewall block the port?";
    let deadline = Instant::now() + GUARD;
    while !report(&server).contains(all) {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    // Beside the reports: the first, and the third.
    let log = server.log();
    let warnings = log.lines().filter(|line| is_warning(line));
    assert_eq!(warnings.count(), 2, "{log}");

    // It counts anew once somebody has come.
    again.fetch("NLST");
    assert!(!report(&server).contains("never connected"));
    server.finish();
}

/// With our own patience as the shorter one, and settings that change.
#[test]
fn a_reload_forgets_what_was_missed() {
    let server = TestServer::program(&["--passive-timeout", "1"]);
    let mut client = Client::logged_in(server.address);
    let port = client.extended_passive().port();
    client.command("NLST", 150);
    let reply = client.expect(425).text();
    let expected =
        format!("425 No connection came to port {port}; does a firewall block the port?");
    assert_eq!(reply, expected);
    assert!(report(&server).contains("never connected"));
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    assert!(!report(&server).contains("never connected"));
    // The session knows what it has seen.
    assert!(missed(&mut client).is_some());
    server.finish();
}

/// The server's own end says nothing about the way to it.
#[test]
fn an_end_of_the_server_misses_nothing() {
    let server = TestServer::program(&["--shutdown-grace", "0"]);
    let mut client = Client::logged_in(server.address);
    client.extended_passive();
    thread::sleep(PATIENCE);
    let log = server.finish();
    assert!(!log.contains("never connected"), "{log}");
}

/// The line in STAT about missed data connections.
fn missed(client: &mut Client) -> Option<String> {
    let text = client.command("STAT", 211).text();
    let line = text.lines().find(|line| line.contains(" never came: "));
    line.map(str::to_owned)
}

/// What SIGUSR1 adds to the log.
fn report(server: &TestServer<Program>) -> String {
    let before = server.log().len();
    let deadline = Instant::now() + GUARD;
    server.signal(Signal::USR1);
    loop {
        let added = server.log().split_off(before);
        // Sessions report last.
        if added.contains(" s: ") {
            return added;
        }
        assert!(Instant::now() < deadline, "no report: {added}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_warning(line: &str) -> bool {
    line.contains("WARN") && line.contains("never connected")
}

/// Longer than the least that counts as giving up.
const PATIENCE: Duration = Duration::from_millis(4200);
