//! Loads the certificates, their keys and the client CA, and makes the configuration for rustls.
//!
//! Either everything is loaded, or the error names the file, the problem and the remedy.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ftp_proto::date::time_val;
use ftp_proto::text::printable_word;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use super::certificate::{Certificate, Source, load};
use super::error::{LoadError, Role};
use super::problem::CertificateProblem;
use super::{pem, self_signed};
use crate::logging::clock;
use crate::net::interfaces::Interfaces;
use crate::settings::{Settings, TlsSettings};

/// The certificates in force, and what clients need to show.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The base of each session's configuration.
    config: Arc<ServerConfig>,
    certificates: Vec<Certificate>,
}

/// Gives each client the first certificate that it can use.
#[derive(Debug)]
struct FirstSuitable(Vec<Arc<CertifiedKey>>);

impl Identity {
    /// Reads the files in the settings, or the self-signed certificate, which is made if it does
    /// not exist, with its public file. `None` without TLS.
    ///
    /// # Errors
    ///
    /// The first problem.
    pub(crate) fn load(
        settings: &Settings,
        interfaces: &Interfaces,
    ) -> Result<Option<Self>, LoadError> {
        let identity = Self::load_files(settings, interfaces)?;
        if let Some(tls) = &settings.tls
            && tls.certificates.is_empty()
        {
            self_signed::publish(tls);
        }
        Ok(identity)
    }

    fn load_files(settings: &Settings, interfaces: &Interfaces) -> Result<Option<Self>, LoadError> {
        let Some(tls) = &settings.tls else {
            return Ok(None);
        };
        let provider = Arc::new(ring::default_provider());
        let mut certificates: Vec<Certificate> = Vec::new();
        for source in sources(tls, settings, interfaces)? {
            let certificate = Certificate::load(&source, settings, &provider)?;
            if let Some(first) = certificates
                .iter()
                .find(|first| first.replaces(&certificate))
            {
                let problem = format!(
                    "it has {}, as the certificate in {} has, so no client would get it; give \
                     certificates with different kinds of keys",
                    certificate.kind_of_key(),
                    printable_word(first.file.as_os_str().as_bytes())
                );
                return Err(LoadError::new(
                    Role::Certificate,
                    &certificate.file,
                    problem,
                ));
            }
            certificates.push(certificate);
        }
        let verifier = match &tls.client_ca {
            Some(file) => client_verifier(file, &provider)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let keys = certificates
            .iter()
            .map(|certificate| certificate.key.clone());
        let keys = FirstSuitable(keys.collect());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| LoadError::without_file(error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(keys));
        Ok(Some(Self {
            config: Arc::new(config),
            certificates,
        }))
    }

    /// The same, but writes no file: `None` also if the server has not made its own yet.
    ///
    /// # Errors
    ///
    /// As with [`load`](Self::load).
    pub(crate) fn load_existing(
        settings: &Settings,
        interfaces: &Interfaces,
    ) -> Result<Option<Self>, LoadError> {
        match &settings.tls {
            Some(tls)
                if tls.certificates.is_empty() && !self_signed::exists(&tls.state_directory) =>
            {
                Ok(None)
            }
            _ => Self::load_files(settings, interfaces),
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Each certificate, for the log. If there are several, its kind of key is included.
    pub(crate) fn descriptions(&self) -> Vec<String> {
        let is_only = self.certificates.len() == 1;
        let describe = |certificate: &Certificate| {
            let kind = if is_only {
                String::new()
            } else {
                format!(" with {}", certificate.kind_of_key())
            };
            format!("certificate{kind} {}", certificate.description())
        };
        self.certificates.iter().map(describe).collect()
    }

    /// What is wrong with the certificates now.
    pub(crate) fn problems(&self) -> Vec<CertificateProblem> {
        let now = time_val(clock::unix_seconds());
        let certificates = self.certificates.iter();
        let problems = certificates.flat_map(|certificate| certificate.problems(&now));
        problems.collect()
    }
}

impl ResolvesServerCert for FirstSuitable {
    /// The schemes are those that suit the client's ciphers too. A client that none suits fails
    /// with the first one.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let is_suitable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let suitable = self.0.iter().find(is_suitable);
        suitable.or(self.0.first()).cloned()
    }
}

/// The files of each certificate.
fn sources(
    tls: &TlsSettings,
    settings: &Settings,
    interfaces: &Interfaces,
) -> Result<Vec<Source>, LoadError> {
    if tls.certificates.is_empty() {
        let file = self_signed::ensure_file(&tls.state_directory, settings, interfaces)?;
        return Ok(vec![Source::SelfSigned(file)]);
    }
    let certificates = tls.certificates.iter();
    Ok(certificates.cloned().map(Source::Files).collect())
}

fn client_verifier(
    file: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, LoadError> {
    let refuse = |problem| LoadError::new(Role::ClientCa, file, problem);
    let text = load(file).map_err(refuse)?;
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&text).map_err(refuse)? {
        let added = roots.add(certificate);
        added.map_err(|_| refuse(pem::UNUSABLE.to_owned()))?;
    }
    WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests;
