//! Wrong passwords, counted by address: they slow their address down, and then block it.
//!
//! All sessions share the counts, so that further connections make no one guess faster. An address
//! is an IPv4 address or a /64 network of IPv6. The time comes as an argument.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::locks::lock;
use crate::net::client_network::ClientNetwork;
use crate::net::order;

/// When an address is blocked, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginBlock {
    /// The number of failed logins.
    pub after: u32,
    /// How long the address is then refused.
    pub time: Duration,
}

/// What the settings say about failed logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoginRules {
    /// After a failure, the passwords of the address wait for their turns.
    pub(crate) slows_down: bool,
    /// `None`: no address is blocked.
    pub(crate) block: Option<LoginBlock>,
}

/// What happens to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt<T> {
    Succeeded(T),
    Failed(Failure),
    /// The password is to be compared then, as one that is [`PasswordTurn::Due`].
    Waits(Instant),
    /// The password was not compared. The address is blocked for this time.
    Blocked(Duration),
    /// The password was not compared: too many of the address wait for their turns.
    Crowded,
}

/// Whether a password has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordTurn {
    /// It has just come.
    New,
    /// The turn for which it has waited has come.
    Due,
}

/// A login that has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The failed logins of the address after which it is blocked from now on; `None`: this one
    /// blocks no address.
    pub(crate) blocks_after: Option<u32>,
    /// How many addresses have been forgotten early, if this one is the latest reason for that.
    pub(crate) forgotten: Option<u64>,
}

/// The failed logins of all addresses.
#[derive(Debug, Default)]
pub(crate) struct LoginThrottle(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    addresses: HashMap<ClientNetwork, Record>,
    /// How many addresses were forgotten because others needed their places.
    forgotten: u64,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    /// When the next password may be compared.
    next_turn: Instant,
    is_blocked: bool,
    /// The end of the block, or when the failures no longer count.
    expires: Instant,
}

impl LoginThrottle {
    /// Compares a password by `check`, unless the address has to wait. `check` must be quick: the
    /// logins of other addresses wait for it.
    pub(crate) fn attempt<T>(
        &self,
        network: ClientNetwork,
        rules: LoginRules,
        turn: PasswordTurn,
        now: Instant,
        check: impl FnOnce() -> Option<T>,
    ) -> Attempt<T> {
        let mut failures = lock(&self.0);
        match failures.admit(network, rules, turn, now) {
            Some(attempt) => attempt,
            None => failures.record(network, rules, now, check()),
        }
    }

    /// The same where `check` takes long: it runs without the lock. Others of the same address must
    /// not be compared meanwhile.
    pub(crate) fn attempt_slowly<T>(
        &self,
        network: ClientNetwork,
        rules: LoginRules,
        turn: PasswordTurn,
        now: impl Fn() -> Instant,
        check: impl FnOnce() -> Option<T>,
    ) -> Attempt<T> {
        let admission = lock(&self.0).admit(network, rules, turn, now());
        match admission {
            Some(attempt) => attempt,
            None => {
                let found = check();
                lock(&self.0).record(network, rules, now(), found)
            }
        }
    }

    /// Forgets the addresses that are blocked. Returns how many of the blocks were not over.
    pub(crate) fn lift_blocks(&self, now: Instant) -> usize {
        let addresses = &mut lock(&self.0).addresses;
        let lifted = addresses.extract_if(|_, record| record.is_blocked);
        lifted.filter(|(_, record)| record.expires > now).count()
    }

    /// How long the address is still blocked.
    pub(crate) fn blocked_for(
        &self,
        network: ClientNetwork,
        rules: LoginRules,
        now: Instant,
    ) -> Option<Duration> {
        lock(&self.0).blocked_for(network, rules, now)
    }

    /// The addresses that are blocked, and for how long, in the order of the addresses.
    pub(crate) fn blocked(
        &self,
        rules: LoginRules,
        now: Instant,
    ) -> Vec<(ClientNetwork, Duration)> {
        let failures = lock(&self.0);
        let networks = failures.addresses.keys();
        let blocked = networks.filter_map(|&network| {
            let time = failures.blocked_for(network, rules, now)?;
            Some((network, time))
        });
        let mut blocked: Vec<_> = blocked.collect();
        order::sort(&mut blocked);
        blocked
    }
}

impl Failures {
    /// Takes the next turn of the address; `None`: too many of its passwords wait.
    fn take_turn(
        &mut self,
        network: ClientNetwork,
        rules: LoginRules,
        now: Instant,
    ) -> Option<Instant> {
        match self.addresses.get_mut(&network) {
            Some(record) if rules.slows_down && record.expires > now => {
                let turn = record.next_turn.max(now);
                if turn - now > TURN_WAIT_MAX {
                    return None;
                }
                record.next_turn = turn + TURN_TIME;
                Some(turn)
            }
            _ => Some(now),
        }
    }

    /// `None`: the password is to be compared now.
    fn admit<T>(
        &mut self,
        network: ClientNetwork,
        rules: LoginRules,
        turn: PasswordTurn,
        now: Instant,
    ) -> Option<Attempt<T>> {
        if let Some(time) = self.blocked_for(network, rules, now) {
            return Some(Attempt::Blocked(time));
        }
        if turn == PasswordTurn::Due {
            return None;
        }
        match self.take_turn(network, rules, now) {
            None => Some(Attempt::Crowded),
            Some(turn) if turn > now => Some(Attempt::Waits(turn)),
            Some(_) => None,
        }
    }

    /// Counts the result of a comparison.
    fn record<T>(
        &mut self,
        network: ClientNetwork,
        rules: LoginRules,
        now: Instant,
        found: Option<T>,
    ) -> Attempt<T> {
        match found {
            Some(account) => {
                self.addresses.remove(&network);
                Attempt::Succeeded(account)
            }
            None => Attempt::Failed(self.fail(network, rules, now)),
        }
    }

    fn fail(&mut self, network: ClientNetwork, rules: LoginRules, now: Instant) -> Failure {
        let forgotten = self.make_room(network, now);
        let record = self.addresses.entry(network).or_insert(Record {
            failures: 0,
            next_turn: now + TURN_TIME,
            is_blocked: false,
            expires: now,
        });
        record.failures = record.failures.saturating_add(1);
        let block_time = rules.block.map_or(Duration::ZERO, |block| block.time);
        record.expires = now + block_time.max(FAILURES_COUNT_FOR);
        let block = rules.block.filter(|block| record.failures >= block.after);
        record.is_blocked = block.is_some();
        if let Some(block) = block {
            record.expires = now + block.time;
        }
        Failure {
            blocks_after: block.map(|_| record.failures),
            forgotten,
        }
    }

    /// Forgets what has expired. If that is not enough for one more address, also the one with the
    /// fewest failures, and of those the one that would be forgotten first: addresses with few
    /// failures, however many there are, cannot displace one with many, or one that is blocked.
    fn make_room(&mut self, network: ClientNetwork, now: Instant) -> Option<u64> {
        self.addresses.retain(|_, record| record.expires > now);
        if self.addresses.len() < ADDRESSES_MAX || self.addresses.contains_key(&network) {
            return None;
        }
        let records = self.addresses.iter();
        let least =
            records.min_by_key(|(_, record)| (record.is_blocked, record.failures, record.expires));
        let least = least.map(|(network, _)| *network)?;
        self.addresses.remove(&least);
        self.forgotten = self.forgotten.saturating_add(1);
        Some(self.forgotten)
    }

    fn blocked_for(
        &self,
        network: ClientNetwork,
        rules: LoginRules,
        now: Instant,
    ) -> Option<Duration> {
        rules.block?;
        let record = self.addresses.get(&network)?;
        let time = record.expires.saturating_duration_since(now);
        (record.is_blocked && !time.is_zero()).then_some(time)
    }
}

/// Rounded up: what is not over takes a second at least.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The time between two passwords of one address: at most five in a second.
const TURN_TIME: Duration = Duration::from_millis(200);

/// How long a password waits for its turn. More clients are refused than a client would wait for.
const TURN_WAIT_MAX: Duration = Duration::from_secs(20);

/// How long failures count that have not led to a block, after the last of them.
const FAILURES_COUNT_FOR: Duration = Duration::from_secs(600);

/// Each takes about 100 bytes. All are looked at for each new address.
pub(crate) const ADDRESSES_MAX: usize = 4096;

#[cfg(test)]
mod tests;
