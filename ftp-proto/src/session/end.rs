//! How a session ends.

use core::mem;
use core::time::Duration;

use super::Session;
use super::context::Question;
use super::flow::Phase;
use super::held::Held;
use super::transfer_state::AbortReason;
use crate::action::Action;
use crate::config::limits;
use crate::reply::Reply;

impl Session {
    /// The client has ended its sending side: reading has come to the end of the connection (a FIN,
    /// or TLS's close_notify), and everything before it was passed to
    /// [`handle_input`](Self::handle_input), and a data connection that is there was reported. The
    /// client may still read replies.
    ///
    /// A connection that is gone in both directions is something else:
    /// [`handle_connection_lost`](Self::handle_connection_lost). What each of them does:
    ///
    /// | the session | `handle_eof` | `handle_connection_lost` |
    /// |---|---|---|
    /// | receives an upload (STOR, APPE, STOU), and holds a QUIT ([`has_quit`](Self::has_quit)) | goes on | goes on |
    /// | else: has a transfer that waits for the client to connect | ends at once | ends at once |
    /// | else: holds a QUIT | goes on | goes on |
    /// | else: receives an upload | goes on | goes on while bytes come |
    /// | else: is idle, sends a download or a listing, or computes a digest | ends at once | ends at once |
    ///
    /// A session that ends at once aborts its transfer and closes without a reply. One that goes on
    /// takes no more input; the transfer has its timers and its reply as always, and held lines are
    /// executed. It closes when it is not busy any more: with 221 if it holds QUIT, else without a
    /// reply.
    ///
    /// After a loss the upload ends once no byte has come for [`limits::LOST_UPLOAD_STALL`], and
    /// held lines are not executed.
    ///
    /// Calling one of the two again has no effect. Either may follow the other.
    pub fn handle_eof(&mut self) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        if !(self.outlives_loss() || self.receives_upload()) {
            self.close(None);
        }
    }

    /// The control connection is gone in both directions: a reset, a failed write, a client that
    /// does not answer any more. The session ends at once and aborts its transfer, except an
    /// upload whose bytes still come: a client that closes everything after its last byte resets
    /// this connection if a reply was unread, while those bytes are on their way. The table at
    /// [`handle_eof`](Self::handle_eof) shows the difference.
    ///
    /// After a QUIT that is held there is none: devices close the connection without having read
    /// their replies, and then it is reset. The transfer goes on to its own end, and then the
    /// session closes. Drop the replies that cannot be sent any more; they count as sent.
    pub fn handle_connection_lost(&mut self) {
        self.has_ended = true;
        if self.outlives_loss() {
            return;
        }
        if self.receives_upload() {
            self.is_lost = true;
            self.held = Held::default();
        } else {
            self.close(None);
        }
    }

    /// Whether the client has sent QUIT. During a transfer the line is held; after the session has
    /// closed this stays true. A driver asks before it judges an upload whose data connection and
    /// control connection have ended together:
    /// [`TransferEnded`](crate::Outcome::TransferEnded).
    #[must_use]
    pub fn has_quit(&self) -> bool {
        self.has_quit
    }

    /// The server shuts down: the session replies 421, aborts its transfer and closes.
    pub fn handle_shutdown(&mut self) {
        self.close(Some(Reply::SHUTTING_DOWN));
    }

    /// The server needs the place of this session for another client: the session replies 421,
    /// aborts its transfer and closes. For a session that has not logged in, when the server has as
    /// many as it may have.
    pub fn handle_eviction(&mut self) {
        self.close(Some(Reply::too_many_connections()));
    }

    /// The operator ends this session: it replies 421, aborts its transfer and closes. The client
    /// may connect again.
    pub fn handle_kick(&mut self) {
        self.close(Some(Reply::ENDED_BY_OPERATOR));
    }

    /// Whether the session has ended. Outputs may still be queued; of others only
    /// [`CloseNow`](Action::CloseNow) may follow.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether QUIT has said that the client needs no reply any more. It may still be about to
    /// connect for an upload, but not for a download.
    fn outlives_loss(&self) -> bool {
        self.has_quit && (self.is_uploading() || !self.awaits_client())
    }

    fn is_uploading(&self) -> bool {
        match &self.phase {
            Phase::Ready(ready) => ready.is_uploading(),
            Phase::Login(_) | Phase::Closed => false,
        }
    }

    /// Whether the data connection of the transfer is the client's to open: a client that is gone
    /// will not.
    fn awaits_client(&self) -> bool {
        match &self.phase {
            Phase::Ready(ready) => ready.has_transfer() && ready.open_port().is_some(),
            Phase::Login(_) | Phase::Closed => false,
        }
    }

    /// Whether what a client that is gone has sent may still arrive.
    fn receives_upload(&self) -> bool {
        self.is_uploading() && !self.awaits_client()
    }

    /// How long a transfer may move no byte.
    pub(super) fn data_stall_timeout(&self) -> Option<Duration> {
        let usual = self.context.config.data_stall_timeout;
        if self.is_lost {
            let least = limits::LOST_UPLOAD_STALL;
            return Some(usual.map_or(least, |usual| usual.min(least)));
        }
        usual
    }

    /// Closes if no line can come any more and all work is done.
    pub(super) fn close_if_done(&mut self) {
        if self.has_ended && !self.is_busy() {
            self.close(None);
        }
    }

    pub(super) fn close(&mut self, farewell: Option<Reply>) {
        match &mut self.phase {
            Phase::Closed => return,
            Phase::Login(_) => {}
            Phase::Ready(ready) => {
                ready.abort_transfer(&mut self.context, AbortReason::Requested);
            }
        }
        // During a TLS handshake a reply in clear text would only break the handshake.
        let question = mem::replace(&mut self.context.question, Question::None);
        if let Some(farewell) = farewell.filter(|_| !matches!(question, Question::Tls { .. })) {
            self.context.reply(farewell);
        }
        self.context.push_action(Action::Close);
        self.phase = Phase::Closed;
        self.is_flushing = true;
        self.held = Held::default();
    }
}
