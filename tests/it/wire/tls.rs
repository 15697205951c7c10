//! TLS with flags of ours: what it requires, implicit TLS, resumption, and certificates that
//! change.

mod client_certificates;
mod control;
mod data;
mod hostile;
mod renewal;
mod resumption;
