//! Passes each command line of a logged-in client to the handler of its group.

use super::Ready;
use crate::command::{Command, CommandInfo, CommandLine, ControlVerb, InfoVerb, LocalVerb, Verb};
use crate::reply::Reply;
use crate::session::context::Context;
use crate::session::flow::Flow;
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
        if let Err(reply) = context.check(command, argument) {
            self.not_executed(command.verb);
            if let Verb::Data(_) = command.verb {
                self.close_data(context);
            }
            return context.stay(reply);
        }
        match command.verb {
            Verb::Control(verb) => return self.control(context, verb, argument),
            Verb::Protection(verb) => {
                return context.protection_command(verb, argument, followed);
            }
            Verb::Info(verb) => self.info(context, command, verb, argument),
            Verb::Hash(verb) => self.hash_command(context, command, verb, argument),
            Verb::File(verb) => self.file_command(context, command, verb, argument, rename_from),
            Verb::Transfer(verb) => self.transfer_command(context, command, verb, argument),
            Verb::Data(verb) => self.data_command(context, verb, argument),
            Verb::Local(verb) => self.local_command(context, verb, argument),
            Verb::Site => self.site(context, command, argument),
        }
        Flow::Stay
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
        context.utf8 = false;
        context.epochs.login += 1;
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

    fn local_command(&mut self, context: &mut Context, verb: LocalVerb, argument: &[u8]) {
        let reply = match verb {
            LocalVerb::Abor => return self.abort_idle(context),
            LocalVerb::Acct => Reply::ACCOUNT_SUPERFLUOUS,
            LocalVerb::Allo => Self::allocate(argument),
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
