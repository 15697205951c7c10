//! The reply to a refusal of the driver, or to an argument that is not a path.

use crate::account::Account;
use crate::command::{CommandInfo, TransferVerb, Verb};
use crate::path::PathError;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rights::Right;

/// The only table from a driver's refusal to a reply.
pub(super) fn refusal(command: &CommandInfo, refusal: Refusal) -> Reply {
    let codes = command.refusals;
    let is_hash = matches!(command.verb, Verb::Hash(_));
    match refusal {
        Refusal::NotFound => Reply::not_found(codes.unavailable),
        Refusal::NoMatch => Reply::no_match(codes.unavailable),
        Refusal::ReadOnlyFileSystem => Reply::read_only_file_system(codes.unavailable),
        Refusal::OtherFileSystem => Reply::other_file_system(codes.unavailable),
        Refusal::MountPoint => Reply::mount_point(codes.unavailable),
        Refusal::Denied => Reply::denied(codes.unavailable),
        Refusal::LoginDenied => Reply::login_denied(codes.not_permitted),
        // APPE replaces nothing, so this is about the offset of REST.
        Refusal::Exists if command.verb == Verb::Transfer(TransferVerb::Appe) => {
            Reply::not_the_end(codes.offset)
        }
        Refusal::Exists => Reply::name_exists(codes.unavailable),
        Refusal::NotEmpty => Reply::not_empty(codes.unavailable),
        Refusal::NotADirectory => Reply::not_a_directory(codes.not_a_directory),
        Refusal::IsADirectory => Reply::not_a_file(codes.is_a_directory),
        Refusal::NotARegularFile => Reply::special_file(codes.unavailable),
        Refusal::NameRejected => Reply::name_rejected(codes.unavailable),
        Refusal::TooManyEntries => Reply::too_many_entries(codes.unavailable),
        Refusal::NoSpace => Reply::no_space(codes.no_space),
        Refusal::OffsetTooLarge if is_hash => Reply::range_too_large(codes.offset),
        Refusal::FileTooLarge => Reply::file_too_large(codes.too_large),
        Refusal::SpaceReserved => Reply::space_reserved(codes.no_space),
        Refusal::QuotaExceeded(quota) => Reply::quota_exceeded(codes.too_large, quota),
        Refusal::OffsetTooLarge if codes.offset == 554 => Reply::restart_too_large(codes.offset),
        Refusal::OffsetTooLarge => Reply::offset_too_large(codes.offset),
        Refusal::ShareUnavailable => Reply::share_unavailable(codes.unavailable),
        Refusal::NotResumable => Reply::not_resumable(codes.offset),
        Refusal::TextNotCounted => Reply::text_not_counted(codes.unavailable),
        Refusal::Changed => Reply::file_changed(codes.busy),
        Refusal::Busy if is_hash => Reply::hash_busy(codes.busy),
        Refusal::Busy => Reply::in_use(codes.busy),
        Refusal::Unsupported => Reply::unsupported(codes.unsupported),
        Refusal::Failed => Reply::failed(codes.failed),
    }
}

/// The reply where the account lacks this right, which is the operator's choice. The file system's
/// refusal reads differently, so that the client's user knows what to change.
pub(super) fn login_refusal(command: &CommandInfo, account: &Account, right: Right) -> Reply {
    let code = command.refusals.not_permitted;
    if right.changes() && account.may_only_read() {
        Reply::read_only_login(code)
    } else {
        Reply::login_denied(code)
    }
}

pub(super) fn path_refusal(error: PathError) -> Reply {
    match error {
        PathError::Character => Reply::PATH_SYNTAX,
        PathError::TooLong => Reply::PATH_TOO_LONG,
    }
}
