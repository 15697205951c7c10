//! Faults of the system, caused on purpose: calls of the server's program that fail.
//!
//! [`LibraryFaults`] is for calls that go through the C library (`write`, `close`, `fsync` of the
//! standard library's files), and for files beneath one directory only. [`KernelFaults`] is for
//! calls that bypass it, as those of rustix do (`openat2`, `renameat`, `statx`), and for all of the
//! program. Both know how often they had an effect: a fault that did not happen proves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client_program::path;
use super::process;
use super::server::Setup;
use super::wait::wait_until;

/// An error of the system: its number, and its name.
pub(crate) type Error = (i32, &'static str);

pub(crate) const EPERM: Error = (1, "EPERM");
pub(crate) const EIO: Error = (5, "EIO");
pub(crate) const EAGAIN: Error = (11, "EAGAIN");
pub(crate) const EINVAL: Error = (22, "EINVAL");
pub(crate) const ENFILE: Error = (23, "ENFILE");
pub(crate) const EFBIG: Error = (27, "EFBIG");
pub(crate) const ENOSPC: Error = (28, "ENOSPC");
pub(crate) const EROFS: Error = (30, "EROFS");
pub(crate) const ENOLCK: Error = (37, "ENOLCK");
pub(crate) const EOPNOTSUPP: Error = (95, "EOPNOTSUPP");
pub(crate) const ECONNABORTED: Error = (103, "ECONNABORTED");
pub(crate) const ENOTCONN: Error = (107, "ENOTCONN");
pub(crate) const ETIMEDOUT: Error = (110, "ETIMEDOUT");
pub(crate) const ESTALE: Error = (116, "ESTALE");
pub(crate) const EDQUOT: Error = (122, "EDQUOT");

/// Makes calls fail that go through the C library, by a shared object that is loaded before it.
pub(crate) struct LibraryFaults {
    control: PathBuf,
}

impl LibraryFaults {
    /// The faults of the server that is set up. None happens until [`Self::set`].
    pub(crate) fn install(setup: Setup<'_>) -> (Self, Setup<'_>) {
        let library = setup.directory().join("shim.so");
        let source = setup.directory().join("shim.c");
        fs::write(&source, include_str!("fault/shim.c")).expect("the source");
        let options = ["-shared", "-fPIC", "-O1", "-o"];
        let mut compile = Command::new("cc");
        compile.args(options).arg(&library).arg(&source);
        process::run(&mut compile, SECONDS_MAX).expect_success();
        let control = setup.directory().join("fault");
        let root = fs::canonicalize(setup.root()).expect("the root");
        let environment = [
            ("LD_PRELOAD", library),
            ("FAULT_CONTROL", control.clone()),
            ("FAULT_DIRECTORY", root),
        ];
        let setup = setup.wrapped(move |mut serve| {
            serve.envs(environment);
            serve
        });
        (Self { control }, setup)
    }

    /// From now on `call` fails, after this number of bytes (`write`) or calls (others).
    pub(crate) fn set(&self, call: &str, error: Error, after: usize) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // The number makes each line another one than the last.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let line = format!("{call} {} {after} {number}\n", error.0);
        let prepared = self.control.with_extension("next");
        fs::write(&prepared, line).expect("a file");
        fs::rename(&prepared, &self.control).expect("the control file");
    }

    /// Nothing fails any more. Returns how many calls have failed.
    pub(crate) fn clear(&self) -> usize {
        fs::remove_file(&self.control).expect("the control file");
        let failed = self.control.with_extension("failed");
        let count = fs::read_to_string(&failed).map_or(0, |text| text.lines().count());
        let _ = fs::remove_file(failed);
        count
    }
}

/// Makes system calls of a running program fail, by strace.
pub(crate) struct KernelFaults(KernelTrace);

impl KernelFaults {
    /// From now on these calls, in strace's words, fail in all threads of the process.
    pub(crate) fn start(process: u32, calls: &str, error: Error) -> Self {
        let inject = format!("inject={calls}:error={}", error.1);
        Self(KernelTrace::with(process, calls, &["-e", &inject]))
    }

    /// Nothing fails any more. Returns how many calls have failed.
    pub(crate) fn end(self) -> usize {
        self.0.detach().matches("(INJECTED)").count()
    }
}

/// Counts system calls of a running program, by strace.
pub(crate) struct KernelTrace {
    strace: Child,
    trace: PathBuf,
    _directory: TempDir,
}

impl KernelTrace {
    /// From now on these calls, in strace's words, are counted in all threads of the process.
    pub(crate) fn start(process: u32, calls: &str) -> Self {
        Self::with(process, calls, &[])
    }

    /// From now on each of these calls begins late.
    pub(crate) fn delay(process: u32, calls: &str, delay: Duration) -> Self {
        let inject = format!("inject={calls}:delay_enter={}", delay.as_micros());
        Self::with(process, calls, &["-e", &inject])
    }

    /// The same for those that name this file.
    pub(crate) fn delay_at(process: u32, calls: &str, file: &Path, delay: Duration) -> Self {
        let inject = format!("inject={calls}:delay_enter={}", delay.as_micros());
        Self::with(process, calls, &["-e", &inject, "-P", path(file)])
    }

    /// How many of them have been made.
    pub(crate) fn end(self) -> usize {
        let trace = self.detach().replace(" (DELAYED)", "");
        trace.matches(" = 0\n").count()
    }

    /// How many of them have returned, with whatever result.
    pub(crate) fn end_with_any(self) -> usize {
        let trace = self.detach();
        trace.lines().filter(|line| line.contains(" = ")).count()
    }

    fn with(process: u32, calls: &str, options: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let trace = directory.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-q", "-o", path(&trace)]);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(options);
        command.args(["-p", &process.to_string()]);
        let mut strace = process::start(&mut command);
        process::drain(strace.stdout.take().expect("stdout is piped"));
        process::drain(strace.stderr.take().expect("stderr is piped"));
        let started = Self {
            strace,
            trace,
            _directory: directory,
        };
        wait_until("strace has all threads", || is_traced(process));
        started
    }

    /// Ends strace, and returns what it has seen.
    fn detach(mut self) -> String {
        self.interrupt();
        fs::read_to_string(&self.trace).expect("the trace")
    }

    /// A program whose strace is killed would stay stopped.
    fn interrupt(&mut self) {
        let _ = kill_process(Pid::from_child(&self.strace), Signal::INT);
        process::wait(&mut self.strace, Duration::from_secs(SECONDS_MAX));
    }
}

impl Drop for KernelTrace {
    fn drop(&mut self) {
        // After `detach` it has ended.
        if let Ok(None) = self.strace.try_wait() {
            self.interrupt();
        }
    }
}

/// Whether all threads of a process have a tracer.
fn is_traced(process: u32) -> bool {
    let tasks = Path::new("/proc").join(process.to_string()).join("task");
    let tasks = fs::read_dir(tasks).expect("the threads of the server");
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let mut lines = status.lines();
        lines.any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

const SECONDS_MAX: u64 = 20;
