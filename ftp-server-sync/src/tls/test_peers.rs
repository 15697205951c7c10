//! A server's configuration and its clients, for tests.

use std::sync::{Arc, LazyLock};

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, version};

use super::ServerConfig;

pub(crate) fn server() -> ServerConfig {
    CONFIGS.0.clone()
}

/// A client that speaks the version with this index in [`VERSIONS`].
pub(crate) fn client(version: usize) -> ClientConnection {
    client_of(CONFIGS.1[version].clone())
}

/// One whose first message is nearly as long as it may be.
pub(crate) fn client_with_long_hello() -> ClientConnection {
    let mut config = ClientConfig::clone(&CONFIGS.1[1]);
    config.alpn_protocols = vec![vec![b'x'; 255]; 245];
    client_of(config.into())
}

fn client_of(config: Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("ftp.test").unwrap();
    ClientConnection::new(config, name).unwrap()
}

/// What a client has to send now.
pub(crate) fn flight(client: &mut ClientConnection) -> Vec<u8> {
    let mut flight = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut flight).unwrap();
    }
    flight
}

const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// Both configurations, for each version.
static CONFIGS: LazyLock<(ServerConfig, [Arc<ClientConfig>; 2])> = LazyLock::new(|| {
    let certified = rcgen::generate_simple_self_signed(["ftp.test".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let key = certified.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let clients = VERSIONS.map(|version| {
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        Arc::new(config)
    });
    (server.into(), clients)
});
