//! Connections to a passive port from the client's own address that are not its data connection,
//! as those of virus scanners and port checkers: the client is served, and its old file is intact.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::version::TLS13;

use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::data::{
    accept, active_listener, connect, connect_stranger, read_all, read_some, reset,
};
use crate::support::file_contents::noise;
use crate::support::server::{InProcess, SecureServer, Setup, TestServer};

#[test]
fn a_look_before_stor_stores_nothing() {
    for end in ENDS {
        let (server, mut client) = session();
        let port = client.extended_passive();
        end(connect(port));
        client.command("STOR old", 150);
        let mut data = connect(port);
        assert_eq!(server.read("old"), OLD, "changed by a look");
        data.write_all(b"new contents").expect("sending data");
        drop(data);
        client.expect(226);
        assert_eq!(server.read("old"), b"new contents");
        client.expect_in_step();
    }
}

#[test]
fn a_look_before_a_download_receives_nothing() {
    for end in ENDS {
        for command in ["RETR old", "NLST"] {
            let (_server, mut client) = session();
            let port = client.extended_passive();
            end(connect(port));
            client.command(command, 150);
            let mut data = connect(port);
            let expected = if command == "NLST" { b"old\r\n" } else { OLD };
            assert_eq!(read_all(&mut data), expected, "{command}");
            client.expect(226);
            client.expect_in_step();
        }
    }
}

/// Both are there before the command.
#[test]
fn a_look_does_not_come_before_the_client_that_follows_it() {
    for command in ["RETR old", "STOR old"] {
        let (server, mut client) = session();
        let port = client.extended_passive();
        drop(connect(port));
        let mut data = connect(port);
        client.command(command, 150);
        if command == "RETR old" {
            assert_eq!(read_all(&mut data), OLD);
        } else {
            data.write_all(b"new").expect("sending data");
            drop(data);
        }
        client.expect(226);
        let expected = if command == "RETR old" { OLD } else { b"new" };
        assert_eq!(server.read("old"), expected);
    }
}

#[test]
fn a_connection_that_is_reset_after_stor_stores_nothing() {
    let (server, mut client) = session();
    let port = client.extended_passive();
    let look = connect(port);
    client.command("STOR old", 150);
    reset(look);
    let data = connect(port);
    assert_eq!(server.read("old"), OLD);
    store_new(data, &mut client, &server);
}

/// It is open and silent while the client's own connection sends.
#[test]
fn an_upload_is_that_of_the_connection_that_sends() {
    let (server, mut client) = session();
    let port = client.extended_passive();
    let look = connect(port);
    let mut data = connect(port);
    client.command("STOR old", 150);
    data.write_all(b"new").expect("sending data");
    drop(data);
    client.expect(226);
    drop(look);
    assert_eq!(server.read("old"), b"new");
}

/// The download has begun on a connection that is lost at once; the client's own gets all of it.
#[test]
fn a_download_starts_again_after_a_look() {
    let (server, mut client) = session();
    let bytes = noise(LARGE);
    server.write("large", &bytes);
    for offset in [0, 5] {
        let port = client.extended_passive();
        let look = connect(port);
        client.command(format!("REST {offset}"), 350);
        client.command("RETR large", 150);
        reset(look);
        let mut data = connect(port);
        assert!(read_all(&mut data) == bytes[offset..], "not the whole rest");
        client.expect(226);
        client.expect_in_step();
    }
}

/// A client that has enough of a download closes it, and does not wait long for the reply.
#[test]
fn a_client_that_closes_a_download_is_426() {
    let (server, mut client) = session();
    server.write_sparse("large", 1 << 27);
    let port = client.extended_passive();
    client.command("RETR large", 150);
    let mut data = connect(port);
    read_some(&mut data, 1000);
    drop(data);
    client.expect(426);
    client.expect_in_step();
}

/// It connects, sends all and closes before its command is read.
#[test]
fn an_eager_upload_is_complete() {
    let (server, mut client) = session();
    let port = client.extended_passive();
    let mut data = connect(port);
    data.write_all(b"new").expect("sending data");
    drop(data);
    client.command("STOR old", 150);
    client.expect(226);
    assert_eq!(server.read("old"), b"new");
}

#[test]
fn an_empty_upload_empties_the_file() {
    let before = |client: &mut Client, port: SocketAddr| {
        drop(connect(port));
        client.command("STOR old", 150);
    };
    let during = |client: &mut Client, port: SocketAddr| {
        let data = connect(port);
        client.command("STOR old", 150);
        drop(data);
    };
    let after = |client: &mut Client, port: SocketAddr| {
        client.command("STOR old", 150);
        drop(connect(port));
    };
    for upload in [before, during, after] {
        let (server, mut client) = session();
        let port = client.extended_passive();
        upload(&mut client, port);
        client.expect(226);
        assert_eq!(server.read("old"), b"");
        client.expect_in_step();
    }
}

/// Some clients end their sending side of a download first.
#[test]
fn a_client_that_only_ends_its_sending_side_is_served() {
    let (_server, mut client) = session();
    let port = client.extended_passive();
    let mut data = connect(port);
    data.shutdown(Shutdown::Write).expect("a connection");
    client.command("RETR old", 150);
    assert_eq!(read_all(&mut data), OLD);
    client.expect(226);
}

/// It connects after its command, and has ended its sending side before the server looks.
#[test]
fn a_client_that_ends_its_sending_side_at_once_is_served() {
    let server = TestServer::program(&["--passive-timeout", "60"]);
    server.write("old", OLD);
    let mut client = server.client();
    client.command("TYPE I", 200);
    let port = client.extended_passive();
    client.command("RETR old", 150);
    server.pause(true);
    let mut data = connect(port);
    data.shutdown(Shutdown::Write).expect("a connection");
    server.pause(false);
    assert_eq!(read_all(&mut data), OLD);
    client.expect(226);
}

/// It is open like the client's own connection, but sends something.
#[test]
fn a_download_is_not_for_a_connection_that_sends() {
    for is_first in [true, false] {
        let (_server, mut client) = session();
        let port = client.extended_passive();
        let early = (!is_first).then(|| connect(port));
        let mut look = connect(port);
        look.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sending");
        let mut data = early.unwrap_or_else(|| connect(port));
        client.command("RETR old", 150);
        assert_eq!(read_all(&mut data), OLD);
        client.expect(226);
    }
}

/// More of them than one turn of the session accepts, and all before the command.
#[test]
fn many_looks_before_stor_store_nothing() {
    let (server, mut client) = session();
    let port = client.extended_passive();
    for _ in 0..200 {
        drop(connect(port));
    }
    client.command("STOR old", 150);
    let data = connect(port);
    assert_eq!(server.read("old"), OLD, "changed by a look");
    store_new(data, &mut client, &server);
}

#[test]
fn a_reset_before_the_first_byte_changes_nothing_in_active_mode() {
    let (server, mut client) = session();
    let (listener, command) = active_listener();
    client.command(command, 200);
    client.command("STOR old", 150);
    let (data, _) = accept(&listener);
    reset(data);
    let code = client.reply().code;
    assert!(matches!(code, 425 | 426), "{code}");
    assert_eq!(server.read("old"), OLD);
}

#[test]
fn a_look_at_a_port_with_tls_receives_nothing() {
    let server = SecureServer::in_process(&[]);
    server.server.write("old", OLD);
    let config = server.config(&TLS13);
    let mut client = server.client(&config);
    client.command("TYPE I", 200);
    for end in ENDS {
        for is_before in [true, false] {
            let port = client.extended_passive();
            let mut look = Some(connect(port));
            if is_before {
                look.take().map(end);
            }
            client.command("RETR old", 150);
            look.take().map(end);
            let data = Protected::over(connect(port), &config);
            assert_eq!(data.read_to_end().0, OLD);
            client.expect(226);
        }
    }
}

/// A SYN that is lost is repeated after a second: the old file waits longer than that.
#[test]
fn a_look_empties_no_file_before_a_late_client() {
    let (server, mut client) = session();
    let port = client.extended_passive();
    drop(connect(port));
    client.command("STOR old", 150);
    client.expect_silence(Duration::from_millis(1500));
    assert_eq!(server.read("old"), OLD);
    let data = connect(port);
    store_new(data, &mut client, &server);
}

/// One ends before the command, the other is reset after it: neither was alone.
#[test]
fn two_looks_empty_no_file() {
    let (server, mut client) = session();
    let port = client.extended_passive();
    drop(connect(port));
    let look = connect(port);
    client.command("STOR old", 150);
    reset(look);
    client.expect_silence(Duration::from_secs(3));
    assert_eq!(server.read("old"), OLD);
    let data = connect(port);
    store_new(data, &mut client, &server);
}

/// It is no reason to take the port away: the client may still connect.
#[test]
fn a_look_releases_no_port() {
    for end in ENDS {
        let setup = Setup::new().on_own_address().flags(&["-r", "20000"]);
        let server = setup.in_process();
        server.write("old", OLD);
        server.write("other", "other");
        let (mut client, mut next) = (server.client(), server.client());
        let port = client.extended_passive();
        end(connect(port));
        next.send("EPSV");
        next.expect_silence(Duration::from_secs(1));
        let mut data = connect(port);
        client.command("RETR old", 150);
        assert_eq!(read_all(&mut data), OLD);
        client.expect(226);
        next.expect(229);
        assert_eq!(next.fetch_over(connect(port), "RETR other"), b"other");
    }
}

/// More of them than the kernel's queue holds, while the client takes its time.
#[test]
fn a_crowd_of_strangers_does_not_keep_the_client_out() {
    let (_server, mut client) = session();
    let port = client.extended_passive();
    let strangers: Vec<_> = (0..1500).map(|_| connect_stranger(port)).collect();
    let mut data = connect(port);
    client.command("RETR old", 150);
    assert_eq!(read_all(&mut data), OLD);
    client.expect(226);
    drop(strangers);
}

/// The client's own connection replaces the old file.
#[track_caller]
fn store_new(mut data: TcpStream, client: &mut Client, server: &TestServer<InProcess>) {
    data.write_all(b"new").expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(server.read("old"), b"new");
}

fn session() -> (TestServer<InProcess>, Client) {
    let server = TestServer::in_process(&[]);
    server.write("old", OLD);
    let mut client = server.client();
    client.command("TYPE I", 200);
    (server, client)
}

/// How a look ends.
const ENDS: [fn(TcpStream); 2] = [drop, reset];

const OLD: &[u8] = b"the old contents";

/// More than the buffers of a connection hold.
const LARGE: usize = 64 << 20;
