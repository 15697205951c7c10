//! How long clients waited for ports, for the log.

use std::time::{Duration, Instant};

use super::pool_state::Request;
use crate::net::port_range::PortRange;

/// How long clients waited for ports since the log last said so.
#[derive(Debug)]
pub(super) struct WaitsReport {
    pub(super) range: PortRange,
    pub(super) clients: usize,
    /// Of these, those that gave up while other programs held every port.
    pub(super) kept_out: usize,
    pub(super) longest: Duration,
    /// The time that the report covers.
    pub(super) over: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Waits {
    clients: usize,
    kept_out: usize,
    longest: Duration,
    first: Option<Instant>,
    reported: Option<Instant>,
    range_since: Option<Instant>,
}

impl Waits {
    /// The range has changed: that clients waited says nothing about the new one.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self {
            reported: self.reported,
            range_since: Some(now),
            ..Self::default()
        };
    }

    /// `kept_out`: it got no port, because other programs hold them all.
    pub(super) fn note(&mut self, request: &Request, kept_out: bool, now: Instant) {
        let came_before = |since| request.since < since;
        if request.waited && !self.range_since.is_some_and(came_before) {
            self.clients += 1;
            self.kept_out += usize::from(kept_out);
            self.longest = self
                .longest
                .max(now.saturating_duration_since(request.since));
            self.first.get_or_insert(request.since);
        }
    }

    pub(super) fn due(&mut self, range: PortRange, now: Instant) -> Option<WaitsReport> {
        let first = self.first?;
        let recent = |reported| now.saturating_duration_since(reported) < WAITS_REPORT_INTERVAL;
        if self.reported.is_some_and(recent) {
            return None;
        }
        let report = WaitsReport {
            range,
            clients: self.clients,
            kept_out: self.kept_out,
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

/// How often at most the log says that clients had to wait.
const WAITS_REPORT_INTERVAL: Duration = Duration::from_secs(60);
