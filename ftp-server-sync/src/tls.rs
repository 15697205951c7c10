//! TLS for control and data connections (RFC 4217), by rustls: the server's certificate, and the
//! connections.
//!
//! A certificate and its key are loaded together or not at all. Nothing here blocks: what would
//! block returns `WouldBlock`. A data connection that resumes the TLS session of a control
//! connection comes from the client of that control connection, because only this client knows the
//! secret.

mod certificate;
mod client_fault;
mod error;
mod facts;
mod identity;
mod pem;
mod problem;
mod protection;
mod resumption;
mod self_signed;
mod session_store;
mod stream;
#[cfg(test)]
pub(crate) mod test_peers;
mod tickets;

pub(crate) use facts::fingerprint;
pub(crate) use identity::Identity;
pub(crate) use problem::CertificateProblem;
pub(crate) use protection::{Protection, Unproven};
pub(crate) use resumption::Resumption;
pub(crate) use stream::{TlsStream, Traffic};
pub(crate) use tickets::TicketRegistry;

use std::sync::Arc;

/// The configuration of a TLS connection.
pub(crate) type ServerConfig = Arc<rustls::ServerConfig>;
