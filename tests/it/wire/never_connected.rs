//! Data connections that were never opened, and those that only seem so: what STAT and the log
//! show.

use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::log;
use crate::support::server::{InProcess, Program, Setup, TestServer, own_address};
use crate::support::wait::wait_until;

#[test]
fn stat_counts_the_ports_that_a_client_gave_up() {
    let server = impatient();
    let announce = |command: Option<&str>| {
        let mut client = server.client();
        let port = client.extended_passive().port();
        if let Some(command) = command {
            client.command(command, 150);
        }
        (client, port)
    };
    let (mut again, port) = announce(None);
    let (mut active, _) = announce(None);
    let (mut aborts, _) = announce(None);
    let (mut aborts_transfer, _) = announce(Some("STOR new"));

    again.command("PASV", 227);
    let line = format!(" Passive mode: 1 data connection to port {port} did not arrive; {REMEDY}.");
    assert_eq!(never_came(&mut again), Some(line));
    active.command("EPRT |1|127.0.0.1|51210|", 200);
    aborts.command("ABOR", 226);
    aborts_transfer.send("ABOR");
    aborts_transfer.expect_all(&[426, 226]);
    for client in [&mut active, &mut aborts, &mut aborts_transfer] {
        assert!(never_came(client).is_some());
        client.expect_in_step();
    }
}

/// The server has not looked at the connection yet.
#[test]
fn a_port_to_which_the_client_has_connected_is_not_counted() {
    let server = impatient();
    let mut client = server.client();
    let _data = client.data();
    client.command("ABOR", 226);
    assert_eq!(never_came(&mut client), None);
}

#[test]
fn a_client_that_changes_its_mind_at_once_is_not_counted() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    client.command("PASV", 227);
    client.command("PASV", 227);
    assert_eq!(never_came(&mut client), None);
}

/// One alone may have had its own reason.
#[test]
fn three_clients_that_give_up_are_a_warning() {
    let quit = |client: &mut Client| drop(client.command("QUIT", 221));
    let vanish = |client: &mut Client| {
        client.command("NLST", 150);
        end(client);
    };
    let abort = |client: &mut Client| {
        client.command("ABOR", 226);
        end(client);
    };
    for leave in [quit, vanish, abort] {
        for (clients, expected) in [(1, 0), (3, 1)] {
            let server = impatient();
            let from = own_address();
            for _ in 0..clients {
                let mut client = client_from(from, server.address);
                client.extended_passive();
                leave(&mut client);
                // The session counts it before it ends.
                while client.line().is_some() {}
            }
            assert_eq!(warnings(from).len(), expected);
        }
    }
}

fn end(client: &Client) {
    let half_close = client.stream.shutdown(Shutdown::Write);
    half_close.expect("an end for the control connection");
}

/// The first, and the third.
#[test]
fn a_cause_is_logged_twice_at_most() {
    let server = impatient();
    let from = own_address();
    for number in 1..=6 {
        let mut client = client_from(from, server.address);
        client.extended_passive();
        // The client wants something else.
        client.command(format!("EPRT |1|{from}|51210|"), 200);
        assert!(never_came(&mut client).is_some());
        assert_eq!(warnings(from).len(), if number < 3 { 1 } else { 2 });
    }
    let log = warnings(from);
    assert!(log[1].contains("did not connect, 3 times"), "{log:?}");
}

/// The counts of the log start again when a client gets through, and when the settings change.
#[test]
fn the_report_of_sigusr1_counts_all_sessions() {
    let server = TestServer::program(&["--passive-timeout", "1"]);
    let mut clients: Vec<(Client, u16)> = (0..6)
        .map(|_| {
            let mut client = server.client();
            let port = client.extended_passive().port();
            client.command("NLST", 150);
            (client, port)
        })
        .collect();
    for (client, port) in &mut clients {
        let reply = client.expect(425).text();
        let expected =
            format!("425 No data connection to port {port} arrived in passive mode; {REMEDY}.");
        assert_eq!(reply, expected);
    }
    let all = format!("did not connect, 6 times: {REMEDY}");
    let found = report(&server);
    assert!(found.contains(&all), "{found}");
    let (client, _) = &mut clients[0];
    client.fetch("NLST");
    assert!(!report(&server).contains("did not connect"));

    client.extended_passive();
    client.command("NLST", 150);
    client.expect(425);
    assert!(report(&server).contains("did not connect"));
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    assert!(!report(&server).contains("did not connect"));
    // The session knows what it has seen.
    assert!(never_came(client).is_some());
    server.finish();
}

/// That the server ends says nothing about how clients reach it.
#[test]
fn ports_that_the_server_gives_up_as_it_ends_are_not_counted() {
    let server = impatient();
    let from = own_address();
    let mut client = client_from(from, server.address);
    client.extended_passive();
    server.shut_down();
    client.expect(421);
    client.expect_closed();
    // Waits for the end of all sessions.
    drop(server);
    assert_eq!(warnings(from), [""; 0]);
}

/// A server that counts each port that a client gives up.
fn impatient() -> TestServer<InProcess> {
    let setup = Setup::new().flags(&["--shutdown-grace", "0"]);
    let setup = setup.settings(|settings| {
        settings.timeouts.never_connected_after = Duration::ZERO;
    });
    setup.in_process()
}

/// A client whose lines in the log are its own.
fn client_from(from: Ipv4Addr, server: SocketAddr) -> Client {
    let mut client = Client::connect_from(from, server);
    client.expect(220);
    client.log_in();
    client
}

fn warnings(client: Ipv4Addr) -> Vec<String> {
    let mut lines = log::lines_with(&format!("client {client} "));
    lines.retain(|line| line.contains("did not connect"));
    lines
}

/// The line in STAT about data connections that never came, if there is one.
fn never_came(client: &mut Client) -> Option<String> {
    let text = client.command("STAT", 211).text();
    let line = text
        .lines()
        .find(|line| line.starts_with(" Passive mode: "));
    line.map(str::to_owned)
}

/// What SIGUSR1 adds to the log.
fn report(server: &TestServer<Program>) -> String {
    let before = server.log().len();
    server.signal(Signal::USR1);
    let mut added = String::new();
    wait_until("the report", || {
        added = server.log().split_off(before);
        // Sessions report last.
        added.contains(" s: ")
    });
    added
}

/// A machine reaches itself: the client must be another one.
const REMEDY: &str = "the client came from 127.0.0.1, this machine; if a proxy or a tunnel passes \
                      clients on, let it pass the passive ports on too";
