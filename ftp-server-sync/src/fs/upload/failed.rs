//! Uploads that failed and left the old file: a client that goes on where it was would glue the new
//! bytes to the old ones.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::target::TargetKey;

/// Files of which clients believe that a part of the new one is stored, and when that began.
#[derive(Debug, Default)]
pub(super) struct FailedUploads(HashMap<TargetKey, Instant>);

impl FailedUploads {
    pub(super) fn add(&mut self, key: TargetKey, now: Instant) {
        if self.0.len() >= NAMES_MAX {
            self.forget_expired(now);
        }
        if self.0.len() >= NAMES_MAX
            && let Some((oldest, _)) = self.0.iter().min_by_key(|(_, since)| **since)
        {
            let oldest = oldest.clone();
            self.0.remove(&oldest);
        }
        self.0.insert(key, now);
    }

    /// The new file, or its beginning, has the name.
    pub(super) fn remove(&mut self, key: &TargetKey) {
        self.0.remove(key);
    }

    pub(super) fn contain(&self, key: &TargetKey, now: Instant) -> bool {
        self.0.get(key).is_some_and(|since| is_recent(*since, now))
    }

    fn forget_expired(&mut self, now: Instant) {
        self.0.retain(|_, since| is_recent(*since, now));
    }
}

fn is_recent(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < REMEMBERED
}

/// How long after a failure an upload cannot be continued.
const REMEMBERED: Duration = Duration::from_secs(3600);

const NAMES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> TargetKey {
        TargetKey {
            directory: (1, number),
            name: b"name".to_vec(),
        }
    }

    #[test]
    fn names_are_remembered_for_an_hour_or_until_a_whole_file_has_them() {
        let start = Instant::now();
        let mut failed = FailedUploads::default();
        failed.add(key(1), start);
        failed.add(key(2), start);
        failed.remove(&key(2));
        let later = start + REMEMBERED - Duration::from_secs(1);
        assert!(failed.contain(&key(1), later) && !failed.contain(&key(2), later));
        assert!(!failed.contain(&key(1), start + REMEMBERED));
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let start = Instant::now();
        let mut failed = FailedUploads::default();
        let at = |number: u64| start + Duration::from_millis(number);
        for number in 0..=NAMES_MAX as u64 {
            failed.add(key(number), at(number));
        }
        assert_eq!(failed.0.len(), NAMES_MAX);
        let now = at(NAMES_MAX as u64);
        assert!(!failed.contain(&key(0), now) && failed.contain(&key(1), now));
    }
}
