//! `--hash-password`: a new password from the terminal or from standard input, and its hash.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{emulate_default_handler, pipe};
use zeroize::Zeroizing;

use super::error::FlagError;
use crate::accounts::password_hash::hash_password;
use crate::settings::file::reason;

/// Asks twice for a password, without showing what is typed, if standard input is a terminal; or
/// else reads one line from there. Returns the hash. A signal that ends the process restores the
/// terminal first.
///
/// # Errors
///
/// If the passwords differ, or no client could log in with it, or it cannot be read.
pub fn new_password_hash() -> Result<String, FlagError> {
    let stdin = io::stdin();
    let password = if stdin.is_terminal() {
        ask_twice(stdin.as_fd())
    } else {
        read_piped(stdin.lock())
    };
    let hash = password.and_then(|password| {
        let hash = hash_password(&password);
        hash.map_err(|problem| problem.to_string())
    });
    hash.map_err(|problem| FlagError::new(FLAG, problem))
}

/// The only line.
fn read_piped(input: impl Read) -> Result<Secret, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(INPUT_BYTES_MAX));
    // It may be a device that never ends.
    let mut input = input.take(INPUT_BYTES_MAX as u64);
    input.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(without_line_end(bytes))
}

fn ask_twice(terminal: BorrowedFd<'_>) -> Result<Secret, String> {
    let mut interrupts = Interrupts::register().map_err(unreadable)?;
    let silent = SilentTerminal::new(terminal).map_err(unreadable)?;
    let mut ask = |question| {
        let mut stderr = io::stderr();
        // Without the question it still works.
        let _ = write!(stderr, "{question}: ").and_then(|()| stderr.flush());
        read_line(terminal, &mut interrupts)
    };
    let passwords = ask("New password").and_then(|first| Ok((first, ask("Once more")?)));
    drop(silent);
    match passwords {
        Ok((first, second)) if first == second => Ok(first),
        Ok(_) => Err("the two passwords differ; try again".to_owned()),
        Err(error) => {
            if let Some(signal) = interrupts.signal() {
                // Ends the process.
                let _ = emulate_default_handler(signal);
            }
            Err(unreadable(error))
        }
    }
}

/// What the terminal has once a line is complete.
///
/// # Errors
///
/// [`ErrorKind::Interrupted`] if the process has to end.
fn read_line(terminal: BorrowedFd<'_>, interrupts: &mut Interrupts) -> io::Result<Secret> {
    let mut line = Zeroizing::new(vec![0; INPUT_BYTES_MAX]);
    loop {
        let mut sources = [
            PollFd::new(&terminal, PollFlags::IN),
            PollFd::new(&interrupts.pipe, PollFlags::IN),
        ];
        match poll(&mut sources, None) {
            Err(error) if io::Error::from(error).kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        };
        if !sources[1].revents().is_empty() {
            return Err(ErrorKind::Interrupted.into());
        }
        let length = rustix::io::read(terminal, &mut line[..])?;
        line.truncate(length);
        return Ok(without_line_end(line));
    }
}

fn without_line_end(mut line: Secret) -> Secret {
    let end = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n"));
    let length = end.map_or(line.len(), <[u8]>::len);
    line.truncate(length);
    line
}

fn unreadable(error: io::Error) -> String {
    format!("the password cannot be read: {}", reason(&error))
}

type Secret = Zeroizing<Vec<u8>>;

/// A terminal that does not show what is typed, until this is dropped.
struct SilentTerminal<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> SilentTerminal<'a> {
    fn new(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown.
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for SilentTerminal<'_> {
    fn drop(&mut self) {
        // What was typed ahead is dropped too: it may be a password.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// The signals that end the process. They must not leave a silent terminal behind.
struct Interrupts {
    pipe: UnixStream,
    signal: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Handles the signals of the whole process from now on.
    fn register() -> io::Result<Self> {
        let (pipe, writer) = UnixStream::pair()?;
        let signal = Arc::new(AtomicUsize::new(0));
        for number in [SIGINT, SIGQUIT, SIGTERM, SIGHUP] {
            let value = usize::try_from(number).unwrap_or_default();
            flag::register_usize(number, signal.clone(), value)?;
            pipe::register(number, writer.try_clone()?)?;
        }
        Ok(Self { pipe, signal })
    }

    /// The one that has come.
    fn signal(&self) -> Option<i32> {
        let signal = self.signal.load(Ordering::Relaxed);
        i32::try_from(signal).ok().filter(|&signal| signal != 0)
    }
}

const FLAG: &str = "--hash-password";

/// More than the longest password with a line end.
const INPUT_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_end_is_not_of_the_password() {
        for (input, password) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\n", b"secret"),
            (b"secret\r\n", b"secret"),
            (b" gr\xfcn \n", b" gr\xfcn "),
            (b"two\nlines\n", b"two\nlines"),
            (b"secret\n\n", b"secret\n"),
            (b"\n", b""),
            (b"", b""),
        ] {
            let found = read_piped(input).unwrap();
            assert_eq!(&found[..], password, "{}", input.escape_ascii());
        }
        let endless = read_piped(io::repeat(b'x')).unwrap();
        assert_eq!(endless.len(), INPUT_BYTES_MAX);
    }
}
