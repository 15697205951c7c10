//! What a client may do while a transfer runs: ABOR in all its forms, STAT, QUIT, and
//! disconnecting.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::data::{
    FullListener, drain, eprt_command, read_some, reset, wait_until_closed,
};
use crate::support::file_contents::noise;
use crate::support::server::TestServer;
use crate::support::wait::{pass_time, wait_until};

#[test]
fn abor_ends_the_transfer() {
    check_abor(|client| client.send("ABOR"), &[426, 226]);
}

#[test]
fn abor_may_follow_a_telnet_interrupt() {
    check_abor(|client| client.send(b"\xff\xf4\xff\xf2ABOR"), &[426, 226]);
}

/// As lftp does: the first byte alone is urgent.
#[test]
fn abor_may_follow_an_urgent_first_byte() {
    let send = |client: &mut Client| {
        client.send_urgent(b"\xff");
        client.send(b"\xf4\xff\xf2ABOR");
    };
    check_abor(send, &[426, 226]);
}

/// As Python's ftplib does: the whole line is urgent, and its last byte is at the mark.
#[test]
fn abor_may_be_urgent_as_a_whole() {
    check_abor(|client| client.send_urgent(b"ABOR\r\n"), &[426, 226]);
}

/// As BSD's ftp does: the data mark is urgent, or the IAC before it.
#[test]
fn abor_may_follow_an_urgent_data_mark() {
    let mark = |client: &mut Client| {
        client.send_bytes(b"\xff\xf4\xff");
        client.send_urgent(b"\xf2");
        client.send("ABOR");
    };
    check_abor(mark, &[426, 226]);
    let before_mark = |client: &mut Client| {
        client.send_urgent(b"\xff\xf4\xff");
        client.send(b"\xf2ABOR");
    };
    check_abor(before_mark, &[426, 226]);
}

#[test]
fn abor_may_follow_noops() {
    let send = |client: &mut Client| client.send_bytes("NOOP\r\nNOOP\r\nABOR\r\n");
    check_abor(send, &[426, 200, 200, 226]);
}

#[test]
fn abor_twice_is_answered_twice() {
    check_abor(
        |client| client.send_bytes("ABOR\r\nABOR\r\n"),
        &[426, 226, 226],
    );
}

/// Pipelined transfers do not begin after an ABOR.
#[test]
fn abor_cancels_pipelined_transfers() {
    let send = |client: &mut Client| client.send_bytes("EPSV\r\nRETR small\r\nNOOP\r\nABOR\r\n");
    check_abor(send, &[426, 426, 426, 200, 226]);
}

/// An ABOR once during a download and once during an upload; afterwards the session works on.
fn check_abor(send: impl Fn(&mut Client), codes: &[u16]) {
    let server = TestServer::black_box();
    server.write_sparse("large", 1 << 30);
    server.write("small", "text");
    let mut client = server.client();

    let mut data = begin(&mut client, "RETR large");
    read_some(&mut data, 100_000);
    send(&mut client);
    client.expect_all(codes);
    assert!(drain(data) < HALF, "the transfer went on");
    client.expect_in_step();
    assert_eq!(client.fetch("RETR small"), b"text");

    let mut data = begin(&mut client, "STOR new");
    data.write_all(&noise(1000)).expect("sending data");
    send(&mut client);
    client.expect_all(codes);
    assert_eq!(drain(data), 0);
    client.expect_in_step();
    client.store("STOR new", "new text");
    assert_eq!(server.read("new"), b"new text");
}

/// A server that reads data as long as there is some would never see the command.
#[test]
fn abor_ends_an_upload_that_never_pauses() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let mut data = begin(&mut client, "STOR new");
    let sender = thread::spawn(move || {
        let block = vec![0; 1 << 20];
        let mut sent = 0;
        while sent < HALF
            && let Ok(count) = data.write(&block)
        {
            sent += count;
        }
        sent
    });
    // It may have another name while it is incomplete.
    let has_come = || {
        let mut files = fs::read_dir(server.path("")).expect("the directory");
        files.any(|file| {
            file.and_then(|file| file.metadata())
                .is_ok_and(|file| file.len() > 1 << 23)
        })
    };
    wait_until("bytes come", has_come);
    client.send("ABOR");
    client.expect_all(&[426, 226]);
    let sent = sender.join().expect("the sender");
    assert!(sent < HALF, "the transfer went on");
    client.expect_in_step();
}

#[test]
fn abor_ends_a_transfer_that_waits_for_its_connection() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    for command in ["RETR file", "STOR file", "APPE file", "STOR new", "LIST"] {
        let port = client.extended_passive();
        client.command(command, 150);
        client.command("ABOR", 426);
        client.expect(226);
        wait_until_closed(port);
        client.expect_in_step();
    }
    assert_eq!(server.read("file"), b"text");
    assert!(!server.path("new").exists());
}

#[test]
fn abor_without_a_transfer_closes_the_passive_port() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    client.command("ABOR", 226);
    let port = client.extended_passive();
    client.command("ABOR", 226);
    wait_until_closed(port);
    client.command("RETR file", 425);
    client.command("RETR missing", 550);
    client.expect_in_step();
    assert_eq!(client.fetch("RETR file"), b"text");
}

#[test]
fn stat_shows_the_bytes_of_a_running_transfer() {
    let server = TestServer::black_box();
    server.write_sparse("large", 1 << 30);
    let mut client = server.client();
    assert!(
        client
            .command("STAT", 211)
            .text()
            .contains("No transfer in progress.")
    );

    let mut data = begin(&mut client, "STOR new");
    data.write_all(&noise(12_345)).expect("sending data");
    wait_until("STAT shows all bytes", || {
        let text = client.command("STAT", 211).text();
        text.contains("STOR in progress, 12345 bytes so far.")
    });
    // Others wait, STAT overtakes them.
    client.send_bytes("NOOP\r\nSTAT\r\n");
    client.expect(211);
    drop(data);
    client.expect(226);
    client.expect(200);

    let mut data = begin(&mut client, "RETR large");
    read_some(&mut data, 1 << 20);
    let text = client.command("STAT", 211).text();
    let bytes = text
        .split_once("RETR in progress, ")
        .and_then(|(_, rest)| rest.split_once(" bytes")?.0.parse::<u64>().ok());
    assert!(
        bytes.is_some_and(|bytes| (1 << 20..1 << 30).contains(&bytes)),
        "{text}"
    );
    drop(data);
    client.expect(426);
    client.expect_in_step();
}

#[test]
fn commands_wait_for_the_transfer() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let mut data = begin(&mut client, "STOR new");
    client.send_bytes("SIZE new\r\nMKD d\r\nDELE new\r\n");
    data.write_all(&noise(5000)).expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(client.expect(213).text(), "213 5000");
    client.expect(257);
    client.expect(250);
}

/// More than are held: the rest waits in the kernel, and none is lost.
#[test]
fn many_commands_wait_for_the_transfer() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let data = begin(&mut client, "STOR new");
    client.send_bytes("NOOP\r\n".repeat(1000));
    drop(data);
    client.expect(226);
    client.expect_all(&[200; 1000]);
    client.expect_in_step();
}

#[test]
fn quit_waits_for_the_transfer() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let mut data = begin(&mut client, "STOR new");
    client.send("QUIT");
    let bytes = noise(300_000);
    data.write_all(&bytes).expect("sending data");
    drop(data);
    client.expect_all(&[226, 221]);
    client.expect_closed();
    assert_eq!(server.read("new"), bytes);

    server.write_sparse("large", 1 << 26);
    let mut client = server.client();
    let data = begin(&mut client, "RETR large");
    client.send("QUIT");
    assert_eq!(drain(data), 1 << 26);
    client.expect_all(&[226, 221]);
    client.expect_closed();
}

#[test]
fn a_lost_control_connection_ends_the_transfer() {
    let server = TestServer::black_box();
    server.write_sparse("large", 1 << 30);
    server.write("file", "text");
    let mut client = server.client();
    let mut data = begin(&mut client, "RETR large");
    read_some(&mut data, 100_000);
    drop(client);
    assert!(drain(data) < HALF, "the transfer went on");

    // Also behind commands that are held, as many as there can be.
    let mut client = server.client();
    let mut data = begin(&mut client, "RETR large");
    read_some(&mut data, 100_000);
    client.send_bytes("NOOP\r\n".repeat(2000));
    drop(client);
    assert!(drain(data) < HALF, "the transfer went on");

    // Also when it is not closed but lost.
    let mut client = server.client();
    let mut data = begin(&mut client, "STOR lost");
    data.write_all(&noise(1000)).expect("sending data");
    reset(client.stream);
    assert_eq!(drain(data), 0);

    // Also while the server waits for the data connection; the port is released.
    for command in ["STOR file", "STOR new", "RETR large"] {
        let mut client = server.client();
        let port = client.extended_passive();
        client.command(command, 150);
        drop(client);
        wait_until_closed(port);
    }
    let mut client = server.client();
    let port = client.extended_passive();
    drop(client);
    wait_until_closed(port);
    assert_eq!(server.read("file"), b"text");
    wait_until("the new file is removed", || !server.path("new").exists());
}

/// However long the server's connection takes.
#[test]
fn abor_ends_a_transfer_while_the_server_connects() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    let full = FullListener::new();
    for command in ["RETR file", "STOR file", "STOR new"] {
        client.command(eprt_command(full.address), 200);
        client.command(command, 150);
        client.command("ABOR", 426);
        client.expect(226);
        client.expect_in_step();
    }
    assert_eq!(server.read("file"), b"text");
    assert!(!server.path("new").exists());
}

/// A client that closes the data connection first, and then sends ABOR.
#[test]
fn abor_may_follow_the_close_of_the_data_connection() {
    let server = TestServer::black_box();
    server.write_sparse("large", 1 << 30);
    let mut client = server.client();
    let mut data = begin(&mut client, "RETR large");
    read_some(&mut data, 1000);
    drop(data);
    client.send("ABOR");
    client.expect(426);
    client.expect(226);
    client.expect_in_step();
}

/// Some clients send a file and close everything: nothing that they sent is lost.
#[test]
fn an_upload_is_complete_when_its_client_leaves() {
    let server = TestServer::black_box();
    for round in 0..20 {
        let bytes = noise(round * 200_000 + 1);
        let name = format!("new{round}");
        let mut client = server.client();
        let mut data = client.data();
        client.send(format!("STOR {name}"));
        data.write_all(&bytes).expect("sending data");
        drop(data);
        drop(client);
        wait_until("the upload is there", || {
            server.path(&name).exists() && server.read(&name) == bytes
        });
    }
}

/// A client that closes everything with an unread reply resets the control connection, and that
/// overtakes what is still on its way on the other one.
#[test]
fn an_upload_goes_on_after_a_reset_while_bytes_come() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let mut data = begin(&mut client, "STOR new");
    data.write_all(b"first, ").expect("sending data");
    wait_until("the first bytes are there", || {
        let text = client.command("STAT", 211).text();
        text.contains("STOR in progress, 7 bytes so far.")
    });
    reset(client.stream);
    pass_time(Duration::from_millis(200), "the reset comes first");
    data.write_all(b"and last").expect("sending data");
    drop(data);
    wait_until("the upload is there", || {
        server.path("new").exists() && server.read("new") == b"first, and last"
    });
}

/// A passive data connection whose transfer has begun.
fn begin(client: &mut Client, command: &str) -> TcpStream {
    let data = client.data();
    client.command(command, 150);
    data
}

/// Of the large file: much more than the kernel holds for a connection, so a transfer that sent
/// less was stopped.
const HALF: usize = 1 << 29;
