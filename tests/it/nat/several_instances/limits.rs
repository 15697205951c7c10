//! What each instance counts alone: the sections of the page say what holds for all of them.

use std::fs;
use std::net::SocketAddr;

use rustix::process::Signal;

use super::site::{CLIENT, HOSTS, PUBLIC, Site};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::wait::wait_until;
use crate::wire::users::HASH;

#[test]
fn long_sessions_of_an_address_are_counted_by_each_instance() {
    let site = Site::with("HAProxy", |_, _| words("--max-cons-per-ip 1"));
    let _balancer = site.haproxy();
    let mut clients = HOSTS.map(|_| site.client());
    for _ in HOSTS {
        site.connect(PUBLIC.port()).expect(421);
    }
    for client in &mut clients {
        client.expect_in_step();
    }
}

#[test]
fn long_sessions_of_a_user_are_counted_by_each_instance() {
    let site = with_user("max-sessions=1");
    let _balancer = site.haproxy();
    let mut clients = HOSTS.map(|_| site.client_of("eva"));
    let mut another = site.connect(PUBLIC.port());
    another.expect(220);
    let reply = another.log_in_as("eva", "secret");
    assert!(reply.text().contains("too many sessions"), "{reply:?}");
    for client in &mut clients {
        client.expect_in_step();
    }
}

#[test]
fn long_wrong_passwords_are_counted_by_each_instance() {
    let site = Site::with("HAProxy", |_, _| words("--block-after 2 --login-delay 0"));
    let _balancer = site.haproxy();
    for number in 0..HOSTS.len() {
        let mut client = site.at_instance(number);
        client.expect(220);
        for _ in 0..2 {
            assert_eq!(client.log_in_as("ann", "wrong").code, 530);
        }
        site.at_instance(number).expect(421);
        // The others have still two tries for it.
        for other in number + 1..HOSTS.len() {
            site.at_instance(other).expect(220);
        }
    }
}

/// Until they count again, all of them let the user store what one would refuse.
#[test]
fn long_quotas_are_counted_by_each_instance_until_the_next_count() {
    let site = with_user("quota=3M");
    let _balancer = site.haproxy();
    let connect = || site.client_of("eva");
    let mut clients = Site::on_each(connect, |client| client);
    for instance in &site.instances {
        instance.log_with(" files and directories");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.store(format!("STOR file{number}"), vec![b'x'; 2 << 20]);
        assert_used(client, 2 << 20);
    }
    for (instance, client) in site.instances.iter().zip(&mut clients) {
        instance.signal(Signal::HUP);
        wait_until("the next count", || quota(client).contains(&used(6 << 20)));
        let _data = client.data();
        client.send("STOR another");
        assert_eq!(client.reply().code, 552);
    }
}

/// Instances with a user of a users file besides, who has the share and this option.
fn with_user(option: &str) -> Site {
    Site::with("HAProxy", |place, _| {
        let file = place.join("users");
        let share = place.join("share");
        let line = format!("eva:{HASH}:{}:all:{option}\n", path(&share));
        fs::write(&file, line).expect("the users file");
        ["--users", path(&file)].map(str::to_owned).to_vec()
    })
}

fn words(flags: &str) -> Vec<String> {
    flags.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn assert_used(client: &mut Client, bytes: u64) {
    let quota = quota(client);
    assert!(quota.contains(&used(bytes)), "{quota}");
}

fn quota(client: &mut Client) -> String {
    client.command("SITE QUOTA", 200).text()
}

fn used(bytes: u64) -> String {
    format!("Quota: {bytes} of ")
}

impl Site {
    /// The client at this instance, as the balancer would connect it.
    fn at_instance(&self, number: usize) -> Client {
        let address = SocketAddr::from(([10, 21, 0, 11 + number as u8], 21));
        let mut client = Client::from_origin(self.origin("balancer"), address);
        let ends = format!("{CLIENT} {} 40000 21", PUBLIC.ip());
        client.send(format!("PROXY TCP4 {ends}"));
        client
    }
}
