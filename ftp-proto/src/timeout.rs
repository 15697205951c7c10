//! Timers without clocks: the core names what must not last too long, the driver measures.

use core::time::Duration;

/// A timer that runs now. If [`poll_timeout`](crate::Session::poll_timeout) keeps returning an equal
/// value for as long as `after`, it is handed to [`handle_timeout`](crate::Session::handle_timeout).
/// A value that comes back after a gap, equal in kind and epoch, is the same wait: its time has gone
/// on meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// What is being waited for.
    pub kind: TimeoutKind,
    /// For how long it may last.
    pub after: Duration,
    /// Changes whenever the wait begins anew, so that a late firing is recognised and ignored.
    pub epoch: u64,
}

/// What a [`Timeout`] limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutKind {
    /// From the greeting to a successful login; never extended.
    Login,
    /// Between two commands. Does not run during a transfer.
    Idle,
    /// From the reply to PASV or EPSV (or the start of an active transfer) to the established data
    /// connection; never extended. A driver that needs the port back earlier calls
    /// [`handle_port_withdrawn`](crate::Session::handle_port_withdrawn).
    DataOpen,
    /// Without a byte moved on the data connection.
    DataStall,
}
