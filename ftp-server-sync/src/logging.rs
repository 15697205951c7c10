//! Text for people: the log, and how lines are laid out.

pub(crate) mod clock;
pub(crate) mod counted;
pub(crate) mod fields;
mod format;
mod line_queue;
mod logger;
pub(crate) mod repeated;
pub(crate) mod session_name;
mod stderr_writer;
pub(crate) mod system_text;
pub(crate) mod wrap;
mod writer;

pub(crate) use line_queue::lost_lines;
pub use stderr_writer::StderrWriter;
