//! The protection of the connections: AUTH, PBSZ, PROT and CCC (RFC 4217), and the end of the
//! handshake.

use super::Session;
use super::context::{Context, Question};
use super::flow::{Flow, Login, Phase};
use super::name_encoding::NameEncoding;
use super::protection::Protection;
use crate::action::Action;
use crate::command::ProtectionVerb;
use crate::reply::Reply;

impl Session {
    /// The TLS handshake on the control connection has ended. `None`: no handshake was requested.
    #[inline(never)]
    pub(super) fn tls_ended(&mut self, is_established: bool, leftover: usize) -> Option<Flow> {
        let Question::Tls { greet } = self.context.question else {
            return None;
        };
        self.context.question = Question::None;
        if !is_established {
            return Some(Flow::Close(None));
        }
        if leftover > 0 {
            return Some(Flow::Close(Some(Reply::AUTH_INJECTION)));
        }
        if greet {
            let greeting = Reply::greeting(&self.context.config.banner);
            self.context.reply(greeting);
            return Some(Flow::Stay);
        }
        // What came in clear text does not count: neither a login, nor a choice of names, which an
        // attacker may have inserted.
        self.context.name_encoding = NameEncoding::default();
        if let Phase::Ready(ready) = &mut self.phase {
            ready.log_out(&mut self.context);
        }
        Some(Flow::Login(Login::default()))
    }
}

impl Context {
    /// Executes one of these commands. `followed`: the client has sent more bytes after it.
    #[inline(never)]
    pub(super) fn protection_command(
        &mut self,
        verb: ProtectionVerb,
        argument: &[u8],
        followed: bool,
    ) -> Flow {
        let reply = match verb {
            ProtectionVerb::Auth => return self.auth(argument, followed),
            ProtectionVerb::Pbsz => self.protection_buffer_size(argument),
            ProtectionVerb::Prot => self.protection_level(argument),
            ProtectionVerb::Ccc => self.clear_command_channel(),
        };
        self.stay(reply)
    }

    fn auth(&mut self, mechanism: &[u8], followed: bool) -> Flow {
        let data_private = match &mechanism.to_ascii_uppercase()[..] {
            b"TLS" | b"TLS-C" => false,
            b"SSL" | b"TLS-P" => true,
            _ => return self.stay(Reply::AUTH_UNKNOWN),
        };
        if self.protection != Protection::Clear {
            return self.stay(Reply::AUTH_AGAIN);
        }
        if followed {
            // An attacker may have inserted these bytes, to have them executed as if TLS had
            // protected them.
            return Flow::Close(Some(Reply::AUTH_INJECTION));
        }
        self.protection = Protection::Tls {
            buffer_size_sent: false,
            data_private,
        };
        self.question = Question::Tls { greet: false };
        self.reply(Reply::AUTH_TLS);
        self.push_action(Action::StartTls);
        Flow::Stay
    }

    fn protection_buffer_size(&mut self, argument: &[u8]) -> Reply {
        match &mut self.protection {
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
        }
    }

    fn protection_level(&mut self, argument: &[u8]) -> Reply {
        match &mut self.protection {
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
        }
    }

    fn clear_command_channel(&self) -> Reply {
        match self.protection {
            Protection::Clear => Reply::NOT_PROTECTED,
            Protection::Tls { .. } => Reply::CLEAR_REFUSED,
        }
    }
}
