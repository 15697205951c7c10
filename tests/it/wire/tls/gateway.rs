//! Data connections through a trusted gateway: the address proves nothing, so they must resume the
//! TLS session of their control connection.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::{ClientConfig, SupportedProtocolVersion};

use crate::support::certificates::{VERSIONS, with_each_version};
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected};
use crate::support::data::{connect_from, read_all};
use crate::support::file_contents::noise;
use crate::support::log::lines_with;
use crate::support::server::{InProcess, SecureServer, own_address};

type Secure = SecureServer<InProcess>;

/// Both connections of a client, or one of them, come from the gateway.
#[test]
fn through_a_gateway_a_stranger_is_refused_and_the_client_is_served() {
    for version in VERSIONS {
        let client = own_address();
        let check = |control, data| {
            let secure = start(&[]);
            let own = secure.config(version);
            let mut session = secure.client_from(control, &own);
            refuse(&secure, &mut session, data, version);
            assert_eq!(fetch(&mut session, data, &own), b"text");
        };
        // A server that has refused a data connection waits a while for another one.
        thread::scope(|scope| {
            for (control, data) in [(client, GATEWAY), (GATEWAY, client), (GATEWAY, GATEWAY)] {
                scope.spawn(move || check(control, data));
            }
        });
        let lines = lines_with(&format!("of the client {client} must resume"));
        let names_flag = |line: &String| line.ends_with("start with --gateway-resumption off");
        assert!(
            lines.len() == 2 && lines.iter().all(names_flag),
            "{lines:?}"
        );
    }
}

#[test]
fn a_client_without_a_gateway_need_not_resume() {
    let secure = start(&[]);
    for version in VERSIONS {
        let client = own_address();
        let mut session = secure.client_from(client, &secure.config(version));
        let strange = secure.config(version);
        assert_eq!(fetch(&mut session, client, &strange), b"text");
    }
}

#[test]
fn gateway_resumption_can_be_switched_off() {
    let secure = start(&["--gateway-resumption", "off"]);
    for version in VERSIONS {
        let client = own_address();
        for (control, data) in [(client, GATEWAY), (GATEWAY, client)] {
            let mut session = secure.client_from(control, &secure.config(version));
            let strange = secure.config(version);
            assert_eq!(fetch(&mut session, data, &strange), b"text");
        }
    }
}

/// The flag that requires it of all is stronger.
#[test]
fn resumption_can_be_required_of_all() {
    with_each_version(|version| {
        let secure = start(&["--gateway-resumption", "off", "--tls-require-resumption"]);
        let client = own_address();
        for data in [client, GATEWAY] {
            let mut session = secure.client_from(client, &secure.config(version));
            refuse(&secure, &mut session, data, version);
        }
    });
}

#[test]
fn in_clear_text_a_gateway_is_served() {
    let secure = start(&[]);
    let mut session = secure.server.client();
    let mut data = connect(&mut session, GATEWAY);
    session.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    session.expect(226);
}

fn start(flags: &[&str]) -> Secure {
    let gateway = GATEWAY.to_string();
    let secure = Secure::in_process(&[&["--trust-gateway", &gateway], flags].concat());
    secure.server.write("file", "text");
    secure
}

/// A data connection of this session from another address.
#[track_caller]
fn connect(session: &mut Client, from: Ipv4Addr) -> TcpStream {
    let to = session.extended_passive();
    connect_from(Some(from), to).expect("a data connection")
}

#[track_caller]
fn fetch(session: &mut Client, from: Ipv4Addr, config: &Arc<ClientConfig>) -> Vec<u8> {
    let socket = connect(session, from);
    session.command("RETR file", 150);
    let (bytes, ending) = Protected::over(socket, config).read_to_end();
    assert_eq!(ending, Ending::CloseNotify);
    session.expect(226);
    bytes
}

/// Neither a download nor an upload from there gets anywhere without resumption.
#[track_caller]
fn refuse(
    secure: &Secure,
    session: &mut Client,
    from: Ipv4Addr,
    version: &'static SupportedProtocolVersion,
) {
    let socket = connect(session, from);
    session.command("RETR file", 150);
    let data = Protected::over(socket, &secure.config(version));
    assert_eq!(data.read_to_end(), (Vec::new(), Ending::CloseNotify));
    session.expect(522);
    let socket = connect(session, from);
    session.command("STOR file", 150);
    let mut data = Protected::over(socket, &secure.config(version));
    // It may be refused before or after.
    let _ = data.try_write(&noise(1000));
    session.expect(522);
    assert_eq!(secure.server.read("file"), b"text");
    session.expect_in_step();
}

const GATEWAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
