//! What the server's main thread knows of a session: whether its client has logged in, whether a
//! transfer runs, and whether it is over.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How far the login of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginState {
    /// The client has not logged in, or its session has ended.
    Expected,
    /// The client waits for the answer to a wrong password, or for its turn to be checked.
    Delayed,
    /// The same, and the client has closed its side.
    ClientGone,
    LoggedIn,
}

/// The state of one session, which its thread sets and the main thread reads.
#[derive(Debug, Default)]
pub(crate) struct SharedLoginState {
    login: AtomicU8,
    has_transfer: AtomicBool,
    is_over: AtomicBool,
}

impl LoginState {
    pub(crate) fn is_logged_in(self) -> bool {
        self == Self::LoggedIn
    }

    pub(crate) fn is_client_gone(self) -> bool {
        self == Self::ClientGone
    }

    /// Whether the answer to a wrong password is still due.
    pub(crate) fn is_delayed(self) -> bool {
        matches!(self, Self::Delayed | Self::ClientGone)
    }
}

impl SharedLoginState {
    pub(crate) fn get(&self) -> LoginState {
        match self.login.load(Ordering::Relaxed) {
            DELAYED => LoginState::Delayed,
            CLIENT_GONE => LoginState::ClientGone,
            LOGGED_IN => LoginState::LoggedIn,
            _ => LoginState::Expected,
        }
    }

    pub(super) fn set(&self, state: LoginState) {
        let number = match state {
            LoginState::Expected => EXPECTED,
            LoginState::Delayed => DELAYED,
            LoginState::ClientGone => CLIENT_GONE,
            LoginState::LoggedIn => LOGGED_IN,
        };
        self.login.store(number, Ordering::Relaxed);
    }

    pub(crate) fn has_transfer(&self) -> bool {
        self.has_transfer.load(Ordering::Relaxed)
    }

    pub(super) fn set_has_transfer(&self, has_transfer: bool) {
        self.has_transfer.store(has_transfer, Ordering::Relaxed);
    }

    /// Whether the client has had its last reply. The thread may not have said so yet.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Before the connection is closed: the client may come again as soon as it sees that.
    pub(super) fn set_over(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

const EXPECTED: u8 = 0;
const DELAYED: u8 = 1;
const CLIENT_GONE: u8 = 2;
const LOGGED_IN: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_read_as_it_was_set() {
        let shared = SharedLoginState::default();
        assert_eq!(shared.get(), LoginState::Expected);
        for state in [
            LoginState::LoggedIn,
            LoginState::Delayed,
            LoginState::ClientGone,
            LoginState::Expected,
        ] {
            shared.set(state);
            assert_eq!(shared.get(), state);
        }
    }
}
