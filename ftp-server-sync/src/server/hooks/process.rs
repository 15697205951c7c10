//! One run of a hook: its process, from the start to the end.
//!
//! A hook is a process group of its own. It has no descriptor of the server, no input, and no
//! variable but those that are documented. The standard library sets its signals to their defaults.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::text::printable_word;
use log::{debug, info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::output::{Found, HookOutput};
use crate::logging::system_text::SystemText;
use crate::session::{HookQueue, HookRun};

/// A hook that runs.
struct Running {
    /// As lines of its output name it.
    name: String,
    /// As other log lines name it: with the file that it is about.
    full_name: String,
    child: Child,
    output: HookOutput,
}

/// Why a run is ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Early {
    TimeLimit,
    /// The server ends.
    Stopped,
}

/// Runs a hook to its end, and logs what it writes and how it ends. `queue` says when the server
/// does not wait any longer.
pub(super) fn run(run: &HookRun, queue: &HookQueue) {
    let program = printable_word(run.program.as_os_str().as_bytes());
    let name = format!("hook {program} for {}", run.subject);
    let full_name = format!("hook {program} for {}", run.subject_and_path());
    let (child, output) = match start(run) {
        Ok(started) => started,
        Err(error) => return warn!("{full_name} cannot be started: {}", SystemText(&error)),
    };
    let mut running = Running {
        name,
        full_name,
        child,
        output,
    };
    match running.wait(run.time_limit, || queue.is_stopped()) {
        None => {}
        Some(Early::TimeLimit) => {
            let (name, limit) = (&running.full_name, run.time_limit.as_secs());
            warn!(
                "{name} has not ended within {limit} s: ending it and the processes that it has \
                 started (--hook-timeout {limit})"
            );
            running.end_group();
        }
        Some(Early::Stopped) => {
            warn!("{} is ended, because the server ends", running.full_name);
            running.end_group();
        }
    }
    running.finish();
}

fn start(run: &HookRun) -> io::Result<(Child, HookOutput)> {
    let (reader, writer) = io::pipe()?;
    fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    let inherited = INHERITED.iter().filter_map(|name| {
        let value = env::var_os(name)?;
        Some((OsStr::new(name), value))
    });
    // The server's end of the writer is closed with the command.
    let child = Command::new(&run.program)
        .env_clear()
        .env("PATH", DEFAULT_PATH)
        .envs(inherited)
        .envs(run.variables.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .spawn()?;
    Ok((child, HookOutput::new(reader)))
}

impl Running {
    /// Waits until the process has ended, or is to be ended early.
    fn wait(&mut self, limit: Duration, is_stopped: impl Fn() -> bool) -> Option<Early> {
        let deadline = Instant::now() + limit;
        let mut pause = PAUSE_MIN;
        while !self.has_ended() {
            if is_stopped() {
                return Some(Early::Stopped);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Early::TimeLimit);
            }
            self.pass(pause.min(left));
            pause = (pause * 2).min(PAUSE_MAX);
        }
        None
    }

    /// Logs the output of this time. It may end earlier.
    fn pass(&mut self, time: Duration) {
        let is_enough = self.output.is_enough();
        match self.output.pipe() {
            // What nothing is done with is read slowly: whatever writes it has to wait.
            Some(pipe) if !is_enough => {
                let mut descriptors = [PollFd::new(pipe, PollFlags::IN)];
                let timeout = Timespec::try_from(time).ok();
                // If it fails, the next look comes early.
                let _ = poll(&mut descriptors, timeout.as_ref());
            }
            _ => thread::sleep(time),
        }
        let name = &self.name;
        let mut log = |line: &str| info!("{name}: {line}");
        for _ in 0..READS_MAX {
            if self.output.read(&mut log) != Found::Bytes {
                break;
            }
        }
    }

    /// Whether the process has ended. Its number stays its own until [`finish`](Self::finish).
    fn has_ended(&self) -> bool {
        let process = WaitId::Pid(Pid::from_child(&self.child));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(process, options), Ok(None))
    }

    /// Asks all processes of the group to end, and ends those that do not.
    fn end_group(&mut self) {
        let group = Pid::from_child(&self.child);
        // Both fail where none is left.
        let _ = kill_process_group(group, Signal::TERM);
        let _ = self.wait(END_MAX, || false);
        let _ = kill_process_group(group, Signal::KILL);
    }

    fn finish(mut self) {
        let status = self.child.wait();
        let name = &self.name;
        self.output.finish(&mut |line| info!("{name}: {line}"));
        let name = &self.full_name;
        match status {
            Ok(status) if status.success() => debug!("{name} has ended"),
            Ok(status) => warn!("{name} failed: {}", reason(status)),
            Err(error) => warn!("{name} failed: {}", SystemText(&error)),
        }
    }
}

fn reason(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Variables of the server that a hook gets too.
pub(super) const INHERITED: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ"];

/// Where the server itself has none.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Between two looks at a process. Output wakes earlier.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Parts of the output that are read between two looks.
const READS_MAX: usize = 16;

/// From SIGTERM to SIGKILL.
pub(super) const END_MAX: Duration = Duration::from_secs(2);
