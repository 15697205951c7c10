//! TLS (RFC 4217): who the server is to its clients.
//!
//! What is in force has been checked as a whole: a certificate always has its key.

mod certificate;
mod identity;
mod kept;
mod pem;

pub(crate) use identity::Identity;
