//! Every port is released, and a port of another program is passed over and tried again.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::home_network::{FORWARDED, OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::Client;
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::wait::wait_until;

#[test]
fn all_ports_are_released() {
    scenario("ports::all_ports_are_released", || {
        after_many_requests(2_000);
        "all 10 are free"
    });
}

#[test]
fn long_all_ports_are_released() {
    after_many_requests(20_000);
}

#[test]
fn a_port_in_use_by_another_program_is_passed_over() {
    scenario(
        "ports::a_port_in_use_by_another_program_is_passed_over",
        || {
            let (home, _held) = beside_another_program();
            let mut client = home.client("client", OUTSIDE);
            assert_passed_over(&mut client);
            let log = home.server.log_with("in use by another program");
            assert_eq!(log.matches("in use by another program").count(), 1, "{log}");
            home.finish();
            "passed over"
        },
    );
}

/// The server tries it again every 10 s.
#[test]
fn long_a_port_that_another_program_leaves_is_used() {
    let (home, held) = beside_another_program();
    let mut client = home.client("client", OUTSIDE);
    assert_passed_over(&mut client);
    home.server.log_with("in use by another program");
    drop(held);
    use_until_announced(&mut client, 60_000);
    home.server.log_with("60000 of 192.168.77.2 is free again");
    home.finish();
}

/// A server with two ports. Another program listens on the first one.
fn beside_another_program() -> (HomeServer, TcpListener) {
    let home = HomeServer::new(&["-n", "203.0.113.1", "-r", "60000-60001"]);
    let server = home.lab.namespace_of("server");
    let held = server.listen(([0, 0, 0, 0], 60_000));
    (home, held.expect("a port of another program"))
}

fn assert_passed_over(client: &mut Client) {
    for _ in 0..6 {
        let to = client.passive();
        assert_eq!(to.port(), 60_001);
        let data = client.connect_data(to);
        assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
    }
}

/// Asks for ports until this one is announced, and uses it.
fn use_until_announced(client: &mut Client, wanted: u16) {
    wait_until("the port that was held is announced again", || {
        let to = client.passive();
        let data = client.connect_data(to);
        if to.port() == wanted {
            assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            return true;
        }
        assert_eq!(to.port(), 60_001);
        drop(data);
        client.command("ABOR", 226);
        false
    });
}

/// Asks so often, in every way to use a port or not, and then looks whether all of them are there.
fn after_many_requests(count: usize) {
    let home = HomeServer::new(&ROUTED);
    let mut client = home.client("client", OUTSIDE);
    for number in 0..count {
        let to = match number % 2 {
            0 => client.passive(),
            _ => client.extended_passive(),
        };
        assert!(FORWARDED.contains(&to.port()), "{to}");
        match number % 5 {
            0 => drop(client.connect_data(to)),
            1 => drop(client.command("ABOR", 226)),
            2 if number % 4 == 0 => {
                let data = client.connect_data(to);
                assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            }
            3 if number % 50 == 3 => {
                // A control connection that is lost while its port is open.
                client = home.client("client", OUTSIDE);
            }
            _ => {}
        }
    }
    client.command("QUIT", 221);
    drop(client);
    assert_all_free(&home);
    home.finish();
}

/// Ten clients get the ten ports at once, and when they have gone no one listens on any.
fn assert_all_free(home: &HomeServer) {
    assert_nobody_listens(home);
    let mut clients: Vec<Client> = (FORWARDED)
        .map(|_| home.client("client", OUTSIDE))
        .collect();
    let asked = Instant::now();
    let announced: Vec<SocketAddr> = clients.iter_mut().map(Client::passive).collect();
    assert!(asked.elapsed() < Duration::from_secs(2), "some had to wait");
    let ports: BTreeSet<u16> = announced.iter().map(SocketAddr::port).collect();
    assert!(ports.iter().copied().eq(FORWARDED), "{ports:?}");
    for (client, to) in clients.iter_mut().zip(announced) {
        let data = client.connect_data(to);
        assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
        client.command("QUIT", 221);
    }
    drop(clients);
    assert_nobody_listens(home);
    let log = home.server.log();
    assert!(!log.contains("too small"), "a client waited:\n{log}");
}

/// In the range; the kernel is asked. The last session may still be about to end.
fn assert_nobody_listens(home: &HomeServer) {
    wait_until("no one listens in the range", || {
        let mut list = home.lab.on("server", "ss");
        let range = "sport >= :60000 and sport <= :60009";
        list.args(["-H", "-l", "-t", "-n", range]);
        let found = process::run(&mut list, SECONDS_MAX).expect_success();
        found.stdout.is_empty()
    });
}
