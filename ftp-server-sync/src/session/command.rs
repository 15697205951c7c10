//! What the server's main thread asks of a session.

/// A request to a session. The sender calls the session's waker after sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionCommand {
    /// The server is shutting down: end now.
    End,
    /// The server is shutting down: end as soon as no transfer runs.
    EndAfterTransfer,
    /// Another client needs the place: end now, unless the client has logged in.
    Evict,
    /// The operator ends the session: end now.
    Kick,
    /// The users have changed: look at the settings now, and not only after the client's next
    /// command.
    UpdateSettings,
}
