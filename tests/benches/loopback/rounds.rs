//! The rounds: the server and the limit by turns, and the results of all rounds.
//!
//! In each round the limit is measured twice, as if it were two servers. How far the two differ is
//! the noise of the machine.

use std::io;

use crate::meter::Measurement;
use crate::processor::OneProcessor;
use crate::scale::Scale;
use crate::server::{Kind, MANY_SESSIONS, Programs, Server, Start};
use crate::share::Shares;
use crate::target::Target;
use crate::workload::Workload;

/// The results of one workload.
pub(crate) struct Row {
    pub(crate) workload: &'static Workload,
    pub(crate) ours: Vec<Measurement>,
    pub(crate) limit: [Vec<Measurement>; 2],
    /// Why it is not measured; it is not tried again then.
    pub(crate) failure: Option<String>,
}

/// What all measurements of a run share.
pub(crate) struct Bench<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) shares: &'a Shares,
    pub(crate) scale: &'a Scale,
}

impl Bench<'_> {
    /// Everything once in each round, so that a busy minute does not hit one workload alone.
    pub(crate) fn run(&self, workloads: &[&'static Workload], rounds: usize) -> Vec<Row> {
        let mut rows: Vec<Row> = workloads.iter().copied().map(Row::new).collect();
        for round in 0..rounds {
            for row in &mut rows {
                if round < row.workload.rounds_max && row.failure.is_none() {
                    self.measure_row(row, round);
                }
            }
            eprintln!("round {} of {rounds}", round + 1);
        }
        rows
    }

    /// One round of one workload. Each turn is the first in a third of the rounds.
    fn measure_row(&self, row: &mut Row, round: usize) {
        let Workload { name, unit, .. } = *row.workload;
        for turn in 0..TURNS {
            let turn = (round + turn) % TURNS;
            let kind = if turn == 0 { Kind::Ours } else { Kind::Limit };
            if kind == Kind::Limit && !row.workload.has_limit {
                continue;
            }
            match self.measure(row.workload, kind) {
                Ok(measured) => {
                    eprintln!("{name}, {kind}: {:.4} {unit}", measured.value);
                    row.results(turn).push(measured);
                }
                Err(error) => {
                    row.failure = Some(format!("{name}, {kind}: {error}"));
                    return;
                }
            }
        }
    }

    fn measure(&self, workload: &Workload, kind: Kind) -> io::Result<Measurement> {
        let one_processor = workload.on_one_processor.then(OneProcessor::new);
        let _pinned = one_processor.transpose()?;
        let start = Start {
            programs: self.programs,
            kind,
            top: self.shares.top(workload.place),
            stages: workload.name == STAGED,
            certificate: workload.with_tls.then_some(&*self.shares.certificate),
            trace: None,
            flags: MANY_SESSIONS,
        };
        let target = Target {
            server: Server::start(&start)?,
            start,
            shares: self.shares,
            place: workload.place,
            scale: self.scale,
        };
        (workload.run)(&target)
    }
}

impl Row {
    fn new(workload: &'static Workload) -> Self {
        Self {
            workload,
            ours: Vec::new(),
            limit: [Vec::new(), Vec::new()],
            failure: None,
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
