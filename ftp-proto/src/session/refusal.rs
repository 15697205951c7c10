//! From a driver's refusal, or a path's fault, to code and text.

use crate::command::Verb;
use crate::outcome::Refusal;
use crate::path::PathError;
use crate::reply::Reply;

/// The codes of one command's refusals.
struct Codes {
    /// It cannot be done, and trying again will not help.
    unavailable: u16,
    busy: u16,
    no_space: u16,
    failed: u16,
    unsupported: u16,
}

/// Which codes the RFCs leave to a command: see [`codes`](crate::codes).
fn codes(verb: Verb) -> Codes {
    let (unavailable, busy, no_space, failed, unsupported) = match verb {
        Verb::Retr => (550, 450, 451, 451, 550),
        Verb::Stor | Verb::Stou => (553, 450, 452, 451, 553),
        Verb::Appe => (550, 450, 452, 451, 502),
        Verb::Dele | Verb::Rnfr => (550, 450, 550, 550, 502),
        Verb::Rnto => (553, 553, 553, 553, 502),
        Verb::List | Verb::Nlst | Verb::Mlsd => (550, 450, 451, 451, 502),
        Verb::Stat => (550, 450, 450, 450, 502),
        _ => (550, 550, 550, 550, 502),
    };
    Codes {
        unavailable,
        busy,
        no_space,
        failed,
        unsupported,
    }
}

/// The one table from a driver's refusal to code and text.
pub(super) fn refusal(verb: Verb, refusal: Refusal) -> Reply {
    let codes = codes(verb);
    let (code, text) = match refusal {
        Refusal::NotFound => (codes.unavailable, "No such file or directory."),
        Refusal::Denied => (codes.unavailable, "Permission denied."),
        Refusal::Exists => (codes.unavailable, "The name is taken already."),
        Refusal::NotEmpty => (codes.unavailable, "The directory is not empty."),
        // RFC 3659, section 7.2.1.
        Refusal::NotADirectory if verb == Verb::Mlsd => (501, "Not a directory."),
        Refusal::NotADirectory => (codes.unavailable, "Not a directory."),
        Refusal::IsADirectory => (codes.unavailable, "Not a plain file."),
        Refusal::NameRejected => (codes.unavailable, "The name is not allowed."),
        Refusal::NoSpace => (codes.no_space, "No space left."),
        // RFC 1123, section 4.1.2.11.
        Refusal::OffsetTooLarge if matches!(verb, Verb::Retr | Verb::Stor) => {
            (554, "The restart offset is beyond the end.")
        }
        Refusal::OffsetTooLarge => (codes.unavailable, "The offset is beyond the end."),
        Refusal::Busy => (codes.busy, "In use; try again later."),
        Refusal::Unsupported => (codes.unsupported, "Not possible on this server."),
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
