//! TLS for control and data connections (RFC 4217), by rustls: who the server is to its clients, and the
//! connections themselves.
//!
//! What is in force has been checked as a whole: a certificate always has its key. Nothing here waits: whatever
//! would block says so. A data connection is known to be the client's by resuming the TLS session of its control
//! connection; nobody else holds that secret.

mod error;
mod facts;
mod identity;
mod pem;
mod problem;
mod record;
mod resumption;
mod self_signed;
mod stream;

pub(crate) use identity::Identity;
pub(crate) use problem::CertificateProblem;
pub(crate) use resumption::Resumption;
pub(crate) use stream::TlsStream;

use std::sync::Arc;

/// What a TLS connection is made from.
pub(crate) type ServerConfig = Arc<rustls::ServerConfig>;
