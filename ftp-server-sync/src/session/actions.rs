//! How each action of the core is performed.

use std::time::{Duration, Instant};

use ftp_proto::listing::Walk;
use ftp_proto::{
    Action, DataId, FileAnswer, FileRequest, FtpPath, Opened, Outcome, Refusal, Representation,
    Right, TransferKind, TransferRequest,
};
use log::info;

use super::busy_upload::{BUSY_WAIT, BusyUpload};
use super::connection::{Closing, Connection};
use super::opening_listing::OpeningListing;
use super::subject::{file_request, transfer_request};
use super::timers::Timer;
use crate::data::ascii_restart::TextRestart;
use crate::data::connection::{DataStep, LookExtent};
use crate::data::pump::Pump;
use crate::data::transfer::Transfer;
use crate::fs::tree::Tree;
use crate::fs::upload::Uploader;
use crate::logging::clock::unix_seconds;
use crate::passive::{OpenOutcome, Requester};

impl Connection {
    /// Performs `action`. `None` if its outcome comes later, or if it has none.
    ///
    /// What needs much of the stack is not inlined: most sessions only log in and wait.
    pub(super) fn perform(&mut self, action: Action, now: Instant) -> Option<Outcome> {
        self.budget.work();
        self.before_closing(&action, now);
        match action {
            Action::Authenticate { user, password } => self.authenticate(user, password, now),
            Action::File(request) => self.file(&request),
            Action::AbortFile => self.abort_long_request(),
            Action::OpenPassive(data) => self.open_passive(data, now),
            Action::CloseData(_) => {
                let was_queued = self.data.close();
                self.record.set_reached(false);
                was_queued.then_some(Outcome::PassiveOpened(Err(Refusal::Busy)))
            }
            Action::OpenTransfer(request) => self.open_transfer(request, now + BUSY_WAIT, now),
            Action::StartTransfer(start) => {
                self.start_transfer(start, false, now);
                None
            }
            Action::StartProtectedTransfer(start) => {
                self.start_transfer(start, true, now);
                None
            }
            Action::AbortTransfer(id) => {
                self.abort_transfer(id, now);
                None
            }
            Action::StartTls => self.start_tls(),
            Action::Close => {
                self.transfer = None;
                self.record.end_transfer();
                self.busy_upload = None;
                self.opening_listing = None;
                self.data.close();
                self.delayed = None;
                self.long_request = None;
                self.timers.stop_all();
                self.closing = Some(Closing::Flushing);
                None
            }
            Action::CloseNow => {
                let line = format_args!("the client did not read its last replies");
                self.log.progress(line);
                self.closing = Some(Closing::Now);
                None
            }
        }
    }

    #[inline(never)]
    fn file(&mut self, request: &FileRequest) -> Option<Outcome> {
        let command = self.session.file_command();
        // The disk may not answer.
        self.record.set_working(file_request(request, command));
        let tree = self.tree.for_request(request);
        let result = match &tree {
            Err(refusal) => Err(*refusal),
            Ok(tree) => match self.begin_long_request(tree, request) {
                Ok(true) => return None,
                Ok(false) => self.perform_request(tree, request),
                Err(refusal) => Err(refusal),
            },
        };
        match (&result, request) {
            // Perhaps only a look at this name, before a command whose path begins with it.
            (Err(_), FileRequest::Facts(path)) if path.name() == b"~" => {}
            (Err(refusal), _) => {
                let is_hidden = tree.is_ok_and(|tree| tree.hides(request));
                let hidden_by = is_hidden.then(|| self.hiding_hint(request.paths()));
                let subject = file_request(request, command);
                self.log.set_refused(subject, *refusal, hidden_by);
            }
            (
                Ok(_),
                FileRequest::MakeDirectory { .. }
                | FileRequest::ChangeMode { .. }
                | FileRequest::SetModified { .. }
                | FileRequest::RemoveDirectory(_)
                | FileRequest::DeleteFile(_)
                | FileRequest::Rename { .. },
            ) => {
                self.log.changed(request, command);
                self.report_change(request);
            }
            _ => {}
        }
        self.note_doing();
        Some(Outcome::File(result))
    }

    #[inline(never)]
    fn open_passive(&mut self, data: DataId, now: Instant) -> Option<Outcome> {
        let addresses = (self.current).listen_addresses(self.own, self.session.endpoints());
        let (requester, waker) = (self.requester(), self.waker.clone());
        let step = match self.server.pool.open(addresses, requester, waker, now) {
            Ok(opening) => {
                let is_queued = matches!(opening, OpenOutcome::Queued(_));
                let limit = self.current.settings.timeouts.data_open;
                let limit = limit.unwrap_or(CONNECT_LIMIT_DEFAULT);
                let step = self.data.open_passive(data, opening, limit, now);
                if is_queued {
                    // Who reads the line may ask at once what the session does.
                    self.note_doing();
                    info!("{} waits for a passive port: all are in use", self.name);
                }
                step
            }
            Err(error) => DataStep::PortFailed(error),
        };
        self.port_outcome(step)
    }

    /// Who asks for a passive port.
    fn requester(&self) -> Requester {
        let allowed_peers = self.session.allowed_peers().clone();
        let client = allowed_peers.peer();
        let rules = &self.current.config.masquerade;
        // Several clients of this machine itself count as neighbours, like any others.
        let is_local = !client.is_loopback() && rules.local_network(client).is_some();
        Requester {
            session: self.name.number(),
            allowed_peers,
            is_local,
            balancers: self.current.settings.proxy_protocol.clone(),
        }
    }

    /// A client that goes on with an upload asks for its size first. If the server with which it
    /// began was killed, the name gets now what that one has received.
    fn perform_request(&self, tree: &Tree, request: &FileRequest) -> Result<FileAnswer, Refusal> {
        let answer = tree.perform(request);
        match request {
            FileRequest::Size { path, .. }
                if matches!(answer, Err(Refusal::NotFound))
                    && self.may_append(path)
                    && tree.find_leftover(path, &self.uploader()) =>
            {
                tree.perform(request)
            }
            _ => answer,
        }
    }

    fn may_append(&self, path: &FtpPath) -> bool {
        let account = self.user_account();
        let account = account.as_ref().unwrap_or(&self.account_of_flags);
        account.allows(path, Right::Append)
    }

    /// Who stores files.
    fn uploader(&self) -> Uploader {
        let login = self.session.user().unwrap_or_default().to_vec();
        Uploader::new(self.server.uploads.clone(), login, self.waker.clone())
    }

    /// Opens the file of a transfer. One that another session is about to leave is tried again, but
    /// not after `busy_until`.
    #[inline(never)]
    fn open_transfer(
        &mut self,
        request: TransferRequest,
        busy_until: Instant,
        now: Instant,
    ) -> Option<Outcome> {
        // What has come by now came before the command is answered.
        let extent = if request.kind.is_upload() {
            LookExtent::All
        } else {
            LookExtent::FirstOpen
        };
        self.report_early_connection(extent, now);
        self.record.set_working(transfer_request(&request));
        Some(match self.open_pump(&request) {
            Ok((pump, _)) if pump.is_listing() => {
                let name = transfer_request(&request);
                self.record
                    .set_working(format!("{name}, looking for names"));
                self.opening_listing = Some(OpeningListing { request, pump }.into());
                return self.step_opening_listing();
            }
            Ok((pump, opened)) => {
                self.note_transfer(&request, &opened);
                let transfer = Transfer::new(request, pump, opened.name.clone());
                self.transfer = Some(transfer.into());
                Outcome::TransferOpened(Ok(opened))
            }
            Err(Refusal::Busy) if request.kind.is_upload() && now < busy_until => {
                let busy = BusyUpload {
                    request,
                    until: busy_until,
                };
                self.timers.set(Timer::BusyUpload, Some(busy.due(now)));
                self.busy_upload = Some(busy.into());
                return None;
            }
            Err(refusal) => self.refuse_transfer(&request, refusal),
        })
    }

    pub(super) fn refuse_transfer(
        &mut self,
        request: &TransferRequest,
        refusal: Refusal,
    ) -> Outcome {
        let path = request.kind.path();
        let tree = self.tree.for_path(path);
        let is_hidden = tree.is_ok_and(|tree| tree.hides_path(path));
        let hidden_by = is_hidden.then(|| self.hiding_hint([path]));
        self.log
            .set_refused(transfer_request(request), refusal, hidden_by);
        Outcome::TransferOpened(Err(refusal))
    }

    /// Tries an upload again whose file was in use, if it is time to.
    #[inline(never)]
    pub(super) fn retry_busy_upload(&mut self, now: Instant) -> bool {
        if !self.timers.is_over(Timer::BusyUpload, now) {
            return false;
        }
        self.timers.set(Timer::BusyUpload, None);
        let Some(busy) = self.busy_upload.take() else {
            return false;
        };
        let BusyUpload { request, until } = *busy;
        if let Some(outcome) = self.open_transfer(request, until, now) {
            self.answer(outcome);
        }
        true
    }

    #[inline(never)]
    pub(super) fn open_pump(
        &mut self,
        request: &TransferRequest,
    ) -> Result<(Pump, Opened), Refusal> {
        let representation = request.representation;
        let is_text = representation == Representation::Ascii;
        let umask = request.umask;
        let nothing = Opened::default();
        Ok(match &request.kind {
            TransferKind::Retrieve { path, offset, .. } if is_text && *offset > 0 => {
                let restart = TextRestart::new(self.tree.download(path, 0, None)?, *offset)?;
                (Pump::text_from(restart)?, nothing)
            }
            TransferKind::Retrieve { path, offset, end } => {
                let download = self.tree.download(path, *offset, *end)?;
                let bytes = download.size - download.offset;
                let opened = if is_text {
                    nothing
                } else {
                    nothing.with_bytes(bytes)
                };
                (Pump::download(download, representation), opened)
            }
            TransferKind::Store { path, start } => {
                let tree = self.tree.for_path(path)?;
                self.share_state = self.tree.state(path);
                let upload = tree.upload(path, *start, umask, &self.uploader())?;
                let opened = match upload.unique_name() {
                    Some(name) => nothing.with_name(name.to_vec()),
                    None => nothing,
                };
                (Pump::upload(upload, representation), opened)
            }
            TransferKind::List(listing) => {
                let tree = self.tree.for_listing(listing)?;
                let walk = Walk::new(listing.clone(), unix_seconds());
                (Pump::listing(tree.list(self.set_up_walk(walk))), nothing)
            }
        })
    }
}

/// How long a client may take to connect, and wait for a passive port, where data connections have
/// no limit.
const CONNECT_LIMIT_DEFAULT: Duration = Duration::from_secs(60);
