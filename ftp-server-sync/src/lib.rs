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

mod accounts;
pub mod cli;
mod data;
mod fs;
#[cfg(test)]
#[path = "../tests/golden/mod.rs"]
mod golden;
mod logging;
mod nat;
mod net;
mod passive;
mod server;
mod session;
pub mod settings;
mod sync;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/disabled.rs"]
mod tls;

pub use logging::log_to_stderr;
pub use nat::{check, rules};
pub use server::{Handle, Server};
