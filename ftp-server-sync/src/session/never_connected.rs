//! Data connections that the client did not open.
//!
//! A listener closes by an action of the core, by a timeout, or because another session needs its
//! port. The core counts the last two itself. Whether the first one counts is decided here, before
//! the action is performed: the core does not measure time.

use std::net::IpAddr;
use std::time::Instant;

use ftp_proto::{Action, DataEvent};
use log::debug;

use super::connection::Connection;

impl Connection {
    /// The client is being sent to a port.
    pub(super) fn port_offered(&mut self) {
        self.offered_port.offer(Instant::now());
    }

    /// Reports what happened to the last data connection.
    pub(super) fn report_data(&mut self, event: DataEvent) {
        if let Some(data) = self.data {
            self.session.handle_data(data, event);
        }
    }

    /// The data connection is established, in either mode.
    pub(super) fn data_connected(&mut self, peer: IpAddr) {
        let was_offered = self.offered_port.clear();
        if let Some(offer) = self.session.passive_offer()
            && was_offered
        {
            self.server.never_connected.on_connected(offer);
        }
        self.report_data(DataEvent::Connected(peer));
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
        if !closes {
            return;
        }
        let least = self.current.settings.timeouts.never_connected_after;
        let never_connected = self.offered_port.had_time(least, now)
            && self.awaited_listener().is_some()
            // A shutdown says nothing about the network.
            && !self.ending
            // The connection may be there and not be accepted yet.
            && !self.accept_early();
        if never_connected {
            self.report_data(DataEvent::NeverConnected);
        }
        self.offered_port.clear();
    }

    /// Logs the data connections that the core has counted as never opened since the last call.
    pub(super) fn log_never_connected(&mut self, now: Instant) {
        let Some(never_connected) = self.session.never_connected() else {
            return;
        };
        if never_connected.number == self.offered_port.logged {
            return;
        }
        self.offered_port.logged = never_connected.number;
        let (number, peer) = (self.number, self.session.endpoints().peer().ip());
        debug!(
            "#{number} {peer} was sent to {} and did not connect",
            never_connected.offer
        );
        let has_range = self.current.settings.passive_ports.is_some();
        self.server
            .never_connected
            .on_never_connected(peer, never_connected, has_range, now);
    }
}
