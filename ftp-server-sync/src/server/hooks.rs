//! The threads that run hooks: started with the first hook, ended with the server.
//!
//! Each hook has its own threads and its own queue: a slow one delays no other, and no session.

mod frame;
mod helper;
mod output;
mod process;
mod threads;

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::text::printable_word;
use log::{error, warn};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::handle::{Handle, Message};
use crate::logging::system_text::SystemText;
use crate::session::ServerState;
use crate::settings::{HookKind, HookSettings, Settings};

pub use helper::{HookHelpers, is_hook_helper, run_hook_helper, start_hook_helpers};

use process::run;
use threads::{END_WAIT_MAX, RUNNING_MAX, STOP_WAIT_MAX, spawn};

/// How long the server waits for their end.
pub(super) const END_MAX: Duration = END_WAIT_MAX.saturating_add(STOP_WAIT_MAX);

/// The hooks as the main thread sees them.
#[derive(Debug, Default)]
pub(super) struct ServerHooks {
    /// For a server in a sandbox.
    pub(super) helpers: HookHelpers,
    /// Those that have threads.
    started: Vec<HookKind>,
    threads: usize,
    /// Until then, the server waits for their end.
    deadline: Option<Instant>,
    is_stopped: bool,
}

/// Reports the end of a thread, however it ends.
struct EndGuard(Handle);

impl ServerHooks {
    /// Starts the threads of the hooks that these settings have, and that have none yet.
    pub(super) fn start(&mut self, state: &Arc<ServerState>, handle: &Handle) {
        let current = state.current();
        for (kind, _) in current.settings.hooks.programs() {
            if self.started.contains(&kind) {
                continue;
            }
            self.started.push(kind);
            if let Err(error) = self.start_threads(kind, state, handle) {
                let (flag, reason) = (kind.flag(), SystemText(&error));
                error!("{flag} does not run: cannot start a thread: {reason}");
            }
        }
        log_unusable(&current.settings.hooks);
    }

    fn start_threads(
        &mut self,
        kind: HookKind,
        state: &Arc<ServerState>,
        handle: &Handle,
    ) -> io::Result<()> {
        let mut helpers = self.helpers.0.iter();
        if let Some(index) = helpers.position(|helper| helper.kind == kind) {
            let helper = self.helpers.0.remove(index);
            let (hooks, guard) = (state.hooks.clone(), EndGuard(handle.clone()));
            // A thread that does not start reports its end too.
            self.threads += 1;
            return spawn(move || {
                let _guard = guard;
                helper.serve(hooks.of(kind));
            });
        }
        for _ in 0..RUNNING_MAX {
            let (hooks, guard) = (state.hooks.clone(), EndGuard(handle.clone()));
            self.threads += 1;
            spawn(move || {
                let _guard = guard;
                let queue = hooks.of(kind);
                while let Some(next) = queue.next() {
                    run(&next, queue);
                }
            })?;
        }
        Ok(())
    }

    /// A thread has ended.
    pub(super) fn on_thread_ended(&mut self) {
        self.threads = self.threads.saturating_sub(1);
    }

    /// The last sessions have ended: what they have reported still runs, and what runs has some
    /// time to end. True if all have ended, or if the time for it is over.
    pub(super) fn have_ended(&mut self, state: &ServerState, now: Instant) -> bool {
        if self.threads == 0 {
            return true;
        }
        match self.deadline {
            None => {
                for kind in HookKind::ALL {
                    state.hooks.of(kind).close();
                }
                self.deadline = Some(now + END_WAIT_MAX);
                false
            }
            Some(deadline) if now < deadline => false,
            Some(_) if !self.is_stopped => {
                let waiting = HookKind::ALL.map(|kind| state.hooks.of(kind).stop());
                let waiting: usize = waiting.iter().sum();
                let seconds = END_WAIT_MAX.as_secs();
                warn!(
                    "hooks have not ended within {seconds} s: ending those that run; {waiting} \
                     more were waiting"
                );
                self.is_stopped = true;
                self.deadline = Some(now + STOP_WAIT_MAX);
                false
            }
            Some(_) => {
                // Those that are left behind are not waited for again.
                self.threads = 0;
                true
            }
        }
    }

    /// Until when the server waits for their end, if it does.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| self.threads > 0)
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.send(Message::HookThreadEnded);
    }
}

/// Refuses new settings with other hooks while the server is in a sandbox: what starts them knows
/// the old ones.
pub(super) fn check_change(old: &Settings, new: &Settings) -> io::Result<()> {
    if !old.sandbox || old.hooks == new.hooks {
        return Ok(());
    }
    let changed = HookKind::ALL
        .into_iter()
        .find(|kind| old.hooks.program(*kind) != new.hooks.program(*kind));
    let flag = changed.map_or("--hook-timeout", HookKind::flag);
    Err(io::Error::other(format!(
        "{flag} has changed: since the start, --sandbox keeps the server from starting another \
         program; restart the server"
    )))
}

/// The settings have been read with the rights that the server had at its start.
fn log_unusable(hooks: &HookSettings) {
    for (kind, program) in hooks.programs() {
        if let Err(errno) = accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS) {
            let (flag, reason) = (kind.flag(), SystemText(&errno.into()).to_string());
            let program = printable_word(program.as_os_str().as_bytes());
            warn!(
                "{flag} {program} cannot be started by the user of this server: {reason}; give \
                 that user the right to execute it, and to search the directories above it"
            );
        }
    }
}
