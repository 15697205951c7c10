//! TLS of a session: the handshake on its control connection, and what its data connections need.

use ftp_proto::{Outcome, Refusal};
use log::{Level, error, info, log};

use super::connection::Connection;
use crate::data::transfer::{Protection, Transfer};
use crate::tls::Resumption;

/// What the log has been told about a session's data connections.
#[derive(Debug, Default)]
pub(crate) struct Told {
    not_resumed: bool,
    bare_end: bool,
}

impl Connection {
    /// Begins with TLS on the control connection.
    pub(crate) fn start_tls(&mut self) -> Option<Outcome> {
        let Some(identity) = &self.current.identity else {
            // It has been switched off between the question and the answer.
            return Some(Outcome::Tls(Err(Refusal::Unsupported)));
        };
        let tls = Resumption::new(&identity.config());
        let begun = self.control.start_tls(tls.control());
        self.tls = Some(tls);
        match begun {
            Ok(()) => None,
            Err(error) => {
                error!("#{} cannot begin with TLS: {error}", self.number);
                Some(Outcome::Tls(Err(Refusal::Failed)))
            }
        }
    }

    /// Goes on with the handshake on the control connection.
    pub(super) fn shake_hands(&mut self) -> bool {
        // Once the session is over nobody waits for it.
        if self.session.is_closed() {
            return false;
        }
        let Some(result) = self.control.handshake() else {
            return false;
        };
        let outcome = match result {
            Ok(()) => {
                if let Some(layer) = self.control.tls() {
                    info!("#{} {layer}", self.number);
                }
                Ok(())
            }
            Err(error) => {
                info!("#{} no TLS: {error}", self.number);
                Err(Refusal::Failed)
            }
        };
        self.answer(Outcome::Tls(outcome));
        true
    }

    /// What a data connection under PROT P needs.
    pub(crate) fn data_protection(&self) -> Option<Protection> {
        let settings = self.current.settings.tls.as_ref();
        Some(Protection {
            config: self.tls.as_ref()?.data(),
            resumption_required: settings.is_some_and(|tls| tls.resumption_required),
        })
    }

    /// Says, once for a session, what is less than it could be about an established data connection.
    pub(super) fn note_not_resumed(&mut self) {
        let layer = self.transfer.as_ref().and_then(Transfer::tls);
        if layer.is_some_and(|layer| !layer.is_resumed())
            && !std::mem::replace(&mut self.told.not_resumed, true)
        {
            info!(
                "#{} the client's data connections do not resume the TLS session of its control \
                 connection: nothing proves that they are its own",
                self.number
            );
        }
    }

    /// The same about an upload that has ended well.
    pub(super) fn note_bare_end(&mut self) {
        let layer = self.transfer.as_ref().and_then(Transfer::tls);
        if !layer.is_some_and(|layer| layer.has_bare_end()) {
            return;
        }
        let level = match std::mem::replace(&mut self.told.bare_end, true) {
            true => Level::Debug,
            false => Level::Info,
        };
        log!(
            level,
            "#{} the client ended an upload without close_notify; it counts as complete",
            self.number
        );
    }
}
