//! Why TLS cannot be offered.

use std::error::Error;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ftp_proto::text::printable_word;

/// A file that TLS needs cannot be used. The `Display` names the flag of the file, the file, the
/// problem and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadError {
    role: Role,
    /// `None`: no file is at fault.
    file: Option<PathBuf>,
    problem: String,
}

/// What the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The certificate that the operator gave, and those that lead to its authority.
    Certificate,
    /// The private key of that certificate.
    PrivateKey,
    /// The authorities whose certificates clients must show.
    ClientCa,
    /// The certificate, with its key, that the server makes for itself.
    SelfSigned,
    /// TLS itself, without a file.
    Tls,
}

impl LoadError {
    pub(super) fn new(role: Role, file: &Path, problem: impl Into<String>) -> Self {
        Self {
            role,
            file: Some(file.to_owned()),
            problem: problem.into(),
        }
    }

    pub(super) fn without_file(problem: impl Into<String>) -> Self {
        Self {
            role: Role::Tls,
            file: None,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.role {
            Role::Certificate => "--certfile",
            Role::PrivateKey => "--keyfile",
            Role::ClientCa => "--client-ca",
            Role::SelfSigned => "self-signed certificate file",
            Role::Tls => "TLS",
        })?;
        if let Some(file) = &self.file {
            write!(f, " {}", printable_word(file.as_os_str().as_bytes()))?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl Error for LoadError {}
