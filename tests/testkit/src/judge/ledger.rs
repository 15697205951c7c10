//! What the session has asked of its driver, and what the driver has answered.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ftp_proto::{
    Action, DataConnection, DataEvent, DataId, FileAnswer, FileRequest, Outcome, PeerVerdict,
    TransferId,
};

use super::rules::Rule;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The outputs of the last input have been polled.
    pub(super) is_drained: bool,
    question: Option<Question>,
    /// Bytes that the session was given and has not used.
    unused: Vec<u8>,
    /// The driver has waited once although the session would use them.
    has_waited: bool,
    /// StartTls waits for its outcome.
    is_shaking_hands: bool,
    /// The last passive port.
    port: Option<Port>,
    /// The driver has asked who may connect to that port. Atomic because asking needs no `mut`.
    was_judged: AtomicBool,
    /// The length of the last transfer that was opened, if it is a download of a known length.
    bytes_to_send: Option<u64>,
    transfer: Option<Transfer>,
}

/// An action that waits for its outcome.
#[derive(Debug)]
struct Question {
    name: &'static str,
    asked_at: Duration,
    has_limit: bool,
}

#[derive(Debug)]
struct Port {
    data: DataId,
    peer: Option<PeerVerdict>,
}

/// A transfer that runs.
#[derive(Debug)]
struct Transfer {
    id: TransferId,
    data: DataId,
    is_passive: bool,
    is_connected: bool,
    /// The last peer of a passive connection that was reported is a stranger.
    is_stranger: bool,
    bytes_total: Option<u64>,
    bytes_to_send: Option<u64>,
    since: Duration,
    aborted_at: Option<Duration>,
}

impl Ledger {
    /// The driver passes bytes of the client.
    #[track_caller]
    pub(super) fn input(&self, input: &[u8]) {
        if self.is_shaking_hands && !input.is_empty() {
            Rule::NoClearTextAfterStartTls.broken("input during the handshake");
        }
        if !input.starts_with(&self.unused) {
            let lost = self.unused.escape_ascii();
            Rule::PassUnusedInputAgain.broken(format_args!("missing: {lost}"));
        }
    }

    pub(super) fn used(&mut self, rest: &[u8]) {
        self.has_waited = false;
        self.unused.clear();
        self.unused.extend_from_slice(rest);
    }

    /// The driver waits. A command that it has already should not be left; one turn of a loop is no
    /// wait.
    #[track_caller]
    pub(super) fn check_no_command_left(&mut self, wants_input: bool) {
        let is_left = wants_input && self.unused.contains(&b'\n');
        if self.has_waited && is_left {
            let left = self.unused.escape_ascii();
            Rule::PassUnusedInputAgain.broken(format_args!("the driver waits with: {left}"));
        }
        self.has_waited = is_left;
    }

    /// The driver reports the client's end, which comes behind all commands.
    #[track_caller]
    pub(super) fn check_no_command_lost(&self, wants_input: bool) {
        if wants_input && self.unused.contains(&b'\n') {
            let left = self.unused.escape_ascii();
            Rule::PassUnusedInputAgain.broken(format_args!("the end comes before: {left}"));
        }
    }

    pub(super) fn action(&mut self, action: &Action, now: Duration) {
        match action {
            Action::Authenticate { .. } => self.ask("Authenticate", now),
            Action::File(request) => {
                self.ask("File", now);
                if let (FileRequest::Hash(_), Some(question)) = (request, &mut self.question) {
                    question.has_limit = false;
                }
            }
            Action::AbortFile => {
                if let Some(question) = &mut self.question {
                    question.has_limit = true;
                    question.asked_at = now;
                }
            }
            Action::OpenTransfer(_) => self.ask("OpenTransfer", now),
            Action::OpenPassive(data) => {
                self.ask("OpenPassive", now);
                self.port = Some(Port {
                    data: *data,
                    peer: None,
                });
                self.was_judged = AtomicBool::new(false);
            }
            Action::StartTls => {
                self.ask("StartTls", now);
                self.is_shaking_hands = true;
            }
            Action::StartTransfer(start) | Action::StartProtectedTransfer(start) => {
                let port = self.port.take().filter(|port| port.data == start.data);
                let peer = port.and_then(|port| port.peer);
                let is_passive = start.connection == DataConnection::Passive;
                self.transfer = Some(Transfer {
                    id: start.transfer,
                    data: start.data,
                    is_passive,
                    is_connected: peer == Some(PeerVerdict::Client),
                    is_stranger: is_passive && peer == Some(PeerVerdict::Stranger),
                    bytes_total: None,
                    bytes_to_send: self.bytes_to_send.take(),
                    since: now,
                    aborted_at: None,
                });
            }
            Action::AbortTransfer(id) => {
                if let Some(transfer) = &mut self.transfer
                    && transfer.id == *id
                {
                    transfer.aborted_at = Some(now);
                }
            }
            Action::CloseData(_) => self.port = None,
            Action::Close | Action::CloseNow => {}
        }
    }

    fn ask(&mut self, name: &'static str, now: Duration) {
        self.question = Some(Question {
            name,
            asked_at: now,
            has_limit: name != "OpenPassive",
        });
    }

    /// The driver answers. Whether the outcome fits is the session's decision.
    #[track_caller]
    pub(super) fn outcome(&mut self, outcome: &Outcome, now: Duration) {
        match outcome {
            Outcome::TransferEnded { transfer, result } => {
                if self
                    .transfer
                    .as_ref()
                    .is_some_and(|running| running.id == *transfer)
                    && let Some(transfer) = self.transfer.take()
                    && result.is_ok()
                {
                    transfer.check_peer(&self.was_judged);
                    transfer.check_success(now);
                }
            }
            Outcome::Tls { .. } => {
                self.is_shaking_hands = false;
                self.question = None;
            }
            Outcome::TransferOpened(Ok(opened)) => {
                self.bytes_to_send = opened.bytes;
                self.question = None;
            }
            // Others follow, each in time.
            Outcome::File(Ok(FileAnswer::Entries(batch))) if !batch.is_last => {
                if let Some(question) = &mut self.question {
                    question.asked_at = now;
                }
            }
            _ => self.question = None,
        }
    }

    /// The driver reports an event; `judge` is the session's judgment of a peer.
    #[track_caller]
    pub(super) fn data(
        &mut self,
        data: DataId,
        event: DataEvent,
        judge: impl FnOnce(IpAddr) -> PeerVerdict,
    ) {
        match event {
            DataEvent::Connected(peer) => self.connected(data, judge(peer)),
            DataEvent::Progress(bytes_total) => match &mut self.transfer {
                Some(transfer) if transfer.data == data => {
                    transfer.check_peer(&self.was_judged);
                    transfer.progressed(bytes_total);
                }
                _ => Rule::ProgressBelongsToTheTransfer
                    .broken(format_args!("{bytes_total} bytes of {data:?}")),
            },
            _ => {}
        }
    }

    fn connected(&mut self, data: DataId, verdict: PeerVerdict) {
        if let Some(port) = &mut self.port
            && port.data == data
        {
            port.peer = Some(verdict);
        }
        if let Some(transfer) = &mut self.transfer
            && transfer.data == data
        {
            transfer.is_stranger = transfer.is_passive && verdict == PeerVerdict::Stranger;
            transfer.is_connected |= !transfer.is_stranger;
        }
    }

    /// The driver asks who may connect.
    pub(super) fn note_judged(&self) {
        self.was_judged.store(true, Ordering::Relaxed);
    }

    /// Whether the transfer that runs has its data connection.
    pub(super) fn is_connected(&self) -> bool {
        let transfer = self.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.is_connected)
    }

    /// The total that was last reported of the transfer that runs.
    pub(super) fn progress(&self) -> Option<u64> {
        let transfer = self.transfer.as_ref()?;
        Some(transfer.bytes_total.unwrap_or(0))
    }

    /// No action waits for longer than this.
    #[track_caller]
    pub(super) fn check_age(&self, now: Duration, limit: Duration) {
        let question = self.question.as_ref().filter(|question| question.has_limit);
        if let Some(question) = question
            && now - question.asked_at > limit
        {
            let seconds = limit.as_secs();
            Rule::AnswerEachAction.broken(format_args!(
                "{} has no outcome after {seconds} s",
                question.name
            ));
        }
        if let Some(transfer) = &self.transfer
            && let Some(aborted_at) = transfer.aborted_at
            && now - aborted_at > limit
        {
            Rule::AnswerEachAction.broken("an aborted transfer has not ended");
        }
    }

    #[track_caller]
    pub(super) fn check_nothing_open(&self) {
        if let Some(question) = &self.question {
            Rule::AnswerEachAction.broken(format_args!("{} has no outcome", question.name));
        }
        if self.transfer.is_some() {
            Rule::AnswerEachAction.broken("StartTransfer has no outcome");
        }
    }
}

impl Transfer {
    #[track_caller]
    fn progressed(&mut self, bytes_total: u64) {
        if let Some(before) = self.bytes_total
            && bytes_total < before
        {
            Rule::ProgressOnlyGrows.broken(format_args!("{bytes_total} after {before}"));
        }
        self.bytes_total = Some(bytes_total);
    }

    /// The driver says that the transfer has succeeded.
    #[track_caller]
    fn check_success(&self, now: Duration) {
        if !self.is_connected && self.bytes_total.is_none() {
            Rule::ReportTheConnection.broken("neither Connected nor Progress was reported");
        }
        let took = now - self.since;
        let moved_silently = self.bytes_total.is_none() && self.bytes_to_send > Some(0);
        if moved_silently && took >= SILENCE_MAX {
            Rule::ReportProgress.broken(format_args!("no report in {} s", took.as_secs()));
        }
    }

    #[track_caller]
    fn check_peer(&self, was_judged: &AtomicBool) {
        if self.is_stranger {
            Rule::RefuseStrangers.broken("judge_peer calls the peer a stranger");
        }
        if self.is_passive && !self.is_connected && !was_judged.load(Ordering::Relaxed) {
            Rule::RefuseStrangers.broken("the peer was never judged");
        }
    }
}

/// A download may be over before its driver reports progress, but not after this time on the clock
/// of the test.
const SILENCE_MAX: Duration = Duration::from_secs(1);
