//! `~`, alone or before a slash, is the login's home directory where the working directory has no
//! entry of that name.
//!
//! Only the driver knows the entries, so the command waits until it has looked at that name. What
//! creates, removes or renames an entry takes `~` alone as its name: a client can store a file that
//! is called so, and removes no home by mistake.

use super::Ready;
use crate::action::FileRequest;
use crate::command::{CommandInfo, FileVerb, HOME_LOOK, InfoVerb, TransferVerb, Verb};
use crate::path::FtpPath;
use crate::session::context::{Context, FileQuestion, WaitingCommand};
use crate::session::permitted::Permitted;

impl Ready {
    /// Asks the driver for the entry `~` if the argument may mean the home directory. `true`: the
    /// command is executed after the answer.
    #[inline(never)]
    pub(super) fn looks_for_home(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        argument: &[u8],
        rename_from: Option<&FtpPath>,
    ) -> bool {
        self.tilde_is_home = false;
        if !may_mean_home(command.verb, argument) {
            return false;
        }
        let Ok(name) = self.directory.resolve(b"~") else {
            return false;
        };
        let request = FileRequest::Facts(name);
        let Ok(request) = Permitted::check(&self.account, &HOME_LOOK, request) else {
            // Nothing that this login could see has the name.
            self.tilde_is_home = true;
            return false;
        };
        let waiting = WaitingCommand {
            command,
            argument: argument.to_vec(),
            rename_from: rename_from.cloned(),
        };
        context.ask(&HOME_LOOK, FileQuestion::Home(waiting), request);
        true
    }

    /// The home directory, if `~` means it in the command that is executed now.
    pub(super) fn tilde(&self) -> Option<&FtpPath> {
        self.tilde_is_home.then(|| self.account.home())
    }
}

/// Whether the argument contains a path that may begin with the home directory. Before the path
/// there may be flags, a mode or a time.
fn may_mean_home(verb: Verb, argument: &[u8]) -> bool {
    let is_alone_meant = match verb {
        Verb::File(verb) => match verb {
            FileVerb::Dele | FileVerb::Mkd | FileVerb::Rmd | FileVerb::Rnfr | FileVerb::Rnto => {
                false
            }
            FileVerb::Avbl
            | FileVerb::Cdup
            | FileVerb::Cwd
            | FileVerb::Mdtm
            | FileVerb::Mfmt
            | FileVerb::Mlst
            | FileVerb::Size => true,
        },
        Verb::Transfer(verb) => match verb {
            TransferVerb::Appe | TransferVerb::Stor | TransferVerb::Stou => false,
            TransferVerb::List | TransferVerb::Mlsd | TransferVerb::Nlst | TransferVerb::Retr => {
                true
            }
        },
        Verb::Info(InfoVerb::Stat) | Verb::Hash(_) | Verb::Site => true,
        Verb::Info(_) | Verb::Control(_) | Verb::Protection(_) | Verb::Data(_) | Verb::Local(_) => {
            return false;
        }
    };
    let mut words = argument.split(|&byte| byte == b' ');
    words.any(|word| word.starts_with(b"~/") || (is_alone_meant && word == b"~"))
}
