//! New control connections: each gets a session, or is refused.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use ftp_proto::{Reply, canonical};
use log::Level;
use rustix::io::Errno;

use super::admission::{Admission, decide, has_room};
use super::awaited_headers::FailureLog;
use super::listeners::Accepted;
use super::refusals::{Crowding, refuse};
use super::{Server, Shutdown};
use crate::accounts::login_throttle::whole_seconds;
use crate::logging::repeated::Event;
use crate::logging::session_name::SessionName;
use crate::logging::system_text::SystemText;
use crate::net::client_network::ClientNetwork;
use crate::net::proxy_header::needs_header;
use crate::session::Start;
use crate::settings::Limits;

impl Server {
    /// Takes all connections that wait.
    pub(super) fn accept_all(&mut self) {
        let now = Instant::now();
        if self.accept_failures.is_pause(now) {
            return;
        }
        loop {
            match self.listeners.accept() {
                Ok(accepted) => {
                    self.accept_failures.on_success(&self.state.events, now);
                    let Some(accepted) = accepted else {
                        return;
                    };
                    self.admit_or_await_header(accepted, now);
                }
                Err(error) => {
                    return (self.accept_failures).on_failure(&error, &self.state.events, now);
                }
            }
        }
    }

    /// Starts the session of the client that inetd has passed, and ends the server after it.
    pub(super) fn serve_single_client(&mut self, now: Instant) {
        let Some(client) = &mut self.single_client else {
            return;
        };
        if self.shutdown != Shutdown::No {
            return client.close();
        }
        let listen = &self.state.current().settings.listen;
        let due = client.take_due(self.addresses.have_answered(), listen, now);
        let is_waiting = client.due().is_some();
        if let Some(accepted) = due {
            self.admit_or_await_header(accepted, now);
        }
        // A client that is refused has no session.
        if !is_waiting && self.headers.is_empty() && self.sessions.count() == 0 {
            self.end_now();
        }
    }

    /// A connection from a balancer waits for its PROXY header first.
    fn admit_or_await_header(&mut self, accepted: Accepted, now: Instant) {
        let balancers = &self.state.current().settings.proxy_protocol;
        if !needs_header(balancers, accepted.peer.ip()) {
            return self.admit(accepted);
        }
        let log = FailureLog {
            events: &self.state.events,
            now,
        };
        self.headers.add(accepted, self.poll.registry(), &log);
        self.admit_proxied();
    }

    /// Starts the sessions of clients whose PROXY headers have come, and closes the connections
    /// whose headers have not come in time.
    pub(super) fn update_headers(&mut self, now: Instant) {
        let log = FailureLog {
            events: &self.state.events,
            now,
        };
        self.headers.expire(&log);
        self.admit_proxied();
    }

    fn admit_proxied(&mut self) {
        while let Some(accepted) = self.headers.take_ready() {
            self.admit(accepted);
        }
    }

    /// Starts a session for a new client unless it is refused.
    pub(super) fn admit(&mut self, accepted: Accepted) {
        let Accepted {
            stream,
            peer,
            local,
            implicit_tls,
            proxied,
        } = accepted;
        let peer = canonical(peer);
        // Sessions that have ended make room.
        self.read_messages();
        if self.shutdown != Shutdown::No {
            // The sessions have been asked to end already: a new one would not get that message.
            return;
        }
        if let Some(reason) = self.refusal(peer) {
            self.state.counts.refused_connections.add(1);
            reason.log(peer, &self.state.events, Instant::now());
            return refuse(stream, implicit_tls, &reason.reply());
        }
        let number = self.sessions.next_number();
        let server = self.state.clone();
        let start = |commands, login_state| Start {
            number,
            server,
            stream,
            peer,
            local,
            implicit_tls,
            proxied,
            commands,
            login_state,
        };
        match self.sessions.start(peer.ip(), start) {
            Ok(()) => self.state.counts.sessions.add(1),
            // Usually no descriptor is left.
            Err((error, start)) => {
                self.log_not_served(number, peer, &error);
                if let Some(start) = start {
                    refuse(start.stream, implicit_tls, &Reply::too_many_connections());
                }
            }
        }
    }

    fn log_not_served(&self, number: u64, peer: SocketAddr, error: &io::Error) {
        self.state.counts.refused_connections.add(1);
        let event = Event::new(NOT_SERVED, Level::Error).by(peer.ip());
        let name = SessionName::new(number, peer.ip());
        let reason = SystemText(error);
        // The C library says the same where there is no memory for its stack.
        let is_thread_missing = Errno::from_io_error(error) == Some(Errno::AGAIN);
        let advice = if is_thread_missing {
            format!("; {}", self.limits.thread_advice())
        } else {
            String::new()
        };
        let line = format_args!("{name} cannot serve the client: {reason}{advice}");
        self.state.events.on_event(event, Instant::now(), line);
    }

    /// How many sessions there may be: each has its descriptors and its maps of memory reserved.
    pub(super) fn sessions_max(&self) -> u32 {
        let wanted = self.state.current().settings.limits.connections_max;
        wanted.min(self.limits.sessions_max())
    }

    /// Why a client is refused. If it gets the place of another session, that one ends now.
    fn refusal(&mut self, peer: SocketAddr) -> Option<Crowding> {
        let current = self.state.current();
        let settings = &current.settings;
        if let Err(reason) = settings.access.check(peer.ip()) {
            return Some(Crowding::NotServed(reason));
        }
        let now = Instant::now();
        let is_gateway = current.config.is_trusted_gateway(peer.ip());
        let network = (!is_gateway).then(|| ClientNetwork::of(peer.ip()));
        if let (Some(network), Some(block)) = (network, settings.login_block) {
            let (throttle, rules) = (&self.state.login_throttle, settings.login_rules());
            if let Some(time) = throttle.blocked_for(network, rules, now) {
                let (after, seconds) = (block.after, whole_seconds(time));
                return Some(Crowding::Blocked { after, seconds });
            }
        }
        let delays = network.map_or(0, |network| self.delays.count(network, now));
        let limit = self.sessions_max();
        let limits = Limits {
            connections_max: limit,
            ..settings.limits.clone()
        };
        // Looking at each session would take ever longer, the more there are.
        let same = network.map_or(0, |network| self.sessions.count_of(network));
        if has_room(&limits, self.sessions.count(), same + delays) {
            return None;
        }
        match decide(&limits, &self.sessions.places(), network, delays) {
            Admission::Admitted => None,
            // The check of a balancer is no client: it has no use for the place of one.
            Admission::InPlaceOf(place)
                if needs_header(&settings.proxy_protocol, peer.ip())
                    && !place.state.is_client_gone() =>
            {
                Some(Crowding::ServerFull(limit))
            }
            Admission::InPlaceOf(place) => {
                let number = place.number;
                if let Some(client) = self.sessions.client(number) {
                    let reason = Crowding::GivesWay {
                        number,
                        client,
                        limit,
                    };
                    reason.log(peer, &self.state.events, now);
                }
                if place.state.is_delayed() {
                    self.delays.add(place.network, now + settings.login_delay);
                }
                self.sessions.evict(number);
                None
            }
            Admission::ServerFull => Some(Crowding::ServerFull(limit)),
            Admission::AddressFull => {
                let limit = limits.connections_per_address_max.unwrap_or_default();
                Some(Crowding::AddressFull(limit))
            }
        }
    }
}

/// The kind of clients for which the system has no thread or no descriptor.
const NOT_SERVED: &str = "clients that cannot be served";
