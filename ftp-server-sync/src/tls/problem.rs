//! What can be wrong with a certificate that is served all the same.

use std::path::PathBuf;

/// One thing that is wrong with the certificate in force, or with its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CertificateProblem {
    /// Every user of this machine can read the private key in this file.
    KeyReadableByAll { file: PathBuf },
    /// The self-signed certificate in this file does not contain these names of the server.
    NamesMissing { file: PathBuf, names: Vec<String> },
    /// The certificate was valid until this date, such as `2027-01-02`.
    Expired { date: String },
    /// The certificate is valid from this date on.
    NotYetValid { date: String },
}
