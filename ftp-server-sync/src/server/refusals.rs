//! Clients that are not let in, and sessions that give way: what they are sent, and the log.
//!
//! Strangers can cause both as often as they like. Of each reason, the first client has a line with
//! the flag, and the others are counted.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use ftp_proto::Reply;
use log::Level;
use mio::net::TcpStream;

use crate::logging::repeated::{Event, RepeatedEvents};
use crate::logging::session_name::SessionName;
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
    /// This session, of this client, gives way to the new one.
    GivesWay {
        number: u64,
        client: IpAddr,
        limit: u32,
    },
}

/// One line of the log.
struct Line {
    peer: SocketAddr,
    reason: Crowding,
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

    /// Counts it, or logs a line. `peer`: the new client.
    pub(super) fn log(self, peer: SocketAddr, events: &RepeatedEvents, now: Instant) {
        let event = Event::new(self.kind(), Level::Warn).by(peer.ip());
        let line = Line { peer, reason: self };
        events.on_event(event, now, format_args!("{line}"));
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::ServerFull(_) => "clients refused by --max-cons",
            Self::AddressFull(_) => "clients refused by --max-cons-per-ip",
            Self::NotServed(AccessRefusal::Denied(_)) => "clients refused by --deny",
            Self::NotServed(AccessRefusal::NotAllowed) => "clients refused by --allow",
            Self::GivesWay { .. } => "sessions that gave way at --max-cons",
            Self::Blocked { .. } => "clients refused by --block-after",
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
            Crowding::GivesWay {
                number,
                client,
                limit,
            } => write!(
                f,
                "{} gives way to {peer}: the server is full (--max-cons {limit}), and it has not \
                 logged in",
                SessionName::new(number, client)
            ),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reason: Crowding) -> String {
        let line = Line {
            peer: "198.51.100.7:4711".parse().expect("an address"),
            reason,
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
                 logged in",
            ),
            (
                Crowding::AddressFull(32),
                "refused 198.51.100.7:4711: its address has too many sessions (--max-cons-per-ip 32)",
            ),
            (
                denied(),
                "refused 198.51.100.7:4711: its address is in --deny 198.51.100.0/24",
            ),
            (
                Crowding::NotServed(AccessRefusal::NotAllowed),
                "refused 198.51.100.7:4711: its address is in no network of --allow",
            ),
            (
                Crowding::Blocked {
                    after: 20,
                    seconds: 583,
                },
                "refused 198.51.100.7:4711: its address is blocked for 583 s more, after failed \
                 logins (--block-after 20)",
            ),
            (
                Crowding::GivesWay {
                    number: 17,
                    client: IpAddr::from([203, 0, 113, 9]),
                    limit: 512,
                },
                "#17 -@203.0.113.9 gives way to 198.51.100.7:4711: the server is full (--max-cons \
                 512), and it has not logged in",
            ),
        ] {
            assert_eq!(line(reason), expected);
        }
    }
}
