//! Text for people: the log, and how lines are laid out.

pub(crate) mod clock;
pub(crate) mod counted;
pub(crate) mod fields;
pub(crate) mod file_log;
mod format;
mod line_queue;
mod lines;
mod link_walk;
mod log_file;
mod log_format;
mod logger;
mod output;
pub(crate) mod repeated;
pub(crate) mod session_name;
mod stderr_writer;
pub(crate) mod system_text;
pub(crate) mod wrap;
mod writer;
pub(crate) mod xferlog;

pub(crate) use line_queue::lost_lines;
pub(crate) use lines::ALSO_TO_STDERR;
pub use log_format::{LogFormat, LogSettings};
pub(crate) use logger::reload;
pub use stderr_writer::StderrWriter;
