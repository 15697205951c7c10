//! `--who --watch` on a terminal: the table on a screen of its own, new each second.
//!
//! Whatever ends it, the terminal is as before.

mod keys;
mod page;
mod screen;

use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::low_level::pipe;

use super::rates::Rates;
use super::table::Table;
use crate::logging::system_text::SystemText;
use crate::status::snapshot::Snapshot;
use keys::{Key, keys};
use page::{Page, Scroll};
use screen::Screen;

/// What is shown.
struct View {
    snapshot: Snapshot,
    at: Instant,
    rates: Rates,
    /// Why the server does not answer any more.
    problem: Option<String>,
    scroll: Scroll,
}

/// What has happened while the table stood still.
#[derive(Default)]
struct Input {
    keys: Vec<Key>,
    is_over: bool,
}

/// The pipes of signals.
struct SignalPipes {
    end: UnixStream,
    resize: UnixStream,
}

/// Shows what `read` returns until a key or a signal ends it.
///
/// # Errors
///
/// If there is no first snapshot, or the terminal cannot be used.
pub(super) fn run(read: &mut dyn FnMut() -> Result<Snapshot, String>) -> Result<(), String> {
    let snapshot = read()?;
    let mut view = View {
        snapshot,
        at: Instant::now(),
        rates: Rates::default(),
        problem: None,
        scroll: Scroll::default(),
    };
    let unusable =
        |error: io::Error| format!("this terminal cannot be used: {}", SystemText(&error));
    let mut signals = SignalPipes::register().map_err(unusable)?;
    let mut screen = Screen::open().map_err(unusable)?;
    let mut due = view.at + PERIOD;
    loop {
        screen.draw(&view.page(&screen)).map_err(unusable)?;
        let input = wait(&mut signals, due).map_err(unusable)?;
        if input.is_over || input.keys.contains(&Key::Quit) {
            return Ok(());
        }
        for key in input.keys {
            view.scroll.on_key(key);
        }
        if Instant::now() >= due {
            view.update(read());
            due = Instant::now() + PERIOD;
        }
    }
}

impl View {
    fn update(&mut self, new: Result<Snapshot, String>) {
        match new {
            Ok(new) => {
                let now = Instant::now();
                let seconds = now.duration_since(self.at).as_secs_f64();
                self.rates = Rates::between(&self.snapshot, &new, seconds);
                (self.snapshot, self.at, self.problem) = (new, now, None);
            }
            Err(problem) => {
                self.rates = Rates::default();
                self.problem = Some(problem);
            }
        }
    }

    fn page(&mut self, screen: &Screen) -> Page {
        let (columns, rows) = screen.size();
        let table = Table::new(&self.snapshot, &self.rates, columns);
        let problem = self.problem.as_deref();
        Page::new(table, problem, (columns, rows), &mut self.scroll)
    }
}

/// Waits for a key or a signal, until `due`.
fn wait(signals: &mut SignalPipes, due: Instant) -> io::Result<Input> {
    let stdin = io::stdin();
    let left = due.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap_or_default();
    let mut fds = vec![
        PollFd::new(&signals.end, PollFlags::IN),
        PollFd::new(&signals.resize, PollFlags::IN),
    ];
    if stdin.is_terminal() {
        fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
    }
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
    let mut input = Input {
        is_over: ready[0],
        ..Input::default()
    };
    if ready[1] {
        // The new size is read before each page.
        let _ = signals.resize.read(&mut [0; 64]);
    }
    if ready.get(2) == Some(&true) {
        let mut bytes = [0; 256];
        match rustix::io::read(&stdin, &mut bytes) {
            // The terminal is gone.
            Ok(0) => input.is_over = true,
            Ok(count) => input.keys = keys(&bytes[..count]),
            Err(error) if io::Error::from(error).kind() == ErrorKind::Interrupted => {}
            Err(_) => input.is_over = true,
        }
    }
    Ok(input)
}

impl SignalPipes {
    fn register() -> io::Result<Self> {
        let (end, end_writer) = UnixStream::pair()?;
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            pipe::register(signal, end_writer.try_clone()?)?;
        }
        let (resize, writer) = UnixStream::pair()?;
        resize.set_nonblocking(true)?;
        pipe::register(SIGWINCH, writer)?;
        Ok(Self { end, resize })
    }
}

/// Between two snapshots.
const PERIOD: Duration = Duration::from_secs(1);
