//! What the server is doing: its sessions and counts at one moment, and the socket that shows them.

mod client;
pub(crate) mod counts;
pub(crate) mod metrics;
pub(crate) mod record;
pub mod reply;
pub(crate) mod service;
pub mod snapshot;
pub(crate) mod socket;
mod unsent;

pub use client::{ClientFailure, ClientRequest, ClientTask, SocketSearch, perform};
