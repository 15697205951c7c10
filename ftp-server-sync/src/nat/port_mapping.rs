//! Asks the router to forward the server's ports, by PCP, NAT-PMP or UPnP: `--port-mapping`.
//!
//! One thread does it, and no session waits for it. Nothing is believed that does not come from the
//! router's own address and port. The router forwards to the address that asks it, so that no
//! mapping leads to another machine.

mod client;
pub(crate) mod double_nat;
mod epoch;
pub(crate) mod job;
mod lease_clock;
mod ledger;
mod left_at_router;
mod link;
mod nat_pmp;
mod nonce;
mod outcome;
mod own_number;
mod pass;
mod pcp;
mod pcp_client;
mod pinhole;
pub(crate) mod probe;
pub(crate) mod public_address;
mod record;
mod removal_plan;
mod retry;
mod round_answers;
pub(crate) mod router;
mod state_lock;
mod trouble;
pub(crate) mod update;
mod upnp;
pub(crate) mod worker;

#[cfg(test)]
mod tests;
