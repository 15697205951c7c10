//! Wrong passwords slow their address down, over all its connections, and then block it.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::STRANGER;
use crate::support::log;
use crate::support::server::{Setup, TestServer, USER, own_address};
use crate::support::wait::wait_until;

#[test]
fn connections_of_one_address_share_the_delay() {
    let server = Setup::new()
        .settings(|settings| settings.login_delay = Duration::from_millis(1))
        .in_process();
    let mut clients = [(); 5].map(|()| named(&server, STRANGER));
    fail(&mut clients[0]);
    let since = Instant::now();
    for client in &mut clients[1..] {
        client.send("PASS wrong");
    }
    // Another address does not wait.
    server.client().expect_in_step();
    let others = since.elapsed();
    for client in &mut clients[1..] {
        client.expect(530);
    }
    // Five in a second: the first of these waits for the rest of its 0.2 s.
    let (least, waited) = (Duration::from_millis(600), since.elapsed());
    assert!(waited >= least, "{waited:?}");
    assert!(others < least, "another address waited: {others:?}");
}

/// A device with a password that the server never asks for must not lock its neighbours out.
#[test]
fn without_a_user_there_is_nothing_to_guess() {
    let server = Setup::without_account()
        .flags(&["--block-after", "2"])
        .settings(|settings| settings.login_delay = Duration::ZERO)
        .in_process();
    for _ in 0..3 {
        let mut client = Client::greeted(server.address);
        client.command("USER bob", 331);
        client.command("PASS x", 530);
    }
    let mut client = Client::greeted(server.address);
    client.command("USER anonymous", 331);
    client.command("PASS x", 230);
}

/// The time, too, does not show whether the name or the password is wrong.
#[test]
fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let delay = Duration::from_millis(300);
    let server = Setup::new()
        .settings(move |settings| settings.login_delay = delay)
        .in_process();
    let replies = [USER, "alice"].map(|name| {
        let mut client = Client::greeted(server.address);
        let user = client.command(format!("USER {name}"), 331);
        let since = Instant::now();
        let pass = client.command("PASS wrong", 530);
        let waited = since.elapsed();
        assert!(waited >= delay && waited < 2 * delay, "{name}: {waited:?}");
        (user.text(), pass.text())
    });
    assert_eq!(replies[0], replies[1]);
}

#[test]
fn an_address_is_blocked_for_a_while() {
    let server = TestServer::in_process(&["--block-after", "3", "--block-time", "2"]);
    let own = own_address();
    let mut inside = connected(&server, own);
    inside.log_in();
    let mut before = named(&server, own);
    for _ in 0..3 {
        fail(&mut named(&server, own));
    }
    let mut refused = Client::connect_from(own, server.address);
    let text = "421 Too many failed logins from your address; try again later.";
    assert_eq!(refused.expect(421).text(), text);
    refused.expect_closed();
    // A session that came before may not go on guessing, not even with the right password.
    assert_eq!(before.command("PASS never-in-a-log", 421).text(), text);
    before.expect_closed();
    inside.expect_in_step();
    server.client().expect_in_step();
    wait_until("the block ends", || {
        Client::connect_from(own, server.address).reply().code == 220
    });
    connected(&server, own).log_in();

    let blocked = log::lines_with(&format!("blocked {own} "));
    let expected =
        format!("blocked {own} for 2 s after 3 failed logins (--block-after 3, --block-time 2)");
    assert_eq!(blocked, [expected]);
    let refused = log::lines_with(&format!("refused {own}:"));
    let expected = " s more, after failed logins (--block-after 3)";
    assert!(refused[0].ends_with(expected), "{refused:?}");
    let failed = log::lines_with(&format!("login failed from {own} as \"{USER}\""));
    assert_eq!(failed.len(), 3, "{failed:?}");
}

/// Its turn comes when the address is blocked already.
#[test]
fn a_password_that_waits_is_not_checked_after_the_block() {
    let server = Setup::new()
        .flags(&["--block-after", "2"])
        .settings(|settings| settings.login_delay = Duration::from_millis(1))
        .in_process();
    let own = own_address();
    let mut clients = [(); 4].map(|()| named(&server, own));
    fail(&mut clients[0]);
    clients[1].send("PASS wrong");
    clients[1].expect(530);
    for client in &mut clients[2..] {
        client.command("PASS never-in-a-log", 421);
    }
}

#[test]
fn a_login_clears_the_count() {
    let server = TestServer::in_process(&["--block-after", "2"]);
    for _ in 0..3 {
        fail(&mut named(&server, STRANGER));
        connected(&server, STRANGER).log_in();
    }
}

/// A gateway stands for many clients; anonymous has no password to guess.
#[test]
fn gateways_and_anonymous_do_not_count() {
    let flags = ["--block-after", "1", "--trust-gateway", "127.0.0.0/24"];
    let server = TestServer::in_process(&flags);
    for _ in 0..2 {
        fail(&mut named(&server, STRANGER));
    }
    connected(&server, STRANGER).log_in();

    let server = TestServer::in_process(&["--block-after", "1"]);
    let mut client = connected(&server, STRANGER);
    for name in ["anonymous", "FTP"] {
        client.command(format!("USER {name}"), 331);
        client.command("PASS me@example.org", 530);
    }
    connected(&server, STRANGER).log_in();
    fail(&mut named(&server, STRANGER));
    Client::connect_from(STRANGER, server.address).expect(421);
}

#[test]
fn a_reload_lifts_the_blocks() {
    let setup = Setup::new();
    let file = setup.directory().join("ftp.conf");
    fs::write(&file, "block-after 1\n").expect("the configuration");
    let flags = ["--login-delay", "0", "--config", path(&file)];
    let server = setup.flags(&flags).program();
    fail(&mut named(&server, STRANGER));
    Client::connect_from(STRANGER, server.address).expect(421);
    // Blocks stay with another limit.
    fs::write(&file, "block-after 5\n").expect("the configuration");
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    Client::connect_from(STRANGER, server.address).expect(421);
    fs::write(&file, "block-after 0\n").expect("the configuration");
    server.signal(Signal::HUP);
    server.log_with(" INFO  --block-after 0 lifts the block of one address\n");
    connected(&server, STRANGER).log_in();
    server.finish();
}

fn connected<B>(server: &TestServer<B>, from: Ipv4Addr) -> Client {
    let mut client = Client::connect_from(from, server.address);
    client.expect(220);
    client
}

/// A client that has sent its name.
fn named<B>(server: &TestServer<B>, from: Ipv4Addr) -> Client {
    let mut client = connected(server, from);
    client.command(format!("USER {USER}"), 331);
    client
}

fn fail(client: &mut Client) {
    client.command("PASS wrong", 530);
}
