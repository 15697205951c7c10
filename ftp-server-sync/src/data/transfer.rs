//! A transfer: a pump and the data connection that it waits for or uses.

use std::io::{self, ErrorKind};
use std::time::Instant;

use ftp_proto::{DataConnection, Endpoints, TransferError, TransferId, TransferRequest};
use log::info;
use mio::Registry;

use super::connection::{Accepted, DATA, DataPort, DataStream, Listening};
use super::pump::{Pump, Step};
use super::stream::Stream;
use crate::tls::{ServerConfig, TlsStream};

/// From `OpenTransfer` to `TransferEnded`.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// The session's, for the log.
    number: u64,
    pub(crate) id: TransferId,
    pub(crate) request: TransferRequest,
    /// The name that STOU chose.
    pub(crate) unique_name: Option<Vec<u8>>,
    /// When its data connection was established.
    pub(crate) connected: Option<Instant>,
    pump: Pump,
    link: Link,
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
enum Link {
    /// Not started yet.
    None,
    /// The client has not connected yet.
    Accepting(Listening),
    /// We have not reached the client yet.
    Connecting(DataStream),
    /// The client is there, its TLS is not.
    ShakingHands(DataStream),
    /// Its TLS is not that of the control connection.
    Refused(DataStream),
    Up(DataStream),
}

/// What came of going on with a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// The data connection was just established.
    Connected,
    /// And so was TLS on it.
    Protected,
    /// The budget is used up.
    More,
    /// Only an event helps.
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
            link: Link::None,
            protection: None,
        }
    }

    /// Takes the data port that was set up, or begins to connect to the client.
    pub(crate) fn start(
        &mut self,
        connection: DataConnection,
        port: DataPort,
        protection: Option<Protection>,
        endpoints: &Endpoints,
        now: Instant,
    ) -> io::Result<()> {
        self.protection = protection;
        self.link = match (connection, port) {
            (DataConnection::Active(target), _) => {
                Link::Connecting(DataStream::connect(endpoints, target)?)
            }
            (DataConnection::Passive, DataPort::Listening(listening)) => Link::Accepting(listening),
            (DataConnection::Passive, DataPort::Connected(stream)) => {
                return self.reached(stream, now).map(drop);
            }
            (DataConnection::Passive, DataPort::None | DataPort::Queued { .. }) => {
                return Err(ErrorKind::NotConnected.into());
            }
        };
        Ok(())
    }

    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.link, Link::None)
    }

    /// The data connection is up.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }

    /// The client has connected, and has not shaken hands.
    pub(crate) fn is_shaking_hands(&self) -> bool {
        matches!(self.link, Link::ShakingHands(_))
    }

    /// TLS on the data connection that is up.
    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        match &self.link {
            Link::Up(stream) => stream.tls(),
            _ => None,
        }
    }

    /// Bytes moved so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.pump.bytes()
    }

    /// The listener of a client that has not come yet.
    pub(crate) fn awaited(&self) -> Option<&Listening> {
        match &self.link {
            Link::Accepting(listening) => Some(listening),
            _ => None,
        }
    }

    /// The poll has seen something on the data connection.
    pub(crate) fn note_event(&mut self) {
        if let Link::Connecting(stream) | Link::ShakingHands(stream) | Link::Up(stream) =
            &mut self.link
        {
            stream.ready = true;
        }
    }

    /// Goes on until the budget is used up or only an event helps.
    pub(crate) fn advance(&mut self, registry: &Registry, now: Instant, budget: usize) -> Advance {
        let went_on = match std::mem::replace(&mut self.link, Link::None) {
            Link::None | Link::Refused(_) => return Advance::Blocked,
            Link::Up(stream) => {
                self.link = Link::Up(stream);
                return self.pump_on(registry, budget);
            }
            Link::Accepting(listening) => self.accept(listening, registry, now),
            Link::Connecting(stream) => self.connect(stream, registry, now),
            Link::ShakingHands(stream) => return self.shake_hands(stream, registry, now),
        };
        match went_on {
            Ok(true) => Advance::Connected,
            Ok(false) => Advance::Blocked,
            Err(error) => self.no_connection(&error, TransferError::NotConnected),
        }
    }

    /// Ends the transfer early. With `drain`, what an upload has received already is still written,
    /// and if the client had finished it is complete.
    pub(crate) fn abort(&mut self, drain: bool) -> Result<(), TransferError> {
        if let Link::Up(stream) = &mut self.link
            && self.request.kind.is_upload()
            && drain
            && let Step::Done(result) = self.pump.step(stream.stream(), DRAIN_BYTES_MAX)
        {
            return result;
        }
        Err(TransferError::Aborted)
    }

    /// The data connection of a transfer that has ended so, if its client may still be busy with it.
    pub(crate) fn into_lingering(self, result: Result<(), TransferError>) -> Option<Stream> {
        let is_upload = self.request.kind.is_upload();
        match (self.link, result) {
            (Link::Up(stream), Ok(())) if !is_upload && stream.tls().is_some() => {
                Some(stream.into_stream())
            }
            (Link::Up(stream), Err(TransferError::NoSpace | TransferError::LocalWrite))
                if is_upload =>
            {
                Some(stream.into_stream())
            }
            (Link::Refused(stream), _) => Some(stream.into_stream()),
            _ => None,
        }
    }

    /// Whether the client's connection has come; asks for an event if it has not.
    fn accept(
        &mut self,
        listening: Listening,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<bool> {
        match listening.accept()? {
            Accepted::Connected(stream) => self.reached(stream, now),
            Accepted::NotYet(mut listening) => {
                // An edge that comes between the two calls is reported when registering.
                listening.register(registry, DATA)?;
                self.link = Link::Accepting(listening);
                Ok(false)
            }
        }
    }

    /// Whether a connection that we began stands; asks for an event if not.
    fn connect(
        &mut self,
        mut stream: DataStream,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<bool> {
        stream.register(registry, DATA)?;
        if !std::mem::replace(&mut stream.ready, false) || !stream.is_established()? {
            self.link = Link::Connecting(stream);
            return Ok(false);
        }
        stream.ready = true;
        self.reached(stream, now)
    }

    /// The client is there: bytes can move, or TLS begins.
    fn reached(&mut self, mut stream: DataStream, now: Instant) -> io::Result<bool> {
        self.link = match &self.protection {
            None => {
                self.connected = Some(now);
                Link::Up(stream)
            }
            Some(protection) => {
                stream.stream().start_tls(protection.config.clone())?;
                Link::ShakingHands(stream)
            }
        };
        Ok(true)
    }

    fn shake_hands(
        &mut self,
        mut stream: DataStream,
        registry: &Registry,
        now: Instant,
    ) -> Advance {
        let shaken = match stream.ready {
            true => stream.stream().handshake(),
            false => Err(ErrorKind::WouldBlock.into()),
        };
        match shaken {
            Ok(()) if self.is_stranger(&mut stream) => {
                // No byte has moved, and none will. A client that has to learn to resume can read why.
                let _ = stream.stream().end();
                self.link = Link::Refused(stream);
                Advance::Done(Err(TransferError::NotResumed))
            }
            Ok(()) => {
                self.connected = Some(now);
                self.link = Link::Up(stream);
                Advance::Protected
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.ready = false;
                match stream.register(registry, DATA) {
                    Ok(()) => {
                        self.link = Link::ShakingHands(stream);
                        Advance::Blocked
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

    /// Whether the peer has not shown that it is the client, and must.
    fn is_stranger(&self, stream: &mut DataStream) -> bool {
        let required = |protection: &Protection| protection.resumption_required;
        self.protection.as_ref().is_some_and(required)
            && !stream.stream().tls().is_some_and(TlsStream::is_resumed)
    }

    fn no_connection(&self, error: &io::Error, told: TransferError) -> Advance {
        info!("#{} no data connection: {error}", self.number);
        Advance::Done(Err(told))
    }

    fn pump_on(&mut self, registry: &Registry, budget: usize) -> Advance {
        let Link::Up(stream) = &mut self.link else {
            return Advance::Blocked;
        };
        if !stream.ready {
            return Advance::Blocked;
        }
        match self.pump.step(stream.stream(), budget) {
            Step::More => Advance::More,
            Step::Done(result) => Advance::Done(result),
            Step::Blocked => {
                stream.ready = false;
                match stream.register(registry, DATA) {
                    Ok(()) => Advance::Blocked,
                    Err(_) => Advance::Done(Err(TransferError::ConnectionLost)),
                }
            }
        }
    }
}

/// More than a socket's receive buffer holds.
const DRAIN_BYTES_MAX: usize = 64 << 20;
