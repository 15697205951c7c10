//! The form of a listing: which command asked for it.

use super::FactSet;

/// The form of a listing.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStyle {
    /// LIST and STAT: the form of `ls -l`, see [`listing`](crate::listing).
    Long,
    /// NLST: only names, each with [`Selection::prefix`](crate::listing::Selection::prefix) before
    /// it, so that the client can use each line as a path (RFC 1123, section 4.1.2.7).
    Names,
    /// MLSD: facts and names (RFC 3659, section 7).
    Facts(FactSet),
}
