//! Who gets a place when there are few: an address that opens connections and never logs in keeps
//! no one else out.

use std::net::{Ipv4Addr, Shutdown};
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::data::STRANGER;
use crate::support::log;
use crate::support::server::{InProcess, TestServer, USER, own_address};
use crate::support::wait::{GUARD, pause, wait_until};

/// A further client, at a further address.
const THIRD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

#[test]
fn one_address_gets_32_places_by_default() {
    let server = TestServer::in_process(&["--max-cons", "34"]);
    let mut silent: Vec<Client> = (0..32).map(|_| silent_stranger(&server)).collect();
    for _ in 0..8 {
        let reply = Client::connect_from(STRANGER, server.address).expect(421);
        assert_eq!(reply.text(), "421 Too many connections from your address.");
    }
    server.client().expect_in_step();
    for client in &mut silent {
        client.command("NOOP", 200);
    }
}

/// Its thread may still have to say that the session is over.
#[test]
fn a_client_that_comes_again_at_once_has_its_place_back() {
    let server = TestServer::in_process(&["--max-cons-per-ip", "1"]);
    for _ in 0..500 {
        let mut client = Client::greeted(server.address);
        client.command("QUIT", 221);
        client.expect_closed();
    }
}

/// The oldest session of the address with most of them, if it has not logged in.
#[test]
fn a_full_server_makes_room_at_the_cost_of_those_that_never_log_in() {
    let server = TestServer::in_process(&["--max-cons", "5", "--max-cons-per-ip", "0"]);
    let mut early = Client::greeted(server.address);
    let mut known = server.client();
    let mut silent: Vec<Client> = (0..3).map(|_| silent_stranger(&server)).collect();
    let mut newest = silent_stranger(&server);
    let mut third = Client::connect_from(THIRD, server.address);
    third.expect(220);
    for oldest in &mut silent[..2] {
        let reply = oldest.expect(421);
        assert_eq!(reply.text(), "421 Too many connections; try again later.");
        oldest.expect_closed();
    }
    for client in [&mut silent[2], &mut newest] {
        client.command("NOOP", 200);
    }
    third.log_in();
    // Those of other addresses were not disturbed, whether logged in or not.
    early.log_in();
    known.expect_in_step();
}

/// However many connections the stranger opens.
#[test]
fn clients_log_in_during_a_flood() {
    let server = TestServer::in_process(&["--max-cons", "8", "--max-cons-per-ip", "0"]);
    let mut flood = Vec::new();
    let mut inside = Vec::new();
    for _ in 0..5 {
        flood.extend((0..20).map(|_| Client::connect_from(STRANGER, server.address)));
        inside.push(server.client());
    }
    for client in &mut inside {
        client.expect_in_step();
    }
}

#[test]
fn a_server_full_of_logins_refuses() {
    let server = TestServer::in_process(&["--max-cons", "2", "--max-cons-per-ip", "0"]);
    let mut inside = [server.client(), server.client()];
    for _ in 0..3 {
        Client::connect_from(STRANGER, server.address).expect(421);
    }
    for client in &mut inside {
        client.expect_in_step();
    }
}

#[test]
fn commands_do_not_extend_the_time_to_log_in() {
    let server = TestServer::in_process(&["--login-timeout", "1"]);
    let mut logged_in = server.client();
    let mut client = Client::greeted(server.address);
    let since = Instant::now();
    let reply = loop {
        client.send("NOOP");
        let reply = client.reply();
        if reply.code != 200 {
            break reply;
        }
        assert!(since.elapsed() < GUARD, "the session goes on");
        pause();
    };
    assert_eq!(
        reply.text(),
        "421 Login timed out; closing control connection."
    );
    assert!(since.elapsed() >= Duration::from_millis(900));
    logged_in.expect_in_step();
}

/// A session that waits for the answer to a wrong password gives way first if its client is gone,
/// although another one is older.
#[test]
fn a_client_that_has_left_holds_no_place() {
    let silent_stays = || {
        let server = TestServer::in_process(&["--login-delay", "60", "--max-cons", "2"]);
        let mut silent = silent_stranger(&server);
        let _leaver = failed_login(&server);
        Client::connect_from(THIRD, server.address).expect(220);
        silent.send("NOOP");
        silent.reply().code == 200
    };
    // The server may not have seen the end of the connection when the third client comes.
    wait_until("the session whose client is gone gives way", silent_stays);
}

/// The place is free, and still the address waits until its answer is due.
#[test]
fn a_session_that_gives_way_does_not_shorten_the_delay() {
    let still_counts = || {
        let flags = ["--max-cons", "1", "--max-cons-per-ip", "1"];
        let server = TestServer::in_process(&[&flags[..], &["--login-delay", "60"]].concat());
        drop(failed_login(&server));
        let mut other = silent_stranger(&server);
        let reply = Client::connect(server.address).reply();
        let is_refused = reply.text() == "421 Too many connections from your address.";
        assert!(is_refused || reply.code == 220, "{}", reply.text());
        // The other one gives way if the address counts no longer.
        is_refused && {
            other.send("NOOP");
            other.reply().code == 200
        }
    };
    // The server may not have read the password when the other client comes.
    wait_until("the address waits until its answer is due", still_counts);
}

#[test]
fn the_log_counts_clients_that_are_refused_and_names_the_flag() {
    let server = TestServer::in_process(&["--max-cons", "2", "--max-cons-per-ip", "1"]);
    let address = own_address();
    let mut first = Client::connect_from(address, server.address);
    first.expect(220);
    for _ in 0..3 {
        Client::connect_from(address, server.address).expect(421);
    }
    let _known = server.client();
    let mut other = silent_stranger(&server);
    first.expect(421);
    other.command("NOOP", 200);
    let lines = log::lines_with(&format!("refused {address}:"));
    let end = ": its address has too many sessions (--max-cons-per-ip 1)";
    assert!(lines.len() == 1 && lines[0].ends_with(end), "{lines:?}");
}

/// A client at another address that does not log in.
fn silent_stranger(server: &TestServer<InProcess>) -> Client {
    let mut client = Client::connect_from(STRANGER, server.address);
    client.expect(220);
    client
}

/// A client that has sent a wrong password and closed its side.
fn failed_login(server: &TestServer<InProcess>) -> Client {
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.send("PASS wrong");
    let ended = client.stream.shutdown(Shutdown::Write);
    ended.expect("half a close");
    client
}
