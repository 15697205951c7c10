//! Digests of files: HASH and RANG, as in the drafts bryan-ftpext-hash-03 and bryan-ftp-range-09,
//! and the older commands XCRC, XMD5, XSHA1 and XSHA256.

use alloc::vec::Vec;
use core::ops::Range;

use crate::path::FtpPath;
use crate::refusal::Refusal;

/// How a digest is computed.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// The CRC of Ethernet, zip and PNG; its digest is the number, most significant byte first.
    Crc32,
    /// RFC 1321.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
}

impl HashAlgorithm {
    /// The one that HASH uses until OPTS HASH selects another.
    pub(crate) const DEFAULT: Self = Self::Sha256;

    /// In the order of FEAT.
    pub(crate) const ALL: [Self; 4] = [Self::Sha256, Self::Sha1, Self::Md5, Self::Crc32];

    /// The name in FEAT, OPTS HASH and the reply to HASH.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of this name, in upper or lower case.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let is_named = |algorithm: &Self| algorithm.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is_named)
    }
}

/// A digest to compute.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashRequest {
    /// A regular file. Its bytes are hashed as they are stored, whatever TYPE says.
    pub path: FtpPath,
    /// How.
    pub algorithm: HashAlgorithm,
    /// The first byte.
    pub start: u64,
    /// Behind the last byte; `None`: the end of the file.
    pub end: Option<u64>,
}

impl HashRequest {
    /// The digest of a whole file.
    #[must_use]
    pub fn new(path: FtpPath, algorithm: HashAlgorithm) -> Self {
        Self {
            path,
            algorithm,
            start: 0,
            end: None,
        }
    }

    /// The same for the bytes from `start` on and before `end`, which is the end of the file if it
    /// is `None`.
    #[must_use]
    pub fn with_range(self, start: u64, end: Option<u64>) -> Self {
        Self { start, end, ..self }
    }

    /// Which bytes of a file of this size are hashed.
    ///
    /// # Errors
    ///
    /// [`Refusal::OffsetTooLarge`] if it does not have all of them, or the range names none.
    pub fn bytes_of(&self, size: u64) -> Result<Range<u64>, Refusal> {
        let is_empty = self.end.is_some_and(|end| end <= self.start);
        let end = self.end.unwrap_or(size);
        if is_empty || self.start > end || end > size {
            return Err(Refusal::OffsetTooLarge);
        }
        Ok(self.start..end)
    }
}

/// The digest of a file, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Digest {
    /// As many bytes as the algorithm has.
    pub bytes: Vec<u8>,
    /// How many bytes of the file were hashed.
    pub length: u64,
}

impl Digest {
    /// A digest of this many bytes of a file.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>, length: u64) -> Self {
        Self {
            bytes: bytes.into(),
            length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for algorithm in HashAlgorithm::ALL {
            let name = algorithm.name().to_ascii_lowercase();
            assert_eq!(HashAlgorithm::parse(name.as_bytes()), Some(algorithm));
        }
        for name in ["", "SHA1", "SHA-", "SHA-2567", "MD5 "] {
            assert_eq!(HashAlgorithm::parse(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn only_bytes_that_exist_are_hashed() {
        let bytes = |start, end| {
            let path = FtpPath::parse(b"/file").unwrap();
            let request = HashRequest::new(path, HashAlgorithm::Md5).with_range(start, end);
            request.bytes_of(10).ok()
        };
        assert_eq!(bytes(0, None), Some(0..10));
        assert_eq!(bytes(10, None), Some(10..10));
        assert_eq!(bytes(11, None), None);
        assert_eq!(bytes(3, Some(10)), Some(3..10));
        assert_eq!(bytes(3, Some(11)), None);
        assert_eq!(bytes(3, Some(3)), None);
    }
}
