//! What can be wrong with certificates that are served all the same.

use std::path::PathBuf;

/// One thing that is wrong with a certificate in force, or with its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CertificateProblem {
    /// Every user of this machine can read the private key in this file.
    KeyReadableByAll { file: PathBuf },
    /// The self-signed certificate in this file does not contain these names of the server.
    NamesMissing { file: PathBuf, names: Vec<String> },
    /// The certificate in this file was valid until this date, such as `2027-01-02`.
    Expired { file: PathBuf, date: String },
    /// The certificate in this file is valid from this date on.
    NotYetValid { file: PathBuf, date: String },
}
