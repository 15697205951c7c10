//! A transfer: a pump, and the data connection that it waits for or uses.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Instant;

use ftp_proto::listing::WalkNotice;
use ftp_proto::{DataConnection, Endpoints, TransferError, TransferId, TransferRequest};
use log::info;
use mio::Registry;

use super::connection::{AcceptOutcome, DATA, DataListener, DataPort, DataStream};
use super::pump::{Pump, PumpStep};
use super::stream::Stream;
use crate::tls::{ServerConfig, TlsStream};

/// A transfer, from the core's action `OpenTransfer` to the outcome `TransferEnded`.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// The session's, for the log.
    number: u64,
    pub(crate) id: TransferId,
    pub(crate) request: TransferRequest,
    /// The name that STOU chose.
    pub(crate) unique_name: Option<Vec<u8>>,
    /// When its data connection was established, with TLS if that is on.
    pub(crate) connected: Option<Instant>,
    pump: Pump,
    connection: TransferConnection,
    protection: Option<Protection>,
}

/// TLS on the data connection.
#[derive(Debug)]
pub(crate) struct Protection {
    pub(crate) config: ServerConfig,
    /// The client must resume the session of its control connection.
    pub(crate) resumption_required: bool,
}

#[derive(Debug)]
enum TransferConnection {
    NotStarted,
    /// The client has not connected yet.
    Accepting(DataListener),
    /// Active mode: the connection is not established yet.
    Connecting(DataStream),
    /// Connected, and TLS is not established yet.
    Handshaking(DataStream),
    /// Its TLS session is not that of the control connection.
    Refused(DataStream),
    Open(DataStream),
}

/// The outcome of advancing a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdvanceOutcome {
    /// The data connection was just established, with this peer.
    Connected(IpAddr),
    /// TLS was just established on it.
    Protected,
    /// The budget is used up.
    More,
    /// An event has to come first.
    Blocked,
    Done(Result<(), TransferError>),
}

impl Transfer {
    pub(crate) fn new(
        number: u64,
        request: TransferRequest,
        pump: Pump,
        unique_name: Option<Vec<u8>>,
    ) -> Self {
        Self {
            number,
            id: request.id,
            request,
            unique_name,
            connected: None,
            pump,
            connection: TransferConnection::NotStarted,
            protection: None,
        }
    }

    /// Uses the data port, or begins to connect to the client.
    pub(crate) fn start(
        &mut self,
        connection: DataConnection,
        port: DataPort,
        protection: Option<Protection>,
        endpoints: &Endpoints,
        now: Instant,
    ) -> io::Result<()> {
        self.protection = protection;
        self.connection = match (connection, port) {
            (DataConnection::Active(target), _) => {
                TransferConnection::Connecting(DataStream::connect(endpoints, target)?)
            }
            (DataConnection::Passive, DataPort::Listening(listener)) => {
                TransferConnection::Accepting(listener)
            }
            (DataConnection::Passive, DataPort::Connected(stream)) => {
                return self.on_connected(stream, now).map(drop);
            }
            (DataConnection::Passive, DataPort::None | DataPort::Queued { .. }) => {
                return Err(ErrorKind::NotConnected.into());
            }
        };
        Ok(())
    }

    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.connection, TransferConnection::NotStarted)
    }

    /// The data connection is open: bytes can move.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.connection, TransferConnection::Open(_))
    }

    /// The client has connected, and the TLS handshake has not ended.
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(self.connection, TransferConnection::Handshaking(_))
    }

    /// TLS on the open data connection.
    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        match &self.connection {
            TransferConnection::Open(stream) => stream.tls(),
            _ => None,
        }
    }

    /// What a listing has noticed since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<WalkNotice> {
        self.pump.take_notices()
    }

    /// Bytes moved so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.pump.bytes()
    }

    /// The listener, if the client has not connected yet.
    pub(crate) fn listener(&self) -> Option<&DataListener> {
        match &self.connection {
            TransferConnection::Accepting(listener) => Some(listener),
            _ => None,
        }
    }

    /// The same, which the transfer loses.
    pub(crate) fn take_listener(&mut self) -> Option<DataListener> {
        self.listener()?;
        match std::mem::replace(&mut self.connection, TransferConnection::NotStarted) {
            TransferConnection::Accepting(listener) => Some(listener),
            _ => None,
        }
    }

    /// The poll has reported an event on the data connection.
    pub(crate) fn on_event(&mut self) {
        if let TransferConnection::Connecting(stream)
        | TransferConnection::Handshaking(stream)
        | TransferConnection::Open(stream) = &mut self.connection
        {
            stream.ready = true;
        }
    }

    /// Advances until the budget is used up or an event has to come first.
    pub(crate) fn advance(
        &mut self,
        registry: &Registry,
        now: Instant,
        budget: usize,
    ) -> AdvanceOutcome {
        let advanced = match std::mem::replace(&mut self.connection, TransferConnection::NotStarted)
        {
            TransferConnection::NotStarted | TransferConnection::Refused(_) => {
                return AdvanceOutcome::Blocked;
            }
            TransferConnection::Open(stream) => {
                self.connection = TransferConnection::Open(stream);
                return self.move_bytes(registry, budget);
            }
            TransferConnection::Accepting(listener) => self.accept(listener, registry, now),
            TransferConnection::Connecting(stream) => self.connect(stream, registry, now),
            TransferConnection::Handshaking(stream) => {
                return self.handshake(stream, registry, now);
            }
        };
        match advanced {
            Ok(Some(peer)) => AdvanceOutcome::Connected(peer),
            Ok(None) => AdvanceOutcome::Blocked,
            Err(error) => self.no_connection(&error, TransferError::NotConnected),
        }
    }

    /// Ends the transfer early. With `drain`, bytes of an upload that have arrived already are
    /// still written, and an upload whose end has arrived is complete.
    pub(crate) fn abort(&mut self, drain: bool) -> Result<(), TransferError> {
        if let TransferConnection::Open(stream) = &mut self.connection
            && self.request.kind.is_upload()
            && drain
            && let PumpStep::Done(result) = self.pump.step(stream.stream(), DRAIN_BYTES_MAX)
        {
            return result;
        }
        Err(TransferError::Aborted)
    }

    /// The data connection of a transfer with this result, if its client may still be reading or
    /// writing.
    pub(crate) fn into_lingering(self, result: Result<(), TransferError>) -> Option<Stream> {
        let is_upload = self.request.kind.is_upload();
        match (self.connection, result) {
            (TransferConnection::Open(stream), Ok(())) if !is_upload && stream.tls().is_some() => {
                Some(stream.into_stream())
            }
            (
                TransferConnection::Open(stream),
                Err(TransferError::NoSpace | TransferError::LocalWrite),
            ) if is_upload => Some(stream.into_stream()),
            (TransferConnection::Refused(stream), _) => Some(stream.into_stream()),
            _ => None,
        }
    }

    /// Accepts the client's connection, and returns its peer. `None` if it is not there yet: the
    /// poll reports it.
    fn accept(
        &mut self,
        listener: DataListener,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<Option<IpAddr>> {
        match listener.accept()? {
            AcceptOutcome::Connected(stream) => self.on_connected(stream, now),
            AcceptOutcome::Pending(mut listener) => {
                // A connection that comes between the two calls is reported at once.
                listener.register(registry, DATA)?;
                self.connection = TransferConnection::Accepting(listener);
                Ok(None)
            }
        }
    }

    /// The peer of the connection that we began, once it is established: the poll reports it.
    fn connect(
        &mut self,
        mut stream: DataStream,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<Option<IpAddr>> {
        stream.register(registry, DATA)?;
        if !std::mem::replace(&mut stream.ready, false) || !stream.is_established()? {
            self.connection = TransferConnection::Connecting(stream);
            return Ok(None);
        }
        stream.ready = true;
        self.on_connected(stream, now)
    }

    /// The connection is established: bytes can move, or TLS begins.
    fn on_connected(&mut self, mut stream: DataStream, now: Instant) -> io::Result<Option<IpAddr>> {
        let peer = stream.peer;
        self.connection = match &self.protection {
            None => {
                self.connected = Some(now);
                TransferConnection::Open(stream)
            }
            Some(protection) => {
                stream.stream().start_tls(protection.config.clone())?;
                TransferConnection::Handshaking(stream)
            }
        };
        Ok(Some(peer))
    }

    fn handshake(
        &mut self,
        mut stream: DataStream,
        registry: &Registry,
        now: Instant,
    ) -> AdvanceOutcome {
        let result = if stream.ready {
            stream.stream().handshake()
        } else {
            Err(ErrorKind::WouldBlock.into())
        };
        match result {
            Ok(()) if !self.is_proven(&mut stream) => {
                // No byte has moved, and none will. The connection lingers, so that a client that
                // does not resume sessions can read the reply that says why.
                let _ = stream.stream().end_sending();
                self.connection = TransferConnection::Refused(stream);
                AdvanceOutcome::Done(Err(TransferError::NotResumed))
            }
            Ok(()) => {
                self.connected = Some(now);
                self.connection = TransferConnection::Open(stream);
                AdvanceOutcome::Protected
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.ready = false;
                match stream.register(registry, DATA) {
                    Ok(()) => {
                        self.connection = TransferConnection::Handshaking(stream);
                        AdvanceOutcome::Blocked
                    }
                    Err(error) => self.no_connection(&error, TransferError::NotConnected),
                }
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                self.no_connection(&error, TransferError::NotProtected)
            }
            Err(error) => self.no_connection(&error, TransferError::NotConnected),
        }
    }

    /// Whether the peer has proved that it is the client, or need not.
    fn is_proven(&self, stream: &mut DataStream) -> bool {
        let is_required = |protection: &Protection| protection.resumption_required;
        !self.protection.as_ref().is_some_and(is_required)
            || stream.stream().tls().is_some_and(TlsStream::is_resumed)
    }

    fn no_connection(&self, error: &io::Error, result: TransferError) -> AdvanceOutcome {
        info!("#{} no data connection: {error}", self.number);
        AdvanceOutcome::Done(Err(result))
    }

    fn move_bytes(&mut self, registry: &Registry, budget: usize) -> AdvanceOutcome {
        let TransferConnection::Open(stream) = &mut self.connection else {
            return AdvanceOutcome::Blocked;
        };
        if !stream.ready {
            return AdvanceOutcome::Blocked;
        }
        match self.pump.step(stream.stream(), budget) {
            PumpStep::More => AdvanceOutcome::More,
            PumpStep::Done(result) => AdvanceOutcome::Done(result),
            PumpStep::Blocked => {
                stream.ready = false;
                match stream.register(registry, DATA) {
                    Ok(()) => AdvanceOutcome::Blocked,
                    Err(_) => AdvanceOutcome::Done(Err(TransferError::ConnectionLost)),
                }
            }
        }
    }
}

/// More than a socket's receive buffer holds.
const DRAIN_BYTES_MAX: usize = 64 << 20;
