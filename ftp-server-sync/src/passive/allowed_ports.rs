//! Which ports may be granted: those of a range, or any port.

use std::hash::{BuildHasher, RandomState};

use ftp_proto::ports::shuffle;

use crate::net::port_range::PortRange;

/// The ports that may be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AllowedPorts {
    range: Option<PortRange>,
}

impl AllowedPorts {
    /// The ports of this range; without a range, any port.
    pub(super) fn new(range: Option<PortRange>) -> Self {
        Self { range }
    }

    pub(super) fn range(&self) -> Option<PortRange> {
        self.range
    }

    pub(super) fn is_any(&self) -> bool {
        self.range.is_none()
    }

    /// Whether there is a range and it contains the port.
    pub(super) fn contains(&self, port: u16) -> bool {
        self.range.is_some_and(|range| range.contains(port))
    }

    pub(super) fn permits(&self, port: u16) -> bool {
        self.is_any() || self.contains(port)
    }

    /// The size of the range; 0 without one.
    pub(super) fn count(&self) -> usize {
        self.range.map_or(0, |range| range.count().into())
    }

    /// The ports of the range in random order.
    pub(super) fn shuffled(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self
            .range
            .map_or(Vec::new(), |range| range.ports().collect());
        let seed = RandomState::new();
        let mut number = 0_u64;
        shuffle(&mut ports, || {
            number += 1;
            seed.hash_one(number)
        });
        ports
    }
}
