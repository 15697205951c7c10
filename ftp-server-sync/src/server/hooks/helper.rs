//! The process that starts the hooks of a server in a sandbox.
//!
//! The kernel's Landlock holds for all that a process starts, and refuses it every program. So the
//! server starts this process, which is the same program, before it enters its sandbox. It knows
//! one hook, whose program and time limit cannot change, and gets only the variables of its runs:
//! a server that was taken over cannot have it start anything else.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use ftp_proto::text::{printable, printable_word};
use log::{LevelFilter, error, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, getppid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::frame;
use super::process::{INHERITED, run};
use super::threads::{END_WAIT_MAX, RUNNING_MAX, STOP_WAIT_MAX, spawn};
use crate::logging::StderrWriter;
use crate::logging::system_text::SystemText;
use crate::privileges;
use crate::session::{HookQueue, HookRun};
use crate::settings::{HookKind, LogFormat, LogSettings, RunAs, Settings};

/// The processes that start the hooks of a server in a sandbox: one for each hook.
#[derive(Debug, Default)]
pub struct HookHelpers(pub(super) Vec<HookHelper>);

/// One of them.
#[derive(Debug)]
pub(super) struct HookHelper {
    pub(super) kind: HookKind,
    process: Child,
    input: ChildStdin,
}

/// What a process is given first.
#[derive(Debug, PartialEq, Eq)]
struct Task {
    program: PathBuf,
    time_limit: Duration,
    log_level: LevelFilter,
    log_format: Option<LogFormat>,
    run_as: Option<RunAs>,
}

/// Starts the processes that start the hooks of these settings, if they ask for a sandbox. Only for
/// programs that call [`run_hook_helper`]: each process is this program once more. Call it before
/// [`enter_sandbox`](crate::enter_sandbox).
///
/// # Errors
///
/// What the system says, or that the sandbox would not keep the server from changing a hook.
pub fn start_hook_helpers(settings: &Settings) -> io::Result<HookHelpers> {
    let mut helpers = HookHelpers::default();
    if settings.sandbox {
        let rules = settings.sandbox_rules();
        for (kind, program) in settings.hooks.programs() {
            let flag = kind.flag();
            if rules.allow_change(program) {
                let text = format!(
                    "{flag} {}: --sandbox leaves the server the right to change this program; move \
                     it elsewhere",
                    printable_word(program.as_os_str().as_bytes())
                );
                return Err(io::Error::other(text));
            }
            let helper = start(kind, program.to_owned(), settings).map_err(|error| {
                let reason = SystemText(&error);
                let text = format!("{flag}: cannot start the process that starts it: {reason}");
                io::Error::new(error.kind(), text)
            })?;
            helpers.0.push(helper);
        }
    }
    Ok(helpers)
}

fn start(kind: HookKind, program: PathBuf, settings: &Settings) -> io::Result<HookHelper> {
    // Its own lines go where those of the server go.
    let inherited = INHERITED
        .iter()
        .chain(&[JOURNAL_STREAM])
        .filter_map(|name| {
            let value = env::var_os(name)?;
            Some((OsStr::new(name), value))
        });
    let mut process = Command::new(env::current_exe()?)
        .env_clear()
        .envs(inherited)
        .env(VARIABLE, std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Not that of the terminal: its keys end the server, and the server ends this process.
        .process_group(0)
        .spawn()?;
    let (Some(mut input), Some(mut output)) = (process.stdin.take(), process.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let task = Task {
        program,
        time_limit: settings.hooks.time_limit,
        log_level: settings.log_level,
        log_format: settings.log.format,
        run_as: settings.run_as.clone(),
    };
    let mut answer = [0; READY.len()];
    let written = task.write(&mut input);
    let is_ready = written
        .and_then(|()| output.read_exact(&mut answer))
        .is_ok();
    if !is_ready || answer != *READY {
        drop(input);
        let status = process.wait()?;
        return Err(io::Error::other(format!("it has ended ({status})")));
    }
    Ok(HookHelper {
        kind,
        process,
        input,
    })
}

impl HookHelper {
    /// Sends it the runs of a queue, until the queue ends, and waits for its end.
    pub(super) fn serve(mut self, queue: &HookQueue) {
        while let Some(run) = queue.next() {
            if let Err(error) = send(&run, &mut self.input) {
                let flag = self.kind.flag();
                error!(
                    "the process that starts {flag} has ended ({}): it does not run until the \
                     server is restarted",
                    SystemText(&error)
                );
                queue.stop();
            }
        }
        drop(self.input);
        let _ = self.process.wait();
    }
}

fn send(run: &HookRun, input: &mut impl Write) -> io::Result<()> {
    let variables = run.variables.iter();
    let variables = variables.map(|(name, value)| (name.as_str(), value.as_os_str()));
    let subject = [(SUBJECT, OsStr::new(&run.subject))];
    frame::write(input, subject.into_iter().chain(variables))
}

/// Whether this process was started to start hooks.
pub fn is_hook_helper() -> bool {
    let Some(variable) = env::var_os(VARIABLE) else {
        return false;
    };
    // Another process may have inherited the variable.
    let parent = getppid().map(Pid::as_raw_pid);
    parent.is_some_and(|parent| variable == *parent.to_string())
}

/// Starts hooks for the server that has started this process, until that has ended. To be called
/// first of all, where [`is_hook_helper`] says so.
///
/// # Errors
///
/// A text for the log.
pub fn run_hook_helper(stderr: &StderrWriter) -> Result<(), String> {
    let problem = |error| format!("cannot start hooks: {}", SystemText(&error));
    try_run(stderr).map_err(problem)
}

fn try_run(stderr: &StderrWriter) -> io::Result<()> {
    // A service manager sends them to all processes of a service. The end of the server counts.
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::default())?;
    }
    let mut input = BufReader::new(io::stdin().lock());
    let task = frame::read(&mut input)?.and_then(Task::of);
    let task = task.ok_or(io::ErrorKind::InvalidData)?;
    // Before the first thread.
    if let Some(run_as) = &task.run_as {
        privileges::give_up(run_as)?;
    }
    let log = LogSettings {
        format: task.log_format,
        file: None,
    };
    stderr.log(task.log_level, &log, None)?;
    stderr.start()?;
    let queue = Arc::new(HookQueue::default());
    let (guard, running) = bounded::<()>(0);
    for _ in 0..RUNNING_MAX {
        let (queue, guard) = (queue.clone(), guard.clone());
        spawn(move || {
            let _guard = guard;
            while let Some(next) = queue.next() {
                run(&next, &queue);
            }
        })?;
    }
    drop(guard);
    let mut stdout = io::stdout();
    stdout.write_all(READY).and_then(|()| stdout.flush())?;
    let mut left_out = 0;
    while let Some(items) = frame::read(&mut input)? {
        // Its end would be read only behind what it has sent.
        if let Some(run) = task.run(items)
            && !queue.push_when_free(run, has_server_ended)
        {
            left_out = 1 + task.count_runs(&mut input);
            break;
        }
    }
    queue.close();
    if running.recv_timeout(END_WAIT_MAX) == Err(RecvTimeoutError::Timeout) {
        left_out += queue.stop();
        let _ = running.recv_timeout(STOP_WAIT_MAX);
    }
    if left_out > 0 {
        warn!("the server has ended: {left_out} runs of the hook that were waiting are left out");
    }
    Ok(())
}

/// Whether the server has ended, although what it has sent may be unread: no process has the other
/// end of the pipe any more.
fn has_server_ended() -> bool {
    let stdin = io::stdin();
    let mut descriptors = [PollFd::new(&stdin, PollFlags::empty())];
    let polled = poll(&mut descriptors, Some(&Timespec::default()));
    polled.is_ok() && descriptors[0].revents().contains(PollFlags::HUP)
}

impl Task {
    fn write(&self, output: impl Write) -> io::Result<()> {
        let mut items: Vec<(&str, OsString)> = vec![
            (PROGRAM, self.program.clone().into()),
            (TIME_LIMIT, self.time_limit.as_secs().to_string().into()),
            (LOG_LEVEL, self.log_level.as_str().into()),
        ];
        let format = self.log_format.iter();
        items.extend(format.map(|format| (LOG_FORMAT, format.to_string().into())));
        if let Some(run_as) = &self.run_as {
            items.push((RUN_AS, run_as.text.clone().into()));
            items.push((USER, run_as.user.to_string().into()));
            let groups = std::iter::once(&run_as.group).chain(&run_as.groups);
            items.extend(groups.map(|group| (GROUP, group.to_string().into())));
        }
        frame::write(
            output,
            items.iter().map(|(name, value)| (*name, value.as_os_str())),
        )
    }

    /// `None` for items that are none.
    fn of(items: frame::Items) -> Option<Self> {
        let text = |wanted: &str| {
            let found = items.iter().find(|(name, _)| name == wanted)?;
            found.1.to_str()
        };
        let program = items.iter().find(|(name, _)| name == PROGRAM)?;
        let numbers = items.iter().filter(|(name, _)| name == GROUP);
        let groups = numbers.map(|(_, number)| number.to_str()?.parse().ok());
        let groups: Vec<u32> = groups.collect::<Option<_>>()?;
        let run_as = match (text(RUN_AS), groups.split_first()) {
            (Some(name), Some((group, groups))) => Some(RunAs {
                text: name.to_owned(),
                user: text(USER)?.parse().ok()?,
                group: *group,
                group_name: group.to_string(),
                groups: groups.to_vec(),
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(Self {
            program: PathBuf::from(&program.1),
            time_limit: Duration::from_secs(text(TIME_LIMIT)?.parse().ok()?),
            log_level: text(LOG_LEVEL)?.parse().ok()?,
            log_format: text(LOG_FORMAT).map(str::parse).transpose().ok()?,
            run_as,
        })
    }

    /// How many runs are still unread.
    fn count_runs(&self, mut input: impl BufRead) -> usize {
        let mut count = 0;
        // A server that was killed may have sent the last one in part.
        while let Ok(Some(items)) = frame::read(&mut input) {
            count += usize::from(self.run(items).is_some());
        }
        count
    }

    /// One run. `None` for items that are none.
    fn run(&self, items: frame::Items) -> Option<HookRun> {
        let mut items = items.into_iter();
        let (_, subject) = items.next().filter(|(name, _)| name == SUBJECT)?;
        // Not those that change how a program is loaded.
        let variables = items.filter(|(name, _)| name.starts_with("FTP_"));
        Some(HookRun {
            program: self.program.clone(),
            subject: printable(subject.as_bytes()).to_string(),
            variables: variables.collect(),
            time_limit: self.time_limit,
        })
    }
}

/// Its value is the number of the server's process.
const VARIABLE: &str = "FTP_HOOK_HELPER";

const READY: &[u8; 6] = b"ready\n";

/// The names of items.
const PROGRAM: &str = "program";
const TIME_LIMIT: &str = "time-limit";
const LOG_FORMAT: &str = "log-format";
const LOG_LEVEL: &str = "log-level";
const RUN_AS: &str = "run-as";
const USER: &str = "user";
const GROUP: &str = "group";
const SUBJECT: &str = "subject";

/// Says that stderr leads to journald.
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

#[cfg(test)]
mod tests {
    use super::*;

    fn task(run_as: Option<RunAs>) -> Task {
        Task {
            program: "/opt/a b".into(),
            time_limit: Duration::from_secs(7),
            log_level: LevelFilter::Warn,
            log_format: Some(LogFormat::Json),
            run_as,
        }
    }

    fn sent(task: &Task) -> Option<Task> {
        let mut bytes = Vec::new();
        task.write(&mut bytes).expect("a frame");
        let items = frame::read(&bytes[..]).expect("a frame");
        items.and_then(Task::of)
    }

    #[test]
    fn a_task_arrives_as_it_was_sent() {
        let run_as = RunAs {
            text: "ftpd:media".to_owned(),
            user: 4711,
            group: 4713,
            group_name: "4713".to_owned(),
            groups: vec![4713, 4714],
        };
        for run_as in [None, Some(run_as)] {
            assert_eq!(sent(&task(run_as.clone())), Some(task(run_as)));
        }
    }

    #[test]
    fn a_run_has_no_program_and_no_other_variables() {
        let items = [
            (SUBJECT, "upload of #1\n"),
            ("FTP_PATH", "/a"),
            ("LD_PRELOAD", "/tmp/evil.so"),
            (PROGRAM, "/bin/sh"),
            ("PATH", "/tmp"),
        ];
        let items = items.map(|(name, value)| (name.to_owned(), value.into()));
        let expected = HookRun {
            program: "/opt/a b".into(),
            subject: r"upload of #1\n".to_owned(),
            variables: vec![("FTP_PATH".to_owned(), "/a".into())],
            time_limit: Duration::from_secs(7),
        };
        assert_eq!(task(None).run(items.to_vec()), Some(expected));
        assert_eq!(task(None).run(items[1..].to_vec()), None);
        assert_eq!(task(None).run(Vec::new()), None);
    }

    #[test]
    fn unread_runs_are_counted() {
        let mut bytes = Vec::new();
        for name in [SUBJECT, "other", SUBJECT] {
            frame::write(&mut bytes, [(name, OsStr::new("upload of #1"))]).expect("a frame");
        }
        assert_eq!(task(None).count_runs(&bytes[..]), 2);
        bytes.pop();
        assert_eq!(task(None).count_runs(&bytes[..]), 1);
        assert_eq!(task(None).count_runs(&[][..]), 0);
    }
}
