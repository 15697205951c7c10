//! The limits of a walk. Each bounds memory, or the time between two steps.

/// Names that a driver should return in one piece, and that one step looks at.
pub const NAMES_PER_STEP: usize = 256;

/// A directory with more names is not sorted, but listed in its own order.
pub const SORTED_NAMES_MAX: usize = 100_000;

/// How many directories may wait to be entered. Beyond that the listing fails, since a listing that
/// left some out would look complete.
pub const PENDING_MAX: usize = 100_000;

/// How much a walk may look at in vain before its transfer begins: names and directories.
pub(super) const FIRST_SEARCH_MAX: usize = 400;

/// The same for all of the reply to STAT, which is then refused.
pub(super) const STATUS_SEARCH_MAX: usize = 10_000;
