//! The directories that the servers share, and the files in them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::scale::Scale;
use crate::tls::Certificate;

/// Where a server's files are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Disk,
    Memory,
}

/// Directories on a disk and in memory, which are removed at the end.
pub(crate) struct Shares {
    disk: TempDir,
    memory: TempDir,
    /// What is stored by uploads, outside of both.
    sources: TempDir,
    pub(crate) certificate: Arc<Certificate>,
}

impl Shares {
    /// With these files: `large`, `parallel`, `small/N`, and `list` with its entries.
    pub(crate) fn new(scale: &Scale) -> io::Result<Self> {
        let [disk, memory] = [DISK, MEMORY].map(|place| temporary(Path::new(place)));
        let (disk, memory) = (disk?, memory?);
        let sources = temporary(Path::new(MEMORY))?;
        for share in [&disk, &memory] {
            fs::create_dir(share.path().join(UPLOADS))?;
            fs::write(share.path().join(SMALL), vec![b's'; SMALL_BYTES])?;
        }
        let top = disk.path();
        fill(&top.join(LARGE), scale.large_bytes)?;
        fill(&top.join(PARALLEL), scale.parallel_bytes)?;
        fill(&sources.path().join(LARGE), scale.large_bytes)?;
        fill(&sources.path().join(SMALL), SMALL_BYTES as u64)?;
        fs::create_dir(top.join("small"))?;
        for number in 0..scale.small_files {
            fs::write(top.join(small(number)), vec![b's'; SMALL_BYTES])?;
        }
        add_entries(&top.join(LISTED), 0, scale.entries)?;
        let certificate = Certificate::new(sources.path())?;
        Ok(Self {
            disk,
            memory,
            sources,
            certificate: Arc::new(certificate),
        })
    }

    pub(crate) fn top(&self, place: Place) -> &Path {
        match place {
            Place::Disk => self.disk.path(),
            Place::Memory => self.memory.path(),
        }
    }

    /// A file to upload.
    pub(crate) fn source(&self, name: &str) -> io::Result<File> {
        File::open(self.sources.path().join(name))
    }

    /// Where a trace of system calls may be written.
    pub(crate) fn trace(&self) -> PathBuf {
        self.sources.path().join("trace")
    }

    /// Removes what was uploaded.
    pub(crate) fn clear_uploads(&self, place: Place) -> io::Result<()> {
        let uploads = self.top(place).join(UPLOADS);
        fs::remove_dir_all(&uploads)?;
        fs::create_dir(&uploads)
    }

    /// Takes and frees as much memory as an upload needs: in a virtual machine, free pages may have
    /// gone back to the host, and taking them again would count as the server's work.
    pub(crate) fn touch_memory(&self, bytes: u64) -> io::Result<()> {
        let path = self.sources.path().join("touched");
        fill(&path, bytes)?;
        fs::remove_file(path)
    }
}

/// A new directory in another one, which exists or is made.
pub(crate) fn temporary(place: &Path) -> io::Result<TempDir> {
    fs::create_dir_all(place)?;
    tempfile::Builder::new()
        .prefix("ftp-loopback-")
        .tempdir_in(place)
}

/// Makes the empty files of a directory from one number to another.
pub(crate) fn add_entries(directory: &Path, from: usize, to: usize) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for number in from..to {
        File::create(directory.join(format!("picture-{number:07}.jpeg")))?;
    }
    Ok(())
}

/// The path of a small file.
pub(crate) fn small(number: usize) -> String {
    format!("small/{number:05}")
}

/// Writes a file whose blocks differ.
fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let mut block = vec![b'l'; BLOCK_BYTES.min(usize::try_from(left).unwrap_or(BLOCK_BYTES))];
        let number = left.to_be_bytes();
        let marked = number.len().min(block.len());
        block[..marked].copy_from_slice(&number[..marked]);
        file.write_all(&block)?;
        left -= block.len() as u64;
    }
    Ok(())
}

pub(crate) const LARGE: &str = "large";
pub(crate) const PARALLEL: &str = "parallel";
pub(crate) const SMALL: &str = "file";
pub(crate) const SMALL_BYTES: usize = 4096;
pub(crate) const LISTED: &str = "list";
pub(crate) const UPLOADS: &str = "uploads";
/// Below cargo's `target`.
const DISK: &str = env!("CARGO_TARGET_TMPDIR");
pub(crate) const MEMORY: &str = "/dev/shm";
const BLOCK_BYTES: usize = 1 << 20;
