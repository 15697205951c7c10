//! This machine: its interfaces, its sockets and its ports.

pub(crate) mod client_network;
pub(crate) mod gateways;
pub(crate) mod inetd;
mod interface_tables;
pub(crate) mod interfaces;
pub(crate) mod listen;
pub(crate) mod order;
pub(crate) mod passed_sockets;
pub(crate) mod port_probe;
pub(crate) mod port_range;
pub(crate) mod proxy_header;
pub(crate) mod reach;
pub(crate) mod routes;
pub(crate) mod socket;
pub(crate) mod stable_addresses;
pub(crate) mod watch;
