//! Data connections and transfers: PASV, EPSV, PORT, EPRT, REST, and what moves bytes.
//!
//! A transfer's final reply is produced by `TransferEnded` alone, whatever was asked in between.

use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::files::{Asked, path_refusal, refusal};
use super::{Pending, Phase, Session};
use crate::action::{
    Action, DataConnection, ListStyle, Representation, TransferId, TransferKind, TransferRequest,
};
use crate::address::{
    AddressError, EpsvArgument, Family, parse_decimal, parse_eprt, parse_epsv, parse_port,
};
use crate::command::Verb;
use crate::listing::FactSet;
use crate::masquerade::Announcement;
use crate::outcome::{Opened, Refusal, TransferError};
use crate::path::Path;
use crate::permissions::Permissions;
use crate::reply::Reply;
use crate::timeout::TimeoutKind;

/// After a login.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) user: Vec<u8>,
    pub(super) permissions: Permissions,
    pub(super) directory: Path,
    pub(super) rename_from: Option<Path>,
    pub(super) representation: Representation,
    pub(super) facts: FactSet,
    pub(super) data: Data,
    pub(super) transfer: Transfer,
    /// Where the next transfer begins (REST).
    restart: u64,
    /// `EPSV ALL` has been sent (RFC 2428, section 4).
    extended_only: bool,
}

/// How the next transfer will get its data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    None,
    /// The client has been told a port.
    Passive,
    /// The client has connected to it.
    Connected,
    Active(SocketAddr),
    /// The client did not come in time; the next transfer command is told so.
    Expired,
}

/// At most one transfer exists.
#[derive(Debug)]
pub(super) enum Transfer {
    None,
    /// `OpenTransfer` is not answered yet.
    Opening(Moving),
    /// From `StartTransfer` to `TransferEnded`.
    Running(Running),
}

/// What is being moved, for replies.
#[derive(Debug)]
pub(super) struct Moving {
    id: TransferId,
    asked: Asked,
    pub(super) command: &'static str,
    /// Where STOU makes its file.
    directory: Path,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) moving: Moving,
    pub(super) bytes: u64,
    connected: bool,
    cut: Option<Cut>,
    /// The name that STOU chose, as the client may use it.
    unique_name: Option<Vec<u8>>,
}

/// Why the core itself ends a transfer.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Abort,
    NeverOpened,
    Stalled,
}

/// Which command a passive listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassiveForm {
    Pasv,
    Epsv,
}

impl Ready {
    pub(super) fn new(user: Vec<u8>, permissions: Permissions) -> Self {
        Self {
            user,
            permissions,
            directory: Path::root(),
            rename_from: None,
            representation: Representation::Ascii,
            facts: FactSet::default(),
            data: Data::None,
            transfer: Transfer::None,
            restart: 0,
            extended_only: false,
        }
    }

    pub(super) fn data_connected(&mut self) {
        match &mut self.transfer {
            Transfer::Running(running) => running.connected = true,
            _ if self.data == Data::Passive => self.data = Data::Connected,
            _ => {}
        }
    }

    /// Returns whether anything has moved since the last time.
    pub(super) fn progressed(&mut self, transfer: TransferId, bytes_total: u64) -> bool {
        match &mut self.transfer {
            Transfer::Running(running)
                if running.moving.id == transfer && running.bytes != bytes_total =>
            {
                running.bytes = bytes_total;
                true
            }
            _ => false,
        }
    }

    /// The transfer to abort for an ABOR, unless it is being ended already.
    pub(super) fn cut_for_abort(&mut self) -> Option<TransferId> {
        self.cut(Cut::Abort)
    }

    /// Uses up what was set up for a transfer; whether it is connected already.
    fn take_data(&mut self) -> Result<(DataConnection, bool), Reply> {
        match core::mem::replace(&mut self.data, Data::None) {
            Data::None => Err(Reply::DATA_SETUP_FIRST),
            Data::Expired => Err(Reply::DATA_NEVER_OPENED),
            Data::Passive => Ok((DataConnection::Passive, false)),
            Data::Connected => Ok((DataConnection::Passive, true)),
            Data::Active(address) => Ok((DataConnection::Active(address), false)),
        }
    }

    fn cut(&mut self, cut: Cut) -> Option<TransferId> {
        match &mut self.transfer {
            Transfer::Running(running) if running.cut.is_none() => {
                running.cut = Some(cut);
                Some(running.moving.id)
            }
            _ => None,
        }
    }
}

impl Running {
    pub(super) fn timer(&self) -> Option<TimeoutKind> {
        match (self.cut, self.connected) {
            (Some(_), _) => None,
            (None, false) => Some(TimeoutKind::DataOpen),
            (None, true) => Some(TimeoutKind::DataStall),
        }
    }

    fn final_reply(&self, result: Result<(), TransferError>) -> Reply {
        match (result, self.cut) {
            (Ok(()), _) => match &self.unique_name {
                Some(name) => Reply::line(226, [b"Transfer complete; FILE: ", &name[..]].concat()),
                None => Reply::TRANSFER_COMPLETE,
            },
            (Err(_), Some(Cut::Abort)) => Reply::TRANSFER_ABORTED,
            (Err(_), Some(Cut::NeverOpened)) => Reply::DATA_NEVER_OPENED,
            (Err(_), Some(Cut::Stalled)) => Reply::TRANSFER_STALLED,
            (Err(error), None) => match error {
                TransferError::NotConnected => Reply::DATA_NOT_OPENED,
                TransferError::ConnectionLost => Reply::TRANSFER_CUT,
                TransferError::Aborted => Reply::TRANSFER_ABORTED,
                TransferError::LocalRead | TransferError::LocalWrite => Reply::LOCAL_ERROR,
                TransferError::NoSpace => Reply::STORAGE_FULL,
            },
        }
    }
}

/// Setting up data connections.
impl Session {
    pub(super) fn passive(&mut self, form: PassiveForm) {
        let Phase::Ready(ready) = &self.phase else {
            return;
        };
        if form == PassiveForm::Pasv {
            if ready.extended_only {
                return self.reply(Reply::EPSV_ALL_ONLY);
            }
            if self.endpoints.family() == Family::Ipv6 {
                return self.reply(Reply::USE_EPSV);
            }
        }
        self.close_data();
        self.pending = Pending::Passive {
            form,
            cancelled: false,
        };
        self.act(Action::OpenPassive);
    }

    pub(super) fn extended_passive(&mut self, argument: &[u8]) {
        match parse_epsv(argument.trim_ascii()) {
            Ok(EpsvArgument::Any) => self.passive(PassiveForm::Epsv),
            Ok(EpsvArgument::Family(family)) if family == self.endpoints.family() => {
                self.passive(PassiveForm::Epsv);
            }
            Ok(EpsvArgument::All) => {
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.extended_only = true;
                }
                self.reply(Reply::EPSV_ALL);
            }
            Ok(EpsvArgument::Family(_)) | Err(AddressError::Family) => {
                self.reply(self.only_family());
            }
            Err(AddressError::Syntax) => self.reply(Reply::ARGUMENT_SYNTAX),
        }
    }

    /// Returns whether that was asked.
    pub(super) fn passive_opened(&mut self, result: Result<u16, Refusal>) -> bool {
        let Pending::Passive { form, cancelled } = self.pending else {
            return false;
        };
        self.pending = Pending::None;
        let reply = match result {
            Ok(port) if !cancelled => {
                self.epochs.data_open += 1;
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.data = Data::Passive;
                }
                self.announce(form, port)
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
            Err(AddressError::Family) => self.reply(self.only_family()),
            Err(AddressError::Syntax) => self.reply(Reply::ARGUMENT_SYNTAX),
        }
    }

    /// Closes whatever was set up for the next transfer.
    pub(super) fn close_data(&mut self) {
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let old = core::mem::replace(&mut ready.data, Data::None);
        if matches!(old, Data::Passive | Data::Connected) {
            self.act(Action::CloseData);
        }
    }

    fn announce(&self, form: PassiveForm, bound: u16) -> Reply {
        let Announcement { address, port, .. } = self.announcement();
        let port = self.config.masquerade.announced_port(port, bound);
        match (form, address) {
            (PassiveForm::Pasv, IpAddr::V4(address)) => {
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
        let Phase::Ready(ready) = &self.phase else {
            return;
        };
        let peer = self.endpoints.peer().ip();
        let ip = address.ip();
        let reply = if ready.extended_only {
            Reply::EPSV_ALL_ONLY
        } else if Family::of(ip) != self.endpoints.family() {
            self.only_family()
        } else if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
            Reply::ARGUMENT_SYNTAX
        } else if ip != peer && !self.config.permit_foreign_addresses {
            Reply::FOREIGN_ADDRESS
        } else if address.port() < 1024 && !self.config.permit_privileged_ports {
            Reply::PRIVILEGED_PORT
        } else {
            self.close_data();
            if let Phase::Ready(ready) = &mut self.phase {
                ready.data = Data::Active(address);
            }
            Reply::PORT_OKAY
        };
        self.reply(reply);
    }

    fn only_family(&self) -> Reply {
        match self.endpoints.family() {
            Family::Ipv4 => Reply::ONLY_IPV4,
            Family::Ipv6 => Reply::ONLY_IPV6,
        }
    }
}

/// Transfers.
impl Session {
    pub(super) fn restart(&mut self, argument: &[u8]) {
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let Some(offset) = parse_decimal(argument.trim_ascii()) else {
            return self.reply(Reply::ARGUMENT_SYNTAX);
        };
        ready.restart = offset;
        self.reply(Reply::line(
            350,
            format!("Restarting at {offset}; send RETR or STOR."),
        ));
    }

    pub(super) fn transfer_command(&mut self, verb: Verb, argument: &[u8]) {
        match self.transfer_request(verb, argument) {
            Err(reply) => self.reply(reply),
            Ok((asked, request)) => {
                let moving = Moving {
                    id: request.id,
                    asked,
                    command: request.kind.command(),
                    directory: request.kind.path().clone(),
                };
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.transfer = Transfer::Opening(moving);
                }
                self.act(Action::OpenTransfer(request));
            }
        }
    }

    /// Returns whether that was asked.
    pub(super) fn transfer_opened(&mut self, result: Result<Opened, Refusal>) -> bool {
        let Phase::Ready(ready) = &mut self.phase else {
            return false;
        };
        let moving = match core::mem::replace(&mut ready.transfer, Transfer::None) {
            Transfer::Opening(moving) => moving,
            other => {
                ready.transfer = other;
                return false;
            }
        };
        let opened = match result {
            Ok(opened) => opened,
            Err(why) => {
                self.reply(refusal(moving.asked, why));
                return true;
            }
        };
        // Only now: that there is no such file is worth more to a client than that it forgot PASV.
        match ready.take_data() {
            Ok((connection, connected)) => self.start(moving, opened, connection, connected),
            Err(reply) => {
                self.act(Action::AbortTransfer(moving.id));
                self.reply(reply);
            }
        }
        true
    }

    fn start(
        &mut self,
        moving: Moving,
        opened: Opened,
        connection: DataConnection,
        connected: bool,
    ) {
        let protected = self.data_is_private();
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let transfer = moving.id;
        let unique_name = opened.name.map(|name| {
            if moving.directory == ready.directory {
                return name;
            }
            match moving.directory.resolve(&name) {
                Ok(path) => path.as_bytes().to_vec(),
                Err(_) => name,
            }
        });
        let reply = match (&unique_name, opened.bytes) {
            // The form that RFC 1123, section 4.1.2.9, asks for.
            (Some(name), _) => Reply::line(150, [b"FILE: ", &name[..]].concat()),
            (None, Some(bytes)) => {
                Reply::line(150, format!("Opening data connection ({bytes} bytes)."))
            }
            (None, None) => Reply::OPENING,
        };
        // The client of a passive port has had its time since the 227; an active one has it from here.
        if let DataConnection::Active(_) = connection {
            self.epochs.data_open += 1;
        }
        self.epochs.data_stall += 1;
        ready.transfer = Transfer::Running(Running {
            moving,
            bytes: 0,
            connected,
            cut: None,
            unique_name,
        });
        self.reply(reply);
        self.act(Action::StartTransfer {
            transfer,
            connection,
            protected,
        });
    }

    /// Returns whether that was asked.
    pub(super) fn transfer_ended(
        &mut self,
        transfer: TransferId,
        result: Result<(), TransferError>,
    ) -> bool {
        let Phase::Ready(ready) = &mut self.phase else {
            return false;
        };
        let reply = match &ready.transfer {
            Transfer::Running(running) if running.moving.id == transfer => {
                running.final_reply(result)
            }
            _ => return false,
        };
        ready.transfer = Transfer::None;
        self.epochs.idle += 1;
        self.reply(reply);
        true
    }

    /// ABOR with nothing running: a waiting data port is closed.
    pub(super) fn abort_idle(&mut self) {
        self.close_data();
        self.reply(Reply::ABORT_DONE);
    }

    pub(super) fn data_open_timed_out(&mut self) {
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        match ready.cut(Cut::NeverOpened) {
            Some(transfer) => self.act(Action::AbortTransfer(transfer)),
            None => {
                ready.data = Data::Expired;
                self.epochs.idle += 1;
                self.act(Action::CloseData);
            }
        }
    }

    pub(super) fn data_stalled(&mut self) {
        if let Phase::Ready(ready) = &mut self.phase
            && let Some(transfer) = ready.cut(Cut::Stalled)
        {
            self.act(Action::AbortTransfer(transfer));
        }
    }

    fn transfer_request(
        &mut self,
        verb: Verb,
        argument: &[u8],
    ) -> Result<(Asked, TransferRequest), Reply> {
        let Phase::Ready(ready) = &mut self.phase else {
            return Err(Reply::NOT_LOGGED_IN);
        };
        let offset = core::mem::take(&mut ready.restart);
        let asked = Asked::of(verb);
        if !permitted(verb, &ready.permissions) {
            return Err(refusal(asked, Refusal::Denied));
        }
        let kind = ready.transfer_kind(verb, argument, offset)?;
        let uploads_in_lines = ready.representation == Representation::Ascii && kind.is_upload();
        if uploads_in_lines && offset > 0 {
            return Err(Reply::RESTART_IN_ASCII);
        }
        self.transfers_begun += 1;
        let request = TransferRequest {
            id: TransferId(self.transfers_begun),
            kind,
            representation: ready.representation,
        };
        Ok((asked, request))
    }
}

impl Ready {
    fn transfer_kind(
        &self,
        verb: Verb,
        argument: &[u8],
        offset: u64,
    ) -> Result<TransferKind, Reply> {
        let resolve = |argument| self.directory.resolve(argument).map_err(path_refusal);
        Ok(match verb {
            Verb::Retr => TransferKind::Retrieve {
                path: resolve(argument)?,
                offset,
            },
            Verb::Stor => TransferKind::Store {
                path: resolve(argument)?,
                offset,
            },
            Verb::Appe => TransferKind::Append {
                path: resolve(argument)?,
            },
            Verb::Stou if argument.is_empty() => TransferKind::StoreUnique {
                directory: self.directory.clone(),
                wish: Vec::new(),
            },
            Verb::Stou => {
                let path = resolve(argument)?;
                TransferKind::StoreUnique {
                    directory: path.parent(),
                    wish: path.name().to_vec(),
                }
            }
            Verb::Mlsd => TransferKind::List {
                path: resolve(argument)?,
                style: ListStyle::Facts {
                    facts: self.facts,
                    permissions: self.permissions,
                },
            },
            Verb::Nlst => {
                let argument = without_flags(argument);
                TransferKind::List {
                    path: resolve(argument)?,
                    style: ListStyle::Names {
                        prefix: names_prefix(argument),
                    },
                }
            }
            _ => TransferKind::List {
                path: resolve(without_flags(argument))?,
                style: ListStyle::Long,
            },
        })
    }
}

fn permitted(verb: Verb, permissions: &Permissions) -> bool {
    match verb {
        Verb::Retr => permissions.read,
        Verb::Stor | Verb::Stou => permissions.store,
        Verb::Appe => permissions.append,
        _ => permissions.list,
    }
}

/// Clients send the flags of `ls` (`LIST -a dir`); they are no part of the path.
pub(super) fn without_flags(argument: &[u8]) -> &[u8] {
    let mut rest = argument;
    while let Some(after_dash) = rest.strip_prefix(b"-") {
        let end = after_dash.iter().position(|&byte| byte == b' ');
        rest = end.map_or(&b""[..], |end| after_dash[end..].trim_ascii_start());
    }
    rest
}

/// What NLST puts before each name, so that a client can use the lines as they come.
fn names_prefix(argument: &[u8]) -> Vec<u8> {
    let mut prefix = argument.to_vec();
    if !prefix.is_empty() && !prefix.ends_with(b"/") {
        prefix.push(b'/');
    }
    prefix
}
