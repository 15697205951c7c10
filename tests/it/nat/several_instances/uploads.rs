//! An upload whose instance is killed, and which another one goes on with.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use rustix::process::Signal;

use super::site::Site;
use crate::support::client::Client;
use crate::support::file_contents::noise;
use crate::support::wait::wait_until;

/// All instances have looked through the directory before, when nothing was left in it.
#[test]
fn long_an_upload_goes_on_with_another_instance() {
    let site = Site::new("HAProxy");
    let _balancer = site.haproxy();
    let mut clients = site.clients();
    let bytes = noise(SIZE);
    for (number, client) in clients.iter_mut().enumerate() {
        client.store(format!("STOR first{number}"), "text");
    }
    for (number, command) in ["STOR", "APPE"].into_iter().enumerate() {
        let name = format!("new{number}");
        let _data = site.kill_in_upload(&mut clients[number], number, &name, &bytes);
        assert!(
            !site.share().join(&name).exists(),
            "{name} exists too early"
        );
        let mut client = site.client();
        let size = client.command(format!("SIZE {name}"), 213).text();
        assert_eq!(size, format!("213 {SENT}"));
        if command == "STOR" {
            client.command(format!("REST {SENT}"), 350);
        }
        client.store(format!("{command} {name}"), &bytes[SENT..]);
        let found = fs::read(site.share().join(&name)).expect("the file");
        assert!(found == bytes, "{command}: another file");
        assert_eq!(site.unfinished_bytes(), 0);
        for running in &mut clients[number + 1..] {
            assert!(running.fetch(format!("RETR {name}")) == bytes);
        }
    }
}

/// The name leads to the old file still, and nothing may be put behind its bytes.
#[test]
fn long_a_replacement_begins_again_with_another_instance() {
    let site = Site::new("HAProxy");
    let _balancer = site.haproxy();
    let mut clients = site.clients();
    let bytes = noise(SIZE);
    for client in &mut clients {
        client.store("STOR old", "older text");
    }
    let _data = site.kill_in_upload(&mut clients[0], 0, "old", &bytes);
    let [_, second, third] = &mut clients;
    second.command("SIZE old", 213);
    assert_eq!(second.fetch("RETR old"), b"older text");
    for command in ["APPE old", "STOR old"] {
        if command == "STOR old" {
            second.command("REST 10", 350);
        }
        let _data = second.data();
        second.command(command, 554);
    }
    // What the second instance has found is not there any more.
    third.store("APPE old", ", longer");
    assert_eq!(third.fetch("RETR old"), b"older text, longer");
    second.store("STOR old", &bytes);
    for client in [second, third] {
        assert!(client.fetch("RETR old") == bytes, "another file");
    }
    assert_eq!(site.unfinished_bytes(), 0);
}

impl Site {
    /// Has the client of an instance send most of a file to it, and kills the instance.
    fn kill_in_upload(
        &self,
        client: &mut Client,
        number: usize,
        name: &str,
        bytes: &[u8],
    ) -> TcpStream {
        let mut data = client.data();
        client.command(format!("STOR {name}"), 150);
        data.write_all(&bytes[..SENT]).expect("sending data");
        wait_until("the bytes are at the instance", || {
            self.unfinished_bytes() == SENT as u64
        });
        self.instances[number].signal(Signal::KILL);
        client.expect_closed();
        data
    }
}

const SIZE: usize = 4 << 20;
const SENT: usize = 3 << 20;
