//! What a session waits for before a login is answered.

use ftp_proto::{Outcome, Secret};

/// A login whose outcome the core gets later.
#[derive(Debug)]
pub(super) enum DelayedLogin {
    /// The answer to a wrong password.
    Answer(Outcome),
    /// The password waits for its turn.
    Password(Login),
}

/// A name and a password.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) user: Vec<u8>,
    pub(super) password: Secret,
}
