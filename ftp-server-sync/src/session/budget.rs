//! What a session does in one turn: not more than lets it look again soon at orders of the server,
//! at its timers, and whether its client is gone.

use std::time::{Duration, Instant};

/// What is left of a turn.
#[derive(Debug)]
pub(super) struct TurnBudget {
    commands: u32,
    bytes: usize,
    /// At the last look at the clock.
    now: Instant,
    /// Something that may take long has been done since.
    has_worked: bool,
    ends: Instant,
}

impl TurnBudget {
    /// A whole turn.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            commands: COMMANDS_MAX,
            bytes: BYTES_MAX,
            now,
            has_worked: false,
            ends: now + TIME_MAX,
        }
    }

    /// If one more command may be executed, it is counted, and the time is returned.
    pub(super) fn take_command(&mut self) -> Option<Instant> {
        self.commands = self.commands.checked_sub(1)?;
        let looks = self.has_worked || self.commands.is_multiple_of(COMMANDS_PER_LOOK);
        if looks && self.is_over() {
            return None;
        }
        Some(self.now)
    }

    /// An action has been performed, or a line was written into the log. Most commands that do
    /// neither take less time than a look at the clock.
    pub(super) fn work(&mut self) {
        if !std::mem::replace(&mut self.has_worked, true) {
            self.commands = self.commands.saturating_sub(COMMANDS_OF_WORK);
        }
    }

    /// How many bytes may be moved. Other work counts as bytes that take as long.
    pub(super) fn bytes(&mut self) -> usize {
        if self.bytes > 0 {
            self.is_over();
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
        self.has_worked = true;
    }

    /// Nothing more is done in this turn.
    pub(super) fn end(&mut self) {
        (self.commands, self.bytes) = (0, 0);
    }

    /// Whether something may be left to do for the next turn.
    pub(super) fn is_spent(&self) -> bool {
        self.commands == 0 || self.bytes == 0
    }

    /// Looks at the clock, and ends a turn that has taken too long.
    fn is_over(&mut self) -> bool {
        self.now = Instant::now();
        self.has_worked = false;
        let is_over = self.now >= self.ends;
        if is_over {
            self.end();
        }
        is_over
    }
}

/// Commands that are only answered.
const COMMANDS_MAX: u32 = 1024;

/// After this number of commands the clock is looked at in any case: some have long replies.
const COMMANDS_PER_LOOK: u32 = 64;

/// A command that looks at a file takes as long as this number of others, or longer: 64 of them are
/// a turn.
const COMMANDS_OF_WORK: u32 = 15;

/// A gigabyte per second comes close to the limit of time.
const BYTES_MAX: usize = 4 << 20;

/// A slow disk makes commands take long.
const TIME_MAX: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_by_each_of_its_limits() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut budget = TurnBudget::new(now);
        let commands = (0..2000).filter_map(|_| budget.take_command()).count();
        assert_eq!(commands, 1024);
        assert!(budget.is_spent() && budget.bytes() == 4 << 20);

        let mut budget = TurnBudget::new(now);
        let commands = (0..2000).filter_map(|_| {
            let taken = budget.take_command();
            // An action, and a line about its refusal: it counts once.
            budget.work();
            budget.work();
            taken
        });
        assert_eq!(commands.count(), 64);
        assert!(budget.is_spent());

        let mut budget = TurnBudget::new(now);
        budget.spend(1 << 21);
        assert!(!budget.is_spent());
        budget.spend(1 << 22);
        assert!(budget.is_spent() && budget.take_command().is_some());

        let mut late = TurnBudget::new(Instant::now() - TIME_MAX);
        assert!(late.take_command().is_some());
        late.work();
        assert!(late.take_command().is_none() && late.bytes() == 0 && late.is_spent());
    }
}
