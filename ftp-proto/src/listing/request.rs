//! A listing that a client has asked for.

use alloc::sync::Arc;

use super::selection::Selection;
use super::style::ListStyle;
use crate::account::Account;
use crate::codec::WireNames;
use crate::path::FtpPath;
use crate::rights::Right;

/// What to list, in which form, and for whom: a [`Walk`](super::Walk) performs it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListRequest {
    /// A directory; for LIST, NLST and STAT also a file or a path with wildcards.
    pub selection: Selection,
    /// What a line looks like.
    pub style: ListStyle,
    /// It decides which directories below the selection are entered, and the `perm` facts of MLSD.
    pub(crate) account: Arc<Account>,
    /// How names are written in the lines.
    pub(crate) names: WireNames,
}

impl ListRequest {
    /// A listing for this account, whose names are not converted.
    #[must_use]
    pub fn new(selection: Selection, style: ListStyle, account: Arc<Account>) -> Self {
        Self::with_names(selection, style, account, WireNames::default())
    }

    pub(crate) fn with_names(
        selection: Selection,
        style: ListStyle,
        account: Arc<Account>,
        names: WireNames,
    ) -> Self {
        Self {
            selection,
            style,
            account,
            names,
        }
    }

    /// Whether the account may see what this directory contains.
    pub(super) fn may_enter(&self, directory: &FtpPath) -> bool {
        self.account.allows(directory, Right::List)
    }
}
