//! Ever more sessions that have logged in and do nothing, and what one more of them costs.

use std::fs;
use std::io;
use std::iter;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Curve, Growth, flat_verdict};
use crate::client::Client;
use crate::meter::{Measurement, Units};
use crate::processor::OneProcessor;
use crate::scale::Scale;
use crate::server::{Programs, Server, Start};
use crate::share::{MEMORY, temporary};
use crate::table::digits;

/// What each session costs where there is this number of them.
struct Cost {
    sessions: usize,
    /// Of the server's process.
    memory_kib: f64,
    /// Of the kernel: stacks, page tables, and its other structures, the clients' included.
    kernel_kib: f64,
    login: Measurement,
    noop: Measurement,
}

pub(super) fn growth(programs: &Programs, scale: &Scale) -> io::Result<Growth> {
    let sessions_max = sessions_max(scale.growth_sessions_max);
    let mut costs = Vec::new();
    let tens = iter::successors(Some(1), |sessions| Some(sessions * 10));
    let sizes = tens.take_while(|&sessions| sessions < sessions_max);
    for sessions in sizes.chain([sessions_max]) {
        let cost = cost(programs, scale, sessions)?;
        eprintln!("{}", cost.line());
        costs.push(cost);
    }
    let mut lines = vec![
        "| sessions | KiB for each | KiB of the kernel for each | login, µs of the server | elapsed | NOOP, µs of the server | elapsed |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(costs.iter().map(Cost::line));
    lines.push(String::new());
    if sessions_max < scale.growth_sessions_max {
        lines.push(format!(
            "- More than {sessions_max} sessions need more open files than this machine allows."
        ));
    }
    let curve = |title, unit, of: fn(&Cost) -> f64| Curve {
        title,
        size: "sessions",
        unit,
        points: costs.iter().map(|cost| (cost.sessions, of(cost))).collect(),
    };
    let curves = vec![
        curve("Memory of each session", "KiB", |cost| cost.memory_kib),
        curve("A login beside them", "µs", |cost| cost.login.value),
        curve("A NOOP beside them", "µs", |cost| cost.noop.value),
    ];
    lines.extend(curves.iter().map(flat_verdict));
    Ok(Growth { lines, curves })
}

/// Of a server of its own.
fn cost(programs: &Programs, scale: &Scale, sessions: usize) -> io::Result<Cost> {
    let top = temporary(Path::new(MEMORY))?;
    let _pinned = OneProcessor::new()?;
    let sessions_max = (sessions + SESSIONS_BESIDE).to_string();
    let server = Server::start(&Start {
        flags: &[
            "--max-cons",
            &sessions_max,
            "--max-cons-per-ip",
            &sessions_max,
        ],
        ..Start::ours(programs, top.path())
    })?;
    let (memory, kernel) = (server.memory()?, kernel_kib()?);
    let clients: io::Result<Vec<Client>> = (0..sessions)
        .map(|_| Client::log_in(server.address, None))
        .collect();
    let mut clients = clients?;
    server.settle()?;
    let each = |before: f64, now: f64| (now - before).max(0.0) / sessions as f64;
    let memory_kib = each(memory, server.memory()?);
    let in_kernel_kib = each(kernel, kernel_kib()?);
    let login = Measurement::of(&server, Units::Microseconds(scale.logins), || {
        (0..scale.logins).try_for_each(|_| Client::log_in(server.address, None)?.quit())
    })?;
    let commands = scale.commands;
    let client = clients.last_mut().ok_or(io::ErrorKind::InvalidInput)?;
    let noop = Measurement::of(&server, Units::Microseconds(commands), || {
        (0..commands).try_for_each(|_| client.command("NOOP", 200))
    })?;
    Ok(Cost {
        sessions,
        memory_kib,
        kernel_kib: in_kernel_kib,
        login,
        noop,
    })
}

impl Cost {
    fn line(&self) -> String {
        let elapsed = |measured: Measurement| measured.elapsed.map_or_else(String::new, digits);
        format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.sessions,
            digits(self.memory_kib),
            digits(self.kernel_kib),
            digits(self.login.value),
            elapsed(self.login),
            digits(self.noop.value),
            elapsed(self.noop),
        )
    }
}

/// How many the descriptors are enough for, if root may raise their limit, or else as it is. This
/// process needs them for its clients, and the server inherits the limit.
fn sessions_max(wanted: usize) -> usize {
    let descriptors = wanted as u64 * DESCRIPTORS + DESCRIPTORS_BESIDE;
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(descriptors);
    let raised = [hard.max(descriptors), hard].into_iter().find(|&most| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(Resource::Nofile, limit).is_ok()
    });
    let reached = raised.unwrap_or(hard).saturating_sub(DESCRIPTORS_BESIDE) / DESCRIPTORS;
    let reached = usize::try_from(reached).map_or(wanted, |reached| reached.clamp(1, wanted));
    if reached < wanted {
        eprintln!("{reached} sessions, not {wanted}: {hard} open files are allowed (ulimit -Hn)");
    }
    reached
}

/// What the kernel has taken for itself that is not the cache of files.
fn kernel_kib() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let values = text.lines().filter_map(|line| {
        let (key, rest) = line.split_once(':')?;
        let value: f64 = rest.trim().trim_end_matches(" kB").parse().ok()?;
        KERNEL_KEYS.contains(&key).then_some(value)
    });
    Ok(values.sum())
}

const KERNEL_KEYS: [&str; 4] = ["KernelStack", "PageTables", "SReclaimable", "SUnreclaim"];
/// Those that only log in and quit, and those that end late.
const SESSIONS_BESIDE: usize = 50;
/// Reserved by the server for each session; this process needs one.
const DESCRIPTORS: u64 = 8;
const DESCRIPTORS_BESIDE: u64 = 1000;
