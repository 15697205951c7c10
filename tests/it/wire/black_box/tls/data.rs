//! Transfers over TLS: complete or an error, however the connection ends.

use std::io::Write;
use std::sync::Arc;

use rustls::{ClientConfig, version};
use socket2::SockRef;

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected, connection};
use crate::support::data::reset;
use crate::support::file_contents::noise;
use crate::support::server::SecureServer;
use crate::support::wait::wait_until;

/// Clients may connect, and even begin the handshake, before their command; PROT P may follow EPSV.
#[test]
fn tls_may_begin_before_the_command() {
    let secure = SecureServer::black_box();
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.secured(&config);
    client.log_in();
    let mut socket = client.data();
    client.command("PBSZ 0", 200);
    client.command("PROT P", 200);
    let mut tls = connection(&config);
    tls.write_tls(&mut socket).expect("a greeting of TLS");
    client.command("RETR file", 150);
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).expect("a handshake");
    }
    let (bytes, ending) = Protected { tls, socket }.read_to_end();
    assert_eq!((&bytes[..], ending), (&b"text"[..], Ending::CloseNotify));
    client.expect(226);
    client.command("PROT C", 200);
    assert_eq!(client.fetch("RETR file"), b"text");
}

/// Devices close the control connection after QUIT without having read their replies, so that it is
/// reset. The last command and the end of the connection reach the server together.
#[test]
fn an_upload_goes_on_after_quit_and_a_reset() {
    let secure = SecureServer::black_box();
    for version in VERSIONS {
        let config = secure.config(version);
        for round in 0..10 {
            let mut client = secure.client(&config);
            let name = format!("new{round}");
            let bytes = noise(100_000 + round);
            let socket = client.data();
            client.command(format!("STOR {name}"), 150);
            let mut data = Protected::over(socket, &config);
            data.write(&bytes[..50_000]);
            client.send("QUIT");
            reset(client.stream);
            data.write(&bytes[50_000..]);
            data.close();
            wait_until("the upload is complete", || {
                secure.server.path(&name).exists() && secure.server.read(&name) == bytes
            });
        }
    }
}

/// Many clients end uploads without close_notify, and never read the tickets. Nothing may be lost.
#[test]
fn five_hundred_uploads_without_close_notify_are_complete() {
    let secure = SecureServer::black_box();
    let sizes = [0, 1, 16_383, 16_384, 16_385, 200_000];
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        for round in 0..250 {
            let bytes = noise(sizes[round % sizes.len()] + round);
            let socket = client.data();
            client.command("STOR new", 150);
            let mut data = Protected::over(socket, &config);
            data.write(&bytes);
            // Half of them close only their side, the others all at once.
            match round % 2 {
                0 => data.close_bare(),
                _ => drop(data),
            }
            client.expect(226);
            assert!(secure.server.read("new") == bytes, "round {round}");
        }
    }
}

/// An end in the middle of a record is no end of the file.
#[test]
fn a_truncated_upload_is_426() {
    let secure = SecureServer::black_box();
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        for left_out in [1, 5, 16_000, 16_400] {
            let mut data = upload(&mut client, &config);
            data.write(&noise(40_000));
            let mut last = Vec::new();
            data.tls.writer().write_all(&noise(16_384)).expect("room");
            data.tls.write_tls(&mut last).expect("a record");
            data.socket
                .write_all(&last[..last.len() - left_out])
                .expect("sending");
            drop(data);
            client.expect(426);
            client.expect_in_step();
        }
        // Between two records, but by a reset.
        let mut data = upload(&mut client, &config);
        data.write(&noise(40_000));
        reset(data.socket);
        client.expect(426);
        // Bytes that were not encrypted with the session's keys.
        let mut data = upload(&mut client, &config);
        data.write(&noise(40_000));
        data.socket
            .write_all(&[23, 3, 3, 0, 32])
            .and_then(|()| data.socket.write_all(&[7; 32]))
            .expect("sending");
        client.expect(426);
        client.expect_in_step();
    }
}

/// A truncated transfer has no close_notify, so that it cannot be taken for a complete one.
#[test]
fn abor_truncates_transfers() {
    let secure = SecureServer::black_box();
    secure.server.write_sparse("large", 1 << 30);
    secure.server.write("file", "text");
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        for urgent in [false, true] {
            let socket = client.data();
            client.command("RETR large", 150);
            let mut data = Protected::over(socket, &config);
            data.read_some(100_000);
            abort(&mut client, urgent);
            client.expect_all(&[426, 226]);
            let (bytes, ending) = data.read_to_end();
            assert!(bytes.len() < 1 << 29, "the transfer went on");
            assert_eq!(ending, Ending::Truncated);
            client.expect_in_step();

            let mut data = upload(&mut client, &config);
            data.write(&noise(1000));
            abort(&mut client, urgent);
            client.expect_all(&[426, 226]);
            client.expect_in_step();
            assert_eq!(client.fetch_securely("RETR file", &config), b"text");
        }
    }
}

#[test]
fn quit_waits_for_the_transfer_over_tls() {
    let secure = SecureServer::black_box();
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    let bytes = noise(300_000);
    let mut data = upload(&mut client, &config);
    client.send("QUIT");
    data.write(&bytes);
    data.close();
    client.expect(226);
    client.expect(221);
    client.expect_closed();
    assert_eq!(secure.server.read("new"), bytes);
}

#[test]
fn an_upload_over_tls_is_complete_when_its_client_leaves() {
    let secure = SecureServer::black_box();
    let config = secure.config(&version::TLS12);
    for round in 0..10 {
        let bytes = noise(round * 50_000 + 1);
        let mut client = secure.client(&config);
        let mut data = upload(&mut client, &config);
        data.write(&bytes);
        data.close();
        drop(client);
        wait_until("the upload is there", || {
            secure.server.path("new").exists() && secure.server.read("new") == bytes
        });
    }
}

/// A client that reads slowly, and sends something meanwhile: its last bytes are not lost to a
/// reset.
#[test]
fn a_download_is_whole_when_the_client_sends_too() {
    let secure = SecureServer::black_box();
    let bytes = noise(300_000);
    secure.server.write("file", &bytes);
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        for _ in 0..3 {
            let socket = client.data();
            SockRef::from(&socket)
                .set_recv_buffer_size(16_384)
                .expect("a small window");
            client.command("RETR file", 150);
            let mut data = Protected::over(socket, &config);
            data.tls.send_close_notify();
            data.tls.write_tls(&mut data.socket).expect("close_notify");
            let (fetched, ending) = data.read_to_end();
            assert!(fetched == bytes);
            assert_eq!(ending, Ending::CloseNotify);
            client.expect(226);
        }
    }
}

/// The reply does not wait for a client that leaves its side open.
#[test]
fn the_226_does_not_wait_for_the_client_to_close() {
    let secure = SecureServer::black_box();
    secure.server.write("file", "text");
    let config = secure.config(&version::TLS13);
    let mut client = secure.client(&config);
    let mut open = Vec::new();
    for _ in 0..5 {
        let socket = client.data();
        client.command("RETR file", 150);
        let mut data = Protected::over(socket, &config);
        data.read_some(4);
        client.expect(226);
        open.push(data);
    }
    client.expect_in_step();
    client.command("QUIT", 221);
    client.expect_closed();
}

fn upload(client: &mut Client, config: &Arc<ClientConfig>) -> Protected {
    let socket = client.data();
    client.command("STOR new", 150);
    Protected::over(socket, config)
}

/// As lftp does inside TLS: `urgent` is the last byte of the record.
fn abort(client: &mut Client, urgent: bool) {
    if !urgent {
        return client.send("ABOR");
    }
    let tls = client.tls.as_mut().expect("TLS");
    let bytes = b"\xff\xf4\xff\xf2ABOR\r\n";
    tls.writer().write_all(bytes).expect("room");
    let mut record = Vec::new();
    tls.write_tls(&mut record).expect("a record");
    client.send_urgent(&record);
}
