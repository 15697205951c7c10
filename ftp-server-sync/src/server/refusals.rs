//! Clients that are not let in, and sessions that give way: what they are sent, and the log.
//!
//! Strangers can cause both as often as they like. Of each reason, the first, the tenth, the
//! hundredth and so on has a line with the flag, so they cannot fill the log.

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;

use ftp_proto::Reply;
use log::log;
use mio::net::TcpStream;

use crate::logging::repeated::level;
use crate::settings::AccessRefusal;

/// Why a client is refused, or a session gives way. The numbers are the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowding {
    ServerFull(u32),
    AddressFull(u32),
    NotServed(AccessRefusal),
    /// Its address is blocked for these seconds, after this number of failed logins.
    Blocked {
        after: u32,
        seconds: u64,
    },
    /// This session gives way to the client.
    GivesWay {
        number: u64,
        limit: u32,
    },
}

/// How often each happened.
#[derive(Debug, Default)]
pub(super) struct CrowdingLog {
    counts: [u64; REASONS],
}

/// One line of the log.
struct Line {
    peer: SocketAddr,
    reason: Crowding,
    count: u64,
}

impl CrowdingLog {
    /// Counts it, and logs a line.
    pub(super) fn on_client(&mut self, peer: SocketAddr, reason: Crowding) {
        let count = self.count(reason);
        let line = Line {
            peer,
            reason,
            count,
        };
        log!(level(count), "{line}");
    }

    fn count(&mut self, reason: Crowding) -> u64 {
        let count = &mut self.counts[reason.index()];
        *count = count.saturating_add(1);
        *count
    }
}

impl Crowding {
    /// What a client that is refused is sent.
    pub(super) const fn reply(self) -> Reply {
        match self {
            Self::ServerFull(_) | Self::GivesWay { .. } => Reply::too_many_connections(),
            Self::AddressFull(_) => Reply::too_many_from_address(),
            Self::NotServed(_) => Reply::address_refused(),
            Self::Blocked { .. } => Reply::too_many_failed_logins(),
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::ServerFull(_) => 0,
            Self::AddressFull(_) => 1,
            Self::NotServed(AccessRefusal::Denied(_)) => 2,
            Self::NotServed(AccessRefusal::NotAllowed) => 3,
            Self::GivesWay { .. } => 4,
            Self::Blocked { .. } => 5,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer;
        match self.reason {
            Crowding::ServerFull(max) => write!(
                f,
                "refused {peer}: the server is full (--max-cons {max}), and every client is logged in"
            ),
            Crowding::AddressFull(max) => write!(
                f,
                "refused {peer}: its address has too many sessions (--max-cons-per-ip {max})"
            ),
            Crowding::NotServed(AccessRefusal::Denied(network)) => {
                write!(f, "refused {peer}: its address is in --deny {network}")
            }
            Crowding::NotServed(AccessRefusal::NotAllowed) => {
                write!(f, "refused {peer}: its address is in no network of --allow")
            }
            Crowding::Blocked { after, seconds } => write!(
                f,
                "refused {peer}: its address is blocked for {seconds} s more, after failed logins \
                 (--block-after {after})"
            ),
            Crowding::GivesWay { number, limit } => write!(
                f,
                "#{number} gives way to {peer}: the server is full (--max-cons {limit}), and #{number} \
                 has not logged in"
            ),
        }?;
        write!(f, " ({} so far)", self.count)
    }
}

/// Sends the reply if that is possible without waiting, and closes the connection. A client that
/// starts with TLS could not read it.
pub(super) fn refuse(mut stream: TcpStream, implicit_tls: bool, reply: &Reply) {
    if implicit_tls {
        return;
    }
    let mut bytes = Vec::new();
    reply.encode(&mut bytes);
    let _ = stream.write(&bytes);
}

const REASONS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reason: Crowding) -> String {
        let line = Line {
            peer: "198.51.100.7:4711".parse().expect("an address"),
            reason,
            count: 10,
        };
        line.to_string()
    }

    fn denied() -> Crowding {
        let network = "198.51.100.0/24".parse().expect("a network");
        Crowding::NotServed(AccessRefusal::Denied(network))
    }

    #[test]
    fn a_line_names_client_and_flag() {
        for (reason, expected) in [
            (
                Crowding::ServerFull(512),
                "refused 198.51.100.7:4711: the server is full (--max-cons 512), and every client is \
                 logged in (10 so far)",
            ),
            (
                Crowding::AddressFull(32),
                "refused 198.51.100.7:4711: its address has too many sessions (--max-cons-per-ip 32) \
                 (10 so far)",
            ),
            (
                denied(),
                "refused 198.51.100.7:4711: its address is in --deny 198.51.100.0/24 (10 so far)",
            ),
            (
                Crowding::NotServed(AccessRefusal::NotAllowed),
                "refused 198.51.100.7:4711: its address is in no network of --allow (10 so far)",
            ),
            (
                Crowding::Blocked {
                    after: 20,
                    seconds: 583,
                },
                "refused 198.51.100.7:4711: its address is blocked for 583 s more, after failed \
                 logins (--block-after 20) (10 so far)",
            ),
            (
                Crowding::GivesWay {
                    number: 17,
                    limit: 512,
                },
                "#17 gives way to 198.51.100.7:4711: the server is full (--max-cons 512), and #17 has \
                 not logged in (10 so far)",
            ),
        ] {
            assert_eq!(line(reason), expected);
        }
    }

    #[test]
    fn reasons_are_counted_apart() {
        let mut log = CrowdingLog::default();
        let gives_way = |number| Crowding::GivesWay { number, limit: 9 };
        assert_eq!(log.count(Crowding::ServerFull(9)), 1);
        assert_eq!(log.count(denied()), 1);
        assert_eq!(log.count(gives_way(1)), 1);
        assert_eq!(log.count(gives_way(2)), 2);
        assert_eq!(log.count(Crowding::AddressFull(1)), 1);
        assert_eq!(log.count(Crowding::NotServed(AccessRefusal::NotAllowed)), 1);
    }
}
