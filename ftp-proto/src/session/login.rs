//! What a client sends before a login: USER and PASS, the commands that every client may send, and
//! what is not FTP.

use alloc::boxed::Box;

use super::Session;
use super::context::{Context, Question};
use super::flow::{Flow, Login, Phase};
use super::name_encoding::NameEncoding;
use super::protection::Protection;
use super::ready::Ready;
use crate::account::Account;
use crate::action::Action;
use crate::address::is_host;
use crate::command::{Command, CommandLine, ControlVerb, InfoVerb, Verb, split_word};
use crate::config::limits::UNKNOWN_COMMANDS_MAX;
use crate::foreign_protocol::ForeignProtocol;
use crate::hash::HashAlgorithm;
use crate::listing::FactSet;
use crate::reply::Reply;
use crate::secret::Secret;

impl Session {
    /// The protocol that the client uses instead of FTP. The session has closed without a reply,
    /// because the client could not read one, or a web page would. For the driver's log.
    #[must_use]
    pub fn foreign_protocol(&self) -> Option<ForeignProtocol> {
        self.context.foreign_protocols.found()
    }

    /// Closes the session if the next line is not FTP, and returns how many bytes that used. After
    /// a login nothing is examined: such a client speaks FTP, and its typing errors get a reply.
    pub(super) fn close_for_foreign_protocol(&mut self, input: &[u8]) -> Option<usize> {
        let is_line_start = !self.lines.is_discarding();
        if !matches!(self.phase, Phase::Login(_)) || !is_line_start {
            return None;
        }
        self.context.foreign_protocols.inspect(input)?;
        self.close(None);
        let line_end = input.iter().position(|&byte| byte == b'\n');
        Some(line_end.map_or(input.len(), |end| end + 1))
    }
}

impl Login {
    /// Executes one command line. `followed`: the client has sent more bytes after it.
    pub(super) fn execute(
        &mut self,
        context: &mut Context,
        line: CommandLine<'_>,
        followed: bool,
    ) -> Flow {
        let command = match line.command {
            Command::Known(command) if context.is_denied(command) => {
                return context.stay(Reply::NOT_IMPLEMENTED);
            }
            Command::Known(command) => command,
            Command::NotImplemented => return context.stay(Reply::NOT_IMPLEMENTED),
            Command::Unknown => return context.unknown_before_login(),
        };
        match command.verb {
            Verb::Control(verb) => match context.check(command, line.argument) {
                Ok(()) => self.control(context, verb, line.argument),
                Err(reply) => context.stay(reply),
            },
            Verb::Protection(verb) => match context.check(command, line.argument) {
                Ok(()) => context.protection_command(verb, line.argument, followed),
                Err(reply) => context.stay(reply),
            },
            Verb::Info(verb) => {
                let reply = match context.check(command, line.argument) {
                    Ok(()) => info(context, verb, line.argument),
                    Err(reply) => reply,
                };
                context.stay(reply)
            }
            Verb::Site => {
                let help = site_help_argument(line.argument);
                let reply = help.map(|name| context.site_help(name));
                context.stay(reply.unwrap_or(Reply::NOT_LOGGED_IN))
            }
            Verb::File(_) | Verb::Hash(_) | Verb::Transfer(_) | Verb::Data(_) | Verb::Local(_) => {
                context.stay(Reply::NOT_LOGGED_IN)
            }
        }
    }

    /// The outcome of `Authenticate`. `None`: no such action is open.
    #[inline(never)]
    pub(super) fn authenticated(
        &mut self,
        context: &mut Context,
        account: Option<Account>,
    ) -> Option<Flow> {
        let Question::Authenticate = context.question else {
            return None;
        };
        context.question = Question::None;
        let user = self.user.take().unwrap_or_default();
        if let Some(account) = account {
            // Most sessions wait from now on, and AUTH had two outputs.
            context.outputs.shrink_to(1);
            context.reply(Reply::LOGGED_IN);
            return Some(Flow::Ready(Box::new(Ready::new(user, account))));
        }
        context.login_failures += 1;
        Some(
            if context.login_failures >= context.config.login_attempts_max {
                Flow::Close(Some(Reply::LOGINS_EXHAUSTED))
            } else {
                context.stay(Reply::LOGIN_INCORRECT)
            },
        )
    }

    /// The outcome of `Authenticate` where the session ends, with this reply, whatever the password
    /// is. `None`: no such action is open.
    pub(super) fn ended(context: &mut Context, farewell: Reply) -> Option<Flow> {
        let Question::Authenticate = context.question else {
            return None;
        };
        context.question = Question::None;
        Some(Flow::Close(Some(farewell)))
    }

    /// The outcome of `Authenticate` for a user who must use TLS. `None`: no such action is open.
    pub(super) fn needs_tls(&mut self, context: &mut Context) -> Option<Flow> {
        let Question::Authenticate = context.question else {
            return None;
        };
        context.question = Question::None;
        self.user = None;
        Some(context.stay(Reply::LOGIN_NEEDS_TLS))
    }

    fn control(&self, context: &mut Context, verb: ControlVerb, argument: &[u8]) -> Flow {
        match verb {
            ControlVerb::User => context.user(argument),
            ControlVerb::Rein => context.reinitialize(),
            ControlVerb::Quit => Flow::Close(Some(Reply::GOODBYE)),
            ControlVerb::Pass => self.password(context, argument),
            ControlVerb::Host => context.stay(self.host(argument)),
        }
    }

    fn password(&self, context: &mut Context, password: &[u8]) -> Flow {
        let Some(user) = &self.user else {
            return context.stay(Reply::USER_FIRST);
        };
        context.question = Question::Authenticate;
        context.push_action(Action::Authenticate {
            user: user.clone(),
            password: Secret::new(password),
        });
        Flow::Stay
    }

    /// HOST (RFC 7151, section 3). It must come before USER. Any valid host name is accepted: there
    /// is only one site, and its router may have many names.
    fn host(&self, argument: &[u8]) -> Reply {
        match self.user {
            Some(_) => Reply::HOST_TOO_LATE,
            None if is_host(argument.trim_ascii()) => Reply::HOST_ACCEPTED,
            None => Reply::ARGUMENT_SYNTAX,
        }
    }
}

impl Context {
    /// USER. If the client was logged in, it is logged out already.
    pub(super) fn user(&mut self, name: &[u8]) -> Flow {
        let guests = [&b"anonymous"[..], b"ftp"];
        let is_guest = guests.iter().any(|guest| guest.eq_ignore_ascii_case(name));
        self.reply(if is_guest {
            Reply::NEED_GUEST_PASSWORD
        } else {
            Reply::NEED_PASSWORD
        });
        Flow::Login(Login {
            user: Some(name.to_vec()),
        })
    }

    /// REIN. If the client was logged in and may use it, it is logged out already.
    pub(super) fn reinitialize(&mut self) -> Flow {
        if !self.may_reinitialize() {
            return self.stay(Reply::REINITIALIZE_REFUSED);
        }
        self.name_encoding = NameEncoding::default();
        self.reply(Reply::NEW_USER);
        Flow::Login(Login::default())
    }

    /// REIN would return to clear text: with TLS neither side could know what the next bytes are.
    pub(super) fn may_reinitialize(&self) -> bool {
        self.protection == Protection::Clear
    }

    /// A line without a command of FTP. A client that sends many of them speaks another protocol.
    fn unknown_before_login(&mut self) -> Flow {
        self.unknown_commands += 1;
        if self.unknown_commands > UNKNOWN_COMMANDS_MAX {
            return Flow::Close(Some(Reply::UNKNOWN_COMMANDS_EXHAUSTED));
        }
        self.stay(Reply::UNKNOWN_COMMAND)
    }

    /// Replies; the phase does not change.
    pub(super) fn stay(&mut self, reply: Reply) -> Flow {
        self.reply(reply);
        Flow::Stay
    }
}

/// The argument of SITE HELP, if this is the argument of SITE.
fn site_help_argument(argument: &[u8]) -> Option<&[u8]> {
    let (name, rest) = split_word(argument.trim_ascii_start());
    name.eq_ignore_ascii_case(b"HELP")
        .then(|| rest.trim_ascii())
}

fn info(context: &mut Context, verb: InfoVerb, argument: &[u8]) -> Reply {
    match verb {
        InfoVerb::Clnt | InfoVerb::Noop => Reply::OKAY,
        InfoVerb::Syst => Reply::SYSTEM,
        InfoVerb::Feat => context.features(FactSet::default(), HashAlgorithm::DEFAULT),
        InfoVerb::Help => context.help(argument),
        InfoVerb::Lang => context.language(argument),
        InfoVerb::Opts => context.options(argument, None),
        InfoVerb::Stat if argument.is_empty() => context.status(None),
        InfoVerb::Stat => Reply::NOT_LOGGED_IN,
    }
}
