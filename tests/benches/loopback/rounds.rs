//! The rounds: the server and the limit by turns, and what comes of all rounds.
//!
//! In each round the limit is measured twice, as if it were two servers. How far the two differ is
//! the noise of the machine.

use std::io;

use crate::meter::Measurement;
use crate::processor::OneProcessor;
use crate::scale::Scale;
use crate::server::{Kind, Programs, Server, Start};
use crate::share::Shares;
use crate::target::Target;
use crate::workload::Workload;

/// What came of one workload.
pub(crate) struct Row {
    pub(crate) workload: &'static Workload,
    pub(crate) ours: Vec<Measurement>,
    pub(crate) limit: [Vec<Measurement>; 2],
}

/// Everything once in each round, so that a busy minute does not hit one workload alone.
pub(crate) fn run(
    workloads: &[&'static Workload],
    rounds: usize,
    programs: &Programs,
    shares: &Shares,
    scale: &Scale,
) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = workloads.iter().copied().map(Row::new).collect();
    for round in 0..rounds {
        for row in &mut rows {
            let workload = row.workload;
            if round >= workload.rounds_max {
                continue;
            }
            // Each is the first in a third of the rounds.
            for turn in 0..TURNS {
                let turn = (round + turn) % TURNS;
                let kind = if turn == 0 { Kind::Ours } else { Kind::Limit };
                if kind == Kind::Limit && !workload.has_limit {
                    continue;
                }
                let measured = measure(workload, kind, programs, shares, scale);
                let measured = measured.map_err(|error| {
                    io::Error::other(format!("{}, {kind}: {error}", workload.name))
                })?;
                eprintln!(
                    "{} {}/{rounds} {kind}: {:.4} {}",
                    workload.name,
                    round + 1,
                    measured.value,
                    workload.unit
                );
                row.results(turn).push(measured);
            }
        }
    }
    Ok(rows)
}

fn measure(
    workload: &Workload,
    kind: Kind,
    programs: &Programs,
    shares: &Shares,
    scale: &Scale,
) -> io::Result<Measurement> {
    let _pinned = match workload.on_one_processor {
        true => Some(OneProcessor::new()?),
        false => None,
    };
    let start = Start {
        programs,
        kind,
        top: shares.top(workload.place),
        stages: workload.name == STAGED,
        certificate: workload.with_tls.then_some(&*shares.certificate),
        trace: None,
    };
    let target = Target {
        server: Server::start(&start)?,
        start,
        shares,
        place: workload.place,
        scale,
    };
    (workload.run)(&target)
}

impl Row {
    fn new(workload: &'static Workload) -> Self {
        Self {
            workload,
            ours: Vec::new(),
            limit: [Vec::new(), Vec::new()],
        }
    }

    fn results(&mut self, turn: usize) -> &mut Vec<Measurement> {
        match turn {
            0 => &mut self.ours,
            1 => &mut self.limit[0],
            _ => &mut self.limit[1],
        }
    }
}

const TURNS: usize = 3;
/// Where staging is a large part of the work.
const STAGED: &str = "stor-small";
