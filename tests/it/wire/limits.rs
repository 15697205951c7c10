//! How many may be served at once.

use super::{Client, STRANGER, Site, wait_until};

#[test]
fn connections() {
    let site = Site::new(&["--max-cons", "2"]);
    let mut first = site.client();
    let mut second = Client::greeted(site.address);
    refused(&site);
    // Those who are in are not disturbed.
    first.expect_in_step();
    second.command("NOOP", 200);
    // However a session ends, its place comes free.
    second.command("QUIT", 221);
    let third = admitted_again(&site);
    refused(&site);
    drop(third);
    let fourth = admitted_again(&site);
    drop(first);
    let fifth = admitted_again(&site);
    refused(&site);
    drop((fourth, fifth));
}

#[test]
fn connections_from_one_address() {
    let site = Site::new(&["--max-cons-per-ip", "1"]);
    let mut first = site.client();
    refused(&site);
    let mut other = Client::connect_from(STRANGER, site.address);
    other.expect(220);
    Client::connect_from(STRANGER, site.address).expect(421);
    first.command("QUIT", 221);
    admitted_again(&site);
    Client::connect_from(STRANGER, site.address).expect(421);
    other.command("NOOP", 200);
}

#[track_caller]
fn refused(site: &Site) {
    let mut client = Client::connect(site.address);
    client.expect(421);
    client.expect_closed();
}

#[track_caller]
fn admitted_again(site: &Site) -> Client {
    let mut admitted = None;
    wait_until("a place comes free", || {
        let mut client = Client::connect(site.address);
        let is_in = client.reply().code == 220;
        admitted = is_in.then_some(client);
        is_in
    });
    admitted.expect("a client")
}
