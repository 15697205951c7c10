//! The codecs, and rounds with routers of the test's own.

mod leftovers;
mod looks;
mod nat_pmp;
mod pcp;
mod rounds;
pub(super) mod scripted;
