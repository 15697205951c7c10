//! The end of the server: first transfers may end, then sessions, then what they have needed.

use std::time::{Duration, Instant};

use log::{info, warn};

use super::{Server, Shutdown};
use crate::logging::counted::counted;
use crate::session::SessionCommand;

impl Shutdown {
    /// Why settings are not read again any more.
    pub(super) fn why_not_reload(self) -> &'static str {
        match self {
            Self::Draining => "the server is draining",
            _ => "the server is shutting down",
        }
    }
}

impl Server {
    /// Stops accepting. The server ends when the last session has ended by itself. Returns how many
    /// there are.
    ///
    /// # Errors
    ///
    /// What it does already, for people.
    pub(super) fn drain(&mut self, who: &str) -> Result<usize, &'static str> {
        let running = self.sessions.count();
        match self.shutdown {
            Shutdown::No => {}
            Shutdown::Draining => return Ok(running),
            _ => {
                info!("not draining: the server is shutting down");
                return Err("the server is shutting down");
            }
        }
        // Before the line: readers of the log rely on both.
        self.shutdown = Shutdown::Draining;
        self.close_ports();
        self.update_facts();
        info!(
            "draining: {who} asks for it; no new client is accepted, and the server ends after its \
             last session ({})",
            counted(running as u64, "session")
        );
        Ok(running)
    }

    /// Also that of the metrics: a server that is started in this one's place needs all of them.
    fn close_ports(&mut self) {
        self.listeners.close_all();
        self.headers.clear();
        self.shown.metrics = None;
    }

    /// Stops accepting. Running transfers may go on for the grace period.
    pub(super) fn end_gracefully(&mut self) {
        let grace = self.state.current().settings.shutdown_grace;
        if grace.is_zero() {
            return self.end_now();
        }
        self.shutdown = Shutdown::Grace(Instant::now() + grace);
        self.close_ports();
        self.update_facts();
        self.sessions.send_all(SessionCommand::EndAfterTransfer);
    }

    /// Stops accepting and asks every session to end. A second call changes nothing.
    pub(super) fn end_now(&mut self) {
        if let Shutdown::Now(_) | Shutdown::Helpers = self.shutdown {
            return;
        }
        self.shutdown = Shutdown::Now(Instant::now() + SESSIONS_END_MAX);
        self.close_ports();
        self.update_facts();
        self.sessions.send_all(SessionCommand::End);
    }

    pub(super) fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let running = self.sessions.count();
        match self.shutdown {
            Shutdown::No => return false,
            Shutdown::Helpers => {}
            _ if running == 0 => {}
            Shutdown::Grace(deadline) if now >= deadline => {
                let sessions = counted(running as u64, "session");
                warn!("not ended within --shutdown-grace, ending now: {sessions}");
                self.end_now();
                return false;
            }
            Shutdown::Now(deadline) if now >= deadline => {
                warn!("not ended in time: {}", counted(running as u64, "session"));
            }
            Shutdown::Draining | Shutdown::Grace(_) | Shutdown::Now(_) => return false,
        }
        self.shutdown = Shutdown::Helpers;
        // Last: transfers that were allowed to end have needed them, and hooks come after those.
        let have_hooks_ended = self.hooks.have_ended(&self.state, now);
        if !self.mapper.is_removed(now) || !have_hooks_ended {
            return false;
        }
        self.state.events.write_all(now);
        self.quotas.end(running == 0);
        self.state.transfer_log.flush();
        info!("ended");
        true
    }
}

/// The time that sessions have to end at a shutdown.
pub(super) const SESSIONS_END_MAX: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::golden::settings;
    use crate::session::HookRun;
    use crate::settings::HookKind;

    /// It sleeps until a hook has ended, or until the time for that is over.
    #[test]
    fn waiting_for_hooks_keeps_no_core_busy() {
        let directory = tempfile::tempdir().unwrap();
        let hook = directory.path().join("hook");
        fs::write(&hook, "#!/bin/sh\nexec sleep 1\n").unwrap();
        fs::set_permissions(&hook, Permissions::from_mode(0o755)).unwrap();
        let flags = format!("-i 127.0.0.1 -p 0 -d /usr --on-event {}", hook.display());
        let mut server = Server::bind(settings(&flags)).unwrap();
        server.hooks.start(&server.state, &server.handle);
        let is_accepted = server.state.hooks.of(HookKind::Event).push(HookRun {
            program: hook,
            subject: "a test".to_owned(),
            variables: Vec::new(),
            time_limit: Duration::from_secs(60),
        });
        assert!(is_accepted);
        server.end_now();
        let mut rounds = 0;
        loop {
            server.read_messages();
            if server.is_over() {
                break;
            }
            assert_eq!(server.shutdown, Shutdown::Helpers);
            rounds += 1;
            assert!(rounds < 50, "the main thread does not sleep");
            let timeout = server.next_timeout();
            assert!(timeout.is_some(), "nothing ends the wait");
            server.poll.poll(&mut server.events, timeout).unwrap();
        }
        assert!(rounds > 0, "it has not waited");
    }
}
