//! How many may be served at once.

use std::net::Ipv4Addr;

use crate::support::client::Client;
use crate::support::data::STRANGER;
use crate::support::server::{InProcess, TestServer};
use crate::support::wait::wait_until;

#[test]
fn connections_are_limited() {
    let server = TestServer::in_process(&["--max-cons", "2"]);
    let mut first = server.client();
    let mut second = server.client();
    refused(&server);
    // Those who are in are not disturbed.
    first.expect_in_step();
    second.command("NOOP", 200);
    // However a session ends, it no longer counts.
    second.command("QUIT", 221);
    let third = admitted_again(&server);
    refused(&server);
    drop(third);
    let fourth = admitted_again(&server);
    drop(first);
    let fifth = admitted_again(&server);
    refused(&server);
    drop((fourth, fifth));
}

#[test]
fn connections_from_one_address_are_limited() {
    let server = TestServer::in_process(&["--max-cons-per-ip", "1"]);
    let mut first = server.client();
    refused(&server);
    let mut other = Client::connect_from(STRANGER, server.address);
    other.expect(220);
    Client::connect_from(STRANGER, server.address).expect(421);
    first.command("QUIT", 221);
    admitted_again(&server);
    Client::connect_from(STRANGER, server.address).expect(421);
    other.command("NOOP", 200);
}

/// Many clients share the address of a gateway. They count together with all others.
#[test]
fn a_trusted_gateway_is_not_counted_as_one_client() {
    let server = TestServer::in_process(&[
        "--max-cons",
        "4",
        "--max-cons-per-ip",
        "1",
        "--trust-gateway",
        "127.0.0.2/31",
    ]);
    let own = server.client();
    refused(&server);
    let gateways = [STRANGER, STRANGER, Ipv4Addr::new(127, 0, 0, 3)];
    let mut clients = gateways.map(|gateway| Client::connect_from(gateway, server.address));
    for client in &mut clients {
        client.expect(220);
        client.log_in();
    }
    let reply = Client::connect_from(STRANGER, server.address).expect(421);
    assert_eq!(reply.text(), "421 Too many connections; try again later.");
    drop((own, clients));
}

#[track_caller]
fn refused(server: &TestServer<InProcess>) {
    let mut client = Client::connect(server.address);
    client.expect(421);
    client.expect_closed();
}

#[track_caller]
fn admitted_again(server: &TestServer<InProcess>) -> Client {
    let mut admitted = None;
    wait_until("a place comes free", || {
        let mut client = Client::connect(server.address);
        let is_in = client.reply().code == 220;
        if is_in {
            client.log_in();
        }
        admitted = is_in.then_some(client);
        is_in
    });
    admitted.expect("a client")
}
