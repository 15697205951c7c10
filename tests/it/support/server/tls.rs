//! Servers with a certificate, and clients that trust it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, SupportedProtocolVersion};

use super::{BlackBox, InProcess, Program, Setup, TestServer, program};
use crate::support::certificates::{Certificate, trusting, trusting_any};
use crate::support::client::Client;

/// A server with a certificate that its clients trust.
pub(crate) struct SecureServer<B> {
    pub(crate) server: TestServer<B>,
    pub(crate) certificate: Certificate,
    /// It has another certificate, which no one knows.
    has_own_certificate: bool,
}

impl SecureServer<BlackBox> {
    pub(crate) fn black_box() -> Self {
        let is_replaced = program::is_replaced();
        let secure = Self::with(Setup::new(), |setup, flags| {
            let flags = if is_replaced { &["--tls"] } else { flags };
            TestServer::black_box_from(setup.flags(flags))
        });
        Self {
            has_own_certificate: is_replaced,
            ..secure
        }
    }
}

impl SecureServer<InProcess> {
    pub(crate) fn in_process(extra: &[&str]) -> Self {
        Self::in_process_from(Setup::new().flags(extra))
    }

    pub(crate) fn in_process_from(setup: Setup<'_>) -> Self {
        Self::with(setup, |setup, flags| setup.flags(flags).in_process())
    }
}

impl SecureServer<Program> {
    pub(crate) fn program(extra: &[&str]) -> Self {
        Self::program_from(Setup::new().flags(extra))
    }

    pub(crate) fn program_from(setup: Setup<'_>) -> Self {
        Self::with(setup, |setup, flags| setup.flags(flags).program())
    }
}

impl<B> SecureServer<B> {
    fn with<'a>(setup: Setup<'a>, start: impl FnOnce(Setup<'a>, &[&str]) -> TestServer<B>) -> Self {
        let certificate = Certificate::new(setup.directory(), &[]);
        Self {
            server: start(setup, &certificate.flags()),
            certificate,
            has_own_certificate: false,
        }
    }

    /// A client's settings. Connections with the same settings resume each other's sessions.
    pub(crate) fn config(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        if self.has_own_certificate {
            trusting_any(version)
        } else {
            let root = CertificateDer::from_pem_file(&self.certificate.chain);
            trusting(root.expect("the certificate"), version)
        }
    }

    /// A client after AUTH TLS.
    #[track_caller]
    pub(crate) fn secured(&self, config: &Arc<ClientConfig>) -> Client {
        let mut client = Client::greeted(self.server.address);
        client.auth_tls(config);
        client
    }

    /// The same after its login and PROT P.
    #[track_caller]
    pub(crate) fn client(&self, config: &Arc<ClientConfig>) -> Client {
        Self::logged_in(self.secured(config))
    }

    /// The same from another address of this machine.
    #[track_caller]
    pub(crate) fn client_from(&self, address: Ipv4Addr, config: &Arc<ClientConfig>) -> Client {
        let mut client = Client::connect_from(address, self.server.address);
        client.expect(220);
        client.auth_tls(config);
        Self::logged_in(client)
    }

    #[track_caller]
    fn logged_in(mut client: Client) -> Client {
        client.log_in();
        client.protect_data();
        client
    }
}
