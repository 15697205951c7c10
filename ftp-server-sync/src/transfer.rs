//! A transfer: a pump and the data connection that it waits for or uses.

use std::io;
use std::time::Instant;

use ftp_proto::{DataConnection, Endpoints, TransferError, TransferId, TransferRequest};
use log::info;
use mio::Registry;

use crate::connection::DATA;
use crate::data::{Accepted, DataPort, DataStream, Listening};
use crate::pump::{Pump, Step};

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
}

#[derive(Debug)]
enum Link {
    /// Not started yet.
    None,
    /// The client has not connected yet.
    Accepting(Listening),
    /// We have not reached the client yet.
    Connecting(DataStream),
    Up(DataStream),
}

/// What came of going on with a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// The data connection was just established.
    Connected,
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
        }
    }

    /// Takes the data port that was set up, or begins to connect to the client.
    pub(crate) fn start(
        &mut self,
        connection: DataConnection,
        port: DataPort,
        endpoints: &Endpoints,
        now: Instant,
    ) -> io::Result<()> {
        self.link = match (connection, port) {
            (DataConnection::Active(target), _) => {
                Link::Connecting(DataStream::connect(endpoints, target)?)
            }
            (DataConnection::Passive, DataPort::Listening(listening)) => Link::Accepting(listening),
            (DataConnection::Passive, DataPort::Connected(stream)) => {
                self.connected = Some(now);
                Link::Up(stream)
            }
            (DataConnection::Passive, DataPort::None | DataPort::Queued { .. }) => {
                return Err(io::ErrorKind::NotConnected.into());
            }
        };
        Ok(())
    }

    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.link, Link::None)
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
        if let Link::Connecting(stream) | Link::Up(stream) = &mut self.link {
            stream.ready = true;
        }
    }

    /// Goes on until the budget is used up or only an event helps.
    pub(crate) fn advance(&mut self, registry: &Registry, now: Instant, budget: usize) -> Advance {
        let went_on = match &mut self.link {
            Link::None => return Advance::Blocked,
            Link::Up(_) => return self.pump_on(registry, budget),
            Link::Accepting(_) => self.accept(registry),
            Link::Connecting(stream) => established(stream, registry),
        };
        match went_on {
            Ok(true) => {
                self.link_up(now);
                Advance::Connected
            }
            Ok(false) => Advance::Blocked,
            Err(error) => {
                info!("#{} no data connection: {error}", self.number);
                Advance::Done(Err(TransferError::NotConnected))
            }
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

    /// Whether the client's connection has come; asks for an event if it has not.
    fn accept(&mut self, registry: &Registry) -> io::Result<bool> {
        let listening = match std::mem::replace(&mut self.link, Link::None) {
            Link::Accepting(listening) => listening,
            other => {
                self.link = other;
                return Ok(false);
            }
        };
        match listening.accept()? {
            Accepted::Connected(stream) => {
                self.link = Link::Up(stream);
                Ok(true)
            }
            Accepted::NotYet(mut listening) => {
                // An edge that comes between the two calls is reported when registering.
                listening.register(registry, DATA)?;
                self.link = Link::Accepting(listening);
                Ok(false)
            }
        }
    }

    fn link_up(&mut self, now: Instant) {
        self.connected = Some(now);
        self.link = match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting(stream) => Link::Up(stream),
            other => other,
        };
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

/// Whether a connection that we began stands; asks for an event if not.
fn established(stream: &mut DataStream, registry: &Registry) -> io::Result<bool> {
    stream.register(registry, DATA)?;
    if !std::mem::replace(&mut stream.ready, false) || !stream.is_established()? {
        return Ok(false);
    }
    stream.ready = true;
    Ok(true)
}

/// More than a socket's receive buffer holds.
const DRAIN_BYTES_MAX: usize = 64 << 20;
