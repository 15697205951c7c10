//! Who may log in, and what is permitted before that.

use crate::support::client::Client;
use crate::support::server::{PASSWORD, TestServer, USER};

#[test]
fn pass_follows_user_and_must_be_right() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    for (user, password) in [
        (USER, "wrong"),
        ("stranger", PASSWORD),
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
fn nothing_is_permitted_before_login() {
    let server = TestServer::black_box();
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
fn quit_closes_the_connection() {
    let server = TestServer::black_box();
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
fn quit_is_answered_without_a_reset() {
    let server = TestServer::black_box();
    let mut client = server.client();
    client.send_bytes(format!("QUIT\r\n{}", "NOOP\r\n".repeat(5_000)));
    client.expect(221);
    client.expect_orderly_close();
}
