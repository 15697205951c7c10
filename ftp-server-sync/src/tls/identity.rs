//! The certificate with its key, and whose certificates are wanted from clients: made into what rustls
//! serves with.
//!
//! Loading either succeeds as a whole or names the flag, the file and what would be right.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_proto::date::time_val;
use ftp_proto::text::printable_word;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::facts::{Facts, Time};
use super::{pem, self_signed};
use crate::cli::FlagError;
use crate::logging::clock;
use crate::nat::diagnose::{Finding, Severity};
use crate::net::interfaces::Interfaces;
use crate::settings::file;
use crate::settings::{CertificateFiles, Settings};

/// Who the server is to its clients.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// What each session's own configuration is made from.
    config: Arc<ServerConfig>,
    facts: Facts,
    /// What is not as it should be, the certificate's age apart.
    findings: Vec<Finding>,
}

impl Identity {
    /// Reads what the settings name, or what was kept, as it is now; `None` without TLS.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(crate) fn load(
        settings: &Settings,
        interfaces: &Interfaces,
    ) -> Result<Option<Self>, FlagError> {
        let Some(tls) = &settings.tls else {
            return Ok(None);
        };
        let provider = Arc::new(ring::default_provider());
        let source = match &tls.certificate {
            Some(files) => Source::Given(files.clone()),
            None => Source::Kept(self_signed::file(
                &tls.state_directory,
                settings,
                interfaces,
            )?),
        };
        let key = source.read(&provider)?;
        let facts = key.end_entity_cert().ok().and_then(|leaf| Facts::of(leaf));
        // Nothing is served with a certificate of which nothing can be told.
        let facts = facts.ok_or_else(|| source.refuse_chain(UNREADABLE.to_owned()))?;
        let mut findings = Vec::new();
        findings.extend(source.open_to_everybody());
        findings.extend(source.other_names(&facts, settings));
        let verifier = match &tls.client_ca {
            Some(file) => client_verifier(file, &provider)?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| FlagError::new("--tls", error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Ok(Some(Self {
            config: Arc::new(config),
            facts,
            findings,
        }))
    }

    /// The same, but nothing is made: `None` also where the server has not made its certificate yet.
    ///
    /// # Errors
    ///
    /// As with [`load`](Self::load).
    pub(crate) fn look(
        settings: &Settings,
        interfaces: &Interfaces,
    ) -> Result<Option<Self>, FlagError> {
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

    /// For the log: clients can compare the fingerprint with what they see.
    pub(crate) fn description(&self) -> String {
        let names = match self.facts.names.is_empty() {
            true => "nobody by name".to_owned(),
            false => self.facts.names.join(", "),
        };
        format!(
            "certificate for {names}, valid until {}, SHA-256 fingerprint {}",
            clock::date(&self.facts.not_after),
            self.facts.fingerprint
        )
    }

    /// What clients will dislike about the certificate now, and who can read its key.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        findings.extend(age(&self.facts, &time_val(clock::unix_seconds())));
        findings
    }
}

/// Where the certificate and its key come from.
enum Source {
    Given(CertificateFiles),
    Kept(PathBuf),
}

impl Source {
    fn chain(&self) -> &Path {
        match self {
            Self::Given(files) => &files.chain,
            Self::Kept(file) => file,
        }
    }

    fn key(&self) -> &Path {
        match self {
            Self::Given(files) => &files.key,
            Self::Kept(file) => file,
        }
    }

    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, FlagError> {
        let refuse_chain = |problem| self.refuse_chain(problem);
        let refuse_key = |problem| self.refuse_key(problem);
        let text = load(self.chain()).map_err(refuse_chain)?;
        let chain = pem::certificates(&text).map_err(refuse_chain)?;
        let text = load(self.key()).map_err(refuse_key)?;
        let key = pem::key(&text, self.advice_without_key()).map_err(refuse_key)?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                refuse_key(MISMATCH.to_owned())
            }
            Error::InvalidCertificate(_) => refuse_chain(pem::UNUSABLE.to_owned()),
            _ => refuse_key(UNUSABLE.to_owned()),
        })
    }

    fn refuse_chain(&self, problem: String) -> FlagError {
        match self {
            Self::Given(files) => FlagError::with_value("--certfile", &files.chain, problem),
            Self::Kept(file) => {
                let file = printable_word(file.as_os_str().as_bytes());
                let problem = format!(
                    "the certificate that was kept in {file}: {problem}; or remove that file, and \
                     a new one is made"
                );
                FlagError::new("--tls", problem)
            }
        }
    }

    fn refuse_key(&self, problem: String) -> FlagError {
        match self {
            Self::Given(files) if files.key != files.chain => {
                FlagError::with_value("--keyfile", &files.key, problem)
            }
            Self::Given(_) | Self::Kept(_) => self.refuse_chain(problem),
        }
    }

    fn advice_without_key(&self) -> &'static str {
        match self {
            Self::Given(files) if files.key == files.chain => "add --keyfile FILE",
            Self::Given(_) | Self::Kept(_) => "give a file with -----BEGIN PRIVATE KEY-----",
        }
    }

    fn open_to_everybody(&self) -> Option<Finding> {
        let file = self.key();
        let mode = fs::metadata(file).ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| {
            let file = printable_word(file.as_os_str().as_bytes());
            let text =
                format!("everybody on this machine can read the key in {file}; chmod 600 {file}");
            Finding::new(Severity::Risk, text)
        })
    }

    /// A kept certificate stays as it is even when the machine is called otherwise.
    fn other_names(&self, facts: &Facts, settings: &Settings) -> Option<Finding> {
        let Self::Kept(file) = self else {
            return None;
        };
        let mut names = self_signed::lasting_names(settings);
        names.retain(|name| !facts.names.contains(name));
        (!names.is_empty()).then(|| {
            let file = printable_word(file.as_os_str().as_bytes());
            let text = format!(
                "the kept certificate does not name {}: clients that compare names will object; to \
                 have a new one made, remove {file} and restart",
                names.join(", ")
            );
            Finding::new(Severity::Note, text)
        })
    }
}

fn client_verifier(
    file: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, FlagError> {
    let refuse = |problem| FlagError::with_value("--client-ca", file, problem);
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

fn age(facts: &Facts, now: &Time) -> Option<Finding> {
    let (problem, date) = if *now > facts.not_after {
        ("has expired on", clock::date(&facts.not_after))
    } else if *now < facts.not_before {
        ("is not valid before", clock::date(&facts.not_before))
    } else {
        return None;
    };
    let text = format!("the certificate {problem} {date}: clients will refuse it, or ask");
    Some(Finding::new(Severity::Failure, text))
}

/// Room for any chain, and for every authority of a system.
const FILE_BYTES_MAX: u64 = 1 << 20;
const MISMATCH: &str = "the key does not belong to the first certificate of --certfile; \
                        give that certificate's key, or put that certificate first";
const UNUSABLE: &str = "the key cannot be used; give an RSA key of 2048 to 8192 bits, an ECDSA key on \
                        P-256 or P-384, or an Ed25519 key";
const UNREADABLE: &str =
    "the dates of the first certificate cannot be read; give an X.509 certificate, version 3";

#[cfg(test)]
mod tests;
