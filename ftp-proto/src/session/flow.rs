//! Where a session goes on after an input.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::ready::Ready;
use crate::reply::Reply;

/// Where the session stands. What holds only after login lives inside `Ready`.
#[derive(Debug)]
pub(super) enum Phase {
    Login(Login),
    Ready(Box<Ready>),
    Closed,
}

/// Before a login.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// The argument of USER, until PASS uses it.
    pub(super) user: Option<Vec<u8>>,
}

/// What a handler says about the phase after it.
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
