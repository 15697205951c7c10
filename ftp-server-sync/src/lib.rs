//! An FTP server for small boxes behind a NAT router: one thread per session.
//!
//! [`Server::bind`] takes checked [`Settings`](settings::Settings) and listens;
//! [`Server::run`] serves until its [`Handle`] or a signal ends it. The protocol is `ftp-proto`'s; this
//! crate gives it sockets, files and clocks.
//!
//! # What is trusted, and why
//!
//! Nothing that comes from the network is. Command lines go to the core as bytes and come back as
//! actions with clean paths. Files are opened relative to one directory handle, and the kernel refuses
//! whatever would leave it. Passive connections are taken from the control connection's peer alone,
//! and active ones go nowhere else, unless the operator permits foreign addresses. An address is no
//! proof; resuming the TLS session of the control connection is one, and can be required. What came in
//! clear text before a TLS handshake counts for nothing after it: no login, no bytes. A session's thread
//! shares the passive pool and read-only settings with the others: a panic ends that session only.

mod arguments;
pub mod check;
mod connection;
mod control;
mod data;
mod descriptors;
mod directory;
mod files;
pub mod flags;
#[cfg(test)]
mod golden;
mod listeners;
pub mod machine;
mod missed;
pub mod passive;
mod perform;
mod probe;
mod public_address;
mod pump;
mod restart;
pub mod rules;
mod server;
mod session;
pub mod settings;
mod shared;
mod signals;
mod storage;
mod stream;
mod summary;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/absent.rs"]
mod tls;
mod transfer;
pub mod users;
mod values;
mod warnings;
mod words;

pub use server::{Handle, Reload, Server};
