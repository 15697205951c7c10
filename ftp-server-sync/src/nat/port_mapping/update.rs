//! What the server does with the router's answers: for sessions, for the pool of ports, and for the
//! log.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use ftp_proto::Bound;

use crate::nat::address_source::LogLine;

/// What the router forwards, as far as sessions have to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortMappings {
    /// Its public address, if clients can connect to it.
    pub(crate) public: Option<Ipv4Addr>,
    /// The router's number for each passive port that it forwards.
    pub(crate) outer: BTreeMap<u16, NonZeroU16>,
    /// Passive ports that it does not forward.
    pub(crate) left_out: BTreeSet<u16>,
}

/// Something that the thread reports to the server.
#[derive(Clone, Debug)]
pub(crate) enum MapperEvent {
    /// The answers have changed.
    Changed(MappingUpdate),
    /// The mappings are removed, and the thread ends.
    Ended,
}

/// The router's answers, and what the log says about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct MappingUpdate {
    pub(crate) mappings: PortMappings,
    /// What is new.
    pub(crate) lines: Vec<LogLine>,
    /// Everything, for SIGUSR1.
    pub(crate) report: Vec<String>,
}

impl PortMappings {
    /// A passive port that is open, with the router's number for it.
    pub(crate) fn bound(&self, bound: Bound) -> Bound {
        match self.outer.get(&bound.port.get()) {
            Some(outer) => bound.with_outer(*outer),
            None => bound,
        }
    }
}
