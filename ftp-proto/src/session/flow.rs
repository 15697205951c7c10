//! The phase of a session, and how a handler changes it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::context::Context;
use super::ready::Ready;
use crate::reply::Reply;

/// The phase of the session. State that exists only after login is in `Ready`.
#[derive(Debug)]
pub(super) enum Phase {
    Login(Login),
    Ready(Box<Ready>),
    Closed,
}

/// The state before a login.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// The argument of USER, until PASS uses it.
    pub(super) user: Option<Vec<u8>>,
}

/// The phase after a handler.
#[derive(Debug)]
#[must_use]
pub(super) enum Flow {
    /// The phase stays.
    Stay,
    /// The client has to log in, for the first time or again.
    Login(Login),
    /// The client is logged in.
    Ready(Box<Ready>),
    /// The session ends, with this reply.
    Close(Option<Reply>),
}

impl Phase {
    /// The time in which the next data connection must be established.
    pub(super) fn data_open_timeout(&self, context: &Context) -> Option<Duration> {
        let limit = context.config.data_open_timeout;
        match self {
            Self::Ready(ready) => context.one_to_one_nat.limit(&ready.transfer, limit),
            Self::Login(_) | Self::Closed => limit,
        }
    }
}
