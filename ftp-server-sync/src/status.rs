//! What the server is doing, for people and for programs.

mod client;
pub(crate) mod metrics;
pub mod snapshot;

pub use client::{ClientFailure, ClientRequest, ClientTask, SocketSearch, perform};
