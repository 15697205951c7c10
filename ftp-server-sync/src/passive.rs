//! The passive ports: which session may listen on which port, and which requests wait for one.
//!
//! A session asks the [`PassivePool`]. It gets a listener, or a [`Ticket`]: a place in the queue. A
//! released port goes to the longest waiting request that can use it.
//!
//! No listener outside `--passive-ports` is ever announced. A grant is checked before its port is
//! bound and again after, since the range may have changed in between.

mod addresses;
mod ephemeral;
mod lease;
mod lease_bench;
mod listener;
mod pool;
mod ports;
mod request;
mod sharing;

pub(crate) use addresses::ListenAddresses;
pub(crate) use lease::Ticket;
pub use lease_bench::LeaseBench;
pub(crate) use listener::{IncomingConnection, PassiveListener};
pub(crate) use pool::{OpenOutcome, PassivePool};
pub(crate) use ports::LeaseEnd;
pub(crate) use sharing::Requester;

#[cfg(test)]
mod tests;
