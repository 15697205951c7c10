//! Data connections that are never opened: the log, STAT and the 425 show why.

use std::time::Duration;

use super::home_network::{OUTER, OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::file_contents::noise;

#[test]
fn an_announced_private_address_is_named() {
    scenario(
        "never_connected::an_announced_private_address_is_named",
        || {
            let home = HomeServer::new(&IMPATIENT);
            let mut client = home.client("client", OUTSIDE);
            let to = client.passive();
            client.command("RETR from-server.bin", 150);
            let remedy = "the server should announce its public address: set --masquerade-address.";
            let target = format!("data connection to {to}, a private address,");
            let reply = client.expect(425).text();
            assert_eq!(
                reply,
                format!("425 No {target} arrived in passive mode; {remedy}")
            );
            let line = format!(" Passive mode: 1 {target} did not arrive; {remedy}");
            assert_eq!(missed(&mut client), [line]);
            let line = "client 203.0.113.9 from outside was sent to 192.168.77.2, a private address, and \
                    did not connect: set --masquerade-address";
            home.server.log_with(line);
            home.finish();
            "the log, STAT and the 425 name the private address"
        },
    );
}

#[test]
fn ports_that_are_not_forwarded_are_named() {
    scenario(
        "never_connected::ports_that_are_not_forwarded_are_named",
        || {
            let home = HomeServer::new(&[&UNROUTED[..], &IMPATIENT].concat());
            let mut clients: Vec<Client> = (9..15)
                .map(|last| {
                    let from = format!("203.0.113.{last}");
                    home.client_from("client", Some(&from), OUTSIDE)
                })
                .collect();
            for (index, client) in clients.iter_mut().enumerate() {
                let extended = index % 2 == 1;
                let to = if extended {
                    client.extended_passive()
                } else {
                    client.passive()
                };
                let place = if extended {
                    format!("port {}", to.port())
                } else {
                    format!("{OUTER}:{}", to.port())
                };
                client.command("RETR from-server.bin", 150);
                let expected =
                    format!("425 No data connection to {place} arrived in passive mode; {REMEDY}.");
                assert_eq!(client.expect(425).text(), expected);
                let line = format!(
                    " Passive mode: 1 data connection to {place} did not arrive; {REMEDY}."
                );
                assert_eq!(missed(client), [line]);
            }
            home.server
                .log_with("client 203.0.113.9 from outside was sent to 203.0.113.1:6100");
            let log = home.server.log_with("3 clients from outside were sent to ");
            let lines = log.lines().filter(|line| line.contains("did not connect"));
            let remedies = lines.filter(|line| line.ends_with(REMEDY));
            assert_eq!(remedies.count(), 2, "{log}");
            home.finish();
            "the log names the port forwarding, twice for six clients; so do STAT and the 425"
        },
    );
}

/// The same clients where the router forwards the range.
#[test]
fn nothing_is_logged_where_the_range_is_forwarded() {
    let home = HomeServer::new(&[&ROUTED[..], &IMPATIENT].concat());
    for last in 9..15 {
        let from = format!("203.0.113.{last}");
        let mut client = home.client_from("client", Some(&from), OUTSIDE);
        assert!(client.fetch_passive("RETR from-server.bin") == noise(SIZE));
        let to = client.extended_passive();
        let data = client.connect_data(to);
        client.fetch_over(data, "RETR from-server.bin");
        assert_eq!(missed(&mut client), [""; 0]);
        client.command("QUIT", 221);
    }
    home.finish_with(|log| assert!(!log.contains("did not connect"), "{log}"));
}

/// Long before the server's own time is over.
#[test]
fn a_client_that_gives_up_is_logged() {
    scenario("never_connected::a_client_that_gives_up_is_logged", || {
        let home = HomeServer::new(&UNROUTED);
        let mut client = home.client("client", OUTSIDE);
        let port = client.passive().port();
        client.command("RETR from-server.bin", 150);
        client.expect_silence(PATIENCE);
        client.send("QUIT");
        drop(client);
        home.server.log_with(&format!(
            "client 203.0.113.9 from outside was sent to 203.0.113.1:{port} and did not connect: \
             {REMEDY}"
        ));
        home.finish();
        "it is in the log"
    });
}

/// A client that changes its mind has missed nothing.
#[test]
fn a_client_that_quits_at_once_is_not_logged() {
    let home = HomeServer::new(&UNROUTED);
    let mut client = home.client("client", OUTSIDE);
    client.passive();
    client.passive();
    assert_eq!(missed(&mut client), [""; 0]);
    client.command("RETR from-server.bin", 150);
    client.send("QUIT");
    drop(client);
    home.server.log_with("closed");
    home.finish_with(|log| assert!(!log.contains("did not connect"), "{log}"));
}

/// The lines of STAT about missed data connections.
fn missed(client: &mut Client) -> Vec<String> {
    let mut lines = client.command("STAT", 211).texts();
    lines.retain(|line| line.starts_with(" Passive mode: "));
    lines
}

const REMEDY: &str = "check the port forwarding of the router";

/// A little longer than the time that a client has to connect.
const PATIENCE: Duration = Duration::from_millis(4200);

const IMPATIENT: [&str; 2] = ["--passive-timeout", "1"];

/// The ports that the router forwards are others.
const UNROUTED: [&str; 4] = ["-n", "203.0.113.1", "-r", "61000-61009"];
