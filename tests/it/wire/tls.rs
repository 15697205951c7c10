//! TLS with flags of ours: what it requires, implicit TLS, resumption, tickets of other sessions,
//! other protocols, gateways, and certificates that change.

mod alpn;
mod client_certificates;
mod close_notify;
mod control;
mod data;
mod gateway;
mod hostile;
mod renewal;
mod resumption;
mod tickets;
