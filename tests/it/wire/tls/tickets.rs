//! Data connections that offer the ticket of another session: it shows whose they are, if that is
//! another login or a client at another address.
//!
//! A client's settings store two tickets of each session in TLS 1.3, and use each once. In TLS 1.2
//! they store one session, and use it any number of times.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;

use rustls::ClientConfig;

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected};
use crate::support::file_contents::noise;
use crate::support::log::lines_with;
use crate::support::server::{InProcess, SecureServer, own_address};

type Secure = SecureServer<InProcess>;

#[test]
fn a_ticket_of_another_login_is_refused() {
    let secure = start();
    for version in VERSIONS {
        let address = own_address();
        let own = secure.config(version);
        let mut client = secure.client_from(address, &own);
        let others = secure.config(version);
        let other = anonymous(&secure, address, &others);
        refuse_transfers(&secure, &mut client, &others);
        drop(other);
        assert_eq!(client.fetch_securely("RETR file", &own), b"text");
        let lines = lines_with(&address.to_string());
        let refused = |line: &&String| {
            line.contains("refused the data connection from ")
                && line.contains(": it offers the TLS session of another login (#")
        };
        assert_eq!(lines.iter().filter(refused).count(), 2, "{lines:?}");
    }
}

#[test]
fn a_ticket_of_the_same_login_at_another_address_is_refused() {
    let secure = start();
    for version in VERSIONS {
        let (address, elsewhere) = (own_address(), own_address());
        let own = secure.config(version);
        let mut client = secure.client_from(address, &own);
        let others = secure.config(version);
        let _other = secure.client_from(elsewhere, &others);
        refuse_transfers(&secure, &mut client, &others);
        assert_eq!(client.fetch_securely("RETR file", &own), b"text");
        let lines = lines_with(&format!("at another address, {elsewhere} (#"));
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}

/// A data connection may come after the end of its session.
#[test]
fn a_ticket_of_a_session_that_has_ended_is_refused() {
    let secure = start();
    for version in VERSIONS {
        let address = own_address();
        let mut client = secure.client_from(address, &secure.config(version));
        let others = secure.config(version);
        let mut other = anonymous(&secure, address, &others);
        other.command("QUIT", 221);
        other.expect_closed();
        refuse_transfers(&secure, &mut client, &others);
    }
}

/// The login that counts is the one of now.
#[test]
fn a_ticket_from_before_another_login_is_refused() {
    let secure = start();
    for version in VERSIONS {
        let address = own_address();
        let mut client = secure.client_from(address, &secure.config(version));
        let others = secure.config(version);
        let mut other = secure.client_from(address, &others);
        log_in_as_anonymous(&mut other);
        refuse_transfers(&secure, &mut client, &others);
    }
}

/// One cache for all of a client's sessions, as rclone has it.
#[test]
fn sessions_of_one_client_may_mix_up_their_tickets() {
    let secure = start();
    for version in VERSIONS {
        let address = own_address();
        let mut client = secure.client_from(address, &secure.config(version));
        let others = secure.config(version);
        let _other = secure.client_from(address, &others);
        for name in ["one", "two"] {
            let data = transfer(&mut client, &format!("STOR {name}"), &others);
            let mut data = data.expect("a handshake");
            assert!(!data.is_resumed());
            data.write(&noise(1000));
            data.close();
            client.expect(226);
            assert_eq!(secure.server.read(name), noise(1000));
        }
        // It is as good as none, so it is no proof either.
        let strict = Secure::in_process(&["--tls-require-resumption"]);
        let mut client = strict.client_from(address, &strict.config(version));
        let others = strict.config(version);
        let _other = strict.client_from(address, &others);
        refuse_transfers(&strict, &mut client, &others);
    }
}

/// A client that opens several sessions at once has the tickets of those that are logging in.
#[test]
fn a_ticket_of_a_session_before_its_login_is_as_good_as_none() {
    let secure = start();
    secure.server.write("file", "text");
    for version in VERSIONS {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        let mut other = secure.secured(&config);
        // Its tickets come with it.
        other.command("USER tester", 331);
        let data = transfer(&mut client, "RETR file", &config).expect("a handshake");
        assert!(!data.is_resumed());
        assert_eq!(data.read_to_end(), (b"text".to_vec(), Ending::CloseNotify));
        client.expect(226);
    }
}

#[test]
fn four_sessions_at_once_share_one_cache() {
    let secure = start();
    for version in VERSIONS {
        let config = secure.config(version);
        let start = Barrier::new(SESSIONS);
        thread::scope(|scope| {
            for session in 0..SESSIONS {
                let (address, config, start) = (secure.server.address, &config, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut client = Client::greeted(address);
                    client.auth_tls(config);
                    client.log_in();
                    client.protect_data();
                    for number in 0..FILES {
                        let name = format!("{session}-{number}");
                        let bytes = [name.as_bytes(), &noise(5000)].concat();
                        client.store_securely(&format!("STOR {name}"), &bytes, config);
                        let fetched = client.fetch_securely(&format!("RETR {name}"), config);
                        assert!(fetched == bytes, "{name}");
                    }
                });
            }
        });
    }
}

/// For the tester and for anonymous.
fn start() -> Secure {
    let secure = Secure::in_process(&["--anonymous"]);
    secure.server.write("file", "text");
    secure
}

#[track_caller]
fn anonymous(secure: &Secure, address: Ipv4Addr, config: &Arc<ClientConfig>) -> Client {
    let mut client = Client::connect_from(address, secure.server.address);
    client.expect(220);
    client.auth_tls(config);
    log_in_as_anonymous(&mut client);
    client
}

#[track_caller]
fn log_in_as_anonymous(client: &mut Client) {
    client.command("USER anonymous", 331);
    client.command("PASS guest@", 230);
}

/// The handshake of a transfer's data connection.
#[track_caller]
fn transfer(
    client: &mut Client,
    command: &str,
    config: &Arc<ClientConfig>,
) -> std::io::Result<Protected> {
    let socket: TcpStream = client.data();
    client.command(command, 150);
    Protected::try_over(socket, config)
}

/// Neither a download nor an upload gets anywhere that offers these tickets. The client can read
/// why.
#[track_caller]
fn refuse_transfers(secure: &Secure, client: &mut Client, tickets: &Arc<ClientConfig>) {
    secure.server.write("file", "text");
    let data = transfer(client, "RETR file", tickets).expect("a handshake");
    assert!(!data.is_resumed());
    assert_eq!(data.read_to_end(), (Vec::new(), Ending::CloseNotify));
    client.expect(522);
    let mut data = transfer(client, "STOR file", tickets).expect("a handshake");
    // It may be refused before or after.
    let _ = data.try_write(&noise(1000));
    client.expect(522);
    assert_eq!(secure.server.read("file"), b"text");
    client.expect_in_step();
}

const SESSIONS: usize = 4;
const FILES: usize = 10;
