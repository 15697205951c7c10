//! Recognizes what is not FTP by the first bytes of a line, before the line is complete: a TLS
//! ClientHello has no line end.
//!
//! Web browsers send requests to any port for any web page. The lines of such a request would be
//! executed as commands, and a page chooses what they say.

use crate::command;

/// A protocol that is not FTP, with which a client has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ForeignProtocol {
    /// An HTTP request: its first line, or a header. It comes from a web browser, maybe on behalf
    /// of a web page, or from a scanner.
    Http,
    /// The header of the PROXY protocol, in text or binary form: a load balancer sends it.
    Proxy,
    /// An SSH client, such as one for SFTP.
    Ssh,
    /// A ClientHello: the client uses implicit TLS, and the session has not been started with
    /// [`with_implicit_tls`](crate::Session::with_implicit_tls).
    Tls,
}

/// Examines the lines of a client that has not logged in.
#[derive(Debug)]
pub(crate) struct ForeignProtocolDetector {
    /// What may still follow of [`PROXY_SIGNATURE`]; `None` after anything else, because it can
    /// only be the beginning of a connection.
    signature: Option<&'static [u8]>,
    found: Option<ForeignProtocol>,
}

impl Default for ForeignProtocolDetector {
    fn default() -> Self {
        Self {
            signature: Some(PROXY_SIGNATURE),
            found: None,
        }
    }
}

impl ForeignProtocolDetector {
    /// Whether the input, which begins with a line or a part of one, is not FTP. More input does
    /// not change a result. The caller uses at most the first line.
    pub(crate) fn inspect(&mut self, input: &[u8]) -> Option<ForeignProtocol> {
        self.found = if self.is_proxy_signature(input) {
            Some(ForeignProtocol::Proxy)
        } else {
            detect(input)
        };
        self.found
    }

    pub(crate) fn found(&self) -> Option<ForeignProtocol> {
        self.found
    }

    /// The signature begins with two empty lines. If they arrive alone, the session goes on without
    /// a reply, and the rest is found when it comes.
    fn is_proxy_signature(&mut self, input: &[u8]) -> bool {
        let Some(expected) = self.signature else {
            return false;
        };
        if input.starts_with(expected) {
            return true;
        }
        let is_possible = expected.starts_with(input);
        let used = if input.starts_with(b"\r\n") { 2 } else { 0 };
        self.signature = is_possible.then(|| &expected[used..]);
        false
    }
}

/// What the beginning of a line shows. `None` if it may be FTP, or if more bytes are needed.
fn detect(line: &[u8]) -> Option<ForeignProtocol> {
    let begins = |(start, _): &&(&[u8], _)| line.starts_with(start);
    let known = LINE_STARTS.iter().find(begins);
    let known = known.map(|(_, protocol)| *protocol);
    known.or_else(|| is_http_header(line).then_some(ForeignProtocol::Http))
}

/// Whether a line begins with a name and a colon. `USER:` is a typing error, but `Host:` is not
/// the command.
fn is_http_header(line: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let start = &line[..line.len().min(HEADER_NAME_BYTES_MAX + 1)];
    let name = match start.iter().position(|byte| !is_name(byte)) {
        Some(end @ 1..) if start[end] == b':' => &start[..end],
        _ => return false,
    };
    let is_command = command::find(name).is_some() || command::is_not_implemented(name);
    !is_command || name.eq_ignore_ascii_case(b"HOST")
}

/// How the lines of other protocols begin. Neither is the beginning of a command, so that case
/// matters: `get file` is what a user types who confuses commands.
const LINE_STARTS: &[(&[u8], ForeignProtocol)] = &[
    (b"\x16\x03", ForeignProtocol::Tls),
    (b"SSH-", ForeignProtocol::Ssh),
    (b"PROXY ", ForeignProtocol::Proxy),
    (b"GET ", ForeignProtocol::Http),
    (b"POST ", ForeignProtocol::Http),
    (b"HEAD ", ForeignProtocol::Http),
    (b"OPTIONS ", ForeignProtocol::Http),
    (b"CONNECT ", ForeignProtocol::Http),
    (b"PUT ", ForeignProtocol::Http),
    (b"DELETE ", ForeignProtocol::Http),
    (b"PATCH ", ForeignProtocol::Http),
    (b"TRACE ", ForeignProtocol::Http),
    (b"PROPFIND ", ForeignProtocol::Http),
    // The beginning of HTTP/2.
    (b"PRI ", ForeignProtocol::Http),
];

/// The first bytes of the binary form of the PROXY protocol. All twelve are
/// `\r\n\r\n\0\r\nQUIT\n`; no line of FTP begins with a NUL.
const PROXY_SIGNATURE: &[u8] = b"\r\n\r\n\0";

/// Longer than all names in use, and shorter than the longest line, so that the result does not
/// depend on how the bytes arrive.
const HEADER_NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{COMMANDS, NOT_IMPLEMENTED};
    use alloc::vec;

    /// Each prefix that is too short is undecided, all longer ones have the same result.
    #[track_caller]
    fn check(line: &[u8], expected: ForeignProtocol, needed: usize) {
        for length in 0..=line.len() {
            let found = ForeignProtocolDetector::default().inspect(&line[..length]);
            let is_enough = length >= needed;
            assert_eq!(found, is_enough.then_some(expected), "{length} bytes");
        }
    }

    #[test]
    fn other_protocols_are_recognized_as_soon_as_possible() {
        check(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            ForeignProtocol::Tls,
            2,
        );
        check(b"SSH-2.0-OpenSSH_10.0\r\n", ForeignProtocol::Ssh, 4);
        let text = b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 21\r\nUSER joe\r\n";
        check(text, ForeignProtocol::Proxy, 6);
        let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
        check(binary, ForeignProtocol::Proxy, 5);
        check(b"GET / HTTP/1.1\r\n", ForeignProtocol::Http, 4);
        check(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ForeignProtocol::Http,
            4,
        );
        check(b"OPTIONS sip:nm SIP/2.0\r\n", ForeignProtocol::Http, 8);
        for (header, needed) in [
            (&b"Host: ftp.example\r\n"[..], 5),
            (b"host:ftp.example\r\n", 5),
            (b"User-Agent: x\r\n", 11),
            (b"X_1: x\r\n", 4),
        ] {
            check(header, ForeignProtocol::Http, needed);
        }
    }

    /// Neither a whole line, nor any beginning of it.
    #[track_caller]
    fn check_ftp(line: &[u8]) {
        for length in 0..=line.len() {
            let found = ForeignProtocolDetector::default().inspect(&line[..length]);
            assert_eq!(found, None, "{}", line[..length].escape_ascii());
        }
    }

    #[test]
    fn no_command_is_another_protocol() {
        let names = COMMANDS.iter().map(|info| info.name.as_bytes());
        let others = NOT_IMPLEMENTED.iter().map(|name| name.as_bytes());
        for name in names.chain(others) {
            for name in [name.to_ascii_uppercase(), name.to_ascii_lowercase()] {
                for rest in [&b"\r\n"[..], b"\n", b" ", b" a: b\r\n", b" / HTTP/1.1\r\n"] {
                    check_ftp(&[&name, rest].concat());
                }
                if !name.eq_ignore_ascii_case(b"HOST") {
                    check_ftp(&[&name[..], b": joe\r\n"].concat());
                }
                for telnet in [&b"\xff\xf4\xff\xf2"[..], b"\xf2", b"\xff"] {
                    check_ftp(&[telnet, &name, b"\r\n"].concat());
                }
            }
        }
    }

    #[test]
    fn typing_errors_are_no_other_protocol() {
        for line in [
            &b"get file\r\n"[..],
            b"GET\r\n",
            b"GETS file\r\n",
            b"put file\r\n",
            b"proxy x\r\n",
            b"ssh-2.0\r\n",
            b": x\r\n",
            b"two words: x\r\n",
            b"\x16\r\n",
            b"\0\r\n",
            b"\r\nUSER joe\r\n",
            b"\n\n\0",
            b"\r\n\n\0",
            b"NOOP\r\n\r\n\r\n\0",
            b"",
        ] {
            check_ftp(line);
        }
        let name = |length| [&vec![b'A'; length][..], b": x\r\n"].concat();
        check(&name(64), ForeignProtocol::Http, 65);
        check_ftp(&name(65));
    }

    /// What is found when a session uses these bytes line by line, and they arrive in two pieces.
    fn found_in_pieces(bytes: &[u8], cut: usize) -> Option<ForeignProtocol> {
        let mut detector = ForeignProtocolDetector::default();
        let mut rest = bytes;
        loop {
            let available = rest.len().min(cut.saturating_sub(bytes.len() - rest.len()));
            for piece in [&rest[..available], rest] {
                if let Some(found) = detector.inspect(piece) {
                    return Some(found);
                }
                if piece.contains(&b'\n') {
                    break;
                }
            }
            let end = rest.iter().position(|&byte| byte == b'\n')?;
            rest = &rest[end + 1..];
        }
    }

    #[test]
    fn the_signature_is_found_in_pieces_and_only_at_the_beginning() {
        for (bytes, expected) in [
            (&b"\r\n\r\n\0\r\nQUIT\n"[..], Some(ForeignProtocol::Proxy)),
            (b"\r\n\r\n\r\n\0\r\n", None),
            (b"NOOP\r\n\r\n\r\n\0\r\n", None),
            (b"\r\nNOOP\r\n\r\n\0\r\n", None),
            (b"\n\r\n\0\r\n", None),
        ] {
            for cut in 0..=bytes.len() {
                let found = found_in_pieces(bytes, cut);
                assert_eq!(found, expected, "{} {cut}", bytes.escape_ascii());
            }
        }
    }
}
