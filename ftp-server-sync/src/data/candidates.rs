//! The connections that have come to a passive port from the client's address, and which of them is
//! the data connection.
//!
//! Not each of them need be it: virus scanners, port checkers and monitors connect and close again.
//! Such a look must not take the place of the data connection, and must not empty a file. So
//! connections are candidates until the transfer shows which of them it is:
//!
//! - One that was reset, or that ended without a byte before the transfer command, gives way to the
//!   next one.
//! - Where the client sends first, in an upload or with TLS, the first byte decides. The end of an
//!   upload without a byte is an empty file if the connection was open when the command was
//!   answered, or came later. If it had ended before that, it counts only if no other connection
//!   comes in [`EMPTY_UPLOAD_WINDOW`].
//! - Where the server sends first, the oldest open connection is used on which nothing came. One
//!   whose client has ended its sending side, or has sent something, is used if no other one comes
//!   in [`LOOK_WINDOW`]: it may still read.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mio::Registry;
use mio::event::Event;

use super::data_stream::{DataStream, Peeked};

/// The candidates of one port, oldest first.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
}

/// A connection from the client's address.
#[derive(Debug)]
struct Candidate {
    stream: DataStream,
    since: Instant,
    /// What it has shown before the transfer command was answered. It is used once.
    looked: Option<Peeked>,
    /// It had ended its sending side, without a byte, before the transfer command was answered.
    ended_early: bool,
    /// The poll has reported bytes, or the end, since the transfer command.
    has_come: bool,
}

/// Who sends first on the data connection of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstSender {
    /// A download or a listing, in clear text.
    Server,
    /// An upload in clear text. The client may also end it at once, for an empty file.
    Client,
    /// With TLS, the client.
    TlsClient,
}

impl Candidate {
    fn on_event(&mut self, event: &Event) {
        if self.stream.on_event(event.token()) {
            let is_lost = event.is_error() || event.is_write_closed();
            // Urgent bytes are none of the file.
            self.has_come = event.is_readable() && !event.is_priority() && !is_lost;
        }
    }

    /// What it shows. One that was silent has changed only if the poll has reported an event.
    fn peek(&mut self) -> Peeked {
        if let Some(looked) = self.looked.take() {
            return looked;
        }
        if !self.stream.ready {
            return Peeked::Silent;
        }
        let peeked = self.stream.peek();
        self.stream.ready = peeked != Peeked::Silent;
        peeked
    }

    /// For the transfer.
    fn into_stream(self) -> DataStream {
        let mut stream = self.stream;
        stream.ready = true;
        stream
    }

    /// The transfer command is about to be answered. False if the connection is lost.
    fn look(&mut self) -> bool {
        let peeked = self.stream.peek();
        self.stream.ready = peeked != Peeked::Silent;
        self.ended_early |= peeked == Peeked::Ended;
        self.has_come = false;
        self.looked = Some(peeked);
        peeked != Peeked::Lost
    }
}

impl Candidates {
    /// Records an event of the poll.
    pub(super) fn on_event(&mut self, event: &Event) {
        for candidate in &mut self.list {
            candidate.on_event(event);
        }
    }

    /// Notes what all of them show, before the transfer command is answered. Those that are lost
    /// are removed: they are no reason to give the port to others.
    pub(super) fn look(&mut self) {
        self.list.retain_mut(Candidate::look);
    }

    /// The same for the one that was added last.
    pub(super) fn look_at_newest(&mut self) {
        self.list.pop_if(|newest| !newest.look());
    }

    /// The address of a connection that had not ended before the transfer command.
    pub(super) fn open_peer(&self) -> Option<IpAddr> {
        let mut candidates = self.list.iter();
        let open = candidates.find(|candidate| !candidate.ended_early)?;
        Some(open.stream.peer())
    }

    /// Since when there is a connection that had not ended before the transfer command.
    pub(super) fn open_since(&self) -> Option<Instant> {
        let mut candidates = self.list.iter();
        let open = candidates.find(|candidate| !candidate.ended_early)?;
        Some(open.since)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes the connection that has shown to be the transfer's. `answered`: when the transfer
    /// command was answered.
    pub(super) fn choose(
        &mut self,
        sender: FirstSender,
        answered: Instant,
        now: Instant,
    ) -> Option<DataStream> {
        if sender == FirstSender::Client
            && let [only] = &self.list[..]
            && only.has_come
            && !only.ended_early
        {
            // A byte and the end both decide: the read shows which of them it is.
            return self.list.pop().map(Candidate::into_stream);
        }
        let peeked = self.peek_all();
        let first = |wanted| peeked.iter().position(|&found| found == wanted);
        let silent = first(Peeked::Silent);
        let is_open_end =
            |index: &usize| peeked[*index] == Peeked::Ended && !self.list[*index].ended_early;
        let chosen = match (first(Peeked::Bytes), sender, silent) {
            // A client that waits for data sends nothing, but a scanner may.
            (_, FirstSender::Server, silent) => {
                silent.or_else(|| self.last_alone(sender, answered, now))
            }
            (Some(index), ..) => Some(index),
            // The client may be about to send on it. What had ended early was not alone, so that it
            // is no empty upload, whatever happens to this one.
            (None, FirstSender::Client | FirstSender::TlsClient, Some(_)) => {
                self.list.retain(|candidate| !candidate.ended_early);
                None
            }
            (None, FirstSender::Client, None) => (0..peeked.len())
                .find(is_open_end)
                .or_else(|| self.last_alone(sender, answered, now)),
            (None, FirstSender::TlsClient, None) => {
                self.list.clear();
                None
            }
        };
        Some(self.list.remove(chosen?).into_stream())
    }

    /// When [`choose`](Self::choose) would take a connection that looks like no data connection, if
    /// no other one comes.
    pub(super) fn choice_due(&self, sender: FirstSender, answered: Instant) -> Option<Instant> {
        match sender {
            FirstSender::TlsClient => return None,
            // It may still send, or end.
            FirstSender::Client if self.open_peer().is_some() => return None,
            FirstSender::Client | FirstSender::Server => {}
        }
        let last = self.list.last()?;
        Some(last.since.max(answered) + sender.look_window())
    }

    /// Has the poll report what happens to them.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for candidate in &mut self.list {
            candidate.stream.register(registry)?;
        }
        Ok(())
    }

    /// The last connection, if no other one has come for a while.
    fn last_alone(&self, sender: FirstSender, answered: Instant, now: Instant) -> Option<usize> {
        let last = self.list.last()?;
        let is_due = last.since.max(answered) + sender.look_window() <= now;
        is_due.then_some(self.list.len() - 1)
    }

    /// What each candidate shows, or has shown just before. Those that are lost are removed.
    fn peek_all(&mut self) -> Vec<Peeked> {
        let mut all = Vec::with_capacity(self.list.len());
        self.list.retain_mut(|candidate| {
            let peeked = candidate.peek();
            if peeked != Peeked::Lost {
                all.push(peeked);
            }
            peeked != Peeked::Lost
        });
        all
    }

    /// Adds an accepted connection. False if there are too many.
    pub(super) fn add(&mut self, stream: DataStream, now: Instant) -> bool {
        if self.list.len() >= CANDIDATES_MAX {
            self.remove_ended();
        }
        if self.list.len() >= CANDIDATES_MAX {
            return false;
        }
        self.list.push(Candidate {
            stream,
            since: now,
            looked: None,
            ended_early: false,
            has_come: false,
        });
        true
    }

    /// Removes the candidates that have ended without a byte.
    fn remove_ended(&mut self) {
        self.list.retain_mut(|candidate| {
            !matches!(candidate.stream.peek(), Peeked::Ended | Peeked::Lost)
        });
    }
}

impl FirstSender {
    /// How long another connection may follow one that looks like a probe.
    fn look_window(self) -> Duration {
        match self {
            Self::Client => EMPTY_UPLOAD_WINDOW,
            Self::Server | Self::TlsClient => LOOK_WINDOW,
        }
    }
}

/// How long another connection may follow one that looks like a probe.
pub(super) const LOOK_WINDOW: Duration = Duration::from_secs(1);

/// The same where the probe would empty a file: a client whose first SYN is lost repeats it after
/// 1 s.
const EMPTY_UPLOAD_WINDOW: Duration = Duration::from_millis(2500);

/// Connections from the client's address that are kept until the transfer shows which one it uses.
const CANDIDATES_MAX: usize = 8;
