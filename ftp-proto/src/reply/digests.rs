//! The replies about digests, and about ranges of bytes.

use alloc::format;
use alloc::vec::Vec;

use super::Reply;

#[rustfmt::skip]
impl Reply {
    pub(crate) const HASH_UNKNOWN: Self = Self::fixed(501, "Unknown algorithm; the selection has not changed.");
    pub(crate) const RANGE_RESET: Self = Self::fixed(350, "The range is the whole file.");
    pub(crate) const RANGE_OF_UPLOAD: Self = Self::fixed(501, "RANG is for RETR and HASH; use REST before an upload.");
    pub(crate) const RANGE_IN_ASCII: Self = Self::fixed(501, "RANG has no meaning in type A; send TYPE I first.");
    pub(crate) const HASH_ABORTED: Self = Self::fixed(426, "Digest aborted.");

    pub(crate) const fn hash_busy(code: u16) -> Self { Self::fixed(code, "Too many digests are being computed, or the file is in use; try again later.") }
    pub(crate) const fn file_changed(code: u16) -> Self { Self::fixed(code, "The file has changed meanwhile; try again.") }
    pub(crate) const fn range_too_large(code: u16) -> Self { Self::fixed(code, "The file has no such range of bytes.") }
}

impl Reply {
    /// The reply to OPTS HASH.
    pub(crate) const fn hash_selected(algorithm: &'static str) -> Self {
        Self::fixed(200, algorithm)
    }

    /// The reply to RANG.
    pub(crate) fn range_set(first: u64, last: u64) -> Self {
        Self::line(350, format!("Bytes {first} to {last}; send RETR or HASH."))
    }

    /// The reply to HASH (draft-bryan-ftpext-hash-03, section 3). `name`: as the client sent it.
    pub(crate) fn file_hash(
        algorithm: &str,
        first: u64,
        last: u64,
        digest: &[u8],
        name: &[u8],
    ) -> Self {
        let range = format!("{algorithm} {first}-{last} ");
        let hex = hex(digest).to_ascii_lowercase();
        Self::line(213, [range.as_bytes(), &hex, b" ", name].concat())
    }

    /// The reply to XCRC and others, with digits in upper case as on other servers.
    pub(crate) fn checksum(digest: &[u8]) -> Self {
        Self::line(250, hex(digest))
    }
}

fn hex(digest: &[u8]) -> Vec<u8> {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| b"0123456789ABCDEF"[usize::from(digit)])
        .collect()
}
