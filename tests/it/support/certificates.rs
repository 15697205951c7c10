//! Certificates for servers and clients in tests, and clients' settings that trust and show them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, Resumption, WantsClientCert};
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, WantsVerifier, version,
};

use super::client_program::path;

/// Where a certificate and its key are.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Certificate {
    /// A new one in `directory`, for this machine by name and address and for the other names.
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

/// An authority that signs clients' certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            issuer: Issuer::new(params, key),
            certificate: certificate.pem(),
        }
    }

    /// The server's flags for it; its certificate is put into `directory`.
    pub(crate) fn flags(&self, directory: &Path) -> [String; 2] {
        let file = directory.join("authority.pem");
        fs::write(&file, &self.certificate).expect("the authority's certificate");
        ["--client-ca".to_owned(), path(&file).to_owned()]
    }

    /// A client's certificate and key, in files of this name.
    pub(crate) fn client(&self, directory: &Path, name: &str) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let signed = params.signed_by(&key, &self.issuer);
        let signed = signed.expect("a certificate");
        let file = |kind| directory.join(format!("{name}.{kind}"));
        fs::write(file("pem"), signed.pem()).expect("the client's certificate");
        fs::write(file("key"), key.serialize_pem()).expect("the client's key");
        Certificate {
            chain: path(&file("pem")).to_owned(),
            key: path(&file("key")).to_owned(),
        }
    }
}

/// A client's settings. Connections with the same settings resume each other's sessions.
pub(crate) fn trusting(
    root: CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a root");
    with_sessions(builder(version).with_root_certificates(roots))
}

/// The same for a client that takes any certificate.
pub(crate) fn trusting_any(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let builder = builder(version).dangerous();
    with_sessions(builder.with_custom_certificate_verifier(Arc::new(AnyCertificate)))
}

fn builder(
    version: &'static SupportedProtocolVersion,
) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[version])
        .expect("a version")
}

fn with_sessions(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Arc<ClientConfig> {
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
    config.into()
}

/// Checks signatures, but not whose certificate it is.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// The same for a client that shows this certificate.
pub(crate) fn showing(config: &ClientConfig, certificate: &Certificate) -> Arc<ClientConfig> {
    let chain = CertificateDer::from_pem_file(&certificate.chain).expect("the certificate");
    let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("the key");
    let certified = CertifiedKey::from_der(vec![chain], key, &ring::default_provider());
    let certified = SingleCertAndKey::from(certified.expect("a pair"));
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(certified);
    config.into()
}

/// The versions of TLS that the server offers.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// Checks both versions at the same time: a server that has refused a data connection waits a while
/// for another one.
#[track_caller]
pub(crate) fn with_each_version(check: impl Fn(&'static SupportedProtocolVersion) + Sync) {
    thread::scope(|scope| {
        for version in VERSIONS {
            let check = &check;
            scope.spawn(move || check(version));
        }
    });
}

pub(crate) const HOST: &str = "localhost";
