//! What the service manager that has started this process learns (sd_notify): when the server is
//! ready, reloads and ends, how much it does, and that its main thread is alive.
//!
//! Without `NOTIFY_SOCKET` in the environment, nothing is sent and nothing is counted.

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use log::warn;
use sd_notify::NotifyState;

use crate::logging::counted::counted;
use crate::logging::system_text::SystemText;

/// The service manager that has started this process, if it wants to be informed.
#[derive(Debug, Default)]
pub struct ServiceManager {
    /// Open since the start: later, the process may have lost the right to connect.
    socket: Option<UnixDatagram>,
    /// Why there is none, although there should be one.
    problem: Option<io::Error>,
    /// Half of the time after which it ends a server whose main thread is silent.
    watchdog: Option<Duration>,
    next_watchdog: Option<Instant>,
    /// The sessions and transfers that it knows of.
    shown: Option<[usize; 2]>,
    /// No other status is sent before.
    next_status: Option<Instant>,
    /// Nothing changes before a client comes.
    is_idle: bool,
    is_stopping: bool,
}

impl ServiceManager {
    /// Whether there is one that wants to be informed.
    pub(super) fn is_informed(&self) -> bool {
        self.socket.is_some()
    }

    /// Connects to the service manager. Call it before rights are given up, and before the sandbox.
    pub fn from_environment() -> Self {
        let mut manager = Self::default();
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return manager;
        };
        match connect(&name) {
            Ok(socket) => {
                manager.socket = Some(socket);
                manager.watchdog = sd_notify::watchdog_enabled().and_then(watchdog_interval);
            }
            Err(error) => manager.problem = Some(error),
        }
        manager
    }

    /// The server serves.
    pub(super) fn ready(&mut self) {
        if let Some(error) = self.problem.take() {
            log_silence(&error);
        }
        self.send(&[NotifyState::Ready]);
    }

    /// The settings are about to be read again; [`ready`](Self::ready) ends that.
    pub(super) fn reloading(&mut self) {
        if self.socket.is_none() {
            return;
        }
        // The service manager waits for a message that is younger than its request.
        if let Ok(time) = NotifyState::monotonic_usec_now() {
            self.send(&[NotifyState::Reloading, time]);
        }
    }

    /// When [`update`](Self::update) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.socket.as_ref()?;
        let due = [
            self.next_watchdog,
            self.next_status.filter(|_| !self.is_idle),
        ];
        due.into_iter().flatten().min()
    }

    /// The server ends, and may need this time for it.
    pub(super) fn stopping(&mut self, limit: Duration) {
        if !self.is_stopping {
            self.is_stopping = true;
            // A longer grace than the service manager's own limit counts.
            let extended = format!("EXTEND_TIMEOUT_USEC={}", limit.as_micros());
            self.send(&[NotifyState::Stopping, NotifyState::Custom(&extended)]);
        }
    }

    /// Sends what is due.
    pub(super) fn update(
        &mut self,
        now: Instant,
        sessions: usize,
        transfers: impl FnOnce() -> usize,
    ) {
        if self.socket.is_none() {
            return;
        }
        if self.next_watchdog.is_none_or(|next| now >= next)
            && let Some(interval) = self.watchdog
        {
            self.next_watchdog = Some(now + interval);
            self.send(&[NotifyState::Watchdog]);
        }
        if self.next_status.is_none_or(|next| now >= next) {
            let current = [sessions, transfers()];
            self.next_status = Some(now + STATUS_INTERVAL);
            if self.shown != Some(current) && self.send(&[NotifyState::Status(&status(current))]) {
                self.shown = Some(current);
            }
        }
        self.is_idle = sessions == 0 && self.shown == Some([0, 0]);
    }

    /// Whether the message is sent. Where a service manager is so busy that it does not read, the
    /// main thread waits for a moment, and longer only with what comes once.
    fn send(&mut self, states: &[NotifyState<'_>]) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let comes_again = matches!(states, [NotifyState::Status(_) | NotifyState::Watchdog]);
        let limit = if comes_again { MOMENT } else { SEND_MAX };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        let text = lines.join("\n");
        let send = || {
            socket
                .set_write_timeout(Some(limit))
                .and_then(|()| socket.send(text.as_bytes()))
        };
        let sent = loop {
            match send() {
                // A signal, such as the one for a reload.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => break sent,
            }
        };
        match sent {
            Ok(_) => return true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !comes_again {
                    log_silence(&error);
                }
            }
            Err(error) => {
                log_silence(&error);
                self.socket = None;
            }
        }
        false
    }
}

/// Half of the time that it allows. Zero is no time: it would keep a core busy.
fn watchdog_interval(limit: Duration) -> Option<Duration> {
    Some(limit / 2).filter(|interval| !interval.is_zero())
}

fn status([sessions, transfers]: [usize; 2]) -> String {
    let sessions = counted(sessions as u64, "session");
    format!("{sessions}, {}", counted(transfers as u64, "transfer"))
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        _ => socket.connect(name)?,
    }
    Ok(socket)
}

fn log_silence(error: &io::Error) {
    warn!(
        "the service manager is not informed (NOTIFY_SOCKET): {}; with Type=notify, it waits for \
         the server in vain: restart the server, or write Type=simple",
        SystemText(error)
    );
}

/// How often the status changes at most.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// How long the main thread waits for a service manager that does not read.
const MOMENT: Duration = Duration::from_millis(50);
const SEND_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// A service manager, and what it has read.
    fn pair(watchdog: Option<u64>) -> (ServiceManager, impl Fn() -> Vec<String>) {
        let (socket, reader) = UnixDatagram::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let manager = ServiceManager {
            socket: Some(socket),
            watchdog: watchdog.map(Duration::from_secs),
            ..ServiceManager::default()
        };
        let read = move || {
            let mut bytes = [0; 500];
            let next = || Some(reader.recv(&mut bytes).ok()?).map(|count| bytes[..count].to_vec());
            let messages = std::iter::from_fn(next);
            messages
                .map(|bytes| String::from_utf8(bytes).unwrap())
                .collect()
        };
        (manager, read)
    }

    #[test]
    fn a_status_is_sent_when_it_has_changed_and_seldom() {
        let (mut manager, read) = pair(None);
        let start = Instant::now();
        let mut update = |seconds, sessions| {
            let now = start + Duration::from_secs(seconds);
            manager.update(now, sessions, || sessions / 2);
            manager.due().map(|due| (due - start).as_secs())
        };
        assert_eq!(update(0, 2), Some(10));
        assert_eq!(read(), ["STATUS=2 sessions, 1 transfer"]);
        assert_eq!(update(9, 1), Some(10));
        assert_eq!(read(), [""; 0]);
        assert_eq!(update(10, 1), Some(20));
        assert_eq!(read(), ["STATUS=1 session, 0 transfers"]);
        assert_eq!(update(31, 1), Some(41));
        assert_eq!(read(), [""; 0]);
        // Nothing wakes an idle server, until a client comes.
        assert_eq!(update(32, 0), Some(41));
        assert_eq!(update(41, 0), None);
        assert_eq!(read(), ["STATUS=0 sessions, 0 transfers"]);
        assert_eq!(update(42, 1), Some(51));
    }

    #[test]
    fn the_watchdog_hears_of_each_interval() {
        let (mut manager, read) = pair(Some(3));
        let start = Instant::now();
        let mut count = |seconds| {
            manager.update(start + Duration::from_secs(seconds), 0, || 0);
            read().len()
        };
        // The first message has a status too.
        assert_eq!([0, 1, 2, 3, 4, 6].map(&mut count), [2, 0, 0, 1, 0, 1]);
    }

    #[test]
    fn a_watchdog_without_time_is_none() {
        assert_eq!(watchdog_interval(Duration::ZERO), None);
        let interval = watchdog_interval(Duration::from_secs(30));
        assert_eq!(interval, Some(Duration::from_secs(15)));
    }

    #[test]
    fn the_end_is_reported_once_with_its_time_limit() {
        let (mut manager, read) = pair(None);
        manager.stopping(Duration::from_secs(90));
        manager.stopping(Duration::from_secs(5));
        assert_eq!(read(), ["STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000"]);
    }

    #[test]
    fn a_service_manager_that_is_gone_has_one_line_and_no_timer() {
        let (mut manager, read) = pair(Some(1));
        drop(read);
        manager.update(Instant::now(), 1, || 0);
        assert_eq!(manager.due(), None);
        assert!(manager.socket.is_none());
    }
}
