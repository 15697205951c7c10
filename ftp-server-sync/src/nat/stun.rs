//! Asks a STUN server (RFC 8489) from which address this machine's datagrams reach it: behind a
//! router, that is the router's public address.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::rand::{GetRandomFlags, getrandom};

use crate::settings::file::reason;

pub(crate) mod codec;

use codec::{StunProblem, StunResponse, TransactionId};

/// Asks the server at this IPv4 address. Blocks for [`TIME_MAX`] at most.
///
/// Datagrams from other addresses do not arrive, and those that are no response to this request are
/// ignored: the server's own may still come.
///
/// # Errors
///
/// A text without a remedy.
pub(crate) fn ask(server: SocketAddr) -> Result<IpAddr, String> {
    ask_within(server, &INTERVALS)
}

/// Sends the request again after each of the intervals but the last.
fn ask_within(server: SocketAddr, intervals: &[Duration]) -> Result<IpAddr, String> {
    let describe = |error: io::Error| match error.kind() {
        ErrorKind::ConnectionRefused => format!("no STUN server answers at {server}"),
        _ => format!("{server} cannot be asked: {}", reason(&error)),
    };
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(describe)?;
    socket.connect(server).map_err(describe)?;
    let id = transaction_id().map_err(describe)?;
    let mut ignored = Ignored::default();
    let mut until = Instant::now();
    for interval in intervals {
        socket.send(&codec::request(id)).map_err(describe)?;
        until += *interval;
        loop {
            let datagram = match receive(&socket, until) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => break,
                Err(error) => return Err(describe(error)),
            };
            match codec::response(&datagram, id) {
                Ok(StunResponse::Mapped(address)) => return Ok(address.ip().to_canonical()),
                Ok(StunResponse::Refused(code, text)) => {
                    return Err(format!("{server} answers with the error {code} {text}"));
                }
                Err(problem @ (StunProblem::UnknownAttribute(_) | StunProblem::NoAddress)) => {
                    return Err(format!("{server} sends {problem}"));
                }
                Err(problem) => ignored.add(problem),
            }
            if ignored.count >= IGNORED_MAX {
                return Err(format!("{server} sends something else: {ignored}"));
            }
        }
    }
    let seconds = intervals.iter().sum::<Duration>().as_secs_f32();
    Err(match ignored.count {
        0 => format!("{server} does not answer within {seconds} s"),
        _ => format!("{server} does not answer within {seconds} s, but sends {ignored}"),
    })
}

/// The datagrams that were no answer.
#[derive(Debug, Default)]
struct Ignored {
    count: u32,
    last: Option<StunProblem>,
}

impl Ignored {
    fn add(&mut self, problem: StunProblem) {
        self.count += 1;
        self.last = Some(problem);
    }
}

impl std::fmt::Display for Ignored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(last) = &self.last else {
            return Ok(());
        };
        match self.count {
            1 => write!(f, "{last}"),
            count => write!(f, "{count} datagrams, the last one {last}"),
        }
    }
}

/// The next datagram; `None` if none comes until then.
fn receive(socket: &UdpSocket, until: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut buffer) {
            Ok(count) => return Ok(Some(buffer[..count].to_vec())),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(None),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}

fn transaction_id() -> io::Result<TransactionId> {
    let mut id = TransactionId::default();
    // So few bytes come at once, or not at all.
    getrandom(&mut id, GetRandomFlags::empty())?;
    Ok(id)
}

/// RFC 8489, section 6.2.1, doubles the pause from 500 ms on. It goes on for 39.5 s; here the next
/// refresh asks again.
const INTERVALS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(1000),
];

/// A server that sends this many other datagrams is no STUN server.
const IGNORED_MAX: u32 = 64;

/// The kernel cuts longer ones, which are then no messages. RFC 8489 recommends shorter ones.
const DATAGRAM_BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests;
