//! A certificate for servers in tests, and clients' settings that trust it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use crate::clients::path;

/// Where a server's certificate and its key are.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Certificate {
    /// A new one in `directory`, for this machine by name and address and for whatever else is named.
    pub(crate) fn new(directory: &Path, others: &[&str]) -> Self {
        let names = [&[HOST, "127.0.0.1", "::1"], others].concat();
        let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let (chain, key) = (directory.join("chain.pem"), directory.join("key.pem"));
        fs::write(&chain, made.cert.pem()).expect("the certificate");
        fs::write(&key, made.signing_key.serialize_pem()).expect("the key");
        let owner_only = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&key, owner_only).expect("the key's mode");
        Self {
            chain: path(&chain).to_owned(),
            key: path(&key).to_owned(),
        }
    }

    /// The server's flags for it.
    pub(crate) fn flags(&self) -> [&str; 5] {
        ["--tls", "--certfile", &self.chain, "--keyfile", &self.key]
    }
}

/// A client's settings. Connections with the same settings resume each other's sessions.
pub(crate) fn trusting(
    root: CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a root");
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
    config.into()
}

/// What the server speaks.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

pub(crate) const HOST: &str = "localhost";
