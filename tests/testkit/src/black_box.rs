//! Tests of a running server over TCP. Nothing is known about it but its address and an account.
//!
//! The account needs write rights in an **empty directory**: files are created there, and
//! everything in it is deleted after each check. A directory that is not empty is left alone, and
//! that is the only failure then.
//!
//! Some transcripts try wrong passwords, so a server that blocks addresses for that must know the
//! tester's. Transcripts are replayed over IPv4 only.
//!
//! Each check exists because a driver can be wrong in a way that ordinary clients do not notice.
//! Checks of timers run only if their length is given, because they wait for it: give the server
//! short ones, such as one second.

mod checks;
mod client;
mod directory;
mod ends;
mod replay;
mod scenarios;
mod target;
mod timers;

use std::fmt;

pub use target::BlackBox;

use crate::transcript::Arrival;

/// The result of all checks.
#[derive(Clone, Debug, Default)]
#[must_use = "it may contain failures"]
pub struct BlackBoxReport {
    passed: Vec<String>,
    failures: Vec<Failure>,
}

/// A check that the server did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the check.
    pub check: String,
    /// What was expected, and what happened.
    pub fault: String,
}

impl BlackBox {
    /// Runs the checks, one after the other.
    pub fn run(&self) -> BlackBoxReport {
        let mut report = BlackBoxReport::default();
        if let Err(fault) = directory::check_empty(self) {
            report.add("the directory is empty", Err(fault));
            return report;
        }
        for (name, check) in checks::ALL.iter().chain(ends::ALL).chain(timers::ALL) {
            self.perform(&mut report, name, check);
        }
        // The addresses in the transcripts are IPv4.
        let scenarios = if self.address.is_ipv4() {
            scenarios::ALL
        } else {
            &[]
        };
        for scenario in scenarios {
            for (arrival, how) in [
                (Arrival::Whole, "line by line"),
                (Arrival::Bytewise, "byte by byte"),
            ] {
                let name = format!("transcript {}, {how}", scenario.name);
                self.perform(&mut report, &name, |black_box| {
                    replay::check(black_box, scenario, arrival).map(|()| true)
                });
            }
        }
        report
    }

    fn perform(
        &self,
        report: &mut BlackBoxReport,
        name: &str,
        check: impl FnOnce(&Self) -> Result<bool, String>,
    ) {
        if !self.only.is_empty() && !self.only.iter().any(|part| name.contains(part)) {
            return;
        }
        match check(self) {
            Ok(false) => return,
            Ok(true) => report.add(name, Ok(())),
            Err(fault) => report.add(name, Err(fault)),
        }
        if let Err(fault) = directory::clear(self) {
            report.add(&format!("deleting the files of: {name}"), Err(fault));
        }
    }
}

impl BlackBoxReport {
    /// The names of the checks that the server passed.
    pub fn passed(&self) -> &[String] {
        &self.passed
    }

    /// The checks that the server did not pass.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Does nothing if the server passed all checks.
    ///
    /// # Panics
    ///
    /// With all failures, if there are any, and if no check ran.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.failures.is_empty(), "{self}");
        assert!(!self.passed.is_empty(), "no check has this name");
    }

    fn add(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed.push(name.to_owned()),
            Err(fault) => self.failures.push(Failure {
                check: name.to_owned(),
                fault,
            }),
        }
    }
}

impl fmt::Display for BlackBoxReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed) = (self.passed.len(), self.failures.len());
        write!(f, "{passed} checks passed, {failed} failed")?;
        for Failure { check, fault } in &self.failures {
            write!(f, "\n{check}: {fault}")?;
        }
        Ok(())
    }
}
