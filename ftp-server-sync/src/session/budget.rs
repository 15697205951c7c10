//! What a session does in one turn: not more than lets it look again soon at orders of the server,
//! at its timers, and whether its client is gone.

use std::time::{Duration, Instant};

/// What is left of a turn.
#[derive(Debug)]
pub(super) struct TurnBudget {
    commands: u32,
    bytes: usize,
    ends: Instant,
}

impl TurnBudget {
    /// A whole turn.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            commands: COMMANDS_MAX,
            bytes: BYTES_MAX,
            ends: now + TIME_MAX,
        }
    }

    /// If one more command may be executed, it is counted, and the time is returned.
    pub(super) fn take_command(&mut self) -> Option<Instant> {
        self.commands = self.commands.checked_sub(1)?;
        let now = Instant::now();
        if now >= self.ends {
            self.end();
            return None;
        }
        Some(now)
    }

    /// How many bytes may be moved. Other work counts as bytes that take as long.
    pub(super) fn bytes(&mut self) -> usize {
        if self.bytes > 0 && Instant::now() >= self.ends {
            self.end();
        }
        self.bytes
    }

    /// When the turn is over.
    pub(super) fn ends(&self) -> Instant {
        self.ends
    }

    /// Bytes have been moved.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Nothing more is done in this turn.
    pub(super) fn end(&mut self) {
        (self.commands, self.bytes) = (0, 0);
    }

    /// Whether something may be left to do for the next turn.
    pub(super) fn is_spent(&self) -> bool {
        self.commands == 0 || self.bytes == 0
    }
}

const COMMANDS_MAX: u32 = 64;

const BYTES_MAX: usize = 1 << 20;

/// A slow disk makes commands take long.
const TIME_MAX: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_by_each_of_its_limits() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut budget = TurnBudget::new(now);
        assert_eq!((0..100).filter_map(|_| budget.take_command()).count(), 64);
        assert!(budget.is_spent() && budget.bytes() == 1 << 20);

        let mut budget = TurnBudget::new(now);
        budget.spend(1 << 19);
        assert!(!budget.is_spent());
        budget.spend(1 << 20);
        assert!(budget.is_spent() && budget.take_command().is_some());

        let mut late = TurnBudget::new(Instant::now() - TIME_MAX);
        assert!(late.take_command().is_none() && late.bytes() == 0 && late.is_spent());
    }
}
