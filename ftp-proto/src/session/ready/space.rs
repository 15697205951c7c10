//! ALLO, AVBL and SITE QUOTA: whether a file fits, and what there is room for.

use super::Ready;
use crate::action::FileRequest;
use crate::address::parse_decimal;
use crate::command::ALLOCATE;
use crate::outcome::FileAnswer;
use crate::reply::Reply;
use crate::rights::Right;
use crate::session::context::{Context, FileQuestion};
use crate::space::Space;

impl Ready {
    /// ALLO: nothing is reserved, but a file that can never fit is refused before its client sends
    /// it. One that does not fit now may continue or replace a file that counts already: clients
    /// name its whole size all the same.
    /// A login that may not store anything in its directory learns that from its next command.
    pub(super) fn allocate(&mut self, context: &mut Context, argument: &[u8]) {
        let Some(bytes) = bytes_of(argument) else {
            return context.reply(Reply::ARGUMENT_SYNTAX);
        };
        if !self.account.allows(&self.directory, Right::Store) {
            return context.reply(Reply::ALLOCATION_SUPERFLUOUS);
        }
        let request = FileRequest::Space(self.directory.clone());
        self.ask(
            context,
            &ALLOCATE,
            Ok((FileQuestion::Allocate(bytes), request)),
        );
    }
}

/// The number of bytes that an argument of ALLO names, whose form is right.
fn bytes_of(argument: &[u8]) -> Option<u64> {
    let mut words = argument.trim_ascii().split(|&byte| byte == b' ');
    let bytes = words.next().and_then(parse_decimal::<u64>)?;
    let is_well_formed = match words.next() {
        None => true,
        Some(record) if record.eq_ignore_ascii_case(b"R") => {
            words.next().and_then(parse_decimal::<u64>).is_some() && words.next().is_none()
        }
        Some(_) => false,
    };
    is_well_formed.then_some(bytes)
}

/// The reply to a question of this file, if it is one.
pub(super) fn reply(question: &FileQuestion, answer: &FileAnswer) -> Option<Reply> {
    Some(match (question, answer) {
        (FileQuestion::Allocate(bytes), FileAnswer::Space(space)) => allocation(*bytes, *space),
        (FileQuestion::Available, FileAnswer::Space(space)) => match space.available {
            Some(bytes) => Reply::size(bytes),
            None => Reply::SPACE_UNKNOWN,
        },
        (FileQuestion::Quota, FileAnswer::Quota(Some(quota))) => Reply::quota(quota),
        (FileQuestion::Quota, FileAnswer::Quota(None)) => Reply::NO_QUOTA,
        _ => return None,
    })
}

fn allocation(bytes: u64, space: Space) -> Reply {
    if space.file_max.is_some_and(|max| bytes > max) {
        return Reply::file_too_large(552);
    }
    match space {
        Space {
            total: Some(total), ..
        } if bytes > total => Reply::too_little_space(total),
        Space {
            available: Some(available),
            ..
        } if bytes > available => Reply::space_for_a_rest(available),
        _ => Reply::ALLOCATION_SUPERFLUOUS,
    }
}
