//! Leases of ever larger pools, which 64 threads lease and release at the same time.

use std::fs;
use std::io;
use std::thread;
use std::time::Instant;

use ftp_server_sync::LeaseBench;

use super::{Curve, Growth, Point, memory_verdict, verdict};
use crate::scale::Scale;
use crate::table::digits;

/// What a lease costs, in nanoseconds, and how much memory all these leases have added.
struct Cost {
    ports: u16,
    free: f64,
    held: f64,
    added_kib: f64,
}

pub(super) fn growth(scale: &Scale) -> io::Result<Growth> {
    let mut costs = Vec::new();
    for ports in SIZES
        .into_iter()
        .filter(|&ports| ports <= scale.growth_ports_max)
    {
        costs.push(cost(ports, scale.growth_leases)?);
    }
    let mut lines = vec![
        format!(
            "| ports | ns for each lease of {THREADS} threads, ports free | all ports held by others | memory added, KiB |"
        ),
        "|---|---|---|---|".to_owned(),
    ];
    lines.extend(costs.iter().map(|cost| {
        let (free, held) = (digits(cost.free), digits(cost.held));
        format!(
            "| {} | {free} | {held} | {:.0} |",
            cost.ports, cost.added_kib
        )
    }));
    let points = |of: fn(&Cost) -> f64| -> Vec<Point> {
        let points = costs.iter().map(|cost| Point {
            size: cost.ports.into(),
            cost: of(cost),
        });
        points.collect()
    };
    lines.push(String::new());
    lines.push(verdict(
        "Time of a lease, ports free",
        &points(|cost| cost.free),
    ));
    lines.push(verdict(
        "Time of a lease, ports held",
        &points(|cost| cost.held),
    ));
    let added: Vec<f64> = costs.iter().map(|cost| cost.added_kib).collect();
    lines.push(memory_verdict("Memory that leases leave behind", &added));
    let curve = |title, of: fn(&Cost) -> f64| Curve {
        title,
        size: "ports",
        unit: "ns",
        points: costs
            .iter()
            .map(|cost| (cost.ports.into(), of(cost)))
            .collect(),
    };
    let curves = vec![
        curve("A lease, ports free", |cost| cost.free),
        curve("A lease, ports held by others", |cost| cost.held),
    ];
    Ok(Growth { lines, curves })
}

fn cost(ports: u16, leases: u64) -> io::Result<Cost> {
    let mut pool = LeaseBench::new(ports)?;
    // Threads and ports have been in use once.
    nanoseconds(&pool, u64::from(THREADS) * 10)?;
    let before = resident_kib()?;
    let free = nanoseconds(&pool, leases)?;
    let added_kib = (resident_kib()? - before).max(0.0);
    pool.hold(ports);
    // Sharing looks at each port that is held.
    let held = nanoseconds(&pool, leases / HELD_PART)?;
    eprintln!("{ports} ports: {free:.0} ns free, {held:.0} ns held");
    Ok(Cost {
        ports,
        free,
        held,
        added_kib,
    })
}

/// The time of all threads together, divided by all leases.
fn nanoseconds(pool: &LeaseBench, leases: u64) -> io::Result<f64> {
    let each = (leases / u64::from(THREADS)).max(1);
    let begin = Instant::now();
    let all_granted = thread::scope(|scope| {
        let session = |number| move || (0..each).all(|_| pool.lease_and_release(number));
        let threads: Vec<_> = (0..THREADS)
            .map(|number| scope.spawn(session(number)))
            .collect();
        let mut results = threads.into_iter().map(|thread| thread.join());
        results.all(|result| result.unwrap_or(false))
    });
    let seconds = begin.elapsed().as_secs_f64();
    if !all_granted {
        return Err(io::Error::other("a request waits for a port"));
    }
    Ok(seconds * 1e9 / (each * u64::from(THREADS)) as f64)
}

/// What this process has in memory.
fn resident_kib() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("VmRSS:"));
    let value = lines.next().map(|rest| rest.trim().trim_end_matches(" kB"));
    let value = value.and_then(|value| value.parse().ok());
    value.ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))
}

const SIZES: [u16; 5] = [1, 10, 100, 1000, 10_000];
const THREADS: u16 = 64;
const HELD_PART: u64 = 10;
