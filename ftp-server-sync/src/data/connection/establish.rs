//! How a transfer gets its data connection: it is chosen among those that came to the port, or
//! opened in active mode, and TLS is established on it.

use std::io::{self, ErrorKind};
use std::mem;
use std::time::Instant;

use ftp_proto::TransferError;
use log::{info, warn};
use mio::Registry;

use super::attempt::{Attempt, Mode, Start};
use super::{DataConnection, DataStep, State};
use crate::data::announced_port::{AnnouncedPort, LOOK_WINDOW_TLS};
use crate::data::candidates::{FirstSender, LOOK_WINDOW};
use crate::data::data_stream::DataStream;
use crate::data::lingering::Lingering;
use crate::logging::system_text::SystemText;
use crate::passive::LeaseEnd;
use crate::tls::Traffic;

impl DataConnection {
    /// Waits for the connection of a transfer.
    pub(super) fn await_client(
        &mut self,
        mut port: Box<AnnouncedPort>,
        mut start: Box<Start>,
        registry: &Registry,
        now: Instant,
    ) -> DataStep {
        let chosen = match self.choose(&mut port, &start, registry, now) {
            Ok(chosen) => chosen,
            Err(error) => return self.no_connection(&error, TransferError::NotConnected),
        };
        if let Some(stream) = chosen {
            let port = (!port.is_closed()).then_some(port);
            return self.on_connected(stream, start, Mode::Passive(port), now);
        }
        port.release_in_time(now);
        if port.is_closed() {
            return DataStep::Failed(TransferError::NotConnected);
        }
        if port.is_reported() && port.candidates.is_empty() {
            // For the core the client is connected, so that it measures another time.
            let due = port.connect_by().max(now + LOOK_WINDOW);
            let failure = (TransferError::NotConnected, due);
            start.failure.get_or_insert(failure);
        }
        if let Some(error) = start.failed(&port, now) {
            port.release(LeaseEnd::Lost);
            return DataStep::Failed(error);
        }
        let start = Some(start);
        self.state = State::Listening { port, start };
        DataStep::Blocked
    }

    /// The connection that has shown to be the transfer's. If there is none, the poll reports what
    /// comes.
    fn choose(
        &mut self,
        port: &mut AnnouncedPort,
        start: &Start,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<Option<DataStream>> {
        let chosen = port.candidates.choose(start.sender, start.answered, now);
        if chosen.is_some() {
            return Ok(chosen);
        }
        // If one is open, others are looked for a little later.
        if port.candidates.open_peer().is_none() {
            port.register(registry)?;
        }
        port.watch(registry, &mut self.tokens, now)?;
        let chosen = port.candidates.choose(start.sender, start.answered, now);
        port.candidates.register(registry)?;
        Ok(chosen)
    }

    /// The connection that was begun, once it is established: the poll reports it.
    pub(super) fn connect(
        &mut self,
        mut stream: DataStream,
        start: Box<Start>,
        registry: &Registry,
        now: Instant,
    ) -> DataStep {
        let is_established = match stream.register(registry) {
            Ok(()) if !mem::replace(&mut stream.ready, false) => Ok(false),
            Ok(()) => stream.is_established(),
            Err(error) => Err(error),
        };
        match is_established {
            Ok(false) => {
                self.state = State::Connecting { stream, start };
                DataStep::Blocked
            }
            Ok(true) => {
                stream.ready = true;
                self.on_connected(stream, start, Mode::Active, now)
            }
            Err(error) => self.no_connection(&error, TransferError::NotConnected),
        }
    }

    /// The connection is established: bytes can move, or TLS begins.
    fn on_connected(
        &mut self,
        mut stream: DataStream,
        start: Box<Start>,
        mode: Mode,
        now: Instant,
    ) -> DataStep {
        let peer = stream.peer();
        if let Some(protection) = &start.protection
            && let Err(error) = stream
                .stream()
                .start_tls(protection.config(), Traffic::Data)
        {
            return self.no_connection(&error, TransferError::NotConnected);
        }
        let sender = start.sender;
        let mut attempt = Attempt::new(stream, start, mode, now);
        if sender == FirstSender::Client {
            attempt.release_port();
        }
        self.state = match sender {
            FirstSender::TlsClient => State::Handshaking(attempt),
            FirstSender::Server | FirstSender::Client => State::Open(attempt),
        };
        DataStep::Connected(peer)
    }

    pub(super) fn handshake(
        &mut self,
        mut attempt: Attempt,
        registry: &Registry,
        now: Instant,
    ) -> DataStep {
        attempt.release_port_in_time(now);
        let result = if attempt.stream.ready {
            attempt.stream.stream().handshake()
        } else {
            Err(ErrorKind::WouldBlock.into())
        };
        match result {
            Ok(()) => self.on_protected(attempt, now),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                attempt.stream.ready = false;
                match attempt.stream.register(registry) {
                    Ok(()) => {
                        self.state = State::Handshaking(attempt);
                        DataStep::Blocked
                    }
                    Err(error) => self.no_connection(&error, TransferError::NotConnected),
                }
            }
            Err(error) => {
                let (name, peer) = (&self.log.name, attempt.stream.peer());
                let reason = SystemText(&error);
                info!("{name} no TLS on the data connection with {peer}: {reason}");
                let failure = match error.kind() {
                    ErrorKind::InvalidData => TransferError::NotProtected,
                    _ => TransferError::NotConnected,
                };
                let until = now + LOOK_WINDOW_TLS;
                self.give_way(attempt.mode, attempt.start, failure, until)
            }
        }
    }

    /// TLS is established: it may show that the connection is another client's.
    fn on_protected(&mut self, mut attempt: Attempt, now: Instant) -> DataStep {
        let Err(reason) = attempt.check() else {
            attempt.release_port();
            self.state = State::Open(attempt);
            return DataStep::Protected;
        };
        let (name, peer) = (&self.log.name, attempt.stream.peer());
        warn!("{name} refused the data connection from {peer}: {reason}");
        // No byte has moved, and none will. The connection lingers, so that a client that does not
        // resume sessions can read the reply that says why.
        let _ = attempt.stream.stream().end_sending();
        self.lingering = Some(Lingering::new(attempt.stream.into_stream(), now));
        let (error, until) = (TransferError::NotResumed, now + LOOK_WINDOW);
        self.give_way(attempt.mode, attempt.start, error, until)
    }

    /// Another connection may take the place of one that failed, if it comes until this time.
    fn give_way(
        &mut self,
        mode: Mode,
        start: Box<Start>,
        error: TransferError,
        until: Instant,
    ) -> DataStep {
        match mode {
            Mode::Passive(Some(port)) => {
                self.retry(port, start, error, until);
                DataStep::Progress
            }
            Mode::Passive(None) | Mode::Active => DataStep::Failed(error),
        }
    }

    pub(super) fn retry(
        &mut self,
        port: Box<AnnouncedPort>,
        mut start: Box<Start>,
        error: TransferError,
        until: Instant,
    ) {
        start.failure = Some((error, until));
        let start = Some(start);
        self.state = State::Listening { port, start };
    }

    fn no_connection(&self, error: &io::Error, result: TransferError) -> DataStep {
        info!(
            "{} no data connection: {}",
            self.log.name,
            SystemText(error)
        );
        DataStep::Failed(result)
    }
}
