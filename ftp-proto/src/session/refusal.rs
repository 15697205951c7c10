//! The code and text of the reply to a refusal of the driver, or to an argument that is not a path.

use crate::command::CommandInfo;
use crate::outcome::Refusal;
use crate::path::PathError;
use crate::reply::Reply;

/// The only table from a driver's refusal to code and text.
pub(super) fn refusal(command: &CommandInfo, refusal: Refusal) -> Reply {
    let codes = command.refusals;
    let (code, text) = match refusal {
        Refusal::NotFound => (codes.unavailable, "No such file or directory."),
        Refusal::Denied => (codes.unavailable, "Permission denied."),
        Refusal::Exists => (codes.unavailable, "The name already exists."),
        Refusal::NotEmpty => (codes.unavailable, "The directory is not empty."),
        Refusal::NotADirectory => (codes.not_a_directory, "Not a directory."),
        Refusal::IsADirectory => (codes.unavailable, "Not a regular file."),
        Refusal::NameRejected => (codes.unavailable, "The name is not allowed."),
        Refusal::NoSpace => (codes.no_space, "No space left."),
        Refusal::OffsetTooLarge if codes.offset == 554 => (
            codes.offset,
            "The restart offset is beyond the end of the file.",
        ),
        Refusal::OffsetTooLarge => (codes.offset, "The offset is beyond the end of the file."),
        Refusal::Busy => (
            codes.busy,
            "The file or directory is in use; try again later.",
        ),
        Refusal::Unsupported => (codes.unsupported, "This server does not support that."),
        Refusal::Failed => (codes.failed, "Local error."),
    };
    Reply::fixed(code, text)
}

pub(super) fn path_refusal(error: PathError) -> Reply {
    match error {
        PathError::Character => Reply::PATH_SYNTAX,
        PathError::TooLong => Reply::PATH_TOO_LONG,
    }
}
