//! The client's side, as far as probes, proxies and gateways need it: whole replies out of a stream, and
//! what stands in some of them.
//!
//! A client reads what any server sends, so these readers are as lenient as common clients are, where
//! [`Session`](crate::Session) sends only what each of them understands. They use no more memory than their
//! limits say.

mod facts;
mod reader;

pub use facts::{Facts, parse_facts};
pub use reader::{ReceivedReply, ReplyError, ReplyReader};

use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::num::NonZeroU16;

use crate::address::parse_decimal;

/// The address in the text of a 227 reply (RFC 959, section 4.1.2): the first six numbers with commas
/// between them, in parentheses or not (RFC 1123, section 4.1.2.6). `None` where there are none, or where
/// the port is 0.
pub fn parse_pasv(text: &[u8]) -> Option<SocketAddrV4> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
    let mut candidates = text.split(|byte| !is_part(byte));
    let [a, b, c, d, high, low] = candidates.find_map(six_numbers)?;
    let port = u16::from_be_bytes([high, low]);
    (port > 0).then(|| SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// The port in the text of a 229 reply: `(|||PORT|)` with any delimiter (RFC 2428, section 3). `None` where
/// there is none.
pub fn parse_epsv(text: &[u8]) -> Option<NonZeroU16> {
    let start = text.iter().position(|&byte| byte == b'(')?;
    let (&delimiter, rest) = text[start + 1..].split_first()?;
    if !(33..=126).contains(&delimiter) || delimiter.is_ascii_digit() {
        return None;
    }
    let mut fields = rest.split(|&byte| byte == delimiter);
    // The protocol and the address, which servers leave out. One that is there is not the client's business.
    let (_, _) = (fields.next()?, fields.next()?);
    let port = parse_decimal(fields.next()?)?;
    fields.next()?.starts_with(b")").then_some(port)
}

/// The path in the text of a 257 reply: between double quotes, with a double quote in it doubled (RFC 959,
/// appendix II). `None` where there are no quotes.
pub fn parse_pwd(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.iter().position(|&byte| byte == b'"')?;
    let mut path = Vec::new();
    let mut bytes = text[start + 1..].iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'"' && bytes.next_if_eq(&b'"').is_none() {
            return Some(path);
        }
        path.push(byte);
    }
    None
}

fn six_numbers(text: &[u8]) -> Option<[u8; 6]> {
    let mut numbers = [0; 6];
    let mut fields = text.trim_ascii().split(|&byte| byte == b',');
    for number in &mut numbers {
        *number = parse_decimal(fields.next()?)?;
    }
    // A comma of the sentence may follow.
    fields.all(<[u8]>::is_empty).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_passive_mode() {
        let address = |text: &str| Some(text.parse().unwrap());
        for (text, expected) in [
            (
                "Entering Passive Mode (192,168,77,2,237,73).",
                address("192.168.77.2:60745"),
            ),
            (
                "Entering Passive Mode 10,0,0,1,4,1",
                address("10.0.0.1:1025"),
            ),
            ("=10,0,0,1,4,1", address("10.0.0.1:1025")),
            (
                "Passive mode 1 is (10,0,0,1,4,1), go.",
                address("10.0.0.1:1025"),
            ),
            ("10,0,0,1,4,1, then", address("10.0.0.1:1025")),
            ("Entering Passive Mode (10,0,0,1,0,0)", None),
            ("Entering Passive Mode (10,0,0,256,4,1)", None),
            ("Entering Passive Mode (10,0,0,1,4)", None),
            ("Entering Passive Mode (10,0,0,1,4,1,7)", None),
            ("Entering Passive Mode", None),
            ("", None),
        ] {
            assert_eq!(parse_pasv(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn ports_of_extended_passive_mode() {
        for (text, expected) in [
            (
                "Entering Extended Passive Mode (|||60745|)",
                NonZeroU16::new(60745),
            ),
            (
                "Entering Extended Passive Mode (|||60745|).",
                NonZeroU16::new(60745),
            ),
            ("ok (!!!1!)", NonZeroU16::new(1)),
            ("ok (|1|192.0.2.1|1|)", NonZeroU16::new(1)),
            ("ok (|||0|)", None),
            ("ok (|||65536|)", None),
            ("ok (|||1|", None),
            ("ok (||1|)", None),
            ("ok |||1|", None),
            ("ok (1112131)", None),
            ("(", None),
        ] {
            assert_eq!(parse_epsv(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn paths_in_quotes() {
        for (text, expected) in [
            ("\"/a b\" is the current directory.", Some("/a b")),
            ("\"/a\"\"b\"", Some("/a\"b")),
            ("the path is \"/\"", Some("/")),
            ("\"\"", Some("")),
            ("\"/a", None),
            ("/a", None),
        ] {
            let found = parse_pwd(text.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
