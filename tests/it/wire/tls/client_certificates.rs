//! `--client-ca` on data connections: a client that does not resume must show a certificate there
//! too.

use tempfile::TempDir;

use crate::support::certificates::{Authority, VERSIONS, showing};
use crate::support::client::tls::{Ending, Protected};
use crate::support::server::SecureServer;

#[test]
fn data_connections_that_do_not_resume_need_a_certificate_too() {
    let directory = TempDir::new().expect("a temporary directory");
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let ours = right.client(directory.path(), "ours");
    let another = wrong.client(directory.path(), "another");
    let [flag, file] = right.flags(directory.path());
    let secure = SecureServer::in_process(&[&flag, &file]);
    secure.server.write("file", "text");
    for version in VERSIONS {
        // Each with sessions of its own.
        let fresh = || secure.config(version);
        let mut client = secure.client(&showing(&fresh(), &ours));
        assert_eq!(
            client.fetch_securely("RETR file", &showing(&fresh(), &ours)),
            b"text"
        );
        for config in [fresh(), showing(&fresh(), &another)] {
            let socket = client.data();
            client.command("RETR file", 150);
            // In TLS 1.3 the client is done before the server has looked.
            if let Ok(data) = Protected::try_over(socket, &config) {
                assert_eq!(data.read_to_end(), (Vec::new(), Ending::Truncated));
            }
            client.expect(522);
        }
        client.expect_in_step();
    }
}
