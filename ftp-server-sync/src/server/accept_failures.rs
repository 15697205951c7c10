//! The system cannot accept connections: usually no descriptor is left, or no memory.
//!
//! The connections stay in the kernel's queue, and the server tries again a little later, as often
//! as it takes. That must not fill the log.

use std::io;
use std::time::{Duration, Instant};

use log::Level;

use crate::logging::repeated::{Event, RepeatedEvents};
use crate::logging::system_text::SystemText;

/// Since when connections cannot be accepted.
#[derive(Debug, Default)]
pub(super) struct AcceptFailures {
    /// The first failure, and when to try again.
    current: Option<(Instant, Instant)>,
}

impl AcceptFailures {
    /// Whether to wait before the next attempt.
    pub(super) fn is_pause(&self, now: Instant) -> bool {
        self.pause_end().is_some_and(|end| now < end)
    }

    pub(super) fn pause_end(&self) -> Option<Instant> {
        self.current.map(|(_, again)| again)
    }

    pub(super) fn on_failure(&mut self, error: &io::Error, events: &RepeatedEvents, now: Instant) {
        let since = self.current.map_or(now, |(since, _)| since);
        self.current = Some((since, now + PAUSE));
        let line = format_args!("cannot accept connections: {}", SystemText(error));
        events.on_event(Event::new(FAILURES, Level::Error), now, line);
    }

    pub(super) fn on_success(&mut self, events: &RepeatedEvents, now: Instant) {
        if let Some((since, _)) = self.current.take() {
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            let line = format_args!("accepts connections again, after {seconds:.1} s");
            events.on_event(Event::new(RECOVERIES, Level::Info), now, line);
        }
    }
}

/// The kinds of lines.
const FAILURES: &str = "failed attempts to accept connections";
const RECOVERIES: &str = "times that connections were accepted again";

/// The pause after the system could not accept a connection.
const PAUSE: Duration = Duration::from_millis(200);
