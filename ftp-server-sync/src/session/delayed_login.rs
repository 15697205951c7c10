//! What a session waits for before a login is answered.

use ftp_proto::Outcome;

use super::login_attempt::{FinishedAttempt, LoginAttempt};
use crate::accounts::comparisons::PendingComparison;

/// A login whose outcome the core gets later.
#[derive(Debug)]
pub(super) enum DelayedLogin {
    /// The answer to a wrong password.
    Answer(Box<Outcome>),
    /// The password waits for its turn.
    Password(Box<LoginAttempt>),
    /// The password is compared with a hash, on another thread, or waits for that.
    Comparison(PendingComparison<FinishedAttempt>),
}
