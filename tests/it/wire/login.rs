//! Who is let in, and what those may do who are not, or not for writing.

use std::fs;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::server::{PASSWORD, Setup, TestServer, USER};

#[test]
fn right_and_wrong() {
    let server = TestServer::in_process(&[]);
    let mut client = Client::greeted(server.address);
    for (user, password) in [
        (USER, "wrong"),
        ("nobody", PASSWORD),
        ("anonymous", "me@example.org"),
    ] {
        let mut other = Client::greeted(server.address);
        other.command(format!("USER {user}"), 331);
        other.command(format!("PASS {password}"), 530);
        other.command("PWD", 530);
    }
    client.command(format!("PASS {PASSWORD}"), 503);
    client.command(format!("USER {USER}"), 331);
    client.command("PASS wrong", 530);
    client.command(format!("PASS {PASSWORD}"), 503);
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), 230);
    client.command("PWD", 257);
    client.command("REIN", 220);
    client.command("PWD", 530);
}

#[test]
fn attempts_are_counted() {
    let server = TestServer::in_process(&["--max-login-attempts", "3"]);
    let mut client = Client::greeted(server.address);
    for code in [530, 530, 421] {
        client.command(format!("USER {USER}"), 331);
        client.command("PASS wrong", code);
    }
    client.expect_closed();
    // The next connection begins anew.
    server.client().expect_in_step();
}

/// The answer to a wrong password takes its time; meanwhile others are served, and what follows waits.
#[test]
fn the_delay_is_kept() {
    let server = TestServer::in_process(&["--login-delay", "1"]);
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    let since = Instant::now();
    client.send_bytes("PASS wrong\r\nNOOP\r\n");
    server.client().expect_in_step();
    client.expect(530);
    assert!(since.elapsed() >= Duration::from_secs(1));
    client.expect(200);
}

#[test]
fn a_client_may_leave_during_the_delay() {
    let server = TestServer::in_process(&["--login-delay", "60"]);
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.send("PASS wrong");
    // The server's end finds no session that still waits.
}

#[test]
fn nothing_before_login() {
    let server = TestServer::in_process(&[]);
    server.write("file", "text");
    let mut client = Client::greeted(server.address);
    for line in [
        "ABOR",
        "ACCT a",
        "ALLO 1",
        "APPE file",
        "CDUP",
        "CWD /",
        "DELE file",
        "EPRT |1|127.0.0.1|2000|",
        "EPSV",
        "LIST",
        "MDTM file",
        "MKD d",
        "MLSD",
        "MLST",
        "MODE S",
        "NLST",
        "PASV",
        "PORT 127,0,0,1,8,0",
        "PWD",
        "REST 1",
        "RETR file",
        "RMD d",
        "RNFR file",
        "RNTO file2",
        "SIZE file",
        "STAT file",
        "STOR file",
        "STOU",
        "STRU F",
        "TYPE I",
    ] {
        client.command(line, 530);
    }
    for (line, code) in [
        ("NOOP", 200),
        ("STAT", 211),
        ("SYST", 215),
        ("FEAT", 211),
        ("HELP", 214),
    ] {
        client.command(line, code);
    }
    assert_eq!(server.read("file"), b"text");
}

#[test]
fn anonymous_reads_only() {
    let server = Setup::without_account()
        .flags(&["-i", "127.0.0.1"])
        .in_process();
    server.write("file", "text");
    fs::create_dir(server.path("directory")).expect("a directory");
    let mut client = Client::greeted(server.address);
    client.command("USER anonymous", 331);
    client.command("PASS me@example.org", 230);
    for (line, code) in [
        ("APPE file", 550),
        ("DELE file", 550),
        ("MKD new", 550),
        ("RMD directory", 550),
        ("RNFR file", 550),
        ("STOR file", 553),
        ("STOR new", 553),
        ("STOU", 553),
    ] {
        client.command(line, code);
        // Nor does a data connection change it.
        client.extended_passive();
        client.command(line, code);
    }
    assert_eq!(client.fetch("RETR file"), b"text");
    let entries = fs::read_dir(server.root()).expect("the root").count();
    assert_eq!((server.read("file"), entries), (b"text".to_vec(), 2));
}

#[test]
fn quit_closes() {
    let server = TestServer::in_process(&[]);
    let mut early = Client::greeted(server.address);
    early.command("QUIT", 221);
    early.expect_closed();
    let mut client = server.client();
    client.send_bytes("QUIT\r\nNOOP\r\n");
    client.expect(221);
    client.expect_closed();
}

/// A connection that is closed with unread bytes is reset, and on a slow line the reply gets lost.
#[test]
fn a_goodbye_is_not_cut_off_by_a_reset() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    client.send_bytes(format!("QUIT\r\n{}", "NOOP\r\n".repeat(5_000)));
    client.expect(221);
    client.expect_orderly_close();
}

/// Hanging up before the answer comes is no way around the delay, and who only closes its own side gets
/// the answer.
#[test]
fn the_delay_is_kept_for_those_who_leave() {
    let server = TestServer::in_process(&["--login-delay", "1", "--max-cons", "1"]);
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    let since = Instant::now();
    client.send("PASS wrong");
    client
        .stream
        .shutdown(Shutdown::Write)
        .expect("half a close");
    Client::connect(server.address).expect(421);
    client.expect(530);
    assert!(since.elapsed() >= Duration::from_secs(1));
    client.expect_closed();
}
