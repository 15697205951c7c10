//! Data connections that never come: the log, STAT and the 425 say why.

use std::time::Duration;

use super::home::{OUTER, OUTSIDE, ROUTED};
use super::matrix::scenario;
use super::raw::Client;
use super::site::{SIZE, Site};
use crate::support::file_contents::noise;

#[test]
fn a_private_address_was_told() {
    scenario("never_connected::a_private_address_was_told", || {
        let site = Site::new(&IMPATIENT);
        let mut client = site.client("client", OUTSIDE);
        let to = client.pasv();
        client.expect("RETR from-server.bin", "150");
        let private = "a private address; the server should announce its public address.";
        client.expect_reply(&format!("425 No connection came to {to}, {private}"));
        let line = format!(" 1 data connection never came: {to} was announced, {private}");
        assert_eq!(missed(&mut client), [line]);
        let line = "client 203.0.113.9 from outside was told 192.168.77.2, a private address, and \
                    never connected: set --masquerade-address";
        site.server.log_with(line);
        site.finish();
        "the log, STAT and the 425 say that a private address was told"
    });
}

#[test]
fn the_ports_are_not_forwarded() {
    scenario("never_connected::the_ports_are_not_forwarded", || {
        let site = Site::new(&[&UNROUTED[..], &IMPATIENT].concat());
        let mut clients: Vec<Client> = (9..15)
            .map(|last| {
                let from = format!("203.0.113.{last}");
                site.client_from("client", Some(&from), OUTSIDE)
            })
            .collect();
        for (index, client) in clients.iter_mut().enumerate() {
            let extended = index % 2 == 1;
            let to = match extended {
                true => client.epsv(""),
                false => client.pasv(),
            };
            let told = match extended {
                true => format!("port {}", to.port()),
                false => format!("{OUTER}:{}", to.port()),
            };
            client.expect("RETR from-server.bin", "150");
            client.expect_reply(&format!(
                "425 No connection came to {told}; is the port forwarded?"
            ));
            let line = format!(
                " 1 data connection never came: {told} was announced; is the port forwarded?"
            );
            assert_eq!(missed(client), [line]);
        }
        site.server
            .log_with("client 203.0.113.9 from outside was told 203.0.113.1:6100");
        let log = site.server.log_with("3 clients from outside were told ");
        let lines = log.lines().filter(|line| line.contains("never connected"));
        let questions = lines.filter(|line| line.ends_with(": is the port forwarded?"));
        assert_eq!(questions.count(), 2, "{log}");
        site.finish();
        "the log asks so, twice for six clients; STAT and the 425 ask, too"
    });
}

/// The same clients where the router forwards the range.
#[test]
fn nothing_where_the_range_is_forwarded() {
    let site = Site::new(&[&ROUTED[..], &IMPATIENT].concat());
    for last in 9..15 {
        let from = format!("203.0.113.{last}");
        let mut client = site.client_from("client", Some(&from), OUTSIDE);
        assert!(client.download("from-server.bin") == noise(SIZE));
        let to = client.epsv("");
        let data = client.connect(to);
        client.download_over(data, "from-server.bin");
        assert_eq!(missed(&mut client), [""; 0]);
        client.expect("QUIT", "221");
    }
    site.finish_with(|log| assert!(!log.contains("never connected"), "{log}"));
}

/// Long before the server's own time is over.
#[test]
fn a_client_that_gives_up_and_quits() {
    scenario("never_connected::a_client_that_gives_up_and_quits", || {
        let site = Site::new(&UNROUTED);
        let mut client = site.client("client", OUTSIDE);
        let port = client.pasv().port();
        client.expect("RETR from-server.bin", "150");
        client.assert_silent(Duration::from_secs(5));
        client.send("QUIT");
        drop(client);
        site.server.log_with(&format!(
            "client 203.0.113.9 from outside was told 203.0.113.1:{port} and never connected: is \
             the port forwarded?"
        ));
        site.finish();
        "it is in the log"
    });
}

/// A client that changes its mind has missed nothing.
#[test]
fn a_client_that_quits_at_once() {
    let site = Site::new(&UNROUTED);
    let mut client = site.client("client", OUTSIDE);
    client.pasv();
    client.pasv();
    assert_eq!(missed(&mut client), [""; 0]);
    client.expect("RETR from-server.bin", "150");
    client.send("QUIT");
    drop(client);
    site.server.log_with("closed");
    site.finish_with(|log| assert!(!log.contains("never connected"), "{log}"));
}

/// The lines of STAT about missed data connections.
fn missed(client: &mut Client) -> Vec<String> {
    let mut lines = client.lines("STAT");
    lines.retain(|line| line.contains(" never came: "));
    lines
}

const IMPATIENT: [&str; 2] = ["--passive-timeout", "1"];

/// The ports that the router forwards are others.
const UNROUTED: [&str; 4] = ["-n", "203.0.113.1", "-r", "61000-61009"];
