//! `--tls-require-close-notify`: an upload that anyone on the network could have cut fails.

use std::sync::Arc;

use rustls::{ClientConfig, version};

use crate::support::certificates::VERSIONS;
use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::file_contents::noise;
use crate::support::server::SecureServer;

#[test]
fn an_upload_without_close_notify_fails_where_it_is_required() {
    let secure =
        SecureServer::in_process(&["--tls-require-close-notify", "--broken-uploads=discard"]);
    for version in VERSIONS {
        let config = secure.config(version);
        for size in [0, 1000, 200_000] {
            secure.server.write("file", "text");
            let mut client = secure.client(&config);
            for command in ["STOR file", "STOR new"] {
                let data = begin(&mut client, command, &config, &noise(size));
                data.close_bare();
                let text = client.expect(426).one_line();
                assert!(text.contains("without TLS close_notify"), "{text}");
                assert!(!text.contains("lost"), "{text}");
                client.expect_in_step();
            }
            assert_eq!(secure.server.read("file"), b"text");
            assert!(!secure.server.path("new").exists());
            // The neighbour: with it, the upload is complete.
            client.store_securely("STOR file", &noise(size), &config);
            assert_eq!(secure.server.read("file"), noise(size));
        }
    }
}

/// There is no such mark in clear text.
#[test]
fn an_upload_in_clear_text_needs_none() {
    let secure = SecureServer::in_process(&["--tls-require-close-notify"]);
    let mut client = secure.server.client();
    client.store("STOR file", noise(1000));
    assert_eq!(secure.server.read("file"), noise(1000));
}

#[test]
fn the_log_names_the_flag() {
    for (flags, expected) in [
        (
            &["--tls-require-close-notify"][..],
            "STOR /file failed after 1000 bytes: data ended without close_notify (see \
             --tls-require-close-notify)",
        ),
        // The neighbour.
        (
            &[],
            "the client ended an upload without close_notify; it counts as complete",
        ),
    ] {
        let secure = SecureServer::program(flags);
        let config = secure.config(&version::TLS13);
        let mut client = secure.client(&config);
        let data = begin(&mut client, "STOR file", &config, &noise(1000));
        data.close_bare();
        client.expect(if flags.is_empty() { 226 } else { 426 });
        secure.server.log_with(expected);
    }
}

/// An upload that has all of its bytes, and no end.
#[track_caller]
fn begin(
    client: &mut Client,
    command: &str,
    config: &Arc<ClientConfig>,
    bytes: &[u8],
) -> Protected {
    let socket = client.data();
    client.command(command, 150);
    let mut data = Protected::over(socket, config);
    data.write(bytes);
    data
}
