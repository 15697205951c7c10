//! Quotas: what is stored in a home is counted, and each upload takes its part before it is
//! written.
//!
//! [`usage`] is the count of one home, exact however many sessions change it. [`counting`] finds
//! the count out by reading the home, [`stored`] keeps it across restarts, and [`keeper`] does both
//! in a thread of its own.

pub(super) mod counting;
pub(crate) mod keeper;
pub(crate) mod recount;
pub(super) mod stored;
pub(crate) mod usage;
