//! Loads the certificate, its key and the client CA, and makes the configuration for rustls.
//!
//! Either everything is loaded, or the error names the file, the problem and the remedy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_proto::date::time_val;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::error::{LoadError, Role};
use super::facts::{CertificateFacts, Time};
use super::problem::CertificateProblem;
use super::{pem, self_signed};
use crate::logging::clock;
use crate::net::interfaces::Interfaces;
use crate::settings::file;
use crate::settings::{CertificateFiles, Settings};

/// The certificate in force, and what clients need to show.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The base of each session's configuration.
    config: Arc<ServerConfig>,
    facts: CertificateFacts,
    /// What is wrong with the files. The certificate's age is not included: it depends on the
    /// time.
    problems: Vec<CertificateProblem>,
}

impl Identity {
    /// Reads the files in the settings, or the self-signed certificate, which is made if it does
    /// not exist. `None` without TLS.
    ///
    /// # Errors
    ///
    /// The first problem.
    pub(crate) fn load(
        settings: &Settings,
        interfaces: &Interfaces,
    ) -> Result<Option<Self>, LoadError> {
        let Some(tls) = &settings.tls else {
            return Ok(None);
        };
        let provider = Arc::new(ring::default_provider());
        let source = match &tls.certificate {
            Some(files) => Source::Files(files.clone()),
            None => Source::SelfSigned(self_signed::ensure_file(
                &tls.state_directory,
                settings,
                interfaces,
            )?),
        };
        let key = source.read(&provider)?;
        let facts = key
            .end_entity_cert()
            .ok()
            .and_then(|leaf| CertificateFacts::parse(leaf));
        // The log must be able to show the certificate in force.
        let facts = facts.ok_or_else(|| source.refuse_chain(UNREADABLE.to_owned()))?;
        let mut problems = Vec::new();
        problems.extend(source.key_readable_by_all());
        problems.extend(source.names_missing(&facts, settings));
        let verifier = match &tls.client_ca {
            Some(file) => client_verifier(file, &provider)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| LoadError::without_file(error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Ok(Some(Self {
            config: Arc::new(config),
            facts,
            problems,
        }))
    }

    /// The same, but makes no certificate: `None` also if the server has not made its own yet.
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
                if tls.certificate.is_none() && !self_signed::exists(&tls.state_directory) =>
            {
                Ok(None)
            }
            _ => Self::load(settings, interfaces),
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// For the log. Users can compare the fingerprint with the one that their client shows.
    pub(crate) fn description(&self) -> String {
        let names = if self.facts.names.is_empty() {
            "without names".to_owned()
        } else {
            format!("for {}", self.facts.names.join(", "))
        };
        format!(
            "certificate {names}, valid until {}, SHA-256 fingerprint {}",
            clock::date(&self.facts.not_after),
            self.facts.fingerprint
        )
    }

    /// What is wrong with the certificate now.
    pub(crate) fn problems(&self) -> Vec<CertificateProblem> {
        let mut problems = self.problems.clone();
        problems.extend(age(&self.facts, &time_val(clock::unix_seconds())));
        problems
    }
}

/// Where the certificate and its key come from.
enum Source {
    Files(CertificateFiles),
    SelfSigned(PathBuf),
}

impl Source {
    fn chain(&self) -> &Path {
        match self {
            Self::Files(files) => &files.chain,
            Self::SelfSigned(file) => file,
        }
    }

    fn key(&self) -> &Path {
        match self {
            Self::Files(files) => &files.key,
            Self::SelfSigned(file) => file,
        }
    }

    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, LoadError> {
        let refuse_chain = |problem| self.refuse_chain(problem);
        let refuse_key = |problem| self.refuse_key(problem);
        let text = load(self.chain()).map_err(refuse_chain)?;
        let chain = pem::certificates(&text).map_err(refuse_chain)?;
        let text = load(self.key()).map_err(refuse_key)?;
        let key = pem::key(&text, self.missing_key_advice()).map_err(refuse_key)?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                refuse_key(MISMATCH.to_owned())
            }
            Error::InvalidCertificate(_) => refuse_chain(pem::UNUSABLE.to_owned()),
            _ => refuse_key(UNUSABLE.to_owned()),
        })
    }

    fn refuse_chain(&self, problem: String) -> LoadError {
        match self {
            Self::Files(files) => LoadError::new(Role::Certificate, &files.chain, problem),
            Self::SelfSigned(file) => {
                let problem =
                    format!("{problem}; or remove the file, and the server makes a new one");
                LoadError::new(Role::SelfSigned, file, problem)
            }
        }
    }

    fn refuse_key(&self, problem: String) -> LoadError {
        match self {
            Self::Files(files) if files.key != files.chain => {
                LoadError::new(Role::PrivateKey, &files.key, problem)
            }
            Self::Files(_) | Self::SelfSigned(_) => self.refuse_chain(problem),
        }
    }

    fn missing_key_advice(&self) -> &'static str {
        match self {
            Self::Files(files) if files.key == files.chain => "add --keyfile FILE",
            Self::Files(_) | Self::SelfSigned(_) => "give one with -----BEGIN PRIVATE KEY-----",
        }
    }

    fn key_readable_by_all(&self) -> Option<CertificateProblem> {
        let file = self.key();
        let mode = fs::metadata(file).ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| CertificateProblem::KeyReadableByAll {
            file: file.to_owned(),
        })
    }

    /// A self-signed certificate does not change when the machine gets another name.
    fn names_missing(
        &self,
        facts: &CertificateFacts,
        settings: &Settings,
    ) -> Option<CertificateProblem> {
        let Self::SelfSigned(file) = self else {
            return None;
        };
        let mut names = self_signed::configured_names(settings);
        names.retain(|name| !facts.names.contains(name));
        (!names.is_empty()).then(|| CertificateProblem::NamesMissing {
            file: file.clone(),
            names,
        })
    }
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

fn load(file: &Path) -> Result<Vec<u8>, String> {
    file::load(file, FILE_BYTES_MAX, "a PEM file")
}

fn age(facts: &CertificateFacts, now: &Time) -> Option<CertificateProblem> {
    if *now > facts.not_after {
        let date = clock::date(&facts.not_after);
        Some(CertificateProblem::Expired { date })
    } else if *now < facts.not_before {
        let date = clock::date(&facts.not_before);
        Some(CertificateProblem::NotYetValid { date })
    } else {
        None
    }
}

/// Enough for every chain, and for all authorities of a system.
const FILE_BYTES_MAX: u64 = 1 << 20;
const MISMATCH: &str = "the private key does not match the first certificate; give the key of that \
                        certificate, or put the certificate of this key first";
const UNUSABLE: &str = "the key cannot be used; give an RSA key of 2048 to 8192 bits, an ECDSA key on \
                        P-256 or P-384, or an Ed25519 key";
const UNREADABLE: &str =
    "the dates of the first certificate cannot be read; give an X.509 certificate, version 3";

#[cfg(test)]
mod tests;
