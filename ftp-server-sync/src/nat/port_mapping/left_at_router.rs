//! What a router may keep open for this server, whether it has said so or not.

use std::collections::BTreeSet;

/// Ports, or pairs of ports, of one router and protocol.
#[derive(Debug)]
pub(super) struct LeftAtRouter<P> {
    /// Each that the router may have opened, whether its answer has arrived or not.
    pub(super) made: BTreeSet<P>,
    /// What it is to be asked for next: a crash must not come between the request and the record.
    pub(super) intended: BTreeSet<P>,
    /// The router speaks the protocol, or did so in an earlier run: requests without an answer may
    /// have arrived.
    pub(super) has_answered: bool,
}

impl<P: Copy + Ord> LeftAtRouter<P> {
    pub(super) fn nothing() -> Self {
        Self {
            made: BTreeSet::new(),
            intended: BTreeSet::new(),
            has_answered: false,
        }
    }

    /// One that a former run of the server has recorded.
    pub(super) fn restore(&mut self, made: P) {
        self.has_answered = true;
        self.made.insert(made);
    }

    /// What the record must have.
    pub(super) fn recorded(&self) -> impl Iterator<Item = P> {
        self.made.union(&self.intended).copied()
    }

    /// The router has answered in another protocol: it does not speak this one if it never has.
    pub(super) fn forget_unheard(&mut self) {
        if !self.has_answered {
            self.made.clear();
        }
    }

    /// Takes what another client for the same router may have left there.
    pub(super) fn absorb(&mut self, other: Self) {
        self.made.extend(other.made);
        self.has_answered |= other.has_answered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_router_that_never_answered_is_forgotten() {
        let mut left = LeftAtRouter::nothing();
        left.made.insert(1);
        left.forget_unheard();
        assert!(left.made.is_empty());
        left.restore(2);
        left.forget_unheard();
        assert_eq!(left.made, [2].into());
    }

    #[test]
    fn what_another_client_left_is_taken_and_what_is_intended_is_recorded() {
        let mut left = LeftAtRouter::nothing();
        left.made.insert(1);
        left.intended.insert(3);
        let mut other = LeftAtRouter::nothing();
        other.restore(2);
        other.intended.insert(4);
        left.absorb(other);
        assert!(left.has_answered);
        assert_eq!(left.recorded().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
