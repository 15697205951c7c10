//! Passes each command line of a logged-in client to the handler of its group.

use alloc::boxed::Box;

use super::Ready;
use super::retry::Retry;
use crate::command::{
    Command, CommandInfo, CommandLine, ControlVerb, InfoVerb, LocalVerb, ProtectionVerb, Verb,
};
use crate::path::FtpPath;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session::context::Context;
use crate::session::flow::Flow;
use crate::session::name_encoding::NameEncoding;
use crate::session::transfer_state::AbortReason;

impl Ready {
    /// Executes one command line. `followed`: the client has sent more bytes after it.
    pub(in crate::session) fn execute(
        &mut self,
        context: &mut Context,
        line: CommandLine<'_>,
        followed: bool,
    ) -> Flow {
        // RNTO must follow RNFR immediately: any other line discards the name.
        let rename_from = self.rename_from.take();
        let command = match line.command {
            Command::Known(command) => command,
            Command::NotImplemented => return context.stay(Reply::NOT_IMPLEMENTED),
            Command::Unknown => return context.stay(Reply::UNKNOWN_COMMAND),
        };
        let argument = line.argument;
        self.retry = None;
        if let Err(reply) = context.check(command, argument) {
            self.not_executed(command.verb);
            match command.verb {
                Verb::Data(_) => self.close_data(context),
                Verb::Transfer(_) => context.is_offer_refused = true,
                _ => {}
            }
            return context.stay(self.refusing(context, command, argument, reply));
        }
        if self.account.is_last_of_session() && logs_out(command.verb) {
            return Flow::Close(Some(Reply::LAST_LOGIN));
        }
        match command.verb {
            Verb::Control(verb) => return self.control(context, verb, argument),
            Verb::Protection(verb) => {
                return context.protection_command(verb, argument, followed);
            }
            Verb::Info(_)
            | Verb::File(_)
            | Verb::Hash(_)
            | Verb::Transfer(_)
            | Verb::Data(_)
            | Verb::Local(_)
            | Verb::Site => {
                self.update_name_encoding(context, command.verb, argument);
                self.remember(command, line.with_doubled, rename_from.as_ref());
                if !self.looks_for_home(context, command, argument, rename_from.as_ref()) {
                    self.dispatch(context, command, argument, rename_from);
                }
            }
        }
        Flow::Stay
    }

    /// Passes a command to its handler. `rename_from`: the path of RNFR, if that was the previous
    /// line.
    pub(super) fn dispatch(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        argument: &[u8],
        rename_from: Option<FtpPath>,
    ) {
        match command.verb {
            Verb::Info(verb) => self.info(context, command, verb, argument),
            Verb::Hash(verb) => self.hash_command(context, command, verb, argument),
            Verb::File(verb) => self.file_command(context, command, verb, argument, rename_from),
            Verb::Transfer(verb) => self.transfer_command(context, command, verb, argument),
            Verb::Data(verb) => self.data_command(context, verb, argument),
            Verb::Local(verb) => self.local_command(context, verb, argument),
            Verb::Site => self.site(context, command, argument),
            // `execute` has executed these: they may end the login.
            Verb::Control(_) | Verb::Protection(_) => {}
        }
    }

    /// A command of this kind is not executed. The offset of REST and the range of RANG are for the
    /// next command only: a later upload from the beginning must not keep bytes of the file that it
    /// replaces.
    pub(in crate::session) fn not_executed(&mut self, verb: Verb) {
        match verb {
            Verb::Transfer(_) => self.cancel_restart(),
            Verb::Hash(_) => self.range = None,
            _ => {}
        }
    }

    /// Closes the data connection of the user who logs out, and starts the login timer again.
    pub(in crate::session) fn log_out(&mut self, context: &mut Context) {
        self.close_data(context);
        context.name_encoding = NameEncoding::default();
        context.epochs.login += 1;
    }

    /// Takes names as UTF-8 from now on if the argument of a command shows that the client writes
    /// it.
    fn update_name_encoding(&self, context: &mut Context, verb: Verb, argument: &[u8]) {
        let may_change = context.name_encoding == NameEncoding::OfAccount;
        if may_change && names_path(verb) && self.account.names().shows_utf8(argument) {
            context.name_encoding = NameEncoding::Utf8;
        }
    }

    /// Remembers a command before it is executed. `argument`: as it was sent, if it contains FF FF.
    fn remember(
        &mut self,
        command: &'static CommandInfo,
        argument: Option<&[u8]>,
        rename_from: Option<&FtpPath>,
    ) {
        let argument = argument.filter(|_| names_path(command.verb));
        self.retry = argument.map(|argument| {
            Box::new(Retry {
                command,
                argument: argument.to_vec(),
                rename_from: rename_from.cloned(),
                restart: self.restart,
                range: self.range,
            })
        });
    }

    /// Executes the command again if its first name does not exist. `true`: it is executed, and its
    /// reply comes later.
    pub(super) fn retries(&mut self, context: &mut Context, refusal: Option<Refusal>) -> bool {
        let Some(retry) = self.retry.take() else {
            return false;
        };
        if !matches!(refusal, Some(Refusal::NotFound | Refusal::NoMatch)) {
            return false;
        }
        self.restart = retry.restart;
        self.range = retry.range;
        let Retry {
            command,
            argument,
            rename_from,
            ..
        } = *retry;
        self.dispatch(context, command, &argument, rename_from);
        true
    }

    fn control(&mut self, context: &mut Context, verb: ControlVerb, argument: &[u8]) -> Flow {
        match verb {
            ControlVerb::User => {
                self.log_out(context);
                context.user(argument)
            }
            ControlVerb::Rein => {
                if context.may_reinitialize() {
                    self.log_out(context);
                }
                context.reinitialize()
            }
            ControlVerb::Quit => Flow::Close(Some(Reply::GOODBYE)),
            ControlVerb::Pass => context.stay(Reply::ALREADY_LOGGED_IN),
            ControlVerb::Host => context.stay(Reply::HOST_TOO_LATE),
        }
    }

    #[inline(never)]
    fn info(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        verb: InfoVerb,
        argument: &[u8],
    ) {
        let reply = match verb {
            InfoVerb::Clnt | InfoVerb::Noop => Reply::OKAY,
            InfoVerb::Syst => Reply::SYSTEM,
            InfoVerb::Feat => context.features(self.facts, self.hash_algorithm),
            InfoVerb::Help => context.help(argument),
            InfoVerb::Lang => context.language(argument),
            InfoVerb::Opts => context.options(argument, Some(self)),
            InfoVerb::Stat if argument.is_empty() => context.status(Some(self)),
            InfoVerb::Stat => return self.list_status(context, command, argument),
        };
        context.reply(reply);
    }

    #[inline(never)]
    fn local_command(&mut self, context: &mut Context, verb: LocalVerb, argument: &[u8]) {
        let reply = match verb {
            LocalVerb::Abor => return self.abort_idle(context),
            LocalVerb::Acct => Reply::ACCOUNT_SUPERFLUOUS,
            LocalVerb::Allo => return self.allocate(context, argument),
            LocalVerb::Mode => Self::transfer_mode(argument),
            LocalVerb::Pwd => self.print_directory(context),
            LocalVerb::Rang => self.set_range(argument),
            LocalVerb::Rest => self.restart(argument),
            LocalVerb::Stru => Self::file_structure(argument),
            LocalVerb::Type => self.representation_type(context, argument),
        };
        context.reply(reply);
    }

    /// Aborts the running transfer, unless it is being aborted already.
    pub(in crate::session) fn abort_transfer(
        &mut self,
        context: &mut Context,
        reason: AbortReason,
    ) {
        if let Some(transfer) = self.abort(reason) {
            context.push_action(crate::action::Action::AbortTransfer(transfer));
        }
    }
}

/// Whether this command leads to another login.
fn logs_out(verb: Verb) -> bool {
    match verb {
        Verb::Control(verb) => matches!(verb, ControlVerb::User | ControlVerb::Rein),
        Verb::Protection(verb) => verb == ProtectionVerb::Auth,
        _ => false,
    }
}

/// Whether commands of this group may name a path.
fn names_path(verb: Verb) -> bool {
    match verb {
        Verb::File(_) | Verb::Hash(_) | Verb::Transfer(_) | Verb::Info(_) | Verb::Site => true,
        Verb::Control(_) | Verb::Protection(_) | Verb::Data(_) | Verb::Local(_) => false,
    }
}
