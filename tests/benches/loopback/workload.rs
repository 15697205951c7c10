//! What is measured: each workload by its name.

mod commands;
mod listings;
mod resources;
mod transfers;

use std::io;

use crate::meter::Measurement;
use crate::share::Place;
use crate::target::Target;

/// Something that both servers do.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// One line of help.
    pub(crate) about: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) place: Place,
    pub(crate) with_tls: bool,
    /// Client and server take turns, so that one processor is enough for both.
    pub(crate) on_one_processor: bool,
    /// Whether there is a limit to compare with.
    pub(crate) has_limit: bool,
    /// It is the same in each round, or nearly so.
    pub(crate) rounds_max: usize,
    pub(crate) run: fn(&Target<'_>) -> io::Result<Measurement>,
}

impl Workload {
    /// A workload on the disk, in clear text, in which client and server take turns.
    const fn new(
        name: &'static str,
        about: &'static str,
        unit: &'static str,
        run: fn(&Target<'_>) -> io::Result<Measurement>,
    ) -> Self {
        Self {
            name,
            about,
            unit,
            place: Place::Disk,
            with_tls: false,
            on_one_processor: true,
            has_limit: true,
            rounds_max: usize::MAX,
            run,
        }
    }

    const fn on_all_processors(self) -> Self {
        Self {
            on_one_processor: false,
            ..self
        }
    }

    const fn in_memory(self) -> Self {
        Self {
            place: Place::Memory,
            ..self
        }
    }

    const fn with_tls(self) -> Self {
        Self {
            with_tls: true,
            ..self
        }
    }

    const fn rounds_max(self, rounds_max: usize) -> Self {
        Self { rounds_max, ..self }
    }

    const fn without_limit(self) -> Self {
        Self {
            has_limit: false,
            ..self
        }
    }
}

/// Those whose names contain one of these texts; all without a text.
pub(crate) fn chosen(texts: &[String]) -> Vec<&'static Workload> {
    let is_chosen = |workload: &&Workload| {
        texts.is_empty() || texts.iter().any(|text| workload.name.contains(text))
    };
    ALL.iter().filter(is_chosen).collect()
}

/// In the order of the table.
#[rustfmt::skip]
pub(crate) const ALL: &[Workload] = &[
    Workload::new("retr-big", "a large download", "s/GiB", transfers::download).on_all_processors(),
    Workload::new("stor-memory", "a large upload to a file system in memory", "s/GiB", transfers::upload)
        .in_memory().on_all_processors(),
    Workload::new("stor-disk", "a large upload to a disk", "s/GiB", transfers::upload).on_all_processors(),
    Workload::new("retr-small", "EPSV and RETR of 4 KiB", "µs", transfers::small_downloads),
    Workload::new("stor-small", "EPSV and STOR of 4 KiB; the limit stages too", "µs", transfers::small_uploads)
        .in_memory(),
    Workload::new("login-1", "a session: USER, PASS, QUIT", "µs", commands::login),
    Workload::new("login-8", "the same, of eight clients at a time", "µs", commands::logins).on_all_processors(),
    Workload::new("noop", "NOOP, one after the other", "µs", commands::noop),
    Workload::new("noop-pipelined", "NOOP, 1000 sent at once", "µs", commands::pipelined),
    Workload::new("list", "LIST of 10,000 entries", "ms", listings::list),
    Workload::new("nlst", "NLST of 10,000 entries", "ms", listings::nlst),
    Workload::new("mlsd", "MLSD of 10,000 entries", "ms", listings::mlsd),
    Workload::new("parallel", "50 large downloads at a time", "s/GiB", transfers::parallel).on_all_processors(),
    Workload::new("tls-login", "a session with TLS", "µs", commands::login).with_tls(),
    Workload::new("tls-retr", "a large download with TLS", "s/GiB", transfers::download)
        .with_tls().on_all_processors(),
    Workload::new("tls-stor", "a large upload with TLS, to memory", "s/GiB", transfers::upload)
        .with_tls().in_memory().on_all_processors(),
    Workload::new("idle-session", "memory of a session that does nothing", "KiB", resources::session).rounds_max(3),
    Workload::new("tls-idle-session", "the same with TLS", "KiB", resources::session).with_tls().rounds_max(3),
    Workload::new("idle-server", "memory of a server without sessions", "KiB", resources::server).rounds_max(3),
    Workload::new("program", "size of the program's file", "KiB", resources::program).without_limit().rounds_max(1),
    Workload::new("system-calls", "system calls of TYPE, PASV and RETR of 4 KiB", "calls", resources::system_calls)
        .rounds_max(1),
];
