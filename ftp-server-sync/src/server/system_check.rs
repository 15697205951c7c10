//! The thread that looks up the users of the system who are logged in.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::handle::{Handle, Message};
use crate::session::ServerState;

/// The look-ups that go on.
#[derive(Debug, Default)]
pub(super) struct SystemUsersCheck {
    pub(super) is_running: bool,
    /// The users are to be looked up once more.
    pub(super) is_outdated: bool,
    /// When the log has a line about it.
    pub(super) warn_at: Option<Instant>,
}

/// The main thread learns of the end of the look-ups, however they end.
struct End(Handle);

/// Starts the thread, which sends [`Message::SystemUsersChecked`] at its end.
///
/// # Errors
///
/// The system has none.
pub(super) fn start(state: Arc<ServerState>, handle: Handle) -> io::Result<()> {
    let builder = thread::Builder::new().name("system-users".to_owned());
    builder.spawn(move || {
        let _end = End(handle);
        state.check_system_users();
    })?;
    Ok(())
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.send(Message::SystemUsersChecked);
    }
}
