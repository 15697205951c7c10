//! Setting up data connections: PASV, EPSV, PORT and EPRT.
//!
//! At most one is set up at a time; a new one closes the one before it first.

use alloc::format;
use core::net::{IpAddr, SocketAddr};

use super::Session;
use super::phase::{PassiveCommand, Pending, Phase};
use super::ready::DataSetup;
use super::transfer_state::Transfer;
use crate::action::Action;
use crate::address::{
    AddressError, AddressFamily, EpsvArgument, parse_eprt, parse_epsv, parse_port,
};
use crate::masquerade::Announcement;
use crate::never_connected::NeverConnected;
use crate::offer::PassiveOffer;
use crate::outcome::Refusal;
use crate::reply::Reply;

impl Session {
    pub(super) fn passive(&mut self, command: PassiveCommand) {
        if command == PassiveCommand::Pasv {
            if self.extended_only {
                return self.reply(Reply::EPSV_ALL_ONLY);
            }
            if self.endpoints.family() == AddressFamily::Ipv6 {
                return self.reply(Reply::USE_EPSV);
            }
        }
        self.close_data();
        self.pending = Pending::Passive {
            command,
            cancelled: false,
        };
        self.push_action(Action::OpenPassive);
    }

    pub(super) fn extended_passive(&mut self, argument: &[u8]) {
        match parse_epsv(argument.trim_ascii()) {
            Ok(EpsvArgument::Any) => self.passive(PassiveCommand::Epsv),
            Ok(EpsvArgument::Family(family)) if family == self.endpoints.family() => {
                self.passive(PassiveCommand::Epsv);
            }
            Ok(EpsvArgument::All) => {
                self.extended_only = true;
                self.reply(Reply::EPSV_ALL);
            }
            Ok(EpsvArgument::Family(_)) | Err(AddressError::UnknownFamily) => {
                self.reply(self.only_family());
            }
            Err(AddressError::Syntax) => self.reply(Reply::ARGUMENT_SYNTAX),
        }
    }

    /// Returns whether that was asked.
    pub(super) fn passive_opened(&mut self, result: Result<u16, Refusal>) -> bool {
        let Pending::Passive { command, cancelled } = self.pending else {
            return false;
        };
        self.pending = Pending::None;
        let reply = match result {
            Ok(port) if !cancelled => {
                self.epochs.data_open += 1;
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.data = DataSetup::Passive;
                }
                self.announce(command, port)
            }
            Err(Refusal::Busy) if !cancelled => Reply::PASSIVE_BUSY,
            _ => Reply::PASSIVE_FAILED,
        };
        self.reply(reply);
        true
    }

    pub(super) fn port(&mut self, argument: &[u8]) {
        match parse_port(argument.trim_ascii()) {
            Ok(address) => self.active(address),
            Err(_) => self.reply(Reply::ARGUMENT_SYNTAX),
        }
    }

    pub(super) fn extended_port(&mut self, argument: &[u8]) {
        match parse_eprt(argument.trim_ascii()) {
            Ok(address) => self.active(address),
            Err(AddressError::UnknownFamily) => self.reply(self.only_family()),
            Err(AddressError::Syntax) => self.reply(Reply::ARGUMENT_SYNTAX),
        }
    }

    /// Closes whatever was set up for the next transfer.
    pub(super) fn close_data(&mut self) {
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let old = core::mem::replace(&mut ready.data, DataSetup::None);
        if matches!(old, DataSetup::Passive | DataSetup::Connected) {
            self.push_action(Action::CloseData);
        }
    }

    /// A data connection that was to come has not come. `withdrawn`: others need the port.
    pub(super) fn expire_data(&mut self, withdrawn: bool) {
        if self.is_port_open() {
            self.record_never_connected(withdrawn);
        }
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        match ready.abort_unconnected() {
            Some(transfer) => self.push_action(Action::AbortTransfer(transfer)),
            None => {
                ready.data = DataSetup::Expired;
                self.epochs.idle += 1;
                self.push_action(Action::CloseData);
            }
        }
    }

    /// Whether a passive port is open for a client that has not come, before a transfer or in one.
    pub(super) fn is_port_open(&self) -> bool {
        match &self.phase {
            Phase::Ready(ready) => match &ready.transfer {
                Transfer::Running(running) => running.awaits_client(),
                Transfer::None | Transfer::Opening(_) => ready.data == DataSetup::Passive,
            },
            _ => false,
        }
    }

    pub(super) fn record_never_connected(&mut self, withdrawn: bool) {
        if let Some(offer) = self.offer.take() {
            let before = self.never_connected.map_or(0, |last| last.number);
            self.never_connected = Some(NeverConnected {
                number: before.saturating_add(1),
                offer,
                withdrawn,
            });
        }
    }

    fn announce(&mut self, command: PassiveCommand, bound: u16) -> Reply {
        let announcement = self.announcement();
        let Announcement { address, port, .. } = announcement;
        let rules = &self.config.masquerade;
        let port = rules.announced_port(port, bound);
        let with_address = command == PassiveCommand::Pasv;
        let offer = PassiveOffer::new(rules, &self.endpoints, announcement, port, with_address);
        self.offer = Some(offer);
        match (command, address) {
            (PassiveCommand::Pasv, IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                let [high, low] = port.to_be_bytes();
                // Routers' helpers read this text: no other 227 exists, and no other form of it.
                Reply::line(
                    227,
                    format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low})."),
                )
            }
            // No full stop: there are clients that choke on one.
            _ => Reply::line(229, format!("Entering Extended Passive Mode (|||{port}|)")),
        }
    }

    fn active(&mut self, address: SocketAddr) {
        let peer = self.endpoints.peer().ip();
        let ip = address.ip();
        let reply = if self.extended_only {
            Reply::EPSV_ALL_ONLY
        } else if AddressFamily::of(ip) != self.endpoints.family() {
            self.only_family()
        } else if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
            Reply::ARGUMENT_SYNTAX
        } else if ip != peer && !self.config.permit_foreign_addresses {
            Reply::FOREIGN_ADDRESS
        } else if address.port() < 1024 && !self.config.permit_privileged_ports {
            Reply::PRIVILEGED_PORT
        } else {
            self.close_data();
            let target = self.scoped(address);
            if let Phase::Ready(ready) = &mut self.phase {
                ready.data = DataSetup::Active(target);
            }
            Reply::PORT_OKAY
        };
        self.reply(reply);
    }

    /// A link-local address is one only on its link, which EPRT cannot name: it is the peer's.
    fn scoped(&self, address: SocketAddr) -> SocketAddr {
        let mut peer = self.endpoints.peer();
        if address.ip() != peer.ip() {
            return address;
        }
        peer.set_port(address.port());
        peer
    }

    fn only_family(&self) -> Reply {
        match self.endpoints.family() {
            AddressFamily::Ipv4 => Reply::ONLY_IPV4,
            AddressFamily::Ipv6 => Reply::ONLY_IPV6,
        }
    }

    /// ABOR with nothing running: a waiting data port is closed.
    pub(super) fn abort_idle(&mut self) {
        self.close_data();
        self.reply(Reply::ABORT_DONE);
    }
}
