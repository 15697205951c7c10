//! Data connections that the client did not open: what is known about them, for the reply, STAT and
//! the log.

use std::time::Instant;

use ftp_proto::{Action, ClientOrigin, DataEvent};
use log::debug;

use super::connection::Connection;
use super::control::End;
use crate::nat::failure::{FailureCause, FailureEvidence};
use crate::nat::never_connected_log::ConnectFailure;
use crate::nat::reached_ports::Way;
use crate::net::routes::network_to;
use crate::settings::AddressSource;

impl Connection {
    /// The client has connected to the port that it was sent to.
    pub(super) fn note_reached(&self, now: Instant) {
        let Some(offer) = self.session.passive_offer() else {
            return;
        };
        if !self.data.is_passive() {
            return;
        }
        let endpoints = self.session.endpoints();
        let (local, client) = (endpoints.local().ip(), endpoints.peer().ip());
        let way = Way::of(offer, local);
        self.server
            .reached_ports
            .on_reached(way, offer.port, client, now);
        self.server.never_connected.on_connected(offer, client);
    }

    /// To be called before an action that may close the listener: the client has sent another
    /// command, or is gone. If it had time to connect and did not, the connection counts as
    /// never opened. Clients give up long before our own timeout, and one that changes its mind
    /// at once has missed nothing.
    pub(super) fn before_closing(&mut self, action: &Action, now: Instant) {
        let closes = matches!(
            action,
            Action::CloseData(_) | Action::AbortTransfer(_) | Action::Close
        );
        let least = self.current.settings.timeouts.never_connected_after;
        // A shutdown says nothing about the network.
        if closes && !self.ending && self.data.never_connected(least, now) {
            self.report_data(DataEvent::NeverConnected);
            let gave_up = !matches!(action, Action::CloseData(_)) || self.log.has_aborted();
            self.explain_never_connected(gave_up, now);
        }
    }

    /// If the core has counted a data connection as never opened since the last call, gives it the
    /// cure, and the log the cause. To be called before the core's next output: the reply may be
    /// one of the next. `gave_up`: the client has ended the wait.
    #[inline(never)]
    pub(super) fn explain_never_connected(&mut self, gave_up: bool, now: Instant) {
        let Some(connection) = self.session.never_connected().copied() else {
            return;
        };
        if !self.log.never_connected(&connection) {
            return;
        }
        self.record.set_reached(false);
        self.server.counts.never_connected.add(1);
        let endpoints = self.session.endpoints();
        let (local, peer) = (endpoints.local().ip(), endpoints.peer().ip());
        let offer = connection.offer;
        let way = Way::of(&offer, local);
        let strangers = self.data.strangers();
        let is_lost = matches!(self.control.end(), Some(End::Lost(_)));
        let reached_ports = &self.server.reached_ports;
        let settings = &self.current.settings;
        let evidence = FailureEvidence {
            offer,
            local,
            peer,
            strangers: strangers.addresses(),
            returned: if is_lost {
                Vec::new()
            } else {
                let returning = &self.server.returning_strangers;
                returning.on_came(peer, strangers.addresses(), now)
            },
            history: reached_ports.history(way, offer.port, peer, now),
            is_lost,
            interfaces: &self.current.interfaces,
            route: match offer.origin {
                ClientOrigin::Private => network_to(peer),
                _ => None,
            },
            public: settings
                .masquerade_address
                .as_ref()
                .map(AddressSource::to_string),
            passive_ports: settings.passive_ports,
            outer_ports: settings.outer_ports,
        };
        let cause = evidence.cause();
        if cause == FailureCause::ClientGone {
            debug!("{} the client was gone before it could connect", self.name);
            return;
        }
        if cause.may_be_the_port() {
            reached_ports.on_missed(way, offer.port, peer, now);
        }
        if let Some(remedy) = cause.remedy() {
            self.session.set_remedy(&remedy);
        }
        let failure = ConnectFailure {
            peer,
            connection,
            cause,
            gave_up,
        };
        self.server.never_connected.on_never_connected(failure, now);
    }
}
