//! The pool's state behind its lock.
//!
//! The lock is never held across a system call: sessions are woken, and the log is written, after
//! it is released.

use std::sync::Mutex;
use std::time::Instant;

use log::{debug, warn};

use super::state::PoolState;
use super::waits::WaitsReport;
use crate::locks::lock;
use crate::net::port_range::PortRange;

/// What the pool, its leases and its tickets share.
#[derive(Debug)]
pub(in crate::passive) struct SharedState {
    pub(in crate::passive) state: Mutex<PoolState>,
}

impl SharedState {
    pub(in crate::passive) fn new(range: Option<PortRange>) -> Self {
        Self {
            state: Mutex::new(PoolState::new(range)),
        }
    }

    /// Reads the state.
    pub(in crate::passive) fn read<T>(&self, read: impl FnOnce(&PoolState) -> T) -> T {
        read(&lock(&self.state))
    }

    /// Changes the state; afterwards, without the lock, wakes the sessions that the change
    /// concerns.
    pub(in crate::passive) fn update<T>(
        &self,
        now: Instant,
        change: impl FnOnce(&mut PoolState) -> T,
    ) -> T {
        let (answer, wakes, report) = {
            let mut state = lock(&self.state);
            let answer = change(&mut state);
            (answer, state.take_wakes(), state.waits_due(now))
        };
        for waker in wakes {
            // Not fatal: a waiting session also asks every second or so without being woken.
            if let Err(error) = waker.wake() {
                debug!("cannot wake a session about its passive port: {error}");
            }
        }
        if let Some(report) = report {
            warn_of_waits(&report);
        }
        answer
    }
}

fn warn_of_waits(report: &WaitsReport) {
    let range = report.range;
    let (problem, remedy) = if report.all_in_use == report.requests {
        ("is in use by other programs", "choose other ports")
    } else {
        ("is too small", "add ports to it")
    };
    let longest = report.longest.as_secs_f64();
    let waits = match report.requests {
        1 => format!("a client waited {longest:.1} s for a port"),
        count => format!(
            "{count} clients waited for a port in the last {} s, up to {longest:.1} s",
            report.over.as_secs_f64().ceil()
        ),
    };
    warn!("--passive-ports {range} {problem}: {waits}; {remedy}");
}
