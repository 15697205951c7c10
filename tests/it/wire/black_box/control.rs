//! The control connection: replies in order, lines of any length, clients that send too much or
//! read too little.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::server::{PASSWORD, TestServer, USER};

#[test]
fn pipelined_replies_come_in_order() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = Client::connect(server.address);
    let login = format!("USER {USER}\r\nPASS {PASSWORD}\r\n");
    client.send_bytes(format!(
        "{login}TYPE I\r\nSIZE file\r\nMKD d\r\nCWD d\r\nPWD\r\nCDUP\r\nRMD d\r\nEPSV\r\nABOR\r\nFEAT\r\nQUIT\r\n"
    ));
    client.expect_all(&[
        220, 331, 230, 200, 213, 257, 250, 257, 250, 250, 229, 226, 211, 221,
    ]);
    client.expect_closed();
}

/// As from `printf … | nc`: the end of the input is no reason to leave commands unanswered.
#[test]
fn a_half_closed_connection_is_answered_to_the_end() {
    let server = TestServer::black_box();
    let mut client = Client::connect(server.address);
    let login = format!("USER {USER}\r\nPASS {PASSWORD}\r\n");
    client.send_bytes(login + &"NOOP\r\n".repeat(2000) + "MKD made");
    client.send_bytes("\r\nPWD\r\nhalf a li");
    client
        .stream
        .shutdown(Shutdown::Write)
        .expect("half-closing");
    client.expect_all(&[220, 331, 230]);
    client.expect_all(&[200; 2000]);
    client.expect_all(&[257, 257]);
    client.expect_closed();
    assert!(server.path("made").is_dir());
}

/// Lines and packets have nothing to do with each other.
#[test]
fn lines_may_come_in_any_pieces() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    for byte in format!("USER {USER}\r\nPASS {PASSWORD}\nPWD\r\n").bytes() {
        client.send_bytes([byte]);
        thread::yield_now();
    }
    client.expect_all(&[331, 230, 257]);

    let mut client = Client::connect(server.address);
    client.send_bytes(format!("USER {USER}\r\nPASS {PASSWORD}\r\nNO"));
    client.expect_all(&[220, 331, 230]);
    client.send_bytes("OP\r");
    client.send_bytes("\nPWD\r\nNOOP\r\n");
    client.expect_all(&[200, 257, 200]);
}

#[test]
fn overlong_lines_are_refused() {
    let server = TestServer::black_box();
    let mut client = server.client();
    client.command("A".repeat(5000), 500);
    client.expect_in_step();
    // The longest that is taken, and one byte more.
    client.command(format!("CLNT {}", "A".repeat(4096 - 7)), 200);
    client.command(format!("CLNT {}", "A".repeat(4096 - 6)), 500);
    client.expect_in_step();
    client.send_bytes(vec![b'A'; 1_000_000]);
    client.expect(500);
    client.send_bytes("\r\n");
    client.expect_in_step();
    // A million bytes and no end: the client may still leave.
    client.send_bytes(vec![b'A'; 1_000_000]);
}

#[test]
fn ten_thousand_commands_at_once_are_answered() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let mut writer = client.stream.try_clone().expect("a second handle");
    let sender = thread::spawn(move || writer.write_all(&b"NOOP\r\n".repeat(FLOOD)));
    client.expect_all(&[200; FLOOD]);
    sender.join().expect("the sender").expect("sending");
    client.expect_in_step();
}

/// The server stops reading, so the client cannot send on; others notice nothing.
#[test]
fn a_client_that_never_reads_blocks_only_itself() {
    let server = TestServer::black_box();
    let mut deaf = server.client();
    let commands = b"HELP\r\n".repeat(10_000);
    let since_full = Duration::from_millis(100);
    deaf.stream
        .set_write_timeout(Some(since_full))
        .expect("a timeout");
    let mut sent = 0;
    let stopped = loop {
        match deaf.stream.write(&commands) {
            Ok(count) => sent += count,
            Err(error) => break error.kind(),
        }
        assert!(sent < BUFFERS_BYTES_MAX, "the server reads on and on");
    };
    assert!(matches!(
        stopped,
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    server.client().expect_in_step();
    // What was held back is answered once the client reads.
    deaf.expect_all(&[214; FLOOD]);
}

#[test]
fn epsv_all_refuses_other_commands() {
    let server = TestServer::black_box();
    server.write("file", "text");
    for all in ["EPSV ALL", "EPSV all"] {
        let mut client = server.client();
        client.command("EPSV 2", 522);
        client.command("EPSV 1", 229);
        client.command("EPRT |2|::1|2000|", 522);
        client.command(all, 200);
        for line in ["PASV", "PORT 127,0,0,1,8,0", "EPRT |1|127.0.0.1|2000|"] {
            client.command(line, 501);
        }
        assert_eq!(client.fetch("RETR file"), b"text");
        // Sticky for this session only.
        server.client().passive();
    }
}

const FLOOD: usize = 10_000;

/// More than the buffers of the kernel can hold for one connection, in both directions.
const BUFFERS_BYTES_MAX: usize = 64 << 20;
