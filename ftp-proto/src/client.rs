//! The client's side, as far as probes, proxies and gateways need it: [`ReplyReader`] collects the
//! replies of a server, and the functions read what is in some of them.
//!
//! A client reads what any server sends, so these readers accept what common clients accept, where
//! [`Session`](crate::Session) sends only what each of them understands. They never panic, and they
//! use no more memory than their limits allow.
//!
//! Choose the function by the reply's code, not by the command: some servers answer EPSV with 227.
//!
//! | code | what it answers | function |
//! |---|---|---|
//! | 227 | PASV | [`parse_pasv`]; [`find_pasv`] for gateways |
//! | 229 | EPSV | [`parse_epsv`]; [`find_epsv`] for gateways |
//! | 257 | PWD, MKD | [`parse_pwd`] |
//! | 250 | MLST; the lines between the first and the last | [`parse_mlst`] |
//! | | each line that MLSD sends over the data connection | [`parse_facts`] |
//!
//! ```
//! use ftp_proto::client::{ReplyReader, parse_pasv};
//!
//! let mut reader = ReplyReader::new();
//! let received = b"220 Ready.\r\n227 Entering Passive Mode (192,0,2,7,234,96).\r\n";
//! let (used, reply) = reader.read(received)?;
//! assert_eq!(reply.map(|reply| reply.code()), Some(220));
//! let (_, reply) = reader.read(&received[used..])?;
//! let reply = reply.expect("a whole reply");
//! assert_eq!(parse_pasv(reply.text()), Some("192.0.2.7:60000".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod facts;
mod reader;

pub use facts::{Facts, parse_facts, parse_mlst};
pub use reader::{ReceivedReply, ReplyError, ReplyReader};

use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::num::NonZeroU16;
use core::ops::Range;

use crate::address::parse_decimal;

/// The address in the text of a 227 reply (RFC 959, section 4.1.2): the first six numbers with
/// commas between them. Parentheses may be missing (RFC 1123, section 4.1.2.6), and spaces may
/// follow the commas. `None` where there are no such numbers, or where the port is 0.
///
/// The address is what the server says, which may be 0.0.0.0, or a private one that only the
/// server's own network reaches. Whether to connect there is the caller's decision; many clients
/// take the port alone and connect to the address that the control connection has.
#[must_use]
pub fn parse_pasv(text: &[u8]) -> Option<SocketAddrV4> {
    find_pasv(text).map(|(_, address)| address)
}

/// The same as [`parse_pasv`], and where in `text` the six numbers stand, from the first digit to
/// the last: a gateway that announces another address replaces these bytes and no others.
#[must_use]
pub fn find_pasv(text: &[u8]) -> Option<(Range<usize>, SocketAddrV4)> {
    let is_start = |&at: &usize| {
        let is_inside = |&before: &u8| before.is_ascii_digit() || before == b',';
        text[at].is_ascii_digit() && !text[..at].last().is_some_and(is_inside)
    };
    let starts = (0..text.len()).filter(is_start);
    let (place, [a, b, c, d, high, low]) = starts.filter_map(|at| six_numbers(text, at)).next()?;
    let port = u16::from_be_bytes([high, low]);
    (port > 0).then(|| (place, SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port)))
}

/// The port in the text of a 229 reply: `(|||PORT|)` (RFC 2428, section 3). In parentheses the
/// delimiter may be any printable character; `|||PORT|` may also stand without them. `None` where
/// there is neither, or where the port is 0.
///
/// The data connection goes to the address that the control connection has. A server that writes a
/// family or an address between the delimiters breaks the RFC; they are ignored.
#[must_use]
pub fn parse_epsv(text: &[u8]) -> Option<NonZeroU16> {
    find_epsv(text).map(|(_, port)| port)
}

/// The same as [`parse_epsv`], and where in `text` the digits of the port stand.
#[must_use]
pub fn find_epsv(text: &[u8]) -> Option<(Range<usize>, NonZeroU16)> {
    let is_start = |&at: &usize| text[at] == b'|' || text[..at].ends_with(b"(");
    let mut starts = (0..text.len()).filter(is_start);
    starts.find_map(|at| delimited_port(text, at))
}

/// The path in the text of a 257 reply: between double quotes, with a double quote in it doubled
/// (RFC 959, appendix II).
///
/// `None` where there is no such path: without quotes it has no certain end. `None` also for a path
/// that holds CR, LF or NUL: no command could carry it, and what follows the CR could be taken for
/// a command of its own.
#[must_use]
pub fn parse_pwd(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.iter().position(|&byte| byte == b'"')?;
    let mut path = Vec::new();
    let mut bytes = text[start + 1..].iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if bytes.next_if_eq(&b'"').is_none() => return Some(path),
            b'\r' | b'\n' | b'\0' => return None,
            _ => path.push(byte),
        }
    }
    None
}

/// Six numbers that begin at `start`, and no seventh.
fn six_numbers(text: &[u8], start: usize) -> Option<(Range<usize>, [u8; 6])> {
    let mut numbers = [0; 6];
    let mut rest = &text[start..];
    for (index, number) in numbers.iter_mut().enumerate() {
        if index > 0 {
            rest = after_comma(rest)?;
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *number = parse_decimal(&rest[..digits])?;
        rest = &rest[digits..];
    }
    let is_seventh = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_digit);
    let end = text.len() - rest.len();
    (!after_comma(rest).is_some_and(is_seventh)).then_some((start..end, numbers))
}

fn after_comma(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b",")?;
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    Some(&rest[spaces..])
}

/// The port behind three delimiters, the first of them at `start`, and one more behind it.
fn delimited_port(text: &[u8], start: usize) -> Option<(Range<usize>, NonZeroU16)> {
    let (&delimiter, rest) = text[start..].split_first()?;
    if !(33..=126).contains(&delimiter) || delimiter.is_ascii_digit() {
        return None;
    }
    let mut fields = rest.split(|&byte| byte == delimiter);
    let family = fields.next()?;
    if !family.is_empty() && parse_decimal::<u16>(family).is_none() {
        return None;
    }
    let address = fields.next()?;
    let digits = fields.next()?;
    let port = parse_decimal(digits)?;
    // The three delimiters have one byte each.
    let first = start + 3 + family.len() + address.len();
    // A further field, even an empty one, means that a delimiter follows the port.
    fields.next().map(|_| (first..first + digits.len(), port))
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
            ("10,0,0,1,4,1", address("10.0.0.1:1025")),
            ("=10,0,0,1,4,1", address("10.0.0.1:1025")),
            (
                "Passive mode 1 is (10,0,0,1,4,1), go.",
                address("10.0.0.1:1025"),
            ),
            ("1, 10,0,0,1,4,1", address("10.0.0.1:1025")),
            ("10,0,0,1,4,1, then", address("10.0.0.1:1025")),
            ("mode( 10, 0, 0, 1, 4, 1 ).", address("10.0.0.1:1025")),
            ("(010,000,000,001,004,001)", address("10.0.0.1:1025")),
            ("(0,0,0,0,4,1)", address("0.0.0.0:1025")),
            ("Entering Passive Mode (10,0,0,1,0,0)", None),
            ("Entering Passive Mode (10,0,0,256,4,1)", None),
            ("Entering Passive Mode (10,0,0,1,4)", None),
            ("Entering Passive Mode (10,0,0,1,4,1,7)", None),
            ("Entering Passive Mode (10,0,0,1,,4,1)", None),
            ("Entering Passive Mode (ftp,example,234,99)", None),
            ("Entering Passive Mode (2001:db8::2,234,99)", None),
            ("Entering Passive Mode (", None),
            ("Entering Passive Mode", None),
            (",,,,,,", None),
            ("", None),
        ] {
            assert_eq!(parse_pasv(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn ports_of_extended_passive_mode() {
        for (text, expected) in [
            ("Entering Extended Passive Mode (|||60745|)", 60745),
            ("Entering Extended Passive Mode (|||60745|).", 60745),
            ("Extended mode (EPSV) is (|||60745|)", 60745),
            ("Entering Extended Passive Mode |||60745|", 60745),
            ("ok (!!!1!)", 1),
            ("ok (|||1|", 1),
            ("ok (|1|192.0.2.1|1|)", 1),
            ("ok (|2|2001:db8::1|1|)", 1),
            ("ok (|||0|)", 0),
            ("ok (|||65536|)", 0),
            ("ok (|||+1|)", 0),
            ("ok (|||1)", 0),
            ("ok (||1|)", 0),
            ("ok !!!1!", 0),
            ("ok (1112131)", 0),
            ("one | two | three | 4 |", 0),
            ("(", 0),
            ("", 0),
        ] {
            let expected = NonZeroU16::new(expected);
            assert_eq!(parse_epsv(text.as_bytes()), expected, "{text}");
        }
    }

    /// The place is that of the numbers alone, whatever stands around them.
    #[test]
    fn places_of_numbers() {
        for (text, expected) in [
            ("227 Passive (192,168,77,2,237,73).", "192,168,77,2,237,73"),
            ("1, 10,0,0,1,4,1, then", "10,0,0,1,4,1"),
            ("mode( 010, 0, 0, 1, 4, 001 ).", "010, 0, 0, 1, 4, 001"),
            ("10,0,0,1,4,1", "10,0,0,1,4,1"),
        ] {
            let (place, _) = find_pasv(text.as_bytes()).expect(text);
            assert_eq!(&text[place], expected, "{text}");
        }
        for (text, expected) in [
            ("229 Extended (|||60745|).", "60745"),
            ("229 (1) |||00080|", "00080"),
            ("ok (!!!1!)", "1"),
            ("ok (|2|2001:db8::1|21|)", "21"),
        ] {
            let (place, _) = find_epsv(text.as_bytes()).expect(text);
            assert_eq!(&text[place], expected, "{text}");
        }
    }

    #[test]
    fn paths_in_quotes() {
        for (text, expected) in [
            ("\"/a b\" is the current directory.", Some("/a b")),
            ("\"/a\"\"b\"", Some("/a\"b")),
            ("\"/a\"\"\" created", Some("/a\"")),
            ("the path is \"/\"", Some("/")),
            ("\"\"", Some("")),
            ("\"/a", None),
            ("\"/a\"\"", None),
            ("\"/a\rDELE b\"", None),
            ("/a", None),
            ("", None),
        ] {
            let found = parse_pwd(text.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
