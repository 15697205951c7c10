//! Reads certificates and keys from PEM text. An error contains a remedy.
//!
//! Errors never quote the text, because it may be a key.

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// All certificates in the text, in its order; at least one.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    require_pem(text, "-----BEGIN CERTIFICATE-----")?;
    let certificates = CertificateDer::pem_slice_iter(text);
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(damaged)?;
    if certificates.is_empty() {
        Err("the file holds no certificate; give one with -----BEGIN CERTIFICATE-----".to_owned())
    } else {
        Ok(certificates)
    }
}

/// The sections of the text that hold certificates, and nothing else of it.
pub(super) fn certificate_sections(text: &[u8]) -> Vec<u8> {
    let mut sections = Vec::new();
    let mut is_inside = false;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        is_inside |= line.trim_ascii() == b"-----BEGIN CERTIFICATE-----";
        if is_inside {
            sections.extend_from_slice(line);
        }
        is_inside &= line.trim_ascii() != b"-----END CERTIFICATE-----";
    }
    sections
}

/// The first private key in the text. `advice` is the remedy for a text without any.
pub(super) fn key(text: &[u8], advice: &str) -> Result<PrivateKeyDer<'static>, String> {
    require_pem(text, "-----BEGIN PRIVATE KEY-----")?;
    let contains = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    if ENCRYPTED.iter().any(|words| contains(words)) {
        return Err("the key is encrypted; give one without a passphrase".to_owned());
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        Error::NoItemsFound => format!("the file holds no private key; {advice}"),
        error => damaged(error),
    })
}

fn require_pem(text: &[u8], begin: &str) -> Result<(), String> {
    let is_pem = text.windows(MARK.len()).any(|window| window == MARK);
    match (is_pem, text) {
        (true, _) => Ok(()),
        (false, []) => Err(format!("the file is empty; give a PEM file with {begin}")),
        (false, _) => Err(format!("the file is not PEM; give one with {begin}")),
    }
}

fn damaged(error: Error) -> String {
    let problem = match error {
        Error::MissingSectionEnd { .. } => "a section of the file has no end",
        Error::IllegalSectionStart { .. } => "the first line of a section is damaged",
        _ => "the text of a section is damaged",
    };
    format!("{problem}; give a whole PEM file")
}

/// The problem with a section that is complete, but not a certificate that rustls accepts.
pub(super) const UNUSABLE: &str = "a certificate in the file is damaged, or older than X.509 version 3; \
                                   give one of that version";

const MARK: &[u8] = b"-----BEGIN ";
/// An encrypted key in PKCS#8, and in the older form, which only a header distinguishes.
const ENCRYPTED: [&[u8]; 2] = [
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
    b"Proc-Type: 4,ENCRYPTED",
];
