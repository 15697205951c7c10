//! Events that strangers can cause as often as they like, and that must not fill the log.
//!
//! Of each kind, the first event has a line of its own. Those that follow are counted, and have
//! lines with `--debug` only: one line a minute says how many there were. After a minute without
//! any, the next event is a first one again. Of kinds that are no news at all, all are counted.
//!
//! No timer runs for that while nothing is counted: the server's main thread is woken when the
//! first event is counted, and asks [`RepeatedEvents::due`] how long to wait.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::{Level, debug, log};
use mio::Waker;

use crate::locks::lock;

/// The events of all sessions and of the main thread, by kind. The name of a kind is a plural, to
/// be followed by a number of them.
#[derive(Debug)]
pub(crate) struct RepeatedEvents {
    kinds: Mutex<BTreeMap<Cow<'static, str>, Series>>,
    /// Wakes the thread that calls [`write_due`](Self::write_due).
    waker: Option<Arc<Waker>>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) level: Level,
    /// The stranger.
    pub(crate) client: Option<IpAddr>,
}

/// The events of one kind since its last line.
#[derive(Clone, Copy, Debug)]
struct Series {
    level: Level,
    /// When the last line was written.
    since: Instant,
    counted: u64,
    last_client: Option<IpAddr>,
    /// The first one has had a line.
    has_line: bool,
}

/// What is to be logged of an event.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// Of the events before it.
    summary: Option<Summary>,
    has_line: bool,
    /// The first that is counted: a summary will be due.
    begins_to_count: bool,
}

/// How many events of a kind there were.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Summary {
    kind: String,
    level: Level,
    counted: u64,
    over: Duration,
    last_client: Option<IpAddr>,
    /// There was one before, with a line of its own.
    are_more: bool,
}

impl RepeatedEvents {
    pub(crate) fn new(waker: Option<Arc<Waker>>) -> Self {
        Self {
            kinds: Mutex::default(),
            waker,
        }
    }

    /// Counts an event, or logs its line.
    pub(crate) fn on_event(&self, event: Event, now: Instant, line: fmt::Arguments<'_>) {
        let level = event.level;
        let step = self.count(event, now);
        if let Some(summary) = step.summary {
            summary.write();
        }
        if step.has_line {
            log!(level, "{line}");
        } else {
            log!(Level::Debug, "{line}");
        }
        self.wake_if(step.begins_to_count);
    }

    /// Counts an event. It has a line of its own with `--debug` only, also if it is the first one.
    pub(crate) fn only_count(&self, event: Event, now: Instant, line: fmt::Arguments<'_>) {
        debug!("{line}");
        let (summary, begins_to_count) = self.count_all(event, now);
        if let Some(summary) = summary {
            summary.write();
        }
        self.wake_if(begins_to_count);
    }

    fn wake_if(&self, begins_to_count: bool) {
        if begins_to_count && let Some(waker) = &self.waker {
            // It fails only when the server has ended.
            let _ = waker.wake();
        }
    }

    /// When [`write_due`](Self::write_due) has something to write; `None` while nothing is counted.
    pub(crate) fn due(&self) -> Option<Instant> {
        let kinds = lock(&self.kinds);
        let counting = kinds.values().filter(|series| series.counted > 0);
        counting.map(|series| series.since + PERIOD).min()
    }

    /// Logs the summaries that are due.
    pub(crate) fn write_due(&self, now: Instant) {
        for summary in self.take_summaries(now, false) {
            summary.write();
        }
    }

    /// Logs all summaries, at the end of the server.
    pub(crate) fn write_all(&self, now: Instant) {
        for summary in self.take_summaries(now, true) {
            summary.write();
        }
    }

    /// Counts an event, also if it is the first one. Returns the summary of those before, and
    /// whether a summary will be due that was not.
    fn count_all(&self, event: Event, now: Instant) -> (Option<Summary>, bool) {
        let mut kinds = lock(&self.kinds);
        let kind = kind_in(&kinds, event.kind);
        let name = kind.clone();
        let series = kinds.entry(kind);
        let series = series.or_insert_with(|| Series::new(event.level, now, false));
        let mut summary = None;
        if !series.is_recent(now) {
            summary = series.take_summary(&name, now);
            *series = Series::new(event.level, now, false);
        }
        series.counted = series.counted.saturating_add(1);
        series.last_client = event.client;
        (summary, series.counted == 1)
    }

    fn count(&self, event: Event, now: Instant) -> Step {
        let Event { level, client, .. } = event;
        let mut kinds = lock(&self.kinds);
        let kind = kind_in(&kinds, event.kind);
        let first = Step {
            summary: None,
            has_line: true,
            begins_to_count: false,
        };
        let Some(series) = kinds.get_mut(&kind) else {
            kinds.insert(kind, Series::new(level, now, true));
            return first;
        };
        let summary = if series.is_recent(now) {
            None
        } else {
            series.take_summary(&kind, now)
        };
        if !series.is_recent(now) {
            *series = Series::new(level, now, true);
            return first;
        }
        series.counted = series.counted.saturating_add(1);
        series.last_client = client;
        Step {
            summary,
            has_line: false,
            begins_to_count: series.counted == 1,
        }
    }

    /// The summaries that are due, or all. Kinds without an event for a minute are forgotten.
    fn take_summaries(&self, now: Instant, all: bool) -> Vec<Summary> {
        let mut summaries = Vec::new();
        lock(&self.kinds).retain(|kind, series| {
            if series.is_recent(now) && !all {
                return true;
            }
            let summary = series.take_summary(kind, now);
            let is_counting = summary.is_some();
            summaries.extend(summary);
            is_counting
        });
        summaries
    }
}

impl Event {
    pub(crate) fn new(kind: impl Into<Cow<'static, str>>, level: Level) -> Self {
        Self {
            kind: kind.into(),
            level,
            client: None,
        }
    }

    /// The same event, caused by this client.
    pub(crate) fn by(self, client: IpAddr) -> Self {
        Self {
            client: Some(client),
            ..self
        }
    }
}

impl Series {
    fn new(level: Level, now: Instant, has_line: bool) -> Self {
        Self {
            has_line,
            level,
            since: now,
            counted: 0,
            last_client: None,
        }
    }

    /// Whether the last line was written less than a minute ago.
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < PERIOD
    }

    /// `None` if nothing was counted. Otherwise the next minute begins.
    fn take_summary(&mut self, kind: &str, now: Instant) -> Option<Summary> {
        if self.counted == 0 {
            return None;
        }
        let summary = Summary {
            kind: kind.to_owned(),
            level: self.level,
            counted: self.counted,
            over: now.saturating_duration_since(self.since),
            last_client: self.last_client,
            are_more: self.has_line,
        };
        *self = Self::new(self.level, now, self.has_line);
        Some(summary)
    }
}

impl Summary {
    fn write(&self) {
        log!(self.level, "{self}");
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.are_more { " more" } else { "" };
        write!(f, "{}: {}{more} in the last ", self.kind, self.counted)?;
        match self.over.as_secs() {
            60 => f.write_str("minute"),
            seconds => write!(f, "{} s", seconds.max(1)),
        }?;
        match self.last_client {
            Some(client) => write!(f, ", the last from {client}"),
            None => Ok(()),
        }
    }
}

/// The kind under which an event is counted: the kinds are few.
fn kind_in(
    kinds: &BTreeMap<Cow<'static, str>, Series>,
    kind: Cow<'static, str>,
) -> Cow<'static, str> {
    if kinds.len() < KINDS_MAX || kinds.contains_key(&kind) {
        kind
    } else {
        OTHERS.into()
    }
}

/// The shortest time between two lines of a kind.
const PERIOD: Duration = Duration::from_secs(60);

/// Kinds at a time. Some have a reason in their name that clients choose, among a few.
const KINDS_MAX: usize = 64;

/// The kind of all events when there are too many kinds.
const OTHERS: &str = "other events";

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    /// Events at times that a test chooses.
    struct Clock {
        events: RepeatedEvents,
        start: Instant,
    }

    impl Clock {
        fn new() -> Self {
            Self {
                events: RepeatedEvents::new(None),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// Whether the event has a line.
        #[track_caller]
        fn event(&self, kind: &'static str, seconds: u64) -> bool {
            let event = Event::new(kind, Level::Warn).by(STRANGER);
            let step = self.events.count(event, self.at(seconds));
            assert_eq!(step.summary, None);
            step.has_line
        }

        fn due(&self) -> Option<u64> {
            let due = self.events.due()?;
            Some((due - self.start).as_secs())
        }

        fn summaries(&self, seconds: u64, all: bool) -> Vec<String> {
            let summaries = self.events.take_summaries(self.at(seconds), all);
            summaries.iter().map(Summary::to_string).collect()
        }
    }

    #[test]
    fn the_first_has_a_line_and_the_others_one_a_minute() {
        let clock = Clock::new();
        assert!(clock.event("looks", 0));
        assert_eq!(clock.due(), None, "one event wakes no thread");
        for _ in 0..1234 {
            assert!(!clock.event("looks", 59));
        }
        assert_eq!(clock.due(), Some(60));
        assert!(clock.summaries(59, false).is_empty());
        assert_eq!(
            clock.summaries(60, false),
            ["looks: 1234 more in the last minute, the last from 203.0.113.9"]
        );
        assert_eq!(clock.due(), None);
        assert!(!clock.event("looks", 119), "the second minute");
        assert_eq!(clock.due(), Some(120));
        assert_eq!(
            clock.summaries(125, false),
            ["looks: 1 more in the last 65 s, the last from 203.0.113.9"]
        );
    }

    #[test]
    fn after_a_minute_without_any_the_next_is_a_first_one() {
        let clock = Clock::new();
        assert!(clock.event("looks", 0));
        assert!(clock.event("looks", 60), "nothing was counted");
        assert!(!clock.event("looks", 61));
        assert_eq!(clock.summaries(120, false).len(), 1);
        assert!(clock.event("looks", 180));
        assert!(clock.summaries(240, false).is_empty());
        assert!(lock(&clock.events.kinds).is_empty(), "it is forgotten");
        assert!(clock.event("looks", 241));
    }

    /// The main thread may be late.
    #[test]
    fn an_event_brings_the_summary_of_those_before() {
        let clock = Clock::new();
        let event = || Event::new("looks", Level::Info);
        clock.event("looks", 0);
        clock.event("looks", 1);
        let step = clock.events.count(event(), clock.at(90));
        let summary = step.summary.as_ref().map(Summary::to_string);
        let expected = "looks: 1 more in the last 90 s, the last from 203.0.113.9";
        assert_eq!(summary.as_deref(), Some(expected));
        assert!(!step.has_line && step.begins_to_count, "{step:?}");
        assert_eq!(
            clock.summaries(150, false),
            ["looks: 1 more in the last minute"]
        );
    }

    #[test]
    fn what_is_no_news_has_summaries_only() {
        let clock = Clock::new();
        let count = |seconds| {
            let event = Event::new("visits", Level::Info).by(STRANGER);
            let (summary, begins) = clock.events.count_all(event, clock.at(seconds));
            (summary.map(|summary| summary.to_string()), begins)
        };
        assert_eq!(count(0), (None, true));
        assert_eq!(clock.due(), Some(60));
        assert_eq!(count(10), (None, false));
        let two = "visits: 2 in the last minute, the last from 203.0.113.9";
        assert_eq!(clock.summaries(60, false), [two]);
        assert_eq!(count(70), (None, true), "the second minute");
        let one = "visits: 1 in the last 70 s, the last from 203.0.113.9";
        assert_eq!(
            count(130),
            (Some(one.to_owned()), true),
            "the main thread is late"
        );
        assert_eq!(clock.summaries(190, false).len(), 1);
        assert!(clock.summaries(250, false).is_empty());
        assert!(lock(&clock.events.kinds).is_empty(), "it is forgotten");
        assert_eq!(count(300), (None, true));
    }

    #[test]
    fn the_end_of_the_server_waits_for_no_minute() {
        let clock = Clock::new();
        for kind in ["looks", "refusals", "refusals"] {
            clock.event(kind, 0);
        }
        assert_eq!(
            clock.summaries(7, true),
            ["refusals: 1 more in the last 7 s, the last from 203.0.113.9"]
        );
        assert_eq!(clock.due(), None);
    }

    #[test]
    fn kinds_are_counted_apart_and_are_few() {
        let clock = Clock::new();
        assert!(clock.event("looks", 0) && clock.event("refusals", 0));
        for number in 0..KINDS_MAX + 5 {
            let event = Event::new(format!("reason {number}"), Level::Info);
            clock.events.count(event, clock.at(0));
        }
        assert!(lock(&clock.events.kinds).len() <= KINDS_MAX + 1);
        assert!(!clock.event("one more", 0), "counted with the others");
    }
}
