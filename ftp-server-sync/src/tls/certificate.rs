//! What the log tells of a certificate: its names, when it is valid, and its fingerprint.
//!
//! Just enough of DER is read for that (RFC 5280, section 4.1); whether a certificate is good for TLS is rustls'
//! business. Any bytes are survived: what cannot be read is `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ring::digest::{SHA256, digest};

use crate::words::printable;

/// What somebody who looks at a certificate wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// SHA-256, as clients show it.
    pub(super) fingerprint: String,
    /// The names and addresses of the machines that it is for; of an old one the common name.
    pub(super) names: Vec<String>,
    pub(super) not_before: Time,
    pub(super) not_after: Time,
}

/// `YYYYMMDDHHMMSS` in UTC, as [`ftp_proto::date::time_val`] writes it: as text they compare as times.
pub(super) type Time = [u8; 14];

impl Facts {
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut outer = Der(Der(certificate).expect(SEQUENCE)?);
        let mut fields = Der(outer.expect(SEQUENCE)?);
        fields.optional(VERSION);
        fields.expect(INTEGER)?;
        let (_algorithm, _issuer) = (fields.expect(SEQUENCE)?, fields.expect(SEQUENCE)?);
        let mut validity = Der(fields.expect(SEQUENCE)?);
        let subject = fields.expect(SEQUENCE)?;
        let _key = fields.expect(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, content)) = fields.next() {
            if tag == EXTENSIONS {
                names = alternative_names(Der(content).expect(SEQUENCE)?);
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

/// Colons between the bytes, so that it can be compared with what FileZilla and openssl show.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
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
    let mut extensions = Der(extensions);
    let mut names = Vec::new();
    while let Some((SEQUENCE, extension)) = extensions.next() {
        let mut extension = Der(extension);
        if extension.next() != Some((OBJECT_IDENTIFIER, SUBJECT_ALTERNATIVE_NAME)) {
            continue;
        }
        extension.optional(BOOLEAN);
        let content = extension.expect(OCTET_STRING).unwrap_or_default();
        let mut content = Der(Der(content).expect(SEQUENCE).unwrap_or_default());
        while let Some((tag, name)) = content.next() {
            names.extend(match tag {
                DNS_NAME => Some(printable(name)),
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
    let mut sets = Der(subject);
    while let Some((SET, set)) = sets.next() {
        let mut attribute = Der(Der(set).expect(SEQUENCE)?);
        if attribute.next()? == (OBJECT_IDENTIFIER, COMMON_NAME) {
            let (_kind_of_string, name) = attribute.next()?;
            return Some(printable(name));
        }
    }
    None
}

/// RFC 5280 allows two forms, both without fractions and in UTC.
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

/// Elements of DER, one behind the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element, if it has this tag; otherwise nothing can be read any more.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// Skips the next element if it has this tag.
    fn optional(&mut self, tag: u8) {
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
/// The fields of a certificate that have numbers.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// The kinds of alternative names that tell a machine.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.29.17 and 2.5.4.3.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
