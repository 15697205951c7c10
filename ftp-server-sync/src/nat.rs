//! The way through a NAT router: which address clients are given, what is wrong with it, and what
//! the router needs.

pub(crate) mod address_source;
pub mod check;
pub(crate) mod diagnose;
pub(crate) mod evidence;
pub(crate) mod failure;
pub(crate) mod finding;
pub(crate) mod hook_problems;
pub(crate) mod never_connected_log;
pub(crate) mod port_mapping;
pub(crate) mod reached_ports;
mod retry;
pub(crate) mod returning_strangers;
pub mod rules;
pub(crate) mod stun;
pub(crate) mod summary;
pub(crate) mod user_problems;
