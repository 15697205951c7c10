//! The thread of a session: one poll, one loop.

mod actions;
pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod end_reason;
pub(crate) mod log;
mod never_connected;
pub(crate) mod server_state;
mod timers;
mod tls;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

use ::log::error;
use crossbeam_channel::Receiver;
use mio::net::TcpStream;
use mio::{Events, Poll, Waker};

use crate::session::connection::{Connection, Turn, WAKER};
use crate::session::server_state::ServerState;

/// What the acceptor says to a session; the session's waker is called after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionCommand {
    /// The server is ending: end now.
    End,
    /// The server is ending: end as soon as no transfer runs.
    EndAfterTransfer,
    /// Log what you are doing.
    Report,
}

/// Everything that a session's thread begins with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) number: u64,
    pub(crate) shared: Arc<ServerState>,
    pub(crate) stream: TcpStream,
    /// The client begins with TLS.
    pub(crate) implicit_tls: bool,
    pub(crate) poll: Poll,
    pub(crate) waker: Arc<Waker>,
    pub(crate) orders: Receiver<SessionCommand>,
}

/// Serves one client from greeting to goodbye.
pub(crate) fn run(start: Start) {
    let number = start.number;
    if let Err(error) = serve(start) {
        // A client that is gone before we look is nothing to worry about.
        match error.kind() {
            ErrorKind::NotConnected | ErrorKind::ConnectionReset => {}
            _ => error!("#{number} session failed: {error}"),
        }
    }
}

fn serve(start: Start) -> io::Result<()> {
    let Start {
        number,
        shared,
        stream,
        implicit_tls,
        mut poll,
        waker,
        orders,
    } = start;
    let mut connection =
        Connection::new(number, shared, stream, implicit_tls, poll.registry(), waker)?;
    let mut events = Events::with_capacity(EVENTS_MAX);
    loop {
        for order in orders.try_iter() {
            connection.on_command(order);
        }
        let patience = match connection.turn(poll.registry(), Instant::now()) {
            Turn::Over => return Ok(()),
            Turn::Wait(patience) => patience,
        };
        // This is the only place where the thread waits.
        match poll.poll(&mut events, patience) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                WAKER => connection.woken(),
                _ => connection.note(event),
            }
        }
    }
}

/// Control, data, the data connection before it and waker are all that there can be.
const EVENTS_MAX: usize = 4;
