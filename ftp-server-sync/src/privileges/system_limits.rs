//! What the system allows this process, and for how many sessions that is enough: each session has
//! its descriptors reserved, a thread, and maps of memory.

mod cgroup;

use std::fmt;
use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use crate::logging::counted::counted;
use crate::net::proxy_header::AWAITED_MAX;
use crate::net::socket::BACKLOG;
use crate::settings::{Settings, SocketSource};

/// The limits that are known, for a server that wants this number of sessions.
#[derive(Debug)]
pub(crate) struct SystemLimits {
    wanted: u32,
    limits: Vec<Limit>,
    /// `net.core.somaxconn`.
    backlog_max: Option<u64>,
}

/// One limit, and the number of sessions that it is enough for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    kind: Kind,
    value: u64,
    sessions: u32,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OpenFiles,
    /// Maps of this process's memory.
    Maps,
    /// Those of this process's user.
    ProcessesOfUser,
    /// Those of the whole system.
    Threads,
    ThreadIds,
    ThreadsOfCgroup,
}

impl SystemLimits {
    /// Raises the limit of open files, as far as the system permits, to what all clients need that
    /// these settings admit and that transfer; and reads the others.
    pub(crate) fn raise(settings: &Settings) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let wanted = open_files_wanted(settings, limit);
        let reached = limit.current.zip(wanted).map(|(current, wanted)| {
            if current >= wanted {
                return current;
            }
            let raised = Rlimit {
                current: Some(wanted),
                maximum: limit.maximum,
            };
            setrlimit(Resource::Nofile, raised).map_or(current, |()| wanted)
        });
        Self::with_open_files(settings, reached)
    }

    /// What [`raise`](Self::raise) would reach.
    pub(crate) fn expected(settings: &Settings) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let wanted = open_files_wanted(settings, limit);
        let reached = limit.current.zip(wanted);
        Self::with_open_files(settings, reached.map(|(now, wanted)| now.max(wanted)))
    }

    fn with_open_files(settings: &Settings, open_files: Option<u64>) -> Self {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let maps = number("/proc/sys/vm/max_map_count").unwrap_or(MAPS_USUAL);
        // It does not hold for root.
        let of_user = getrlimit(Resource::Nproc).current;
        let stays_root = settings.run_as.is_none() && geteuid().is_root();
        let of_user = of_user.filter(|_| !stays_root);
        let threads = [
            (Kind::ProcessesOfUser, of_user),
            (Kind::Threads, number("/proc/sys/kernel/threads-max")),
            (Kind::ThreadIds, number("/proc/sys/kernel/pid_max")),
            (Kind::ThreadsOfCgroup, cgroup::threads_max(Path::new("/"))),
        ];
        let threads = threads.into_iter();
        let threads = threads.filter_map(|(kind, value)| Some(Limit::of_threads(kind, value?)));
        let limits = open_files.map(|value| Limit::of_open_files(value, waiting(settings)));
        Self {
            wanted: sessions_wanted(settings),
            limits: limits
                .into_iter()
                .chain([Limit::of_maps(maps)])
                .chain(threads)
                .collect(),
            backlog_max: number("/proc/sys/net/core/somaxconn"),
        }
    }

    /// The sessions that can run at the same time without harm to each other. One always can: if
    /// anything is missing, its replies say so. A thread that is missing harms its client alone.
    pub(crate) fn sessions_max(&self) -> u32 {
        let limits = self.limits.iter();
        let strict = limits.filter(|limit| matches!(limit.kind, Kind::OpenFiles | Kind::Maps));
        let least = strict.map(|limit| limit.sessions).min();
        least.unwrap_or(u32::MAX).max(1)
    }

    /// A line for each limit that is not enough for all clients that the settings admit.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let limits = self.limits.iter();
        let low = limits.filter(|limit| limit.sessions < self.wanted);
        low.map(|limit| limit.warning(self.wanted)).collect()
    }

    /// That clients who come at once may have to wait.
    pub(crate) fn note(&self) -> Option<String> {
        let most = u64::from(self.wanted).min(BACKLOG.unsigned_abs().into());
        let backlog_max = self.backlog_max.filter(|&backlog_max| backlog_max < most)?;
        Some(format!(
            "net.core.somaxconn is {backlog_max}: where more clients than that connect at the same \
             moment, some try again after a second or later; raise it to {BACKLOG} (sysctl)"
        ))
    }

    /// What to do if the system has no thread for a client.
    pub(crate) fn thread_advice(&self) -> String {
        let limits = self.limits.iter();
        let of_threads = limits.filter(|limit| limit.kind.is_of_threads());
        let lowest = of_threads.min_by_key(|limit| limit.value);
        match lowest {
            Some(lowest) => format!(
                "the system has no thread for it, or no memory for one; the lowest limit of threads \
                 is that of {lowest}: {}, or lower --max-cons",
                lowest.kind.remedy()
            ),
            None => {
                "the system has no thread for it, or no memory for one; raise the limit, or lower \
                 --max-cons"
                    .to_owned()
            }
        }
    }
}

impl Limit {
    /// Those of connections that have no session yet are not for sessions.
    fn of_open_files(value: u64, waiting: u64) -> Self {
        let left = value.saturating_sub(DESCRIPTORS_OF_SERVER + waiting);
        Self::new(Kind::OpenFiles, value, left / DESCRIPTORS_OF_SESSION)
    }

    fn of_maps(value: u64) -> Self {
        let left = value.saturating_sub(MAPS_OF_SERVER);
        Self::new(Kind::Maps, value, left / MAPS_OF_SESSION)
    }

    fn of_threads(kind: Kind, value: u64) -> Self {
        Self::new(kind, value, value.saturating_sub(THREADS_OF_SERVER))
    }

    fn new(kind: Kind, value: u64, sessions: u64) -> Self {
        Self {
            kind,
            value,
            sessions: u32::try_from(sessions).unwrap_or(u32::MAX).max(1),
        }
    }

    fn warning(&self, wanted: u32) -> String {
        format!(
            "the limit of {self} is enough for {}, not for --max-cons {wanted}; more are refused: {} \
             or lower --max-cons",
            counted(self.sessions.into(), "client"),
            self.kind.remedy()
        )
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::OpenFiles => "open files",
            Kind::Maps => "maps of memory (vm.max_map_count)",
            Kind::ProcessesOfUser => "processes and threads of the server's user",
            Kind::Threads => "threads of all programs (kernel.threads-max)",
            Kind::ThreadIds => "ids of processes and threads (kernel.pid_max)",
            Kind::ThreadsOfCgroup => "processes and threads (pids.max of the cgroup)",
        };
        write!(f, "{} {name}", self.value)
    }
}

impl Kind {
    const fn is_of_threads(self) -> bool {
        !matches!(self, Self::OpenFiles | Self::Maps)
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::OpenFiles => "raise it (ulimit -n)",
            Self::ProcessesOfUser => "raise it (ulimit -u, LimitNPROC= of a systemd unit)",
            Self::Maps | Self::Threads | Self::ThreadIds => "raise it (sysctl)",
            Self::ThreadsOfCgroup => {
                "raise it (TasksMax= of a systemd unit, --pids-limit of docker)"
            }
        }
    }
}

/// How many descriptors this process should be allowed, where there is a limit.
fn open_files_wanted(settings: &Settings, limit: Rlimit) -> Option<u64> {
    let sessions = u64::from(sessions_wanted(settings));
    let needed = sessions * DESCRIPTORS_OF_SESSION + DESCRIPTORS_OF_SERVER + waiting(settings);
    limit.current?;
    Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)))
}

/// A server that inetd starts has one client.
fn sessions_wanted(settings: &Settings) -> u32 {
    match settings.socket_source {
        SocketSource::Inetd => 1,
        SocketSource::Server | SocketSource::ServiceManager => settings.limits.connections_max,
    }
}

/// The connections of balancers that may wait for their headers.
fn waiting(settings: &Settings) -> u64 {
    if settings.proxy_protocol.is_empty() {
        0
    } else {
        AWAITED_MAX as u64
    }
}

/// Control connection, poll, waker, file, a data connection with the two ends of a pipe, and the
/// lingering data connection before it. A listener with its registration takes no more.
const DESCRIPTORS_OF_SESSION: u64 = 8;

/// Control sockets, log, shared directory, and a reserve.
const DESCRIPTORS_OF_SERVER: u64 = 32;

/// The stack of its thread and that for its signals, each with its guard. A thread whose stack has
/// no map does not start; one whose second stack has none would end the whole server.
const MAPS_OF_SESSION: u64 = 4;

/// The program with its libraries and its own threads, large buffers, and a reserve.
const MAPS_OF_SERVER: u64 = 1530;

/// What Linux allows if no one changes it.
const MAPS_USUAL: u64 = 65_530;

/// Main thread, log, status socket, password hashes, look-ups, and a reserve.
const THREADS_OF_SERVER: u64 = 32;

#[cfg(test)]
mod tests;
