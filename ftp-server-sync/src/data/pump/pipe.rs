//! A pipe through which the kernel moves the bytes of an upload from the socket to the file. They
//! are copied once, and not into this process and out of it again.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// A pipe that is empty between two calls, unless a call has failed.
#[derive(Debug)]
pub(super) struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    /// The file cannot take bytes from a pipe: they are copied.
    must_copy: bool,
}

impl Pipe {
    /// `None` if the system gives no pipe of that size: one that is smaller moves fewer bytes at
    /// once than a buffer holds. There is a limit for the pipes of a user.
    pub(super) fn new() -> Option<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        fcntl_setpipe_size(&into, PIPE_BYTES).ok()?;
        Some(Self {
            out,
            into,
            must_copy: false,
        })
    }

    /// Takes received bytes, at most so many; zero at the end.
    ///
    /// # Errors
    ///
    /// Those of reading from the socket; [`Errno::INVAL`], [`Errno::NOSYS`] and [`Errno::PERM`] if
    /// the system cannot do it.
    pub(super) fn fill(&self, socket: impl AsFd, most: usize) -> Result<usize, Errno> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        splice(socket, None, &self.into, None, most.min(PIPE_BYTES), flags)
    }

    /// Writes all that was taken.
    ///
    /// # Errors
    ///
    /// Those of writing to the file.
    pub(super) fn write_to(&mut self, file: &mut File, count: usize) -> io::Result<()> {
        let mut left = count;
        while left > 0 && !self.must_copy {
            match splice(&self.out, None, &*file, None, left, SpliceFlags::MOVE) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(moved) => left -= moved,
                Err(Errno::INTR) => {}
                // A file that is only appended to, and files of some file systems.
                Err(Errno::INVAL | Errno::OPNOTSUPP) => self.must_copy = true,
                Err(errno) => return Err(errno.into()),
            }
        }
        self.copy_to(file, left)
    }

    fn copy_to(&self, file: &mut File, mut left: usize) -> io::Result<()> {
        let mut buffer = [0; COPY_BYTES];
        while left > 0 {
            let most = left.min(COPY_BYTES);
            match rustix::io::read(&self.out, &mut buffer[..most]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    file.write_all(&buffer[..count])?;
                    left -= count;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

/// How much is moved at once: the more, the larger are the pieces of memory in which the system
/// keeps the file.
const PIPE_BYTES: usize = 1024 * 1024;

const COPY_BYTES: usize = 16 * 1024;
