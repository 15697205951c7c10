//! What the forwarder changes in a control connection: bytes in, bytes out. An empty input is the
//! end, at which what was held back comes out.

use std::mem;
use std::net::{Ipv4Addr, SocketAddr};

use ftp_proto::argument::{parse_eprt, parse_port};
use ftp_proto::client::{ReplyReader, find_epsv, find_pasv};

/// What the server sends. Only the numbers in a 227 or 229 of one line change.
pub(crate) struct Replies {
    masquerade: Ipv4Addr,
    reader: ReplyReader,
    /// The start of a reply that may have to change.
    held: Vec<u8>,
    /// From now on the bytes are no replies: TLS begins, or this is not FTP.
    is_opaque: bool,
}

/// What the client sends.
#[derive(Default)]
pub(crate) struct Commands {
    line: Vec<u8>,
    /// The LF that the last line needed was added; if it comes after all, it is one too many.
    has_added_lf: bool,
}

impl Replies {
    pub(crate) fn new(masquerade: Ipv4Addr) -> Self {
        Self {
            masquerade,
            reader: ReplyReader::new(),
            held: Vec::new(),
            is_opaque: false,
        }
    }

    pub(crate) fn is_opaque(&self) -> bool {
        self.is_opaque
    }

    /// `port_for` gives the port that a client connects to in place of the server's; `None` if none
    /// is free. `log` is given a line for each reply that changes.
    pub(crate) fn forward(
        &mut self,
        input: &[u8],
        mut port_for: impl FnMut(u16) -> Option<u16>,
        mut log: impl FnMut(String),
    ) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), input);
        while !rest.is_empty() && !self.is_opaque {
            let (used, reply) = self.reader.read(rest).unwrap_or_else(|error| {
                log(format!("{error}: no reply is rewritten from now on"));
                self.is_opaque = true;
                (rest.len(), None)
            });
            self.held.extend_from_slice(&rest[..used]);
            rest = &rest[used..];
            let Some(reply) = reply else {
                if !may_change(&self.held) {
                    out.append(&mut self.held);
                }
                continue;
            };
            let raw = mem::take(&mut self.held);
            let new = match reply.lines().count() {
                1 => self.replacement(reply.code(), &raw, &mut port_for),
                _ => None,
            };
            if let Some(new) = &new {
                log(format!("{} is now {}", shown(&raw), shown(new)));
            }
            out.extend(new.unwrap_or(raw));
            if reply.code() == AUTH_ACCEPTED {
                log(String::from(
                    "encrypted: no reply can be rewritten from now on",
                ));
                self.is_opaque = true;
            }
        }
        if input.is_empty() || self.is_opaque {
            out.append(&mut self.held);
        }
        out.extend_from_slice(rest);
        out
    }

    fn replacement(
        &self,
        code: u16,
        raw: &[u8],
        port_for: impl FnOnce(u16) -> Option<u16>,
    ) -> Option<Vec<u8>> {
        let (place, theirs) = match code {
            227 => find_pasv(raw).map(|(place, address)| (place, address.port()))?,
            229 => find_epsv(raw).map(|(place, port)| (place, port.get()))?,
            _ => return None,
        };
        let Some(port) = port_for(theirs) else {
            return Some(NO_PORT.to_vec());
        };
        let numbers = match code {
            227 => six_numbers(self.masquerade, port),
            _ => port.to_string(),
        };
        let is_same = code == 229 && port == theirs || numbers.as_bytes() == &raw[place.clone()];
        (!is_same).then(|| [&raw[..place.start], numbers.as_bytes(), &raw[place.end..]].concat())
    }
}

impl Commands {
    /// `address_for` gives the address that the server connects to in place of the client's; `None`
    /// if it may not.
    pub(crate) fn forward(
        &mut self,
        input: &[u8],
        mut address_for: impl FnMut(SocketAddr) -> Option<SocketAddr>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in input {
            let is_second_lf = mem::take(&mut self.has_added_lf) && byte == b'\n';
            // Codes of Telnet stand before a verb; the kernel may have taken one of them out.
            if is_second_lf || (self.line.is_empty() && byte >= TELNET_FIRST) {
                continue;
            }
            self.line.push(byte);
            if URGENT
                .iter()
                .any(|line| self.line.eq_ignore_ascii_case(line))
            {
                self.line.push(b'\n');
                self.has_added_lf = true;
            }
            if self.line.ends_with(b"\n") || self.line.len() > LINE_BYTES_MAX {
                let line = mem::take(&mut self.line);
                out.extend(new_address(&line, &mut address_for).unwrap_or(line));
            }
        }
        if input.is_empty() {
            out.append(&mut self.line);
        }
        out
    }

    /// What follows is not commands: `input` as it is, behind what was held back.
    pub(crate) fn forward_opaque(&mut self, input: &[u8]) -> Vec<u8> {
        [&mem::take(&mut self.line), input].concat()
    }
}

/// The line of PORT or EPRT with another address; its family decides which of the two it becomes.
/// Without one there is no argument either, so that the server refuses it: it must not understand
/// what was not understood here.
fn new_address(
    line: &[u8],
    address_for: impl FnOnce(SocketAddr) -> Option<SocketAddr>,
) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let verb_end = line.iter().position(u8::is_ascii_whitespace);
    let (verb, argument) = line.split_at(verb_end.unwrap_or(line.len()));
    let theirs = match &*verb.to_ascii_uppercase() {
        b"PORT" => parse_port(argument.trim_ascii()),
        b"EPRT" => parse_eprt(argument.trim_ascii()),
        _ => return None,
    };
    let new = match theirs.ok().and_then(address_for) {
        Some(SocketAddr::V4(own)) => format!("PORT {}\r\n", six_numbers(*own.ip(), own.port())),
        Some(SocketAddr::V6(own)) => format!("EPRT |2|{}|{}|\r\n", own.ip(), own.port()),
        None => String::from("PORT\r\n"),
    };
    Some(new.into_bytes())
}

/// Whether a reply that begins like this could have to change. Empty lines before it are not a part
/// of it.
fn may_change(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    let is_prefix = |code: &&[u8]| start.starts_with(code) || code.starts_with(start);
    !start.is_empty() && [&b"227 "[..], b"229 "].iter().any(is_prefix)
}

fn six_numbers(ip: Ipv4Addr, port: u16) -> String {
    let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
    format!("{a},{b},{c},{d},{high},{low}")
}

fn shown(line: &[u8]) -> String {
    line.trim_ascii().escape_ascii().to_string()
}

/// The reply to AUTH TLS (RFC 4217, section 4).
const AUTH_ACCEPTED: u16 = 234;
const NO_PORT: &[u8] = b"425 No passive port is free now; try again.\r\n";
/// Where Telnet's commands begin: SE (RFC 854).
const TELNET_FIRST: u8 = 240;
/// What may be sent as urgent data (RFC 959, section 4.1.3), with the LF as the urgent byte.
const URGENT: [&[u8]; 3] = [b"ABOR\r", b"STAT\r", b"QUIT\r"];
const LINE_BYTES_MAX: usize = 8192;
