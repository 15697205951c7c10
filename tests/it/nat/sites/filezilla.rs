//! FileZilla at some of the sites: it fails there, and works with exactly the flag that the server
//! has named.
//!
//! It ignores a private address in a 227 and takes the server's in its place, so a site where no
//! more than that is wrong proves nothing here.

use std::fs;
use std::process::Command;

use super::super::home_network::{INSIDE, OUTSIDE};
use super::super::home_server::{HomeServer, SIZE};
use super::{Site, sites};
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::filezilla::{Queue, filezilla};

/// The announced address is wrong. The server knows that from a client whose EPSV worked.
#[test]
fn long_filezilla_needs_the_right_address() {
    let site = Site {
        fails: |home| {
            home.client("client", OUTSIDE).fetch("RETR from-server.bin");
            fails(home, "client", OUTSIDE)
        },
        works: Some(|home| works(home, "client", OUTSIDE, "203,0,113,1")),
        ..site("old address")
    };
    site.is_cured();
}

/// The control connection comes from another address than the data connection.
#[test]
fn long_filezilla_needs_the_trusted_gateway() {
    let site = Site {
        fails: |home| fails(home, "client", OUTSIDE),
        works: Some(|home| works(home, "client", OUTSIDE, "203,0,113,1")),
        ..site("gateway of control")
    };
    site.is_cured();
}

/// The public address leads nowhere from this private network.
#[test]
fn long_filezilla_needs_the_local_address_in_a_routed_network() {
    let site = Site {
        fails: |home| fails(home, "camera", INSIDE),
        works: Some(|home| works(home, "camera", INSIDE, "192,168,77,2")),
        ..site("routed network")
    };
    site.is_cured();
}

fn site(name: &str) -> Site {
    let found = sites().into_iter().find(|site| site.name == name);
    found.expect("a site with this name")
}

/// Neither file arrives. Returns the last reply to a transfer.
fn fails(home: &HomeServer, host: &str, to: &str) -> String {
    let queue = queue(home, to);
    let log = queue.fail(&home.server, on_host(home, host));
    assert_passive(&log);
    let replies = log.lines().rev();
    let mut replies = replies.filter_map(|line| Some(line.split_once("Response: 425 ")?.1));
    let reply = replies.next();
    reply.unwrap_or_else(|| panic!("no 425:\n{log}")).to_owned()
}

/// Both files arrive, whole, and each 227 has this address.
fn works(home: &HomeServer, host: &str, to: &str, announced: &str) {
    let queue = queue(home, to);
    let log = queue.transfer(&home.server, on_host(home, host));
    assert_passive(&log);
    let start = format!("227 Entering Passive Mode ({announced},");
    let others = log
        .lines()
        .filter(|line| line.contains("Response: 227 ") && !line.contains(&start));
    assert_eq!(others.count(), 0, "{log}");
    let root = home.root();
    assert_same_files(&root.join("from-server.bin"), &home.work("download"));
    assert_same_files(&home.work("upload"), &root.join("from-filezilla.bin"));
}

/// One file in each direction.
fn queue(home: &HomeServer, to: &str) -> Queue {
    fs::write(home.work("upload"), noise(SIZE + 1)).expect("a file to upload");
    let (mut queue, work) = (Queue::default(), home.work(""));
    queue.add("down", &work, "download", "/", "from-server.bin");
    queue.add("up", &work, "upload", "/", "from-filezilla.bin");
    // At a site with one port, the second transfer would find none, and take active mode.
    queue.one_at_a_time();
    let to = to.parse().expect("an address and a port");
    queue.write(&home.server, to, "default", None);
    queue
}

fn on_host(home: &HomeServer, host: &str) -> Command {
    home.lab.command_on(host, &filezilla(&home.server))
}

/// It does not turn to active mode, which works at these sites.
fn assert_passive(log: &str) {
    assert!(log.contains("Command: PASV"), "{log}");
    assert!(!log.contains("Command: PORT"), "{log}");
}
