//! Facts about a certificate for the log: its names, its dates and its fingerprint.
//!
//! Only the parts of DER that contain them are parsed (RFC 5280, section 4.1). Whether a
//! certificate can be used for TLS is up to rustls. Every input is handled: what cannot be parsed
//! is `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ring::digest::{SHA256, digest};

use ftp_proto::text::printable;

/// What people look at in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CertificateFacts {
    /// SHA-256, in the form in which clients show it.
    pub(super) fingerprint: String,
    /// The names and addresses that the certificate is valid for. Without any, the common name.
    pub(super) names: Vec<String>,
    pub(super) not_before: Time,
    pub(super) not_after: Time,
}

/// `YYYYMMDDHHMMSS` in UTC, as [`ftp_proto::date::time_val`] writes it. Earlier times are less.
pub(super) type Time = [u8; 14];

impl CertificateFacts {
    /// Parses a certificate in DER form.
    pub(super) fn parse(certificate: &[u8]) -> Option<Self> {
        let mut outer = DerReader(DerReader(certificate).expect(SEQUENCE)?);
        let mut fields = DerReader(outer.expect(SEQUENCE)?);
        fields.skip_optional(VERSION);
        fields.expect(INTEGER)?;
        let (_algorithm, _issuer) = (fields.expect(SEQUENCE)?, fields.expect(SEQUENCE)?);
        let mut validity = DerReader(fields.expect(SEQUENCE)?);
        let subject = fields.expect(SEQUENCE)?;
        let _key = fields.expect(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, content)) = fields.next() {
            if tag == EXTENSIONS {
                names = alternative_names(DerReader(content).expect(SEQUENCE)?);
            }
        }
        if names.is_empty() {
            names.extend(common_name(subject));
        }
        Some(Self {
            fingerprint: fingerprint(certificate),
            names,
            not_before: time(validity.next()?)?,
            not_after: time(validity.next()?)?,
        })
    }
}

/// With colons between the bytes, as FileZilla and openssl show it.
pub(crate) fn fingerprint(certificate: &[u8]) -> String {
    let bytes = digest(&SHA256, certificate);
    let bytes: Vec<String> = bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    bytes.join(":")
}

/// The DNS names and addresses among the subject's alternative names.
fn alternative_names(extensions: &[u8]) -> Vec<String> {
    let mut extensions = DerReader(extensions);
    let mut names = Vec::new();
    while let Some((SEQUENCE, extension)) = extensions.next() {
        let mut extension = DerReader(extension);
        if extension.next() != Some((OBJECT_IDENTIFIER, SUBJECT_ALTERNATIVE_NAME)) {
            continue;
        }
        extension.skip_optional(BOOLEAN);
        let content = extension.expect(OCTET_STRING).unwrap_or_default();
        let mut content = DerReader(DerReader(content).expect(SEQUENCE).unwrap_or_default());
        while let Some((tag, name)) = content.next() {
            names.extend(match tag {
                DNS_NAME => Some(printable(name).to_string()),
                IP_ADDRESS => address(name).map(|address| address.to_string()),
                _ => None,
            });
        }
    }
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = || <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into());
    v4.or_else(|_| v6()).ok()
}

fn common_name(subject: &[u8]) -> Option<String> {
    let mut sets = DerReader(subject);
    while let Some((SET, set)) = sets.next() {
        let mut attribute = DerReader(DerReader(set).expect(SEQUENCE)?);
        if attribute.next()? == (OBJECT_IDENTIFIER, COMMON_NAME) {
            let (_kind_of_string, name) = attribute.next()?;
            return Some(printable(name).to_string());
        }
    }
    None
}

/// RFC 5280 allows two forms of a time, both without fractions and in UTC.
fn time((tag, text): (u8, &[u8])) -> Option<Time> {
    let digits = text.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let century: &[u8] = match (tag, digits.first()?) {
        (GENERALIZED_TIME, _) => b"",
        (UTC_TIME, b'5'..) => b"19",
        (UTC_TIME, _) => b"20",
        _ => return None,
    };
    [century, digits].concat().try_into().ok()
}

/// A sequence of DER elements.
struct DerReader<'a>(&'a [u8]);

impl<'a> DerReader<'a> {
    /// The content of the next element; `None` if it has another tag. Then the rest must not be
    /// read.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// Skips the next element if it has this tag.
    fn skip_optional(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            ..=0x7f => (usize::from(length), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
                let digit = |length, &byte: &u8| length << 8 | usize::from(byte);
                (bytes.iter().fold(0, digit), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The optional fields of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// The kinds of alternative names that name a machine.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.29.17 and 2.5.4.3.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    const P256: &str = include_str!("../../tests/certificates/p256.crt");

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    #[test]
    fn facts_of_a_certificate() {
        let facts = CertificateFacts::parse(&der(P256)).unwrap();
        assert_eq!(
            facts.names,
            ["p256.example", "*.p256.example", "192.0.2.1", "2001:db8::1"]
        );
        assert_eq!(&facts.not_before, b"20261125140407");
        assert_eq!(&facts.not_after, b"21261101140407");
    }

    #[test]
    fn the_common_name_replaces_missing_names() {
        let rsa = include_str!("../../tests/certificates/rsa.crt");
        assert_eq!(
            CertificateFacts::parse(&der(rsa)).unwrap().names,
            ["rsa.example"]
        );
    }

    #[test]
    fn both_forms_of_time_are_parsed() {
        let check = |tag, text: &str, expected: Option<&[u8; 14]>| {
            assert_eq!(time((tag, text.as_bytes())).as_ref(), expected, "{text}");
        };
        check(UTC_TIME, "260102030405Z", Some(b"20260102030405"));
        check(UTC_TIME, "491231235959Z", Some(b"20491231235959"));
        check(UTC_TIME, "500101000000Z", Some(b"19500101000000"));
        check(GENERALIZED_TIME, "20500101000000Z", Some(b"20500101000000"));
        check(GENERALIZED_TIME, "99991231235959Z", Some(b"99991231235959"));
        for text in [
            "",
            "Z",
            "2601020304Z",
            "260102030405",
            "260102030405+0100",
            "26010203040éZ",
        ] {
            check(UTC_TIME, text, None);
        }
        check(UTC_TIME, "20500101000000Z", None);
        check(GENERALIZED_TIME, "260102030405Z", None);
        check(OCTET_STRING, "20500101000000Z", None);
    }

    #[test]
    fn lengths_of_elements() {
        let check = |bytes: &[u8], expected: Option<usize>| {
            let length = DerReader(bytes).next().map(|(_, content)| content.len());
            assert_eq!(length, expected, "{bytes:x?}");
        };
        check(&[4, 0], Some(0));
        check(&[4, 2, 1, 1], Some(2));
        check(&[4, 2, 1], None);
        check(&[[4, 0x7f].to_vec(), vec![0; 127]].concat(), Some(127));
        check(&[[4, 0x81, 200].to_vec(), vec![0; 200]].concat(), Some(200));
        check(
            &[[4, 0x82, 1, 1].to_vec(), vec![0; 257]].concat(),
            Some(257),
        );
        check(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 0], None);
        // No length, the indefinite length, and a length that no file has.
        for bytes in [&[4][..], &[4, 0x80, 0, 0], &[4, 0x85, 0, 0, 0, 0, 1, 0]] {
            check(bytes, None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            CertificateFacts::parse(&bytes);
        }

        /// A damaged certificate gets deeper into the parser than random bytes.
        #[test]
        fn a_damaged_certificate_is_parsed_without_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            end in any::<prop::sample::Index>(),
        ) {
            let mut bytes = der(P256).to_vec();
            let end = end.index(bytes.len());
            prop_assert_eq!(CertificateFacts::parse(&bytes[..end]), None);
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            CertificateFacts::parse(&bytes);
            // If the length itself is damaged, a part may look like a whole certificate.
            CertificateFacts::parse(&bytes[..end]);
        }
    }
}
