//! The way outside: what clients are sent to, what is wrong with it, and what the router needs.

pub(crate) mod address_source;
pub mod check;
pub(crate) mod diagnose;
pub(crate) mod never_connected_log;
pub mod rules;
pub(crate) mod summary;
