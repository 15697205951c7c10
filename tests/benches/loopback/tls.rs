//! One certificate for both servers, and the settings of TLS on both sides.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

/// Its files, and a client that trusts it.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Connections with it resume each other's sessions.
    pub(crate) client: Arc<ClientConfig>,
}

impl Certificate {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]);
        let made = made.map_err(io::Error::other)?;
        let (chain, key) = (directory.join("chain.pem"), directory.join("key.pem"));
        fs::write(&chain, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let mut roots = RootCertStore::empty();
        let root = made.cert.der().clone();
        roots.add(root).map_err(io::Error::other)?;
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let client = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            chain,
            key,
            client: client.into(),
        })
    }
}

/// The limit's side, from the same files.
pub(crate) fn server(chain: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::from_pem_file(chain).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config = builder
        .with_no_client_auth()
        .with_single_cert(vec![chain], key);
    Ok(config.map_err(io::Error::other)?.into())
}

/// A client's connection before its handshake.
pub(crate) fn connect(config: &Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(HOST).map_err(io::Error::other)?;
    ClientConnection::new(config.clone(), name).map_err(io::Error::other)
}

const HOST: &str = "localhost";
