//! Timers without clocks: the core says what may take how long, the driver measures the time.

use core::time::Duration;

/// A timer that runs now. When [`poll_timeout`](crate::Session::poll_timeout) has returned an equal
/// value for the time `after`, the driver passes it to
/// [`handle_timeout`](crate::Session::handle_timeout). A timer may disappear and come back: if kind
/// and epoch are equal, it is the same timer, and its time has not stopped in between.
/// [`Timers`](crate::Timers) measures that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Timeout {
    /// What is being waited for.
    pub kind: TimeoutKind,
    /// The time after which it expires.
    pub after: Duration,
    /// Changes whenever the timer starts again, so that the core ignores a timer that expires
    /// late.
    pub epoch: u64,
}

/// What a [`Timeout`] limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// From the greeting to a successful login; it is never extended.
    Login,
    /// Between two commands. Does not run during a transfer.
    Idle,
    /// From the reply to PASV or EPSV (or the start of an active transfer) to the established data
    /// connection, with TLS where it must be protected; it is never extended. For a client that
    /// connects before its transfer command, the time for TLS begins with that command. A driver
    /// that needs the port earlier reports [`Withdrawn`](crate::DataEvent::Withdrawn).
    DataOpen,
    /// Without a byte transferred on the data connection.
    DataStall,
    /// From [`Close`](crate::Action::Close) until the client has read the last replies. If it
    /// expires, [`CloseNow`](crate::Action::CloseNow) follows.
    Flush,
}
