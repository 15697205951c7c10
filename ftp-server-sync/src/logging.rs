//! Text for people: the log, and how lines are laid out.

pub(crate) mod clock;
mod format;
pub(crate) mod repeated;
pub(crate) mod wrap;
mod writer;

pub use writer::log_to_stderr;
