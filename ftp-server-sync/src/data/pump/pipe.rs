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

    /// Takes received bytes, `most` at most. Zero at the end, and before a byte that is marked as
    /// urgent.
    ///
    /// # Errors
    ///
    /// Those of reading from the socket; [`Errno::INVAL`], [`Errno::NOSYS`] and [`Errno::PERM`] if
    /// the system cannot do it, [`Errno::NOMEM`] and [`Errno::NOBUFS`] if it has no memory for it.
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

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// The receiving end of a connection on which these bytes have come, and its sending end.
    fn connection(bytes: &[u8]) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sender.write_all(bytes).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        receiver.set_nonblocking(true).unwrap();
        (receiver, sender)
    }

    /// Moves all that comes until the end.
    fn move_all(pipe: &mut Pipe, socket: &TcpStream, file: &mut File) {
        loop {
            match pipe.fill(socket, 3) {
                Ok(0) => return,
                Ok(count) => pipe.write_to(file, count).unwrap(),
                Err(errno) => assert_eq!(errno, Errno::AGAIN),
            }
        }
    }

    #[test]
    fn bytes_go_to_where_the_file_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for is_appended in [false, true] {
            let mut options = OpenOptions::new();
            let options = options.create(true).append(is_appended).write(true);
            let mut file = options.open(&path).unwrap();
            file.write_all(b"12").unwrap();
            let mut pipe = Pipe::new().unwrap();
            let (socket, sender) = connection(b"3456789");
            drop(sender);
            move_all(&mut pipe, &socket, &mut file);
            // Such a file takes nothing from a pipe.
            assert_eq!(pipe.must_copy, is_appended);
            let expected = if is_appended { 2 } else { 1 };
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                "123456789".repeat(expected)
            );
        }
    }

    #[test]
    fn an_open_connection_without_bytes_blocks() {
        let (socket, _sender) = connection(b"");
        assert_eq!(Pipe::new().unwrap().fill(&socket, 9), Err(Errno::AGAIN));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "").unwrap();
        let mut file = File::open(&path).unwrap();
        let (socket, _sender) = connection(b"1234");
        let mut pipe = Pipe::new().unwrap();
        let count = pipe.fill(&socket, 4).unwrap();
        let error = pipe.write_to(&mut file, count).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::BADF));
    }
}
