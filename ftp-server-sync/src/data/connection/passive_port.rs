//! The passive port of a data connection, before a transfer uses it.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use log::Level;
use mio::Registry;

use super::{DataConnection, DataStep, State, YieldOutcome};
use crate::data::announced_port::{AnnouncedPort, LookExtent};
use crate::data::strangers::Strangers;
use crate::logging::repeated::Event;
use crate::logging::session_name::LogContext;
use crate::logging::system_text::SystemText;
use crate::passive::{LeaseEnd, OpenOutcome, PassiveListener, Ticket};

impl DataConnection {
    pub(super) fn listen(
        &mut self,
        listener: PassiveListener,
        limit: Duration,
        now: Instant,
    ) -> DataStep {
        let port = Box::new(AnnouncedPort::new(self.log.clone(), listener, now, limit));
        let number = port.number();
        self.state = State::Listening { port, start: None };
        DataStep::PortOpened(number)
    }

    /// Takes a passive port if one has become available for this session, or gives up.
    pub(super) fn advance_ticket(
        &mut self,
        ticket: Ticket,
        since: Instant,
        limit: Duration,
        now: Instant,
    ) -> DataStep {
        match ticket.open(now) {
            Ok(OpenOutcome::Queued(ticket)) if now < since + limit => {
                self.state = State::Queued {
                    ticket: ticket.into(),
                    since,
                    limit,
                };
                DataStep::Blocked
            }
            Ok(OpenOutcome::Queued(_)) => DataStep::NoPort {
                waited: now - since,
            },
            Ok(OpenOutcome::Opened(listener)) => self.listen(listener, limit, now),
            Err(error) => DataStep::PortFailed(error),
        }
    }

    /// Before the transfer command: keeps the port's queue empty.
    pub(super) fn watch(
        &mut self,
        mut port: Box<AnnouncedPort>,
        registry: &Registry,
        now: Instant,
    ) -> DataStep {
        port.release_in_time(now);
        match port.watch(registry, &mut self.tokens, now) {
            Ok(()) => self.state = State::Listening { port, start: None },
            Err(error) => self.log_not_accepted(&error, now),
        }
        DataStep::Blocked
    }

    /// The peer of a connection that is open and not used yet: from now on, the client counts as
    /// connected. `None` if it does already.
    pub(crate) fn connected_early(&mut self, extent: LookExtent, now: Instant) -> Option<IpAddr> {
        let peer = self.look(extent, now)?;
        let State::Listening { port, .. } = &mut self.state else {
            return None;
        };
        port.set_reported().then_some(peer)
    }

    /// Accepts connections: all of them, or those up to the first one that is open. Before the
    /// transfer command is answered, those that have ended are noted. Returns the peer of one that
    /// is open.
    fn look(&mut self, extent: LookExtent, now: Instant) -> Option<IpAddr> {
        let State::Listening { port, start } = &mut self.state else {
            return None;
        };
        let accepted = if start.is_none() {
            port.look(extent, &mut self.tokens, now)
        } else {
            port.accept(&mut self.tokens, now)
        };
        let peer = port.candidates.open_peer();
        if let Err(error) = accepted {
            self.log_not_accepted(&error, now);
        }
        peer
    }

    /// Usually no descriptor is left, and each look fails.
    fn log_not_accepted(&self, error: &io::Error, now: Instant) {
        let LogContext { name, events } = &self.log;
        let event = Event::new(NOT_ACCEPTED, Level::Error).by(name.client());
        let reason = SystemText(error);
        let line = format_args!("{name} cannot accept a data connection: {reason}");
        events.on_event(event, now, line);
    }

    /// Whether the client was sent to a port for this long, and no connection has come.
    pub(crate) fn never_connected(&mut self, least: Duration, now: Instant) -> bool {
        match &self.state {
            State::Listening { port, .. }
                if !port.is_released() && port.opened() + least <= now => {}
            _ => return false,
        }
        // The connection may be there and not be accepted yet.
        self.look(LookExtent::All, now);
        matches!(&self.state, State::Listening { port, .. } if port.candidates.is_empty())
    }

    /// The strangers that came to the port which the client was sent to.
    pub(crate) fn strangers(&self) -> Strangers {
        match &self.state {
            State::Listening { port, .. } => port.strangers.clone(),
            _ => Strangers::default(),
        }
    }

    /// The port that others wait for is closed for them when its time is over. `session_ends`: the
    /// client will not connect any more after that.
    pub(crate) fn yield_port(&mut self, session_ends: bool, now: Instant) -> YieldOutcome {
        let State::Listening { port, .. } = &self.state else {
            return YieldOutcome::NotDue;
        };
        if !port.must_yield(now) {
            return YieldOutcome::NotDue;
        }
        // The connection may be there and not be accepted yet, and those that are may be lost.
        let peer = self.look(LookExtent::All, now);
        let State::Listening { port, .. } = &mut self.state else {
            return YieldOutcome::NotDue;
        };
        match (peer, port.must_yield(now)) {
            (Some(peer), must_yield) => {
                port.set_reported();
                // A connection that has just come may still be a look.
                if must_yield {
                    port.release(LeaseEnd::Connected);
                }
                YieldOutcome::Connected(peer)
            }
            (None, true) => {
                port.release(LeaseEnd::GivenUp.in_session(session_ends));
                YieldOutcome::GivenUp
            }
            (None, false) => YieldOutcome::NotDue,
        }
    }
}

/// The kind of these errors.
const NOT_ACCEPTED: &str = "data connections that cannot be accepted";
