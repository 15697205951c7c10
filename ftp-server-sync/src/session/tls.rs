//! TLS of a session: the handshake on its control connection, and what its data connections need.

use std::time::Instant;

use ftp_proto::{Action, Outcome, TransferError};
use log::error;

use super::connection::Connection;
use super::login_state::LoginState;
use crate::accounts::anonymous::{ANONYMOUS, is_anonymous};
use crate::logging::system_text::SystemText;
use crate::tls::{Protection, Resumption, TlsStream};

impl Connection {
    /// Starts TLS on the control connection.
    #[inline(never)]
    pub(super) fn start_tls(&mut self) -> Option<Outcome> {
        let Some(identity) = &self.current.identity else {
            // A reload has switched it off between AUTH and its reply.
            return Action::StartTls.decline();
        };
        let client = self.session.endpoints().peer().ip();
        let tickets = &self.server.tickets;
        let tls = Resumption::new(&identity.config(), tickets, self.name.number(), client);
        let started = self.control.start_tls(tls.control());
        self.tls = Some(tls);
        match started {
            Ok(()) => None,
            Err(error) => {
                error!("{} cannot start TLS: {}", self.name, SystemText(&error));
                Action::StartTls.decline()
            }
        }
    }

    /// Goes on with the handshake on the control connection.
    #[inline(never)]
    pub(super) fn advance_handshake(&mut self) -> bool {
        if self.session.is_closed() {
            return false;
        }
        let Some(result) = self.control.handshake() else {
            return false;
        };
        let established = match result {
            Ok(()) => {
                if let Some(tls) = self.control.tls() {
                    self.log.progress(format_args!("{tls}"));
                    let all = tls.to_string();
                    let version = all.split(',').next().unwrap_or(&all);
                    self.record.set_tls(version);
                }
                true
            }
            Err(error) => {
                self.log.no_tls(&error, Instant::now());
                false
            }
        };
        // `Control::start_tls` does not begin while there is any.
        let leftover = 0;
        self.answer(Outcome::Tls {
            established,
            leftover,
        });
        true
    }

    /// The tickets of this session are those of the user who is logged in. The end of the session
    /// changes nothing: its last data connections may still come.
    #[inline(never)]
    pub(super) fn update_login(&mut self, now: Instant) {
        // After each command: nothing has changed since the last one, most often.
        let login_state = self.login_state();
        if login_state == LoginState::LoggedIn
            && self.tls.is_none()
            && self.session.user() == self.login.as_deref()
        {
            return;
        }
        self.login_state.set(login_state);
        if !self.session.is_closed() {
            let user = self.session.user();
            self.set_user(user);
            self.login = user.map(Box::from);
            if user.is_none() {
                self.report_logout(Instant::now());
                self.leave_user(now);
            }
        }
        if let Some(tls) = &mut self.tls
            && !self.session.is_closed()
        {
            tls.set_login(self.session.user());
        }
    }

    /// Log lines name this user from now on.
    pub(super) fn set_user(&self, user: Option<&[u8]>) {
        let is_anonymous = user.is_some_and(is_anonymous);
        let user = if is_anonymous {
            Some(ANONYMOUS.as_bytes())
        } else {
            user
        };
        self.name.set_user(user);
        self.record.set_user(user);
    }

    fn login_state(&self) -> LoginState {
        let is_gone = self.control.is_peer_closed();
        match self.session.user() {
            Some(_) => LoginState::LoggedIn,
            None if self.delayed.is_some() && is_gone => LoginState::ClientGone,
            None if self.delayed.is_some() => LoginState::Delayed,
            None => LoginState::Expected,
        }
    }

    /// What a data connection under PROT P needs.
    pub(super) fn data_protection(&self) -> Option<Protection> {
        let settings = self.current.settings.tls.as_ref();
        let required = settings.is_some_and(|tls| tls.resumption_required);
        let gateways = match settings {
            Some(tls) if tls.gateway_resumption => &self.current.config.trusted_gateways[..],
            _ => &[],
        };
        Some(self.tls.as_ref()?.data(required, gateways))
    }

    /// Logs that the established data connection proves nothing about its client, once in a
    /// session.
    pub(super) fn log_not_resumed(&mut self) {
        if self.data.tls().is_some_and(|tls| !tls.is_resumed()) {
            self.log.not_resumed();
        }
    }

    /// Refuses an upload that has ended without close_notify, if that is required: someone on the
    /// network may have cut it.
    pub(super) fn check_bare_end(&self) -> Result<(), TransferError> {
        let settings = self.current.settings.tls.as_ref();
        let is_required = settings.is_some_and(|tls| tls.close_notify_required);
        if is_required && self.data.tls().is_some_and(TlsStream::has_bare_end) {
            return Err(TransferError::NoCloseNotify);
        }
        Ok(())
    }

    /// Logs that an upload ended without close_notify.
    pub(super) fn log_bare_end(&mut self) {
        if self.data.tls().is_some_and(|tls| tls.has_bare_end()) {
            self.log.bare_end();
        }
    }
}
