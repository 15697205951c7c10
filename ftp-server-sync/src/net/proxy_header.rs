//! Takes the PROXY header off a connection, and not one byte more: what follows is for TLS, for the
//! session or for the transfer.

mod codec;

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use mio::net::TcpStream;

use codec::{HEADER_BYTES_MAX, HeaderFault, ParsedHeader, parse};

pub(crate) use codec::ProxiedEnds;

/// How far the header of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderRead {
    /// An event has to come first.
    Pending,
    /// It is off the connection. `None`: the connection is the balancer's own.
    Complete(Option<ProxiedEnds>),
    Failed(HeaderFailure),
}

/// Why a connection has no header. Displayed as what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFailure {
    Fault(HeaderFault),
    /// It ended without a byte.
    Empty,
    /// It ended in the middle of the header.
    Truncated,
    /// The header did not come in time.
    Late,
    /// Too many connections waited for their headers.
    Displaced,
}

/// Whether connections from this address begin with a PROXY header.
pub(crate) fn needs_header(balancers: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    balancers.iter().any(|network| network.contains(&address))
}

/// Looks for the header, and takes it once it is complete. `has_ended`: the poll has reported that
/// the balancer has ended its sending side, so that what is there now is all.
pub(crate) fn read_header(stream: &TcpStream, has_ended: bool) -> HeaderRead {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let count = match retried(|| stream.peek(&mut bytes)) {
        Ok(0) => return HeaderRead::Failed(HeaderFailure::Empty),
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return HeaderRead::Pending,
        Err(_) => return HeaderRead::Failed(HeaderFailure::Empty),
    };
    match parse(&bytes[..count]) {
        ParsedHeader::Incomplete(_) if has_ended => HeaderRead::Failed(HeaderFailure::Truncated),
        ParsedHeader::Incomplete(_) => HeaderRead::Pending,
        ParsedHeader::Invalid(fault) => HeaderRead::Failed(HeaderFailure::Fault(fault)),
        ParsedHeader::Complete(ends, length) => match take(stream, &mut bytes[..length]) {
            Ok(()) => HeaderRead::Complete(ends),
            Err(_) => HeaderRead::Failed(HeaderFailure::Truncated),
        },
    }
}

/// Reads bytes that have been seen: they are there.
fn take(mut stream: &TcpStream, bytes: &mut [u8]) -> io::Result<()> {
    stream.read_exact(bytes)
}

fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl fmt::Display for HeaderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "sent {fault}"),
            Self::Empty => f.write_str("ended without a byte"),
            Self::Truncated => f.write_str("ended in the middle of its PROXY header"),
            Self::Late => write!(
                f,
                "sent no complete PROXY header in {} s",
                HEADER_TIME.as_secs()
            ),
            Self::Displaced => f.write_str("was one of too many that wait for a PROXY header"),
        }
    }
}

/// What to do about a connection without a header.
pub(crate) const HEADER_REMEDY: &str = "--proxy-protocol has this address; have the balancer there \
    send the PROXY protocol (send-proxy-v2), or remove the address from the flag";

/// How long a connection may take for its header: long enough for segments that are lost.
pub(crate) const HEADER_TIME: Duration = Duration::from_secs(10);

/// Connections that may wait for theirs at a time. A header usually comes with its connection.
pub(crate) const AWAITED_MAX: usize = 256;

#[cfg(test)]
mod tests;
