//! The passive ports: which session may listen on which, and which sessions wait for one.
//!
//! The lock is never held across a system call: ports are marked under it, and bound, or their next
//! owners woken, outside it. No listener outside the range is ever announced: a grant is checked before
//! its port is bound, and again after, since the range may have changed in between.

mod allowed_peers;
mod allowed_ports;
mod ephemeral;
mod lease;
mod leased_port;
mod listener;
mod pool;
mod pool_state;
mod ports;
mod shared_listener;
mod waits;

pub(crate) use allowed_peers::AllowedPeers;
pub(crate) use lease::Ticket;
pub(crate) use listener::PassiveListener;
pub(crate) use pool::{OpenOutcome, PassivePool};
pub(crate) use shared_listener::IncomingConnection;

#[cfg(test)]
mod tests;
