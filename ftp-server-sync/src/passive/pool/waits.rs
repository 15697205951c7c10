//! How long requests waited for ports, for the log.

use std::time::{Duration, Instant};

use crate::net::port_range::PortRange;
use crate::passive::request::Request;

/// How long requests waited for ports since the last such report.
#[derive(Debug)]
pub(in crate::passive) struct WaitsReport {
    pub(in crate::passive) range: PortRange,
    pub(in crate::passive) requests: usize,
    /// Of these, the ones that left the queue while other programs used every port.
    pub(in crate::passive) all_in_use: usize,
    pub(in crate::passive) longest: Duration,
    /// The time that the report covers.
    pub(in crate::passive) over: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Waits {
    requests: usize,
    all_in_use: usize,
    longest: Duration,
    first: Option<Instant>,
    reported: Option<Instant>,
    range_since: Option<Instant>,
}

impl Waits {
    /// The range has changed: earlier waits are no reason to report the new range.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self {
            reported: self.reported,
            range_since: Some(now),
            ..Self::default()
        };
    }

    /// A request has left the queue; `all_in_use`: without a port, because other programs use them
    /// all.
    pub(super) fn record(&mut self, request: &Request, all_in_use: bool, now: Instant) {
        let is_older = |since| request.since < since;
        let waited = now.saturating_duration_since(request.since);
        if request.waited && waited >= NOTICED && !self.range_since.is_some_and(is_older) {
            self.requests += 1;
            self.all_in_use += usize::from(all_in_use);
            self.longest = self.longest.max(waited);
            self.first.get_or_insert(request.since);
        }
    }

    /// The report, if one is due.
    pub(super) fn due(&mut self, range: PortRange, now: Instant) -> Option<WaitsReport> {
        let first = self.first?;
        let recent = |reported| now.saturating_duration_since(reported) < WAITS_REPORT_INTERVAL;
        if self.reported.is_some_and(recent) {
            return None;
        }
        let report = WaitsReport {
            range,
            requests: self.requests,
            all_in_use: self.all_in_use,
            longest: self.longest,
            over: now.saturating_duration_since(first),
        };
        *self = Self {
            reported: Some(now),
            range_since: self.range_since,
            ..Self::default()
        };
        Some(report)
    }
}

/// The shortest wait that counts: a client does not notice a shorter one, and its report would say
/// 0.0 s.
const NOTICED: Duration = Duration::from_millis(50);

/// The shortest time between two reports.
const WAITS_REPORT_INTERVAL: Duration = Duration::from_secs(60);
