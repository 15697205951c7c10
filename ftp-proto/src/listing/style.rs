//! The form of a listing: which command asked for it.

use alloc::sync::Arc;

use super::FactSet;
use crate::account::Account;

/// The form of a listing.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListStyle {
    /// LIST: the form of `ls -l`, see [`listing`](crate::listing).
    Long,
    /// NLST: only names, each with [`Selection::prefix`](crate::listing::Selection::prefix) before
    /// it, so that the client can use each line as a path (RFC 1123, section 4.1.2.7).
    Names,
    /// MLSD: facts and names (RFC 3659, section 7).
    Facts {
        /// Which facts.
        facts: FactSet,
        /// What the user may do, for the `perm` fact: [`Account::rights_of_entry`].
        account: Arc<Account>,
    },
}
