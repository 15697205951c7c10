//! The thread of a session: one poll, one loop.

mod actions;
mod activity;
mod allocated;
mod budget;
mod busy_upload;
mod command;
mod command_input;
mod command_start;
mod connect_failure;
mod connection;
mod control;
mod control_end;
mod control_input;
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
mod start;
mod stored_paths;
mod subject;
mod system_session;
mod system_user;
mod timers;
mod tls;
mod transfer_facts;
mod transfer_log;
mod user;
mod user_sessions;

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::log::error;
use mio::{Events, Poll, Waker};

use crate::logging::session_name::SessionName;
use crate::logging::system_text::SystemText;
use connection::{Connection, Turn, WAKER};

pub(crate) use command::{SentCommands, SessionCommand};
pub(crate) use hook_queue::{HookQueue, HookRun};
pub(crate) use login_state::{LoginState, SharedLoginState};
pub(crate) use server_state::{Current, ServerState};
pub(crate) use start::{Proxied, Start};

/// Where the thread of a session waits, and the waker that interrupts it. One session after the
/// other can use it.
#[derive(Debug)]
pub(crate) struct SessionPoll {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    /// Events of a session that has ended may still come.
    is_used: bool,
}

impl SessionPoll {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            waker: waker.into(),
            is_used: false,
        })
    }

    pub(crate) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Prepares it for another session.
    pub(crate) fn renew(&mut self) -> io::Result<()> {
        if self.is_used {
            *self = Self::new()?;
        }
        Ok(())
    }

    /// Waits until the waker is called, for this long at most, or for no reason.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }
}

/// Serves one client, from the greeting until the control connection is closed.
pub(crate) fn run(start: Box<Start>, poll: &mut SessionPoll) {
    let (number, client) = (start.number, start.peer.ip());
    // Unless it ends cleanly.
    poll.is_used = true;
    match serve(start, poll) {
        Ok(is_used) => poll.is_used = is_used,
        Err(error) => log_failure(number, client, &error),
    }
}

#[inline(never)]
fn log_failure(number: u64, client: IpAddr, error: &io::Error) {
    let name = SessionName::new(number, client);
    error!("{name} the session failed: {}", SystemText(error));
}

/// Returns whether something of the session may be left in the poll: a program that was just about
/// to start when its sockets were closed keeps them open for a moment.
fn serve(start: Box<Start>, poll: &mut SessionPoll) -> io::Result<bool> {
    let SessionPoll {
        poll,
        events,
        waker,
        ..
    } = poll;
    let commands = start.commands.clone();
    let login_state = start.login_state.clone();
    // Before the connection, which has its listeners: it is dropped after them.
    let _guard = start.server.pool.end_guard(start.number);
    // Its thread's stack is smaller without it.
    let mut connection = Connection::boxed(start, poll.registry(), waker.clone())?;
    loop {
        for command in commands.take() {
            connection.on_command(command);
        }
        let timeout = match connection.turn(poll.registry(), Instant::now()) {
            Turn::Closed => {
                login_state.set_over();
                return Ok(!connection.leave(poll.registry()));
            }
            Turn::Wait(timeout) => timeout,
        };
        // The thread waits here and nowhere else while it has a client.
        match poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &*events {
            match event.token() {
                WAKER => connection.on_wake(),
                _ => connection.on_event(event),
            }
        }
    }
}

/// One for each token: control connection, data connection, the lingering one before it, waker.
const EVENTS_MAX: usize = 4;
