//! How a session ends.

use core::mem;

use super::Session;
use super::context::Question;
use super::flow::Phase;
use super::held::Held;
use super::transfer_state::AbortReason;
use crate::action::Action;
use crate::reply::Reply;

impl Session {
    /// The client has closed the control connection: the session and its transfer end at once.
    pub fn handle_eof(&mut self) {
        self.close(None);
    }

    /// The server shuts down: the session replies 421, aborts its transfer and closes.
    pub fn handle_shutdown(&mut self) {
        self.close(Some(Reply::SHUTTING_DOWN));
    }

    /// Whether the session has ended. Outputs may still be queued; of others only
    /// [`CloseNow`](Action::CloseNow) may follow.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
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
