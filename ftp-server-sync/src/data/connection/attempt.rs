//! A connection that a transfer tries to use.

use std::time::Instant;

use ftp_proto::TransferError;
use mio::event::Event;

use crate::data::announced_port::AnnouncedPort;
use crate::data::candidates::FirstSender;
use crate::data::data_stream::DataStream;
use crate::passive::LeaseEnd;
use crate::tls::{Protection, Unproven};

/// A connection that a transfer uses.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) stream: DataStream,
    pub(super) start: Box<Start>,
    since: Instant,
    pub(super) mode: Mode,
}

/// Who has opened a connection.
#[derive(Debug)]
pub(super) enum Mode {
    /// The client, to this port: another connection may come from there as long as the one in use
    /// may be a look.
    Passive(Option<Box<AnnouncedPort>>),
    /// We have.
    Active,
}

/// What a transfer needs of its data connection.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) sender: FirstSender,
    pub(super) protection: Option<Protection>,
    /// When the transfer command was answered.
    pub(super) answered: Instant,
    /// The error to report if no connection comes until this time. An earlier connection was lost
    /// or refused: without that, the core measures the time.
    pub(super) failure: Option<(TransferError, Instant)>,
}

impl Attempt {
    pub(super) fn new(stream: DataStream, start: Box<Start>, mode: Mode, now: Instant) -> Self {
        Self {
            stream,
            start,
            since: now,
            mode,
        }
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        self.stream.on_event(event.token());
        if let Mode::Passive(Some(port)) = &mut self.mode {
            port.on_event(event);
        }
    }

    fn port(&self) -> Option<&AnnouncedPort> {
        match &self.mode {
            Mode::Passive(port) => port.as_deref(),
            Mode::Active => None,
        }
    }

    /// Whether this may be the client's own connection, as far as TLS knows.
    pub(super) fn check(&self) -> Result<(), Unproven> {
        match (&self.start.protection, self.stream.tls()) {
            (Some(protection), Some(tls)) => protection.check(tls, self.stream.peer()),
            _ => Ok(()),
        }
    }

    /// The connection is the client's: the port is free.
    pub(super) fn release_port(&mut self) {
        if let Mode::Passive(port) = &mut self.mode
            && let Some(mut port) = port.take()
        {
            port.release(LeaseEnd::Connected);
        }
    }

    /// Releases the port once this connection has lasted longer than a look does.
    pub(super) fn release_port_in_time(&mut self, now: Instant) {
        let window = self.port().map(AnnouncedPort::look_window);
        if window.is_some_and(|window| self.since + window <= now) {
            self.release_port();
        }
    }

    /// When others need the port. If none wait for it, the next call of
    /// [`release_port_in_time`](Self::release_port_in_time) is soon enough.
    pub(super) fn port_due(&self) -> Option<Instant> {
        let port = self.port()?;
        port.is_wanted().then(|| self.since + port.look_window())
    }
}

impl Start {
    /// In a box, which goes from state to state.
    pub(super) fn boxed(
        sender: FirstSender,
        protection: Option<Protection>,
        answered: Instant,
    ) -> Box<Self> {
        Box::new(Self {
            sender,
            protection,
            answered,
            failure: None,
        })
    }

    /// The error to report by now, unless another connection is open.
    pub(super) fn failed(&self, port: &AnnouncedPort, now: Instant) -> Option<TransferError> {
        let (error, due) = self.failure?;
        (due <= now && port.candidates.open_peer().is_none()).then_some(error)
    }

    /// When to look again whether a connection has shown to be the transfer's.
    pub(super) fn due(&self, port: &AnnouncedPort) -> Option<Instant> {
        let is_alone = port.candidates.open_peer().is_none();
        let failure = self.failure.filter(|_| is_alone).map(|(_, due)| due);
        let choice = port.candidates.choice_due(self.sender, self.answered);
        let watch = port.watch_from();
        [failure, choice, watch].into_iter().flatten().min()
    }
}
