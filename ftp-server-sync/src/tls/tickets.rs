//! The control connections of all sessions, by the tickets that they gave to their clients: a
//! data connection that offers a ticket of another session shows whose it is.
//!
//! A ticket is one of TLS 1.3, or a session id of TLS 1.2. Only hashes of them are stored, so that
//! nothing in here can resume a TLS session.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::locks::lock;

/// The tickets of a server's sessions. The lock is never held across a system call.
#[derive(Debug, Default)]
pub(crate) struct TicketRegistry {
    /// Its key is random: no client can choose tickets of the same hash.
    hasher: RandomState,
    owners: Mutex<TicketOwners>,
}

/// One control connection in the registry. After its end it is remembered for a while.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<TicketRegistry>,
    id: OwnerId,
}

/// The session that a ticket of another client comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ForeignTicket {
    /// The session of this number has another login.
    OtherLogin(u64),
    /// The client of the session of this number is at another address.
    OtherAddress(u64, IpAddr),
}

#[derive(Debug, Default)]
struct TicketOwners {
    owners: HashMap<OwnerId, TicketOwner>,
    /// By the hash of the ticket.
    tickets: HashMap<u64, OwnerId>,
    /// In the order of their ends.
    ended: VecDeque<(OwnerId, Instant)>,
    added: u64,
}

/// The number of a registration. A session that begins TLS twice has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OwnerId(u64);

#[derive(Debug)]
struct TicketOwner {
    /// The session's, for the log.
    number: u64,
    client: IpAddr,
    /// Who is logged in, or was last; `None` before the login.
    login: Option<Box<[u8]>>,
    /// Their hashes.
    tickets: Vec<u64>,
}

impl TicketRegistry {
    /// The control connection of the session of this number, whose client is at this address.
    pub(super) fn register(self: &Arc<Self>, number: u64, client: IpAddr) -> Registration {
        let now = Instant::now();
        let mut owners = lock(&self.owners);
        owners.forget(now);
        let id = OwnerId(owners.added);
        owners.added += 1;
        let owner = TicketOwner {
            number,
            client: client.to_canonical(),
            login: None,
            tickets: Vec::new(),
        };
        owners.owners.insert(id, owner);
        Registration {
            registry: self.clone(),
            id,
        }
    }
}

impl Registration {
    /// The client of this control connection is given a ticket.
    pub(super) fn add(&self, ticket: &[u8]) {
        let hash = self.registry.hasher.hash_one(ticket);
        let mut owners = lock(&self.registry.owners);
        if let Some(owner) = owners.owners.get_mut(&self.id) {
            owner.tickets.push(hash);
            owners.tickets.insert(hash, self.id);
        }
    }

    /// Who is logged in now.
    pub(super) fn set_login(&self, login: Option<&[u8]>) {
        let login = login.map(Box::from);
        let mut owners = lock(&self.registry.owners);
        if let Some(owner) = owners.owners.get_mut(&self.id) {
            owner.login = login;
        }
    }

    /// Whose this ticket is that a data connection of this session offers. `None` if it is not
    /// known, or as good as none: the client's other sessions with the same login share it.
    pub(super) fn find_foreign(&self, ticket: &[u8], now: Instant) -> Option<ForeignTicket> {
        let hash = self.registry.hasher.hash_one(ticket);
        let mut owners = lock(&self.registry.owners);
        owners.forget(now);
        let own = owners.owners.get(&self.id)?;
        let other = owners.owners.get(owners.tickets.get(&hash)?)?;
        if other.client != own.client {
            Some(ForeignTicket::OtherAddress(other.number, other.client))
        } else if other.login.is_some() && other.login != own.login {
            Some(ForeignTicket::OtherLogin(other.number))
        } else {
            // Before its login a session has no data connections, so this one is not its own
            // that has gone astray. Clients that open several sessions at once, with one cache
            // for all tickets, do offer tickets of a session that is still logging in.
            None
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let now = Instant::now();
        lock(&self.registry.owners).end(self.id, now);
    }
}

impl TicketOwners {
    fn end(&mut self, id: OwnerId, now: Instant) {
        self.ended.push_back((id, now));
        self.forget(now);
    }

    /// Removes what ended too long ago.
    fn forget(&mut self, now: Instant) {
        while let Some(&(id, since)) = self.ended.front() {
            let age = now.saturating_duration_since(since);
            if self.ended.len() <= ENDED_MAX && age < ENDED_REMEMBERED {
                return;
            }
            self.ended.pop_front();
            let owner = self.owners.remove(&id);
            for hash in owner.into_iter().flat_map(|owner| owner.tickets) {
                self.tickets.remove(&hash);
            }
        }
    }
}

impl fmt::Display for ForeignTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherLogin(number) => write!(f, "the TLS session of another login (#{number})"),
            Self::OtherAddress(number, client) => write!(
                f,
                "the TLS session of a client at another address, {client} (#{number})"
            ),
        }
    }
}

/// A connection that was begun before the end of its session may still arrive: Linux repeats a SYN
/// for 127 s, others for less. After that, a client that offers an old ticket has kept it for a
/// new session.
const ENDED_REMEMBERED: Duration = Duration::from_secs(150);

/// Ended sessions take about 300 bytes each. More than this many end in that time only where
/// clients are tested.
const ENDED_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

    fn session(
        registry: &Arc<TicketRegistry>,
        number: u64,
        client: IpAddr,
        login: Option<&str>,
        ticket: &str,
    ) -> Registration {
        let registration = registry.register(number, client);
        registration.add(ticket.as_bytes());
        registration.set_login(login.map(str::as_bytes));
        registration
    }

    fn find(own: &Registration, ticket: &str) -> Option<ForeignTicket> {
        own.find_foreign(ticket.as_bytes(), Instant::now())
    }

    #[test]
    fn a_ticket_of_another_login_or_address_is_foreign() {
        let registry = Arc::default();
        let own = session(&registry, 1, HERE, Some("bob"), "own");
        let _same = session(&registry, 2, HERE, Some("bob"), "same");
        let _before_login = session(&registry, 3, HERE, None, "before login");
        let _alice = session(&registry, 4, HERE, Some("alice"), "alice");
        let _there = session(&registry, 5, THERE, Some("bob"), "there");
        let _neither = session(&registry, 6, THERE, None, "neither");
        for (ticket, expected) in [
            ("own", None),
            ("same", None),
            ("before login", None),
            ("alice", Some(ForeignTicket::OtherLogin(4))),
            ("there", Some(ForeignTicket::OtherAddress(5, THERE))),
            ("neither", Some(ForeignTicket::OtherAddress(6, THERE))),
            ("unknown", None),
        ] {
            assert_eq!(find(&own, ticket), expected, "{ticket}");
        }
    }

    #[test]
    fn an_ipv4_client_on_an_ipv6_socket_is_the_same() {
        let registry = Arc::default();
        let own = session(&registry, 1, HERE, Some("bob"), "own");
        let mapped = "::ffff:192.0.2.7".parse().unwrap();
        let _same = session(&registry, 2, mapped, Some("bob"), "same");
        assert_eq!(find(&own, "same"), None);
    }

    #[test]
    fn the_login_is_that_of_now() {
        let registry = Arc::default();
        let own = session(&registry, 1, HERE, Some("bob"), "own");
        let other = session(&registry, 2, HERE, None, "other");
        assert_eq!(find(&own, "other"), None);
        other.set_login(Some(b"alice"));
        assert_eq!(find(&own, "other"), Some(ForeignTicket::OtherLogin(2)));
        own.set_login(Some(b"alice"));
        assert_eq!(find(&own, "other"), None);
    }

    #[test]
    fn ended_sessions_are_remembered_for_a_while() {
        let registry = Arc::default();
        let own = session(&registry, 1, HERE, Some("bob"), "own");
        drop(session(&registry, 2, HERE, Some("alice"), "alice"));
        let ended = Instant::now();
        let found = |now| own.find_foreign(b"alice", now);
        let before = ended + ENDED_REMEMBERED - Duration::from_secs(1);
        assert_eq!(found(before), Some(ForeignTicket::OtherLogin(2)));
        assert_eq!(found(ended + ENDED_REMEMBERED), None);
        let owners = lock(&registry.owners);
        assert_eq!((owners.owners.len(), owners.tickets.len()), (1, 1));
    }

    #[test]
    fn ended_sessions_are_bounded() {
        let registry = Arc::default();
        let own = session(&registry, 0, HERE, Some("bob"), "own");
        for number in 1..=ENDED_MAX as u64 + 1 {
            let ticket = number.to_string();
            drop(session(&registry, number, HERE, Some("alice"), &ticket));
        }
        assert_eq!(find(&own, "1"), None);
        assert_eq!(find(&own, "2"), Some(ForeignTicket::OtherLogin(2)));
        let owners = lock(&registry.owners);
        assert_eq!(owners.owners.len(), ENDED_MAX + 1);
        assert_eq!(owners.tickets.len(), ENDED_MAX + 1);
    }

    #[test]
    fn debug_output_has_no_tickets() {
        let registry = Arc::default();
        let own = session(&registry, 1, HERE, Some("bob"), "own ticket");
        let shown = format!("{own:?}");
        assert!(
            !shown.contains("own ticket") && !shown.contains("111, 119, 110"),
            "{shown}"
        );
    }
}
