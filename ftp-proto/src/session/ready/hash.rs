//! HASH, RANG and the older checksum commands. Each is like a transfer without a data connection:
//! ABOR stops it, and it may take long.

use alloc::collections::VecDeque;
use core::mem;

use super::Ready;
use crate::action::FileRequest;
use crate::address::parse_decimal;
use crate::command::{CommandInfo, HashVerb, split_word};
use crate::hash::{HashAlgorithm, HashRequest};
use crate::outcome::FileAnswer;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session::context::{Context, FileQuestion};
use crate::session::file_hash::{ByteRange, FileHash, checksum_arguments};
use crate::session::refusal::refusal;

impl Ready {
    /// RANG: as REST, it is for the next command only, and the later one of both counts.
    pub(super) fn set_range(&mut self, argument: &[u8]) -> Reply {
        self.cancel_restart();
        let (first, last) = split_word(argument.trim_ascii());
        match (parse_decimal::<u64>(first), parse_decimal::<u64>(last)) {
            (Some(1), Some(0)) => Reply::RANGE_RESET,
            (Some(first), Some(last)) if first <= last => {
                self.range = Some(ByteRange {
                    start: first,
                    // No file has this many bytes.
                    end: Some(last.saturating_add(1)),
                });
                Reply::range_set(first, last)
            }
            _ => Reply::ARGUMENT_SYNTAX,
        }
    }

    /// OPTS HASH.
    pub(in crate::session) fn hash_option(&mut self, name: &[u8]) -> Reply {
        if !name.is_empty() {
            let Some(algorithm) = HashAlgorithm::parse(name) else {
                return Reply::HASH_UNKNOWN;
            };
            self.hash_algorithm = algorithm;
        }
        Reply::hash_selected(self.hash_algorithm.name())
    }

    #[inline(never)]
    pub(super) fn hash_command(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        verb: HashVerb,
        argument: &[u8],
    ) {
        let range = mem::take(&mut self.range).unwrap_or(ByteRange::WHOLE);
        let request = match verb {
            HashVerb::Hash => self.hash_request(context, range, argument),
            HashVerb::Checksum(algorithm) => self.checksum_request(context, algorithm, argument),
        };
        let request =
            request.map(|(hash, request)| (FileQuestion::Hash(hash), FileRequest::Hash(request)));
        self.ask(context, command, request);
    }

    fn hash_request(
        &self,
        context: &Context,
        range: ByteRange,
        argument: &[u8],
    ) -> Result<(FileHash, HashRequest), Reply> {
        let path = self.resolve(context, argument)?;
        let request = HashRequest::new(path, self.hash_algorithm);
        let request = request.with_range(range.start, range.end);
        Ok((FileHash::of_draft(argument, &request), request))
    }

    fn checksum_request(
        &self,
        context: &Context,
        algorithm: HashAlgorithm,
        argument: &[u8],
    ) -> Result<(FileHash, HashRequest), Reply> {
        let mut requests = VecDeque::new();
        let mut refused = Reply::ARGUMENT_SYNTAX;
        for (name, range) in checksum_arguments(argument) {
            match self.resolve(context, &name) {
                Ok(path) => {
                    let request = HashRequest::new(path, algorithm);
                    requests.push_back(request.with_range(range.start, range.end));
                }
                Err(reply) => refused = reply,
            }
        }
        FileHash::of_checksum(requests).ok_or(refused)
    }

    /// The outcome of a digest's request.
    pub(super) fn hash_answered(
        &mut self,
        context: &mut Context,
        command: &'static CommandInfo,
        hash: FileHash,
        result: Result<FileAnswer, Refusal>,
    ) {
        // The client could not do anything else meanwhile.
        context.epochs.idle += 1;
        let reply = match result {
            Ok(FileAnswer::Digest(digest)) => hash.reply(&digest),
            Err(_) if hash.is_aborted => Reply::HASH_ABORTED,
            Err(reason @ (Refusal::NotFound | Refusal::NameRejected)) => match hash.next() {
                Some((hash, request)) => {
                    let question = FileQuestion::Hash(hash);
                    return self.ask(context, command, Ok((question, request)));
                }
                None if self.retries(context, Some(reason)) => return,
                None => refusal(command, reason),
            },
            Err(reason) => refusal(command, reason),
            // `file_answered` has refused all other answers.
            Ok(_) => Reply::LOCAL_ERROR,
        };
        context.reply(reply);
    }
}
