//! One certificate of the server and its key, from files or self-signed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureAlgorithm, SignatureScheme};

use super::error::{LoadError, Role};
use super::facts::{CertificateFacts, Time};
use super::problem::CertificateProblem;
use super::{pem, self_signed};
use crate::logging::clock;
use crate::settings::file;
use crate::settings::{CertificateFiles, Settings};

/// A certificate that clients can be given.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) file: PathBuf,
    facts: CertificateFacts,
    /// What is wrong with the files. The certificate's age is not included: it depends on the
    /// time.
    problems: Vec<CertificateProblem>,
}

impl Certificate {
    /// # Errors
    ///
    /// The first problem.
    pub(super) fn load(
        source: &Source,
        settings: &Settings,
        provider: &CryptoProvider,
    ) -> Result<Self, LoadError> {
        let key = source.read(provider)?;
        let facts = key
            .end_entity_cert()
            .ok()
            .and_then(|leaf| CertificateFacts::parse(leaf));
        // The log must be able to show the certificate in force.
        let facts = facts.ok_or_else(|| source.refuse_chain(UNREADABLE.to_owned()))?;
        let mut problems = Vec::new();
        problems.extend(source.key_readable_by_all());
        problems.extend(source.names_missing(&facts, settings));
        Ok(Self {
            key: Arc::new(key),
            file: source.chain().to_owned(),
            facts,
            problems,
        })
    }

    /// Whether each client that can use the other one can use this one too.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.preferred_scheme() == other.preferred_scheme()
    }

    fn preferred_scheme(&self) -> Option<SignatureScheme> {
        Some(self.key.key.choose_scheme(&SCHEMES)?.scheme())
    }

    pub(super) fn kind_of_key(&self) -> &'static str {
        match self.key.key.algorithm() {
            SignatureAlgorithm::RSA => "an RSA key",
            SignatureAlgorithm::ECDSA => "an ECDSA key",
            SignatureAlgorithm::ED25519 => "an Ed25519 key",
            _ => "another key",
        }
    }

    /// For whom it is, how long, and its fingerprint. Users can compare that with the one that
    /// their client shows.
    pub(super) fn description(&self) -> String {
        let names = if self.facts.names.is_empty() {
            "without names".to_owned()
        } else {
            format!("for {}", self.facts.names.join(", "))
        };
        format!(
            "{names}, valid until {}, SHA-256 fingerprint {}",
            clock::date(&self.facts.not_after),
            self.facts.fingerprint
        )
    }

    /// What is wrong with it at this time.
    pub(super) fn problems(&self, now: &Time) -> Vec<CertificateProblem> {
        let mut problems = self.problems.clone();
        problems.extend(age(&self.file, &self.facts, now));
        problems
    }
}

/// Where the certificate and its key come from.
pub(super) enum Source {
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

fn age(file: &Path, facts: &CertificateFacts, now: &Time) -> Option<CertificateProblem> {
    let file = file.to_owned();
    if *now > facts.not_after {
        let date = clock::date(&facts.not_after);
        Some(CertificateProblem::Expired { file, date })
    } else if *now < facts.not_before {
        let date = clock::date(&facts.not_before);
        Some(CertificateProblem::NotYetValid { file, date })
    } else {
        None
    }
}

pub(super) fn load(file: &Path) -> Result<Vec<u8>, String> {
    file::load(file, FILE_BYTES_MAX, "a PEM file")
}

/// One scheme for each kind of key that can be loaded, and for the older use of RSA.
const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Enough for every chain, and for all authorities of a system.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;
const MISMATCH: &str = "the private key does not match the first certificate; give the key of that \
                        certificate, or put the certificate of this key first";
const UNUSABLE: &str = "the key cannot be used; give an RSA key of 2048 to 8192 bits, an ECDSA key on \
                        P-256 or P-384, or an Ed25519 key";
const UNREADABLE: &str =
    "the dates of the first certificate cannot be read; give an X.509 certificate, version 3";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_of_the_wrong_age() {
        let facts = CertificateFacts {
            fingerprint: String::new(),
            names: Vec::new(),
            not_before: *b"20260102030405",
            not_after: *b"20270102030405",
        };
        let file = Path::new("/etc/rsa.pem");
        let early = || CertificateProblem::NotYetValid {
            file: file.to_owned(),
            date: "2026-01-02".to_owned(),
        };
        let late = CertificateProblem::Expired {
            file: file.to_owned(),
            date: "2027-01-02".to_owned(),
        };
        assert_eq!(age(file, &facts, b"20260102030404"), Some(early()));
        assert_eq!(age(file, &facts, b"20260102030405"), None);
        assert_eq!(age(file, &facts, b"20270102030405"), None);
        assert_eq!(age(file, &facts, b"20270102030406"), Some(late));
        assert_eq!(age(file, &facts, b"19700101000000"), Some(early()));
    }
}
