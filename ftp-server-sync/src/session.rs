//! The thread of a session: one poll, one loop.

mod actions;
mod activity;
mod allocated;
mod budget;
mod busy_upload;
mod command;
mod command_start;
mod connect_failure;
mod connection;
mod control;
mod control_end;
mod data;
mod delayed_login;
mod end_reason;
mod foreign_protocol_log;
mod hints;
mod hook_queue;
mod hooks;
mod listing;
mod log;
mod login;
mod login_attempt;
mod login_name;
mod login_state;
mod opening_listing;
mod reported_login;
mod server_state;
mod stored_paths;
mod subject;
mod system_session;
mod system_user;
mod timers;
mod tls;
mod transfer_facts;
mod user;
mod user_sessions;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use ::log::error;
use crossbeam_channel::Receiver;
use mio::net::TcpStream;
use mio::{Events, Poll, Waker};

use crate::logging::session_name::SessionName;
use crate::logging::system_text::SystemText;
use connection::{Connection, Turn, WAKER};

pub(crate) use command::SessionCommand;
pub(crate) use hook_queue::{HookQueue, HookRun};
pub(crate) use login_state::{LoginState, SharedLoginState};
pub(crate) use server_state::{Current, ServerState};

/// What a session's thread starts with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) number: u64,
    pub(crate) server: Arc<ServerState>,
    pub(crate) stream: TcpStream,
    /// The client starts with a TLS handshake.
    pub(crate) implicit_tls: bool,
    pub(crate) poll: Poll,
    pub(crate) waker: Arc<Waker>,
    pub(crate) commands: Receiver<SessionCommand>,
    /// For the main thread.
    pub(crate) login_state: Arc<SharedLoginState>,
}

/// The poll of a session, and the waker that interrupts it.
pub(crate) fn poll_and_waker() -> io::Result<(Poll, Arc<Waker>)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    Ok((poll, waker.into()))
}

/// Serves one client, from the greeting until the control connection is closed.
pub(crate) fn run(start: Start) {
    let number = start.number;
    let client = start.stream.peer_addr();
    if let Err(error) = serve(start) {
        // The client may have closed its connection before it was accepted: that is no fault.
        match error.kind() {
            ErrorKind::NotConnected | ErrorKind::ConnectionReset => {}
            _ => {
                let client = client.map_or(UNKNOWN_CLIENT, |client| client.ip());
                let name = SessionName::new(number, client);
                error!("{name} the session failed: {}", SystemText(&error));
            }
        }
    }
}

fn serve(start: Start) -> io::Result<()> {
    let Start {
        number,
        server,
        stream,
        implicit_tls,
        mut poll,
        waker,
        commands,
        login_state,
    } = start;
    // Before the connection, which has its listeners: it is dropped after them.
    let _guard = server.pool.end_guard(number);
    let mut connection = Connection::new(
        number,
        server,
        stream,
        implicit_tls,
        login_state,
        poll.registry(),
        waker,
    )?;
    let mut events = Events::with_capacity(EVENTS_MAX);
    loop {
        for command in commands.try_iter() {
            connection.on_command(command);
        }
        let timeout = match connection.turn(poll.registry(), Instant::now()) {
            Turn::Closed => return Ok(()),
            Turn::Wait(timeout) => timeout,
        };
        // The thread waits here and nowhere else.
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                WAKER => connection.on_wake(),
                _ => connection.on_event(event),
            }
        }
    }
}

/// In the log, for a client that had left before its address could be asked for.
const UNKNOWN_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// One for each token: control connection, data connection, the lingering one before it, waker.
const EVENTS_MAX: usize = 4;
