//! A small driver over TCP, one thread per session, which can be wrong in one point.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::listing::ListRequest;
use ftp_proto::{
    Account, Action, Bound, Config, DataConnection, DataEvent, DataId, Endpoints, FileRequest,
    Opened, Outcome, Output, PeerVerdict, Refusal, Rights, Timers, TransferError, TransferId,
    TransferKind, TransferRequest, TransferStart, UploadStart,
};
use ftp_proto_testkit::Witness;

use crate::files::Files;
use crate::machine::Machine;

/// The one point in which a driver is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    NeverReportsProgress,
    /// It has no outcome for SIZE.
    NeverAnswers,
    AcceptsStrangers,
    TruncatesAtOpenTransfer,
    HasNoTimers,
    /// It reports success when the last byte is read or written, and closes later.
    SucceedsTooEarly,
    /// It takes the first bytes for all of them.
    EndsTransfersEarly,
    /// It reads no command while it moves bytes.
    IgnoresCommandsInTransfers,
    /// It never connects to the client.
    OnlyListens,
    /// It keeps only the first line of what it has received.
    DropsPipelinedLines,
    /// For it the client's end is a loss.
    TakesTheEndForALoss,
    /// For it a lost connection is the client's end.
    TakesALossForTheEnd,
    /// It reports the client's end before the lines that came before it.
    ReportsTheEndEarly,
    /// For it the end of a data connection completes each upload.
    CompletesKilledUploads,
}

/// How the control connection has ended.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum End {
    None,
    Closed,
    Lost,
}

/// One session.
pub(crate) struct Driver<M> {
    machine: M,
    fault: Option<Fault>,
    control: TcpStream,
    input: Vec<u8>,
    end: End,
    reported_end: End,
    port: Option<Port>,
    opened: Option<TransferRequest>,
    transfer: Option<Transfer>,
    files: Arc<Mutex<Files>>,
    timers: Timers<Instant>,
    now: Instant,
    witness: Witness,
}

/// A passive listener, and the connection that it has accepted.
struct Port {
    data: DataId,
    listener: TcpListener,
    accepted: Option<Data>,
}

struct Transfer {
    start: TransferStart,
    request: TransferRequest,
    data: Option<Data>,
    /// What is left to send, or what has been received.
    bytes: Vec<u8>,
    moved: u64,
    /// What had arrived when the control connection ended without QUIT.
    moved_at_end: Option<u64>,
    is_aborted: bool,
}

/// A data connection, which the witness sees.
struct Data {
    stream: TcpStream,
    witness: Witness,
}

impl Data {
    fn new(stream: TcpStream, witness: &Witness) -> Self {
        stream.set_nonblocking(true).expect("a socket");
        witness.data_opened();
        Self {
            stream,
            witness: witness.clone(),
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.witness.data_closed();
    }
}

impl<M: Machine> Driver<M> {
    pub(crate) fn new(
        control: TcpStream,
        config: Arc<Config>,
        files: Arc<Mutex<Files>>,
        fault: Option<Fault>,
    ) -> Self {
        control.set_nonblocking(true).expect("a socket");
        control.set_nodelay(true).expect("a socket");
        let ends = (control.local_addr(), control.peer_addr());
        let endpoints = Endpoints::new(ends.0.expect("an end"), ends.1.expect("an end"));
        let machine = M::begin(config, endpoints);
        Self {
            witness: machine.witness(),
            machine,
            fault,
            control,
            input: Vec::new(),
            end: End::None,
            reported_end: End::None,
            port: None,
            opened: None,
            transfer: None,
            files,
            timers: Timers::new(),
            now: Instant::now(),
        }
    }

    pub(crate) fn run(mut self) {
        self.drain();
        while !self.machine.is_closed() {
            // One look at the clock for each turn, at the same time as the judge's.
            let is_busy = self.serve_control() | self.serve_data();
            if !self.has(Fault::HasNoTimers) {
                self.serve_timers();
            }
            if !is_busy {
                thread::sleep(PAUSE);
            }
            let now = Instant::now();
            self.machine.time_passes(now - self.now);
            self.now = now;
        }
    }

    fn serve_timers(&mut self) {
        loop {
            self.timers.update(self.machine.poll_timeout(), self.now);
            let Some(timeout) = self.timers.expired(self.now) else {
                return;
            };
            self.machine.handle_timeout(timeout);
            self.drain();
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Sends the replies and performs the actions, until there are none.
    fn drain(&mut self) {
        loop {
            let mut outcomes = Vec::new();
            let mut replies = Vec::new();
            while let Some(output) = self.machine.poll_output() {
                match output {
                    Output::Reply(reply) => reply.encode(&mut replies),
                    Output::Action(action) => {
                        self.send(&mut replies);
                        outcomes.extend(self.perform(action));
                    }
                }
            }
            self.send(&mut replies);
            let Some(outcome) = outcomes.pop() else {
                return;
            };
            self.machine
                .handle_outcome(outcome)
                .expect("an outcome that fits");
        }
    }

    fn send(&mut self, replies: &mut Vec<u8>) {
        // These tests read all replies, so that a blocking write ends.
        let _ = self.control.set_nonblocking(false);
        let _ = self.control.write_all(replies);
        let _ = self.control.set_nonblocking(true);
        replies.clear();
    }

    fn perform(&mut self, action: Action) -> Option<Outcome> {
        match action {
            Action::Authenticate { user, password } => {
                let is_right = user == b"joe" && password.matches(b"secret");
                let account = is_right.then(|| Account::new(Rights::READ_WRITE));
                Some(Outcome::Authenticated(account))
            }
            Action::File(FileRequest::Size { .. }) if self.has(Fault::NeverAnswers) => None,
            Action::File(request) => Some(Outcome::File(self.files().answer(&request))),
            Action::OpenPassive(data) => Some(Outcome::PassiveOpened(self.listen(data))),
            Action::CloseData(_) => {
                self.port = None;
                None
            }
            Action::OpenTransfer(request) => Some(Outcome::TransferOpened(self.open(request))),
            Action::StartTransfer(start) => {
                self.start(start);
                None
            }
            Action::AbortTransfer(id) => {
                self.abort(id);
                None
            }
            Action::Close | Action::CloseNow => None,
            other => other.decline(),
        }
    }

    fn listen(&mut self, data: DataId) -> Result<Bound, Refusal> {
        let address = self.control.local_addr().map_err(|_| Refusal::Failed)?;
        let listener = TcpListener::bind((address.ip(), 0)).map_err(|_| Refusal::Busy)?;
        listener
            .set_nonblocking(true)
            .map_err(|_| Refusal::Failed)?;
        let port = listener.local_addr().map_err(|_| Refusal::Failed)?.port();
        self.port = Some(Port {
            data,
            listener,
            accepted: None,
        });
        Bound::try_from(port).map_err(|_| Refusal::Failed)
    }

    fn open(&mut self, request: TransferRequest) -> Result<Opened, Refusal> {
        let mut opened = Opened::default();
        match &request.kind {
            TransferKind::Retrieve { path, offset, end } => {
                let length = self.files().read(path)?.len() as u64;
                let length = length.min(end.unwrap_or(u64::MAX));
                let left = length.checked_sub(*offset).ok_or(Refusal::OffsetTooLarge)?;
                opened.bytes = Some(left);
            }
            TransferKind::List(request) => self.files().directory(&request.selection.path)?,
            TransferKind::Store {
                start: UploadStart::Unique,
                ..
            } => opened.name = Some(b"unique".to_vec()),
            TransferKind::Store { path, .. } => {
                if self.files().read(path) == Err(Refusal::IsADirectory) {
                    return Err(Refusal::IsADirectory);
                }
                if self.has(Fault::TruncatesAtOpenTransfer) {
                    self.files().write(path, Vec::new());
                    self.witness.file_changed();
                }
            }
        }
        self.opened = Some(request);
        Ok(opened)
    }

    fn start(&mut self, start: TransferStart) {
        let request = self.opened.take().expect("it was opened");
        let bytes = match &request.kind {
            TransferKind::Retrieve { path, offset, end } => {
                let files = self.files();
                let content = files.read(path).unwrap_or(b"");
                let end = end.and_then(|end| usize::try_from(end).ok());
                let content = &content[..end.unwrap_or(content.len()).min(content.len())];
                content[usize::try_from(*offset).unwrap_or(0)..].to_vec()
            }
            TransferKind::List(ListRequest { selection, .. }) => {
                let names = self.files().names(&selection.path);
                names
                    .into_iter()
                    .flat_map(|name| [&name[..], b"\r\n"].concat())
                    .collect()
            }
            _ => Vec::new(),
        };
        let data = match start.connection {
            DataConnection::Passive => self.port.as_mut().and_then(|port| port.accepted.take()),
            DataConnection::Active(_) => None,
        };
        self.transfer = Some(Transfer {
            start,
            request,
            data,
            bytes,
            moved: 0,
            moved_at_end: None,
            is_aborted: false,
        });
    }

    fn abort(&mut self, id: TransferId) {
        self.opened = None;
        if let Some(transfer) = &mut self.transfer
            && transfer.start.transfer == id
        {
            transfer.is_aborted = true;
        }
    }

    /// Reads the control connection, and passes one command. Whether something happened.
    fn serve_control(&mut self) -> bool {
        if self.has(Fault::IgnoresCommandsInTransfers) && self.transfer.is_some() {
            return false;
        }
        self.receive();
        if self.has(Fault::ReportsTheEndEarly) && self.report_end() {
            return true;
        }
        self.pass_line() || self.report_end()
    }

    /// Whether a line was used.
    fn pass_line(&mut self) -> bool {
        let used = self.machine.handle_input(&self.input);
        self.input.drain(..used);
        if self.has(Fault::DropsPipelinedLines) {
            self.input.clear();
        }
        self.drain();
        used > 0
    }

    fn receive(&mut self) {
        let mut buffer = [0; 1024];
        let end = match self.control.read(&mut buffer) {
            // A reset after the end does not show in a read.
            Ok(0) => match self.control.take_error() {
                Ok(None) => End::Closed,
                _ => End::Lost,
            },
            Ok(count) => return self.input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => End::None,
            Err(_) => End::Lost,
        };
        if end > self.end {
            self.end = end;
        }
    }

    /// Whether there is an end to report.
    fn report_end(&mut self) -> bool {
        if self.end == self.reported_end {
            return false;
        }
        // Everything that has arrived came before the end.
        while self.is_uploading() && !self.machine.has_quit() && self.pump() {}
        if let Some(transfer) = &mut self.transfer
            && !self.machine.has_quit()
        {
            transfer.moved_at_end = Some(transfer.moved);
        }
        self.reported_end = self.end;
        let is_lost = match self.fault {
            Some(Fault::TakesTheEndForALoss) => true,
            Some(Fault::TakesALossForTheEnd) => false,
            _ => self.end == End::Lost,
        };
        if is_lost {
            self.machine.handle_connection_lost();
        } else {
            self.machine.handle_eof();
        }
        self.drain();
        true
    }

    /// Accepts and moves bytes. Whether something happened.
    fn serve_data(&mut self) -> bool {
        let has_accepted = self.accept();
        let Some(transfer) = &self.transfer else {
            return has_accepted;
        };
        match transfer.start.connection {
            _ if transfer.is_aborted => self.end(Err(TransferError::Aborted)),
            DataConnection::Active(address) if transfer.data.is_none() => self.connect(address),
            _ => return self.pump() | has_accepted,
        }
        true
    }

    /// Connects to the client, in active mode.
    fn connect(&mut self, address: SocketAddr) {
        let stream = match TcpStream::connect(address) {
            Ok(stream) if !self.has(Fault::OnlyListens) => Data::new(stream, &self.witness),
            _ => return self.end(Err(TransferError::NotConnected)),
        };
        if let Some(transfer) = &mut self.transfer {
            transfer.data = Some(stream);
            let data = transfer.start.data;
            let event = DataEvent::Connected(address.ip());
            self.machine.handle_data(data, event);
            self.drain();
        }
    }

    /// Moves some bytes. Whether there were any.
    fn pump(&mut self) -> bool {
        let Some(transfer) = &mut self.transfer else {
            return false;
        };
        let before = transfer.moved;
        let mut result = transfer.pump();
        let (data, moved) = (transfer.start.data, transfer.moved);
        if moved > before {
            self.witness.data_moved(moved - before);
            if self.has(Fault::EndsTransfersEarly) {
                result = Some(Ok(()));
            }
            if !self.has(Fault::NeverReportsProgress) {
                self.machine.handle_data(data, DataEvent::Progress(moved));
                self.drain();
            }
        }
        if let Some(result) = result {
            let result = result.and_then(|()| self.judge_success());
            self.end(result);
        }
        moved > before || result.is_some()
    }

    fn is_uploading(&self) -> bool {
        let transfer = self.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.request.kind.is_upload())
    }

    /// The upload of a client whose connections have ended together is not complete, but after
    /// QUIT.
    fn judge_success(&mut self) -> Result<(), TransferError> {
        let transfer = self.transfer.as_ref();
        let is_silent = transfer.is_some_and(|it| it.moved_at_end == Some(it.moved));
        if !self.is_uploading() || self.has(Fault::CompletesKilledUploads) {
            return Ok(());
        }
        self.receive();
        while self.pass_line() {}
        let is_killed = is_silent || self.end > self.reported_end;
        if is_killed && !self.machine.has_quit() {
            return Err(TransferError::Aborted);
        }
        Ok(())
    }

    /// Accepts a connection to the passive port, if it is the client's.
    fn accept(&mut self) -> bool {
        let Some(port) = &mut self.port else {
            return false;
        };
        let Ok((stream, peer)) = port.listener.accept() else {
            return false;
        };
        let (data, peer): (DataId, IpAddr) = (port.data, peer.ip());
        let is_client = self.fault == Some(Fault::AcceptsStrangers)
            || self.machine.judge_peer(peer) == PeerVerdict::Client;
        if !is_client {
            return true;
        }
        let stream = Data::new(stream, &self.witness);
        match &mut self.transfer {
            Some(transfer) if transfer.start.data == data => transfer.data = Some(stream),
            _ => port.accepted = Some(stream),
        }
        self.machine.handle_data(data, DataEvent::Connected(peer));
        self.drain();
        true
    }

    fn end(&mut self, result: Result<(), TransferError>) {
        let Some(mut transfer) = self.transfer.take() else {
            return;
        };
        if let (Ok(()), Some(path)) = (result, transfer.target()) {
            let mut files = self.files();
            let keep = match &transfer.request.kind {
                TransferKind::Store {
                    start: UploadStart::At { offset, .. },
                    ..
                } => usize::try_from(offset.get()).unwrap_or(0),
                TransferKind::Store {
                    start: UploadStart::Create | UploadStart::Replace,
                    ..
                } => 0,
                _ => usize::MAX,
            };
            let mut content = files.read(&path).unwrap_or(b"").to_vec();
            content.truncate(keep);
            content.append(&mut transfer.bytes);
            files.write(&path, content);
            drop(files);
            self.witness.file_changed();
        }
        let mut late = transfer.data.take();
        if !self.has(Fault::SucceedsTooEarly) {
            late = None;
        }
        self.port = None;
        let transfer = transfer.start.transfer;
        let outcome = Outcome::TransferEnded { transfer, result };
        self.machine
            .handle_outcome(outcome)
            .expect("a transfer that runs");
        self.drain();
        drop(late);
    }

    fn files(&self) -> std::sync::MutexGuard<'_, Files> {
        self.files.lock().expect("no panic before")
    }
}

impl Transfer {
    fn target(&self) -> Option<ftp_proto::FtpPath> {
        match &self.request.kind {
            TransferKind::Store {
                start: UploadStart::Unique,
                ..
            } => None,
            TransferKind::Store { path, .. } => Some(path.clone()),
            TransferKind::Retrieve { .. } | TransferKind::List(_) => None,
        }
    }

    /// Moves some bytes; the result when the transfer is over.
    fn pump(&mut self) -> Option<Result<(), TransferError>> {
        let data = self.data.as_mut()?;
        let mut buffer = vec![0; 1 << 18];
        let moved = if self.request.kind.is_upload() {
            data.stream.read(&mut buffer)
        } else {
            let from = usize::try_from(self.moved).unwrap_or(usize::MAX);
            match self.bytes.get(from..) {
                None | Some([]) => return Some(Ok(())),
                Some(rest) => data.stream.write(&rest[..rest.len().min(1 << 18)]),
            }
        };
        match moved {
            Ok(0) => Some(Ok(())),
            Ok(count) => {
                if self.request.kind.is_upload() {
                    self.bytes.extend_from_slice(&buffer[..count]);
                }
                self.moved += count as u64;
                None
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(_) => Some(Err(TransferError::ConnectionLost)),
        }
    }
}

/// Between two looks at the sockets.
const PAUSE: Duration = Duration::from_millis(1);
