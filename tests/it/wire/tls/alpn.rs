//! ALPN: a client that asks for FTP is served, and so is one that asks for nothing. One that asks
//! for another protocol only is a browser, or another program, that was led astray.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{AlertDescription, ClientConfig};

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected};
use crate::support::data::connect;
use crate::support::file_contents::noise;
use crate::support::server::SecureServer;

#[test]
fn control_connections_are_ftp() {
    let secure = SecureServer::in_process(&["--tls-implicit", "0"]);
    for version in VERSIONS {
        for &address in secure.server.addresses() {
            let is_implicit = address != secure.server.address;
            let check = |offered: &[&str], expected: Chosen| {
                let config = offering(&secure.config(version), offered);
                let socket = begin(address, is_implicit);
                let found = chosen(Protected::try_over(socket, &config));
                assert_eq!(found, expected, "{offered:?}");
            };
            let ftp = || Chosen::Protocol("ftp".to_owned());
            check(&[], Chosen::None);
            check(&["ftp"], ftp());
            // FileZilla's.
            check(&["x-filezilla-ftp", "ftp"], ftp());
            check(&["h2", "http/1.1", "ftp"], ftp());
            check(&["h2", "http/1.1"], Chosen::Refused);
            for name in ["http/1.1", "imap", "ftp-data", "FTP"] {
                check(&[name], Chosen::Refused);
            }
        }
    }
}

/// Whether they resume or not.
#[test]
fn data_connections_are_ftp_data_or_ftp() {
    let secure = SecureServer::in_process(&[]);
    secure.server.write("file", "text");
    for version in VERSIONS {
        for offered in [&["ftp-data"][..], &["ftp"], &["ftp", "ftp-data"], &[]] {
            // `own` resumes.
            let own = secure.config(version);
            let mut client = secure.client(&own);
            for config in [own, secure.config(version)] {
                let config = offering(&config, offered);
                let socket = client.data();
                client.command("RETR file", 150);
                let data = Protected::over(socket, &config);
                let expected = ["ftp-data", "ftp"].iter();
                let expected = expected.copied().find(|name| offered.contains(name));
                assert_eq!(protocol(&data), expected.map(str::to_owned), "{offered:?}");
                assert_eq!(data.read_to_end(), (b"text".to_vec(), Ending::CloseNotify));
                client.expect(226);
            }
        }
    }
}

/// Neither a download nor an upload gets anywhere.
#[test]
fn data_connections_for_another_protocol_are_refused() {
    let secure = SecureServer::in_process(&[]);
    secure.server.write("file", "text");
    for version in VERSIONS {
        let own = secure.config(version);
        let mut client = secure.client(&own);
        for config in [own.clone(), secure.config(version)] {
            let config = offering(&config, &["http/1.1"]);
            for command in ["RETR file", "STOR file"] {
                let socket = client.data();
                client.command(command, 150);
                let data = Protected::try_over(socket, &config);
                assert_eq!(chosen(data), Chosen::Refused, "{command}");
                client.expect(522);
            }
        }
        assert_eq!(secure.server.read("file"), b"text");
        client.store_securely("STOR new", &noise(1000), &own);
        client.expect_in_step();
    }
}

/// The result of a handshake.
#[derive(Debug, PartialEq, Eq)]
enum Chosen {
    /// Served without ALPN.
    None,
    Protocol(String),
    /// By the alert `no_application_protocol`.
    Refused,
}

fn chosen(handshake: io::Result<Protected>) -> Chosen {
    match handshake {
        Ok(data) => protocol(&data).map_or(Chosen::None, Chosen::Protocol),
        Err(error) => {
            let alert = error.get_ref().and_then(|error| error.downcast_ref());
            let expected = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
            assert_eq!(alert, Some(&expected), "{error}");
            Chosen::Refused
        }
    }
}

fn protocol(data: &Protected) -> Option<String> {
    let name = data.tls.alpn_protocol()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// The same client, with ALPN.
fn offering(config: &ClientConfig, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    config.into()
}

/// A connection on which TLS comes next.
#[track_caller]
fn begin(address: SocketAddr, is_implicit: bool) -> TcpStream {
    if is_implicit {
        return connect(address);
    }
    let mut client = Client::greeted(address);
    client.command("AUTH TLS", 234);
    client.stream
}
