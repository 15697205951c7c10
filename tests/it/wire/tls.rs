//! TLS with flags of ours: what it requires, implicit TLS, resumption, tickets of other sessions,
//! gateways, and certificates that change.

mod client_certificates;
mod control;
mod data;
mod gateway;
mod hostile;
mod renewal;
mod resumption;
mod tickets;
