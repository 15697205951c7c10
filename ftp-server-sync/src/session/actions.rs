//! How each action of the core is performed.

use std::io;
use std::time::Instant;

use ftp_proto::listing::Walk;
use ftp_proto::text::printable;
use ftp_proto::{
    Action, Bound, DataEvent, DataId, FileRequest, Opened, Outcome, Refusal, Representation,
    Secret, TransferError, TransferId, TransferKind, TransferRequest, TransferStart,
};
use log::{Level, error, info, log, warn};

use super::connection::{Closing, Connection};
use super::log::{file_request, transfer_request};
use crate::data::ascii_restart::skip_text;
use crate::data::connection::{DataListener, DataPort};
use crate::data::pump::Pump;
use crate::data::transfer::Transfer;
use crate::logging::clock::unix_seconds;
use crate::passive::{OpenOutcome, PassiveListener};

impl Connection {
    /// Performs `action`. `None` if its outcome comes later, or if it has none.
    pub(super) fn perform(&mut self, action: Action, now: Instant) -> Option<Outcome> {
        self.before_closing(&action, now);
        match action {
            Action::Authenticate { user, password } => self.authenticate(&user, &password, now),
            Action::File(request) => self.file(&request),
            Action::OpenPassive(data) => self.open_passive(data, now),
            Action::CloseData(_) => self.close_data(),
            Action::OpenTransfer(request) => Some(self.open_transfer(request)),
            Action::StartTransfer(start) => self.start_transfer(start, false, now),
            Action::StartProtectedTransfer(start) => self.start_transfer(start, true, now),
            Action::AbortTransfer(id) => self.abort_transfer(id, now),
            Action::StartTls => self.start_tls(),
            Action::Close => {
                self.transfer = None;
                self.port = DataPort::None;
                self.delayed = None;
                self.status = None;
                self.closing = Some(Closing::Flushing);
                None
            }
            Action::CloseNow => {
                info!("#{} the client did not read its last replies", self.number);
                self.closing = Some(Closing::Now);
                None
            }
        }
    }

    fn authenticate(&mut self, user: &[u8], password: &Secret, now: Instant) -> Option<Outcome> {
        let number = self.number;
        let name = printable(user);
        let account = self.current.settings.users.check(user, password);
        let is_known = account.is_some();
        let outcome = Outcome::Authenticated(account);
        if is_known {
            info!("#{number} logged in as {name}");
            return Some(outcome);
        }
        warn!(
            "#{number} login as {name} failed from {}",
            self.session.endpoints().peer().ip()
        );
        self.delayed = Some((now + self.current.settings.login_delay, outcome));
        None
    }

    fn file(&mut self, request: &FileRequest) -> Option<Outcome> {
        if let FileRequest::Status(listing) = request {
            self.begin_status(request, listing);
            return None;
        }
        let result = self.root.perform(request);
        let subject = file_request(request);
        match (&result, request) {
            (Err(_), _) => self.log.set_subject(subject),
            (
                Ok(_),
                FileRequest::MakeDirectory { .. }
                | FileRequest::ChangeMode { .. }
                | FileRequest::SetModified { .. }
                | FileRequest::RemoveDirectory(_)
                | FileRequest::DeleteFile(_)
                | FileRequest::Rename { .. },
            ) => info!("#{} {subject}", self.number),
            _ => {}
        }
        Some(Outcome::File(result))
    }

    fn open_passive(&mut self, data: DataId, now: Instant) -> Option<Outcome> {
        self.data = Some(data);
        let local = self.session.endpoints().local();
        let (allowed_peers, waker) = (self.session.allowed_peers().clone(), self.waker.clone());
        let opening = self.server.pool.open(local, allowed_peers, waker, now);
        match opening {
            Ok(OpenOutcome::Opened(listener)) => Some(self.listening(listener)),
            Ok(OpenOutcome::Queued(ticket)) => {
                info!("#{} waits for a passive port: all are in use", self.number);
                self.port = DataPort::Queued { ticket, since: now };
                None
            }
            Err(error) => Some(self.cannot_listen(&error)),
        }
    }

    /// A passive port is open.
    pub(super) fn listening(&mut self, listener: PassiveListener) -> Outcome {
        let bound = Bound::try_from(listener.port());
        self.port_offered();
        self.port = DataPort::Listening(DataListener::new(listener, self.number));
        Outcome::PassiveOpened(bound.map_err(|_| Refusal::Failed))
    }

    /// Logs the announcement, at level `info` once in a session and when it changes.
    pub(super) fn log_announcement(&mut self) {
        let Some(offer) = self.session.passive_offer() else {
            return;
        };
        let announced = offer.announcement;
        let outer = offer.port;
        let level = if self.announced.replace(announced) == Some(announced) {
            Level::Debug
        } else {
            Level::Info
        };
        log!(
            level,
            "#{} passive mode announces {}, port {outer}, by {}",
            self.number,
            announced.address,
            announced.reason
        );
    }

    pub(super) fn cannot_listen(&mut self, error: &io::Error) -> Outcome {
        error!("#{} cannot open a passive port: {error}", self.number);
        Outcome::PassiveOpened(Err(Refusal::Failed))
    }

    pub(super) fn no_port_in_time(&mut self, since: Instant, now: Instant) -> Outcome {
        let waited = (now - since).as_secs_f64();
        warn!(
            "#{} no passive port became free in {waited:.0} s",
            self.number
        );
        Outcome::PassiveOpened(Err(Refusal::Busy))
    }

    fn close_data(&mut self) -> Option<Outcome> {
        let old = std::mem::replace(&mut self.port, DataPort::None);
        let awaited = matches!(old, DataPort::Queued { .. });
        awaited.then_some(Outcome::PassiveOpened(Err(Refusal::Busy)))
    }

    fn open_transfer(&mut self, request: TransferRequest) -> Outcome {
        match self.open_pump(&request) {
            Ok((pump, opened)) => {
                self.transfer = Some(Transfer::new(
                    self.number,
                    request,
                    pump,
                    opened.name.clone(),
                ));
                Outcome::TransferOpened(Ok(opened))
            }
            Err(refusal) => {
                self.log.set_subject(transfer_request(&request));
                Outcome::TransferOpened(Err(refusal))
            }
        }
    }

    fn open_pump(&self, request: &TransferRequest) -> Result<(Pump, Opened), Refusal> {
        let root = &self.root;
        let representation = request.representation;
        let is_text = representation == Representation::Ascii;
        let umask = request.umask;
        let nothing = Opened::default();
        Ok(match &request.kind {
            TransferKind::Retrieve { path, offset } if is_text && *offset > 0 => {
                let mut download = root.download(path, 0)?;
                let start = skip_text(&mut download, *offset)?;
                (Pump::text(download, start), nothing)
            }
            TransferKind::Retrieve { path, offset } => {
                let download = root.download(path, *offset)?;
                let bytes = download.size - download.offset;
                let opened = if is_text {
                    nothing
                } else {
                    nothing.with_bytes(bytes)
                };
                (Pump::download(download, representation), opened)
            }
            TransferKind::Store { path, start } => {
                let upload = root.upload(path, *start, umask)?;
                let opened = match upload.unique_name() {
                    Some(name) => nothing.with_name(name.to_vec()),
                    None => nothing,
                };
                (Pump::upload(upload, representation), opened)
            }
            TransferKind::List(listing) => {
                let mut notices = Vec::new();
                let walk = Walk::new(listing.clone(), unix_seconds());
                let lines = root.list(walk, &mut notices);
                self.log_notices(notices);
                (Pump::listing(lines?), nothing)
            }
        })
    }

    fn start_transfer(
        &mut self,
        start: TransferStart,
        protected: bool,
        now: Instant,
    ) -> Option<Outcome> {
        self.data = Some(start.data);
        let protection = self.data_protection().filter(|_| protected);
        let endpoints = *self.session.endpoints();
        if let Some(named) = start.named {
            self.log
                .active_address_replaced(named, endpoints.peer().ip());
        }
        let port = std::mem::replace(&mut self.port, DataPort::None);
        let transfer = self
            .transfer
            .as_mut()
            .filter(|transfer| transfer.id == start.transfer)?;
        let started = if protected && protection.is_none() {
            // Data that the client wants protected is never sent in clear text.
            Err(io::ErrorKind::Unsupported.into())
        } else {
            transfer.start(start.connection, port, protection, &endpoints, now)
        };
        if let Err(error) = started {
            info!("#{} no data connection: {error}", self.number);
            self.end_transfer(Err(TransferError::NotConnected), now);
        }
        None
    }

    fn abort_transfer(&mut self, id: TransferId, now: Instant) -> Option<Outcome> {
        let transfer = self
            .transfer
            .as_mut()
            .filter(|transfer| transfer.id == id)?;
        let kept = self
            .unflushed
            .take_if(|(action, _)| is_start_of(action, id));
        if kept.is_some() {
            // For the core it runs.
            self.end_transfer(Err(TransferError::Aborted), now);
            return None;
        }
        if !transfer.is_started() {
            self.transfer = None;
            return None;
        }
        let result = transfer.abort(self.session.is_closed());
        let moved = transfer.bytes();
        // Progress implies a connection, which there may not be.
        if moved > 0 {
            self.report_data(DataEvent::Progress(moved));
        }
        self.end_transfer(result, now);
        None
    }
}

/// Whether this action starts the transfer.
fn is_start_of(action: &Action, transfer: TransferId) -> bool {
    match action {
        Action::StartTransfer(start) | Action::StartProtectedTransfer(start) => {
            start.transfer == transfer
        }
        _ => false,
    }
}
