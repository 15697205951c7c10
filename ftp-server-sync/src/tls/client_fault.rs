//! Why TLS with a client failed, in words for the log.
//!
//! rustls names the parts of the protocol; the owner of a server needs to know what the client
//! lacks.

use std::error::Error;
use std::fmt;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

/// What the client did wrong, or did not accept.
#[derive(Debug)]
pub(super) struct ClientFault(pub(super) rustls::Error);

impl fmt::Display for ClientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rustls::Error;

        match &self.0 {
            Error::PeerIncompatible(reason) => incompatible(reason, f),
            Error::AlertReceived(alert) => alert_received(*alert, f),
            Error::InvalidCertificate(problem) => client_certificate(problem, f),
            Error::NoCertificatesPresented => {
                f.write_str("the client shows no certificate, which --client-ca demands")
            }
            Error::NoApplicationProtocol => {
                f.write_str("the client asks for another protocol than FTP (by ALPN)")
            }
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            ) => f.write_str("what the client sends is not TLS"),
            Error::InvalidMessage(problem) => {
                write!(f, "a TLS message of the client is damaged ({problem:?})")
            }
            Error::DecryptError => f.write_str("what the client sends cannot be decrypted"),
            Error::PeerMisbehaved(fault) => write!(f, "the client violates TLS ({fault:?})"),
            other => write!(f, "the client violates TLS ({other})"),
        }
    }
}

impl Error for ClientFault {}

/// The client lacks something that the server needs.
fn incompatible(reason: &PeerIncompatible, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match reason {
        // rustls looks for signature algorithms first. TLS 1.1 has none; only rare clients of TLS
        // 1.2 name none.
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
            "the client speaks TLS 1.1 or older, the server TLS 1.2 and 1.3; update the client"
        }
        PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoSignatureSchemesInCommon => {
            "no common cipher; update the client, or give a certificate with another kind of key \
             (old clients know RSA only)"
        }
        PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NamedGroupsExtensionRequired
        | PeerIncompatible::KeyShareExtensionRequired => {
            "no common key exchange (the server knows X25519, P-256 and P-384); update the client"
        }
        other => return write!(f, "the client's TLS does not suit the server's ({other:?})"),
    })
}

/// The client has ended TLS and said why.
fn alert_received(alert: AlertDescription, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => "the client does not trust the certificate",
        AlertDescription::CertificateExpired => {
            "the client does not trust the certificate, because its date is wrong"
        }
        AlertDescription::CertificateRevoked => {
            "the client does not trust the certificate, because it is revoked"
        }
        AlertDescription::UnsupportedCertificate => {
            "the client cannot use a certificate of this kind"
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the client accepts no cipher of the server"
        }
        AlertDescription::ProtocolVersion => "the client does not accept this version of TLS",
        AlertDescription::UserCanceled => "the client's user cancelled",
        other => return write!(f, "the client ended TLS with the alert {other:?}"),
    })
}

/// The client's own certificate is not accepted.
fn client_certificate(problem: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority of --client-ca has signed the client's certificate"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the client's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the client's certificate is not valid yet"
        }
        other => return write!(f, "the client's certificate is not accepted ({other})"),
    })
}

#[cfg(test)]
mod tests {
    use rustls::PeerMisbehaved;

    use super::*;

    #[track_caller]
    fn check(error: rustls::Error, expected: &str) {
        assert_eq!(ClientFault(error).to_string(), expected);
    }

    /// The others come from real clients, in the tests of the whole server.
    #[test]
    fn faults_have_words() {
        for alert in [
            AlertDescription::BadCertificate,
            AlertDescription::CertificateUnknown,
        ] {
            let error = rustls::Error::AlertReceived(alert);
            check(error, "the client does not trust the certificate");
        }
        check(
            CertificateError::Expired.into(),
            "the client's certificate has expired",
        );
    }

    #[test]
    fn rare_faults_are_named() {
        check(
            rustls::Error::AlertReceived(AlertDescription::DecodeError),
            "the client ended TLS with the alert DecodeError",
        );
        check(
            PeerMisbehaved::TooManyEmptyFragments.into(),
            "the client violates TLS (TooManyEmptyFragments)",
        );
    }
}
