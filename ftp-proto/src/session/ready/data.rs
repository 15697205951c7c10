//! Setting up data connections: PASV, EPSV, PORT and EPRT, and what happens to them before a
//! transfer.
//!
//! At most one is set up at a time. A command for a new one closes the previous one, also when the
//! command is refused: the client has given the previous one up, and a file must not go there.

use core::mem;
use core::net::{IpAddr, SocketAddr};

use super::{DataSetup, Ready};
use crate::action::Action;
use crate::address::{
    AddressError, AddressFamily, EpsvArgument, parse_eprt, parse_epsv, parse_port,
};
use crate::command::DataVerb;
use crate::event::DataId;
use crate::masquerade::{Announcement, Bound};
use crate::offer::PassiveOffer;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session::active_target::ActiveTarget;
use crate::session::context::{Context, PassiveCommand, Question};
use crate::session::transfer_state::Transfer;

impl Ready {
    #[inline(never)]
    pub(super) fn data_command(&mut self, context: &mut Context, verb: DataVerb, argument: &[u8]) {
        // EPSV ALL sets up nothing.
        if verb != DataVerb::Epsv || parse_epsv(argument.trim_ascii()) != Ok(EpsvArgument::All) {
            self.close_data(context);
        }
        match verb {
            DataVerb::Pasv if context.is_extended_only() => context.reply(Reply::EPSV_ALL_ONLY),
            DataVerb::Pasv if context.endpoints.family() == AddressFamily::Ipv6 => {
                context.reply(match ["EPSV", "EPRT"].map(|name| context.denies(name)) {
                    [false, _] => Reply::USE_EPSV,
                    [true, false] => Reply::ONLY_ACTIVE,
                    [true, true] => Reply::CONNECT_OVER_IPV4,
                });
            }
            DataVerb::Pasv => self.open_passive(context, PassiveCommand::Pasv),
            DataVerb::Epsv => self.extended_passive(context, argument),
            DataVerb::Port => match parse_port(argument.trim_ascii()) {
                Ok(address) => self.active(context, address),
                Err(_) => context.reply(Reply::ARGUMENT_SYNTAX),
            },
            DataVerb::Eprt => match parse_eprt(argument.trim_ascii()) {
                Ok(address) => self.active(context, address),
                Err(AddressError::UnknownFamily) => context.reply(context.only_family()),
                Err(AddressError::Syntax) => context.reply(Reply::ARGUMENT_SYNTAX),
            },
        }
    }

    /// The outcome of `OpenPassive`. `false`: no such action is open.
    #[inline(never)]
    pub(in crate::session) fn passive_opened(
        &mut self,
        context: &mut Context,
        result: Result<Bound, Refusal>,
    ) -> bool {
        let Question::Passive {
            data,
            command,
            cancelled,
        } = context.question
        else {
            return false;
        };
        context.question = Question::None;
        let reply = match result {
            Ok(bound) if !cancelled => {
                context.epochs.data_open += 1;
                self.data = DataSetup::Passive(data);
                context.announce(data, command, bound)
            }
            Err(Refusal::Busy) if !cancelled => Reply::PASSIVE_BUSY,
            Ok(_) | Err(_) => Reply::PASSIVE_FAILED,
        };
        context.reply(reply);
        true
    }

    /// Closes the port or data connection that was set up for the next transfer.
    pub(in crate::session) fn close_data(&mut self, context: &mut Context) {
        match mem::replace(&mut self.data, DataSetup::None) {
            DataSetup::Passive(data) | DataSetup::Connected(data) => {
                context.push_action(Action::CloseData(data));
            }
            DataSetup::None | DataSetup::Active(_) | DataSetup::Expired => {}
        }
    }

    /// ABOR without a transfer closes an open passive port.
    pub(in crate::session) fn abort_idle(&mut self, context: &mut Context) {
        self.close_data(context);
        context.reply(Reply::ABORT_DONE);
    }

    /// The data connection was not established in time. `withdrawn`: other clients need the port.
    pub(in crate::session) fn expire_data(&mut self, context: &mut Context, withdrawn: bool) {
        if let Some(data) = self.open_port() {
            context.record_never_connected(data, withdrawn);
        }
        if let Some(transfer) = self.abort_unconnected() {
            context.push_action(Action::AbortTransfer(transfer));
        } else {
            self.close_data(context);
            self.data = DataSetup::Expired;
            context.epochs.idle += 1;
        }
    }

    /// The passive port that is open while the client has not connected, before or during a
    /// transfer.
    pub(in crate::session) fn open_port(&self) -> Option<DataId> {
        match (&self.transfer, self.data) {
            (Transfer::Running(running), _) => running.awaited_port(),
            (Transfer::None | Transfer::Opening(_), DataSetup::Passive(data)) => Some(data),
            (Transfer::None | Transfer::Opening(_), _) => None,
        }
    }

    fn open_passive(&mut self, context: &mut Context, command: PassiveCommand) {
        let data = context.new_data_id();
        context.question = Question::Passive {
            data,
            command,
            cancelled: false,
        };
        context.push_action(Action::OpenPassive(data));
    }

    fn extended_passive(&mut self, context: &mut Context, argument: &[u8]) {
        match parse_epsv(argument.trim_ascii()) {
            Ok(EpsvArgument::Any) => self.open_passive(context, PassiveCommand::Epsv),
            Ok(EpsvArgument::Family(family)) if family == context.endpoints.family() => {
                self.open_passive(context, PassiveCommand::Epsv);
            }
            Ok(EpsvArgument::All) => {
                context.extended_only = true;
                context.reply(Reply::EPSV_ALL);
            }
            Ok(EpsvArgument::Family(_)) | Err(AddressError::UnknownFamily) => {
                context.reply(context.only_family());
            }
            Err(AddressError::Syntax) => context.reply(Reply::ARGUMENT_SYNTAX),
        }
    }

    fn active(&mut self, context: &mut Context, address: SocketAddr) {
        let reply = match context.check_active(address) {
            Ok(target) => {
                self.data = DataSetup::Active(target);
                Reply::PORT_OKAY
            }
            Err(reply) => reply,
        };
        context.reply(reply);
    }
}

impl Context {
    fn announce(&mut self, data: DataId, command: PassiveCommand, bound: Bound) -> Reply {
        let announcement = self.announcement();
        let Announcement { address, port, .. } = announcement;
        let rules = &self.config.masquerade;
        let port = rules.announced_port(port, bound);
        let with_address = command == PassiveCommand::Pasv;
        let offer = PassiveOffer::new(rules, &self.endpoints, announcement, port, with_address);
        self.offer = Some((data, offer));
        self.is_offer_refused = false;
        match (command, address) {
            (PassiveCommand::Pasv, IpAddr::V4(address)) => Reply::passive(address, port),
            (PassiveCommand::Pasv | PassiveCommand::Epsv, _) => Reply::extended_passive(port),
        }
    }

    /// Refuses an address of PORT or EPRT that is not the client's own, or that no connection can
    /// be opened to.
    fn check_active(&self, address: SocketAddr) -> Result<ActiveTarget, Reply> {
        let ip = address.ip();
        if self.is_extended_only() {
            Err(Reply::EPSV_ALL_ONLY)
        } else if AddressFamily::of(ip) != self.endpoints.family() {
            Err(self.only_family())
        } else if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
            Err(Reply::ARGUMENT_SYNTAX)
        } else {
            let target = self.active_target(address)?;
            if address.port() < 1024 && !self.config.permit_privileged_ports {
                return Err(Reply::PRIVILEGED_PORT);
            }
            Ok(target)
        }
    }

    fn only_family(&self) -> Reply {
        match self.endpoints.family() {
            AddressFamily::Ipv4 => Reply::ONLY_IPV4,
            AddressFamily::Ipv6 => Reply::ONLY_IPV6,
        }
    }
}
