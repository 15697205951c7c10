//! HASH: computes the digest of a file, in steps.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cap_std::fs::OpenOptions;
use ftp_proto::{Digest, HashAlgorithm, HashRequest, Refusal};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::named::current_size;
use super::root::{Root, refusal};

/// A file whose digest is being computed.
#[derive(Debug)]
pub(crate) struct FileHash {
    file: File,
    /// When it was opened.
    version: Version,
    /// The bytes that are left.
    left: Range<u64>,
    length: u64,
    hasher: Hasher,
    buffer: Vec<u8>,
    /// Freed at the end, whatever that is.
    _slot: HashSlot,
}

/// What changes when the file's bytes do, and when it is replaced or removed. Two changes within
/// one tick of the file system's clock, some milliseconds, can look like one.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    size: u64,
    modified: (i64, i64),
    /// Unlike the other time, it cannot be set.
    changed: (i64, i64),
    /// None: the name leads to another file now.
    links: u64,
}

/// The digests of all sessions that are being computed.
#[derive(Debug, Default)]
pub(crate) struct HashSlots(AtomicUsize);

#[derive(Debug)]
struct HashSlot(Arc<HashSlots>);

#[derive(Debug)]
enum Hasher {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Root {
    /// Begins to compute a digest.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] if [`HASHES_MAX`] are being computed; the file system's refusal;
    /// [`Refusal::OffsetTooLarge`] if the file does not have these bytes.
    pub(crate) fn hash(
        &self,
        slots: &Arc<HashSlots>,
        request: &HashRequest,
    ) -> Result<FileHash, Refusal> {
        let slot = slots.take()?;
        let path = self.visible(&request.path)?;
        self.check_readable(path)?;
        let (file, metadata) = self.open_file(path, OpenOptions::new().read(true))?;
        let range = request.bytes_of(current_size(&file, &metadata))?;
        // The attributes of now, as they are compared with those at the end.
        let metadata = file.metadata().map_err(|error| refusal(&error))?;
        Ok(FileHash {
            file,
            version: Version::of(&metadata),
            length: range.end - range.start,
            left: range,
            hasher: Hasher::new(request.algorithm),
            buffer: vec![0; STEP_BYTES],
            _slot: slot,
        })
    }
}

impl FileHash {
    /// Reads the next piece. Returns the digest once all pieces are read.
    ///
    /// # Errors
    ///
    /// [`Refusal::Changed`] if the file has changed meanwhile: the digest would be that of no file.
    /// The file system's refusal.
    pub(crate) fn step(&mut self) -> Result<Option<Digest>, Refusal> {
        if self.left.is_empty() {
            return self.finish().map(Some);
        }
        let most = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
        let piece = &mut self.buffer[..most.min(STEP_BYTES)];
        match self.file.read_at(piece, self.left.start) {
            Ok(0) => Err(Refusal::Changed),
            Ok(count) => {
                self.hasher.update(&piece[..count]);
                self.left.start += count as u64;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(refusal(&error)),
        }
    }

    fn finish(&mut self) -> Result<Digest, Refusal> {
        let now = self.file.metadata().map(|metadata| Version::of(&metadata));
        match now {
            Ok(now) if now == self.version => Ok(Digest::new(self.hasher.finish(), self.length)),
            Ok(_) => Err(Refusal::Changed),
            Err(error) => Err(refusal(&error)),
        }
    }
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            links: metadata.nlink(),
        }
    }
}

impl HashSlots {
    fn take(self: &Arc<Self>) -> Result<HashSlot, Refusal> {
        let more = |used| (used < HASHES_MAX).then_some(used + 1);
        match self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        {
            Ok(_) => Ok(HashSlot(self.clone())),
            Err(_) => Err(Refusal::Busy),
        }
    }
}

impl Drop for HashSlot {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hasher {
    fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            HashAlgorithm::Md5 => Self::Md5(Md5::new()),
            HashAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The digest; the hasher begins anew.
    fn finish(&mut self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => std::mem::take(hasher).finalize().to_be_bytes().to_vec(),
            Self::Md5(hasher) => hasher.finalize_reset().to_vec(),
            Self::Sha1(hasher) => hasher.finalize_reset().to_vec(),
            Self::Sha256(hasher) => hasher.finalize_reset().to_vec(),
        }
    }
}

/// How many digests are computed at once: one that is read from a disk keeps a core busy, and small
/// machines have two or four.
const HASHES_MAX: usize = 2;

/// How much of the file one step reads.
const STEP_BYTES: usize = 256 * 1024;

/// What it uses of the bytes that a turn may move: slow machines hash 50 MB/s, and a turn must not
/// take longer than 20 ms.
pub(crate) const STEP_COST: usize = 2 * STEP_BYTES;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use ftp_proto::FtpPath;

    use super::*;

    fn request(algorithm: HashAlgorithm) -> HashRequest {
        HashRequest::new(FtpPath::parse(b"/file").unwrap(), algorithm)
    }

    fn digest(root: &Root, request: &HashRequest) -> Result<(String, u64), Refusal> {
        let mut hash = root.hash(&Arc::default(), request)?;
        loop {
            if let Some(digest) = hash.step()? {
                let hex = digest.bytes.iter().map(|byte| format!("{byte:02x}"));
                return Ok((hex.collect(), digest.length));
            }
        }
    }

    /// The examples of RFC 1321, FIPS 180-4 and the check value of CRC-32.
    #[test]
    fn known_digests() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let file = directory.path().join("file");
        for (content, algorithm, expected) in [
            ("123456789", HashAlgorithm::Crc32, "cbf43926"),
            ("", HashAlgorithm::Crc32, "00000000"),
            (
                "abc",
                HashAlgorithm::Md5,
                "900150983cd24fb0d6963f7d28e17f72",
            ),
            (
                "abc",
                HashAlgorithm::Sha1,
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                "abc",
                HashAlgorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            fs::write(&file, content).unwrap();
            let found = digest(&root, &request(algorithm));
            assert_eq!(found, Ok((expected.to_owned(), content.len() as u64)));
        }
    }

    #[test]
    fn a_range_is_hashed_as_a_file_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let file = directory.path().join("file");
        let number = |at: usize| u8::try_from(at % 251).unwrap();
        let content: Vec<u8> = (0..3 * STEP_BYTES + 7).map(number).collect();
        for (start, end) in [(0, 1), (5, 2 * STEP_BYTES), (STEP_BYTES, content.len())] {
            fs::write(&file, &content).unwrap();
            let range = (start as u64, Some(end as u64));
            let part = request(HashAlgorithm::Crc32).with_range(range.0, range.1);
            let found = digest(&root, &part).unwrap();
            fs::write(&file, &content[start..end]).unwrap();
            assert_eq!(
                found,
                digest(&root, &request(HashAlgorithm::Crc32)).unwrap()
            );
        }
        let behind = request(HashAlgorithm::Md5).with_range(0, Some(content.len() as u64 + 1));
        assert_eq!(digest(&root, &behind), Err(Refusal::OffsetTooLarge));
    }

    #[test]
    fn a_file_that_changes_has_no_digest() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let path = directory.path().join("file");
        let other = directory.path().join("other");
        let result = |change: &dyn Fn(&File)| {
            fs::write(&path, vec![1; 2 * STEP_BYTES]).unwrap();
            let hash = root.hash(&Arc::default(), &request(HashAlgorithm::Sha256));
            let mut hash = hash.unwrap();
            assert_eq!(hash.step(), Ok(None));
            change(&File::options().write(true).open(&path).unwrap());
            let mut step = hash.step();
            while step == Ok(None) {
                step = hash.step();
            }
            step.map(drop)
        };
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        assert_eq!(result(&|_| {}), Ok(()));
        // As a write leaves it that is later than one tick of the clock.
        let touched = |file: &File| file.set_modified(yesterday).unwrap();
        assert_eq!(result(&touched), Err(Refusal::Changed));
        let longer = |file: &File| file.set_len(3 * STEP_BYTES as u64).unwrap();
        assert_eq!(result(&longer), Err(Refusal::Changed));
        let shorter = |file: &File| file.set_len(STEP_BYTES as u64).unwrap();
        assert_eq!(result(&shorter), Err(Refusal::Changed));
        let emptied = |file: &File| file.set_len(0).unwrap();
        assert_eq!(result(&emptied), Err(Refusal::Changed));
        fs::write(&other, "new").unwrap();
        let replaced = |_: &File| fs::rename(&other, &path).unwrap();
        assert_eq!(result(&replaced), Err(Refusal::Changed));
    }

    #[test]
    fn two_at_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "text").unwrap();
        let root = Root::open(directory.path()).unwrap();
        let slots = Arc::default();
        let begin = || root.hash(&slots, &request(HashAlgorithm::Md5));
        let first = begin().unwrap();
        let mut second = begin().unwrap();
        assert_eq!(begin().map(drop), Err(Refusal::Busy));
        drop(first);
        let missing = HashRequest::new(FtpPath::parse(b"/no").unwrap(), HashAlgorithm::Md5);
        assert_eq!(
            root.hash(&slots, &missing).map(drop),
            Err(Refusal::NotFound)
        );
        let third = begin().unwrap();
        while second.step().unwrap().is_none() {}
        drop(second);
        drop((begin().unwrap(), third));
    }
}
