//! The only check of rights: a request to the driver that names a path needs the right of its
//! command.
//!
//! Only this file makes a [`Permitted`], and the functions that send requests take nothing else, so
//! no command can reach a file without the check.

use crate::account::Account;
use crate::action::{FileRequest, TransferKind, UploadStart};
use crate::command::CommandInfo;
use crate::path::FtpPath;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rights::Right;
use crate::session::refusal::{login_refusal, refusal};

/// A request whose paths the account may use as its command does.
#[derive(Debug)]
pub(super) struct Permitted<R>(R);

/// A request that names paths.
pub(super) trait NamesPaths {
    /// Whether the account may do this. `right`: the right of the command.
    fn is_permitted(&self, account: &Account, right: Right) -> bool;

    /// The first path.
    fn first_path(&self) -> Option<&FtpPath>;

    /// The name of the command as the client knows it.
    fn name(&self, command: &CommandInfo) -> &'static str {
        command.name
    }
}

impl<R: NamesPaths> Permitted<R> {
    /// Checks the right of the command for every path. A command whose row has no right may not
    /// name one.
    pub(super) fn check(
        account: &Account,
        command: &CommandInfo,
        request: R,
    ) -> Result<Self, Reply> {
        let reply = match command.right {
            Some(right) if request.is_permitted(account, right) => return Ok(Self(request)),
            Some(right) => login_refusal(command, account, right),
            None => refusal(command, Refusal::Denied),
        };
        Err(match request.first_path() {
            Some(path) => reply.refusing(request.name(command), path),
            None => reply,
        })
    }

    pub(super) fn into_inner(self) -> R {
        self.0
    }
}

impl NamesPaths for FileRequest {
    fn is_permitted(&self, account: &Account, right: Right) -> bool {
        let may_use_paths = self.paths().all(|path| account.allows(path, right));
        may_use_paths
            && match self {
                Self::RenameFrom(path) | Self::DeleteFile(path) | Self::RemoveDirectory(path) => {
                    account.is_movable(path)
                }
                Self::Rename { from, to, replace } => {
                    account.is_movable(from)
                        && (!replace
                            || account.allows(to, Right::Overwrite) && account.is_movable(to))
                }
                _ => true,
            }
    }

    fn first_path(&self) -> Option<&FtpPath> {
        self.paths().next()
    }

    fn name(&self, command: &CommandInfo) -> &'static str {
        match self {
            Self::ChangeMode { .. } => "SITE CHMOD",
            _ => command.name,
        }
    }
}

impl NamesPaths for TransferKind {
    fn is_permitted(&self, account: &Account, right: Right) -> bool {
        let may_use_paths = self.paths().all(|path| account.allows(path, right));
        may_use_paths
            && match self {
                Self::Store { path, start } => match start {
                    UploadStart::Create | UploadStart::End => true,
                    // The driver chooses the name: the directory is where it must be allowed.
                    UploadStart::Unique => account.allows(&path.parent(), right),
                    UploadStart::Replace | UploadStart::At { replace: true, .. } => {
                        account.allows(path, Right::Overwrite)
                    }
                    UploadStart::At { replace: false, .. } => account.allows(path, Right::Append),
                },
                Self::Retrieve { .. } | Self::List(_) => true,
            }
    }

    fn first_path(&self) -> Option<&FtpPath> {
        self.paths().next()
    }
}
