//! Who is there: USER, PASS, REIN, and the protection of the connection (RFC 4217).

use alloc::boxed::Box;

use super::Session;
use super::phase::{Login, Pending, Phase};
use super::protection::Protection;
use super::ready::Ready;
use crate::action::Action;
use crate::command::Verb;
use crate::permissions::Permissions;
use crate::reply::Reply;
use crate::secret::Secret;

impl Session {
    pub(super) fn user_name(&mut self, name: &[u8]) {
        self.log_out();
        self.phase = Phase::Login(Login {
            user: Some(name.to_vec()),
        });
        let guest = [&b"anonymous"[..], b"ftp"];
        self.reply(
            if guest.iter().any(|guest| guest.eq_ignore_ascii_case(name)) {
                Reply::NEED_GUEST_PASSWORD
            } else {
                Reply::NEED_PASSWORD
            },
        );
    }

    pub(super) fn password(&mut self, password: &[u8]) {
        let user = match &self.phase {
            Phase::Login(Login { user: Some(user) }) => user.clone(),
            Phase::Login(_) => return self.reply(Reply::USER_FIRST),
            Phase::Ready(_) | Phase::Closed => return self.reply(Reply::ALREADY_LOGGED_IN),
        };
        self.pending = Pending::Authenticate;
        self.push_action(Action::Authenticate {
            user,
            password: Secret::new(password),
        });
    }

    /// Returns whether that was asked.
    pub(super) fn authenticated(&mut self, permissions: Option<Permissions>) -> bool {
        let (Pending::Authenticate, Phase::Login(login)) = (&self.pending, &mut self.phase) else {
            return false;
        };
        let user = login.user.take().unwrap_or_default();
        self.pending = Pending::None;
        match permissions {
            Some(permissions) => {
                self.phase = Phase::Ready(Box::new(Ready::new(user, permissions)));
                self.reply(Reply::LOGGED_IN);
            }
            None => {
                self.login_failures += 1;
                if self.login_failures >= self.config.login_attempts_max {
                    self.close(Some(Reply::LOGINS_EXHAUSTED));
                } else {
                    self.reply(Reply::LOGIN_INCORRECT);
                }
            }
        }
        true
    }

    pub(super) fn reinitialize(&mut self) {
        // Going back to clear text under TLS would leave both sides guessing what comes next.
        if self.protection != Protection::Clear {
            return self.reply(Reply::REINITIALIZE_REFUSED);
        }
        self.log_out();
        self.reply(Reply::NEW_USER);
    }

    pub(super) fn auth(&mut self, mechanism: &[u8], followed: bool) {
        let data_private = match &mechanism.to_ascii_uppercase()[..] {
            b"TLS" | b"TLS-C" => false,
            b"SSL" | b"TLS-P" => true,
            _ => return self.reply(Reply::AUTH_UNKNOWN),
        };
        if self.protection != Protection::Clear {
            return self.reply(Reply::AUTH_AGAIN);
        }
        if followed {
            // Clear text that somebody may have put in, to be run as if it were protected.
            return self.close(Some(Reply::AUTH_INJECTION));
        }
        self.protection = Protection::Tls {
            buffer_size_sent: false,
            data_private,
        };
        self.pending = Pending::Tls { greet: false };
        self.reply(Reply::AUTH_TLS);
        self.push_action(Action::StartTls);
    }

    /// Returns whether that was asked.
    pub(super) fn tls_ended(&mut self, protected: bool) -> bool {
        let Pending::Tls { greet } = self.pending else {
            return false;
        };
        self.pending = Pending::None;
        if !protected {
            self.close(None);
        } else if greet {
            self.reply(Reply::greeting(&self.config.banner));
        } else {
            // A login from before was in clear text: it does not count.
            self.log_out();
        }
        true
    }

    /// What must not be said, or moved, in clear text here. USER is refused already: else the password
    /// would follow it.
    pub(super) fn refuse_clear_text(&self, verb: Verb) -> Option<Reply> {
        let config = &self.config;
        match verb {
            Verb::User | Verb::Pass => {
                (config.tls && config.tls_control_required && self.protection == Protection::Clear)
                    .then_some(Reply::LOGIN_NEEDS_TLS)
            }
            // Not those that set up the data connection: PROT P may come behind them.
            verb if verb.is_transfer() => {
                (config.tls && config.tls_data_required && !self.data_is_private())
                    .then_some(Reply::DATA_NEEDS_TLS)
            }
            _ => None,
        }
    }

    pub(super) fn protection_buffer_size(&mut self, argument: &[u8]) {
        let reply = match &mut self.protection {
            Protection::Clear => Reply::NOT_PROTECTED,
            Protection::Tls { .. } if !argument.iter().all(u8::is_ascii_digit) => {
                Reply::ARGUMENT_SYNTAX
            }
            Protection::Tls {
                buffer_size_sent, ..
            } => {
                *buffer_size_sent = true;
                Reply::BUFFER_SIZE_ZERO
            }
        };
        self.reply(reply);
    }

    pub(super) fn protection_level(&mut self, argument: &[u8]) {
        let reply = match &mut self.protection {
            Protection::Clear => Reply::NOT_PROTECTED,
            Protection::Tls {
                buffer_size_sent: false,
                ..
            } => Reply::BUFFER_SIZE_FIRST,
            Protection::Tls { data_private, .. } => match &argument.to_ascii_uppercase()[..] {
                b"C" => {
                    *data_private = false;
                    Reply::DATA_CLEAR
                }
                b"P" => {
                    *data_private = true;
                    Reply::DATA_PRIVATE
                }
                b"S" | b"E" => Reply::PROTECTION_UNKNOWN,
                _ => Reply::PARAMETER_NOT_IMPLEMENTED,
            },
        };
        self.reply(reply);
    }

    pub(super) fn clear_command_channel(&mut self) {
        self.reply(match self.protection {
            Protection::Clear => Reply::NOT_PROTECTED,
            Protection::Tls { .. } => Reply::CLEAR_REFUSED,
        });
    }

    pub(super) fn data_is_private(&self) -> bool {
        matches!(
            self.protection,
            Protection::Tls {
                data_private: true,
                ..
            }
        )
    }

    /// Back to before USER; the login timer begins anew only if there was a login.
    fn log_out(&mut self) {
        if let Phase::Ready(_) = self.phase {
            self.close_data();
            self.epochs.login += 1;
        }
        self.phase = Phase::Login(Login::default());
    }
}
