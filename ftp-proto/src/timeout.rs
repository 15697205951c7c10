//! Timers without clocks: the core says what may take how long, the driver measures the time.

use core::time::Duration;

/// A timer that runs now. When [`poll_timeout`](crate::Session::poll_timeout) has returned an equal
/// value for the time `after`, the driver passes it to
/// [`handle_timeout`](crate::Session::handle_timeout). A timer may disappear and come back: if kind and
/// epoch are equal, it is the same timer, and its time has not stopped in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// What is being waited for.
    pub kind: TimeoutKind,
    /// The time after which it expires.
    pub after: Duration,
    /// Changes whenever the timer starts again, so that the core ignores a timer that expires late.
    pub epoch: u64,
}

/// What a [`Timeout`] limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutKind {
    /// From the greeting to a successful login; it is never extended.
    Login,
    /// Between two commands. Does not run during a transfer.
    Idle,
    /// From the reply to PASV or EPSV (or the start of an active transfer) to the established data
    /// connection; it is never extended. A driver that needs the port earlier calls
    /// [`handle_port_withdrawn`](crate::Session::handle_port_withdrawn).
    DataOpen,
    /// Without a byte transferred on the data connection.
    DataStall,
}
