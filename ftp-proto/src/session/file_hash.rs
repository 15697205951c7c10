//! HASH, or one of the older commands, while the driver computes the digest.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::action::FileRequest;
use crate::address::parse_decimal;
use crate::hash::{Digest, HashAlgorithm, HashRequest};
use crate::reply::Reply;

/// What the reply needs.
#[derive(Debug)]
pub(super) struct FileHash {
    form: ReplyForm,
    algorithm: HashAlgorithm,
    start: u64,
    /// What else the argument may mean, if the driver finds nothing with this name.
    others: VecDeque<HashRequest>,
    /// `AbortFile` has followed.
    pub(super) is_aborted: bool,
}

#[derive(Debug)]
enum ReplyForm {
    /// HASH. The path, as the client sent it.
    Draft(Vec<u8>),
    /// XCRC, XMD5 and others.
    Digest,
}

/// A part of a file: the bytes from `start` on, before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

impl ByteRange {
    pub(super) const WHOLE: Self = Self {
        start: 0,
        end: None,
    };
}

impl FileHash {
    /// HASH with the path as the client sent it.
    pub(super) fn of_draft(name: &[u8], request: &HashRequest) -> Self {
        Self::new(ReplyForm::Draft(name.to_vec()), request, VecDeque::new())
    }

    /// The older commands. `requests`: what the argument may mean, the likeliest first.
    pub(super) fn of_checksum(mut requests: VecDeque<HashRequest>) -> Option<(Self, HashRequest)> {
        let request = requests.pop_front()?;
        Some((Self::new(ReplyForm::Digest, &request, requests), request))
    }

    fn new(form: ReplyForm, request: &HashRequest, others: VecDeque<HashRequest>) -> Self {
        Self {
            form,
            algorithm: request.algorithm,
            start: request.start,
            others,
            is_aborted: false,
        }
    }

    /// The next request, if the argument can mean something else.
    pub(super) fn next(self) -> Option<(Self, FileRequest)> {
        let (hash, request) = Self::of_checksum(self.others)?;
        Some((hash, FileRequest::Hash(request)))
    }

    pub(super) fn reply(self, digest: &Digest) -> Reply {
        match self.form {
            ReplyForm::Digest => Reply::checksum(&digest.bytes),
            ReplyForm::Draft(name) => {
                // The last byte itself. The draft has no form for no byte at all.
                let last = (self.start + digest.length).saturating_sub(1);
                let last = last.max(self.start);
                let algorithm = self.algorithm.name();
                Reply::file_hash(algorithm, self.start, last, &digest.bytes, &name)
            }
        }
    }
}

/// What the argument of XCRC and others may mean, `FILE [START [END]]`, the longest name first: a
/// file that has the whole argument as its name comes before all others.
pub(super) fn checksum_arguments(argument: &[u8]) -> Vec<(Cow<'_, [u8]>, ByteRange)> {
    let mut found = Vec::from([(Cow::Borrowed(argument), ByteRange::WHOLE)]);
    if let Some((name, rest)) = quoted_name(argument) {
        found.extend(range_of(rest).map(|range| (Cow::Owned(name), range)));
        return found;
    }
    let mut name = argument;
    for _ in 0..2 {
        let space = name.iter().rposition(|&byte| byte == b' ');
        let space = space.filter(|&space| space > 0);
        let Some((space, range)) = space.and_then(|at| Some((at, range_of(&argument[at..])?)))
        else {
            break;
        };
        name = &name[..space];
        found.push((Cow::Borrowed(name), range));
    }
    found
}

/// A name in double quotes at the beginning, and what follows it. Inside, quotes are doubled, as in
/// replies (RFC 959, appendix II).
fn quoted_name(argument: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = argument.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let end = rest.iter().position(|&byte| byte == b'"')?;
        name.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(b"\"") {
            Some(after) => {
                name.push(b'"');
                rest = after;
            }
            None => return (!name.is_empty()).then_some((name, rest)),
        }
    }
}

/// One or two numbers, each with a space before it, or nothing: the whole file.
fn range_of(text: &[u8]) -> Option<ByteRange> {
    if text.is_empty() {
        return Some(ByteRange::WHOLE);
    }
    let mut words = text.strip_prefix(b" ")?.split(|&byte| byte == b' ');
    let start = parse_decimal(words.next()?)?;
    let end = match words.next() {
        Some(word) => Some(parse_decimal(word)?),
        None => None,
    };
    words.next().is_none().then_some(ByteRange { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[track_caller]
    fn check(argument: &str, expected: &[&str]) {
        let show = |(name, range): &(Cow<'_, [u8]>, ByteRange)| {
            let end = range.end.map_or(String::new(), |end| format!("{end}"));
            format!("{}|{}..{end}", name.escape_ascii(), range.start)
        };
        let found = checksum_arguments(argument.as_bytes());
        let found: Vec<String> = found.iter().map(show).collect();
        assert_eq!(found, expected, "{argument}");
    }

    #[test]
    fn the_longest_name_comes_first() {
        check("file", &["file|0.."]);
        check("my file.txt", &["my file.txt|0.."]);
        check("file 5", &["file 5|0..", "file|5.."]);
        check(
            "my file 5 9",
            &["my file 5 9|0..", "my file 5|9..", "my file|5..9"],
        );
        check("1 2 3", &["1 2 3|0..", "1 2|3..", "1|2..3"]);
        check("1 2", &["1 2|0..", "1|2.."]);
        // A command line can end with a space, and a name can too.
        check("file 5 ", &["file 5 |0.."]);
        check("file  5", &["file  5|0..", "file |5.."]);
        check("file x 5", &["file x 5|0..", "file x|5.."]);
        check("file 5 x", &["file 5 x|0.."]);
        check("file -1", &["file -1|0.."]);
        check(
            "file 18446744073709551616",
            &["file 18446744073709551616|0.."],
        );
        check(" 5", &[" 5|0.."]);
        check("", &["|0.."]);
    }

    #[test]
    fn names_in_quotes() {
        check(r#""a b""#, &[r#"\"a b\"|0.."#, "a b|0.."]);
        check(r#""a b" 1"#, &[r#"\"a b\" 1|0.."#, "a b|1.."]);
        check(r#""a b" 1 5"#, &[r#"\"a b\" 1 5|0.."#, "a b|1..5"]);
        check(r#""a""b" 1"#, &[r#"\"a\"\"b\" 1|0.."#, r#"a\"b|1.."#]);
        check(r#""a b" x"#, &[r#"\"a b\" x|0.."#]);
        check(r#""a b"1"#, &[r#"\"a b\"1|0.."#]);
        check(r#""" 1"#, &[r#"\"\" 1|0.."#, r#"\"\"|1.."#]);
        check(r#""a 1"#, &[r#"\"a 1|0.."#, r#"\"a|1.."#]);
    }
}
