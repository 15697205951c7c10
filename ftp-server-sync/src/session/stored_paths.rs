//! The paths that a session has stored last.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use ftp_proto::FtpPath;

/// Hashes of the last paths that the client has stored: their times and modes, which it may set
/// after further uploads, are a part of that.
#[derive(Debug, Default)]
pub(super) struct StoredPaths(VecDeque<u64>);

impl StoredPaths {
    pub(super) fn add(&mut self, path: &FtpPath) {
        self.0.truncate(STORED_MAX - 1);
        self.0.push_front(hash(path));
    }

    pub(super) fn contain(&self, path: &FtpPath) -> bool {
        self.0.contains(&hash(path))
    }
}

fn hash(path: &FtpPath) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// Paths that are remembered as stored, as many as a mirror has in one directory, or more.
const STORED_MAX: usize = 256;
