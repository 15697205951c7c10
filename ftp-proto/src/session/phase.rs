//! Where a session stands, and which question the driver has not answered yet.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::file_question::FileQuestion;
use super::ready::Ready;

/// Where the session stands. What holds only after login lives inside `Ready`.
#[derive(Debug)]
pub(super) enum Phase {
    Login(Login),
    Ready(Box<Ready>),
    Closed,
}

/// The question that the driver has not answered yet. Those about a transfer are in [`Transfer`].
#[derive(Debug)]
pub(super) enum Pending {
    None,
    Authenticate,
    /// `greet`: TLS comes first, and the greeting is still owed.
    Tls {
        greet: bool,
    },
    File(FileQuestion),
    /// `cancelled`: a `CloseData` has been sent after it.
    Passive {
        command: PassiveCommand,
        cancelled: bool,
    },
}

/// Before a login.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// What USER named, until PASS uses it.
    pub(super) user: Option<Vec<u8>>,
}

/// Which command a passive listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassiveCommand {
    Pasv,
    Epsv,
}

impl Login {
    /// Whether USER has come.
    pub(super) fn is_named(&self) -> bool {
        self.user.is_some()
    }
}
