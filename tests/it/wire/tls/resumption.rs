//! Whose data connection it is: only the client's own resumes the TLS session of its control
//! connection.

use std::sync::Arc;

use rustls::{ClientConfig, version};

use crate::support::certificates::with_each_version;
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected};
use crate::support::file_contents::noise;
use crate::support::server::{InProcess, SecureServer};

#[test]
fn data_connections_resume() {
    let secure = SecureServer::in_process(&["--tls-require-resumption"]);
    secure.server.write("file", "text");
    for (version, times) in [(&version::TLS12, 20), (&version::TLS13, 2)] {
        let config = secure.config(version);
        let mut client = secure.client(&config);
        // Tickets of TLS 1.3 have arrived; rustls uses each once only.
        for _ in 0..times {
            let socket = client.data();
            client.command("RETR file", 150);
            let data = Protected::over(socket, &config);
            assert!(data.is_resumed());
            assert_eq!(data.read_to_end(), (b"text".to_vec(), Ending::CloseNotify));
            client.expect(226);
        }
    }
}

#[test]
fn data_connections_that_do_not_resume_are_refused() {
    with_each_version(|version| {
        let secure = requiring();
        let config = secure.config(version);
        let mut client = secure.client(&config);
        refused(&mut client, &secure.config(version));
        assert_eq!(secure.server.read("file"), b"text");
        assert!(!secure.server.path("new").exists());
        // The client itself is still served.
        assert_eq!(client.fetch_securely("RETR file", &config), b"text");
    });
}

/// Another session of the same server, of the same user even, is a stranger's.
#[test]
fn another_clients_session_is_refused() {
    with_each_version(|version| {
        let secure = requiring();
        let mut client = secure.client(&secure.config(version));
        let strange = secure.config(version);
        let mut stranger = secure.client(&strange);
        // It would be taken from the stranger itself.
        assert_eq!(stranger.fetch_securely("RETR file", &strange), b"text");
        refused(&mut client, &strange);
        stranger.expect_in_step();
    });
}

/// A full handshake on a data connection leaves nothing behind that could be resumed on the next.
#[test]
fn a_session_made_on_a_data_connection_is_refused() {
    with_each_version(|version| {
        let secure = requiring();
        let mut client = secure.client(&secure.config(version));
        let strange = secure.config(version);
        for _ in 0..2 {
            download_refused(&mut client, &strange);
        }
        upload_refused(&mut client, &strange, "STOR file");
        // Nor where the connection was accepted.
        let tolerant = SecureServer::in_process(&[]);
        tolerant.server.write("file", "text");
        let mut client = tolerant.client(&tolerant.config(version));
        let strange = tolerant.config(version);
        for _ in 0..2 {
            let socket = client.data();
            client.command("RETR file", 150);
            let data = Protected::over(socket, &strange);
            assert!(!data.is_resumed());
            assert_eq!(data.read_to_end().0, b"text");
            client.expect(226);
        }
    });
}

fn requiring() -> SecureServer<InProcess> {
    let secure = SecureServer::in_process(&["--tls-require-resumption"]);
    secure.server.write("file", "text");
    secure
}

/// Neither a download nor an upload with these settings gets anywhere.
#[track_caller]
fn refused(client: &mut Client, config: &Arc<ClientConfig>) {
    download_refused(client, config);
    for command in ["STOR file", "STOR new", "APPE file"] {
        upload_refused(client, config, command);
    }
    client.expect_in_step();
}

#[track_caller]
fn download_refused(client: &mut Client, config: &Arc<ClientConfig>) {
    let socket = client.data();
    client.command("RETR file", 150);
    if let Ok(data) = Protected::try_over(socket, config) {
        let (bytes, ending) = data.read_to_end();
        assert_eq!((bytes, ending), (Vec::new(), Ending::CloseNotify));
    }
    let text = client.expect(522).text();
    assert!(text.contains("resume"), "{text}");
}

#[track_caller]
fn upload_refused(client: &mut Client, config: &Arc<ClientConfig>, command: &str) {
    let socket = client.data();
    client.command(command, 150);
    if let Ok(mut data) = Protected::try_over(socket, config) {
        let _ = data.try_write(&noise(1000));
    }
    client.expect(522);
}
