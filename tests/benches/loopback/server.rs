//! A server in a process of its own: the program, or the limit.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use crate::limit;
use crate::tls::Certificate;

/// What is measured: the server, or the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Limit,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ours => "server",
            Self::Limit => "limit",
        })
    }
}

/// Their programs.
pub(crate) struct Programs {
    pub(crate) ours: PathBuf,
    pub(crate) limit: PathBuf,
}

/// How a server is started.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) kind: Kind,
    pub(crate) top: &'a Path,
    /// The limit stages uploads, as the server always does.
    pub(crate) stages: bool,
    pub(crate) certificate: Option<&'a Certificate>,
    /// strace writes its system calls into this file.
    pub(crate) trace: Option<&'a Path>,
    /// The server has these besides.
    pub(crate) flags: &'a [&'a str],
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    clock: ClockId,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(start: &Start<'_>) -> io::Result<Self> {
        let mut failed = None;
        // Between the choice of a port and its use, another program may take it.
        for _ in 0..STARTS_MAX {
            let address = free_address()?;
            let mut command = start.command(address);
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
            let pid = Pid::from_raw(child.id().try_into().map_err(io::Error::other)?);
            let mut server = Self {
                clock: clock_getcpuclockid(pid)?,
                child,
                address,
            };
            match server.wait_until_it_listens() {
                Ok(()) => return Ok(server),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    /// What it has taken of the processors' time, in seconds; also threads that have ended count.
    pub(crate) fn cpu(&self) -> io::Result<f64> {
        let time = self.clock.now()?;
        Ok(Duration::from(time).as_secs_f64())
    }

    /// Waits until it does nothing any more: ends of sessions belong to what was measured.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let mut before = self.cpu()?;
        for _ in 0..SETTLE_LOOKS_MAX {
            thread::sleep(SETTLE_PAUSE);
            let now = self.cpu()?;
            if now - before < SETTLED_SECONDS {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Its share of the memory, in KiB.
    pub(crate) fn memory(&self) -> io::Result<f64> {
        self.kibibytes("smaps_rollup", "Pss:")
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn memory_peak(&self) -> io::Result<f64> {
        self.kibibytes("status", "VmHWM:")
    }

    fn kibibytes(&self, file: &str, key: &str) -> io::Result<f64> {
        let path = format!("/proc/{}/{file}", self.child.id());
        let text = fs::read_to_string(&path)?;
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(key));
        let value = lines.next().map(|rest| rest.trim().trim_end_matches(" kB"));
        let value = value.and_then(|value| value.parse().ok());
        value.ok_or_else(|| io::Error::other(format!("{path} has no {key}")))
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("a server ended with {status}")));
            }
            if let Ok(mut socket) = TcpStream::connect(self.address) {
                socket.set_read_timeout(Some(START_MAX))?;
                let mut code = [0; 3];
                socket.read_exact(&mut code)?;
                return match &code {
                    b"220" => self.settle(),
                    _ => Err(io::Error::other("a server does not greet")),
                };
            }
            thread::sleep(START_PAUSE);
        }
        Err(io::Error::other("a server does not listen"))
    }

    /// Ends it, and waits for its end.
    fn end(&mut self) {
        let id = self.child.id().try_into().ok();
        if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
            // If it has ended already, there is nothing to do.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < END_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(START_PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl<'a> Start<'a> {
    /// Our program, for a share of its own.
    pub(crate) fn ours(programs: &'a Programs, top: &'a Path) -> Self {
        Self {
            programs,
            kind: Kind::Ours,
            top,
            stages: false,
            certificate: None,
            trace: None,
            flags: MANY_SESSIONS,
        }
    }

    fn command(&self, address: SocketAddr) -> Command {
        let (program, arguments) = match self.kind {
            Kind::Ours => (&self.programs.ours, self.flags(address)),
            Kind::Limit => (&self.programs.limit, self.limit_arguments(address)),
        };
        let mut command = match self.trace {
            None => Command::new(program),
            Some(file) => {
                // With -D, strace is not in between: the process is the server.
                let mut command = Command::new("strace");
                command.args(["-D", "-f", "-q", "-o"]).arg(file);
                command.arg("--").arg(program);
                command
            }
        };
        command.args(arguments);
        // The flags are all here.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"FTP_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn flags(&self, address: SocketAddr) -> Vec<OsString> {
        let port = address.port().to_string();
        let mut flags: Vec<OsString> = FLAGS.iter().map(Into::into).collect();
        flags.extend(["--port".into(), port.into()]);
        flags.extend(["--directory".into(), self.top.into()]);
        flags.extend(self.flags.iter().map(Into::into));
        if let Some(certificate) = self.certificate {
            flags.push("--tls".into());
            flags.extend(["--certfile".into(), (&certificate.chain).into()]);
            flags.extend(["--keyfile".into(), (&certificate.key).into()]);
        }
        flags
    }

    fn limit_arguments(&self, address: SocketAddr) -> Vec<OsString> {
        let mode = if self.stages {
            limit::STAGE
        } else {
            limit::PLAIN
        };
        let port = address.port().to_string();
        let mut arguments = vec![limit::ARGUMENT.into(), port.into()];
        arguments.extend([self.top.into(), mode.into()]);
        if let Some(certificate) = self.certificate {
            arguments.extend([(&certificate.chain).into(), (&certificate.key).into()]);
        }
        arguments
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

pub(crate) const USER: &str = "bench";
pub(crate) const PASSWORD: &str = "bench";
/// As in normal operation, but it writes no line for each session.
const FLAGS: &[&str] = &[
    "--interface",
    "127.0.0.1",
    "--username",
    USER,
    "--password",
    PASSWORD,
    "--write",
    "--log-level",
    "error",
    "--status-socket",
    "none",
    "--shutdown-grace",
    "0",
];
/// It accepts all sessions of the workloads.
pub(crate) const MANY_SESSIONS: &[&str] = &["--max-cons", "2000", "--max-cons-per-ip", "2000"];
const STARTS_MAX: usize = 3;
const START_MAX: Duration = Duration::from_secs(10);
const START_PAUSE: Duration = Duration::from_millis(2);
const END_MAX: Duration = Duration::from_secs(3);
const SETTLE_PAUSE: Duration = Duration::from_millis(10);
const SETTLE_LOOKS_MAX: usize = 100;
/// Less than this in one pause is a clock or a timer, and no session.
const SETTLED_SECONDS: f64 = 20e-6;
