//! The server's side of FTP as a pure state machine: control bytes and outcomes go in, one ordered
//! stream of replies and actions comes out.
//!
//! There is no file, socket, clock, thread or log in this crate, and what a peer sends can neither
//! make it fail nor panic. [`Session`] is driven by four kinds of calls:
//!
//! 1. Feed it: [`Session::handle_input`] with what the client sent, [`Session::handle_outcome`] with
//!    the answer to an action, [`Session::handle_timeout`] when a timer has run out, and what happens to
//!    data connections: [`Session::handle_data_connected`], [`Session::handle_data_protected`],
//!    [`Session::handle_progress`], [`Session::handle_data_never_connected`], [`Session::handle_port_withdrawn`].
//! 2. Drain [`Session::poll_output`] to `None` after each of these. A [`Reply`] is encoded and sent;
//!    an [`Action`] is performed, after the replies before it have been handed to the network.
//! 3. Ask [`Session::poll_timeout`] how long to wait at most.
//! 4. Ask [`Session::wants_input`] whether to read on.
//!
//! Data bytes never pass through here. What a driver needs for them stands beside the session as pure
//! functions: [`ascii`] for TYPE A, [`listing`] and [`date`] for directory listings, and [`rate`] to keep a
//! transfer below a rate. Which address PASV announces is decided by [`Masquerade::lookup`]. Which codes a
//! command is answered with stands in [`codes`].
//!
//! The README's section "Using ftp-proto" shows the whole loop.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod address;
pub mod ascii;
pub mod client;
pub mod codes;
mod command;
mod config;
pub mod date;
mod line;
pub mod listing;
mod masquerade;
mod never_connected;
mod outcome;
mod path;
mod permissions;
pub mod rate;
mod reach;
mod reply;
mod secret;
mod session;
pub mod text;
mod timeout;

pub use action::{
    Action, DataConnection, FileRequest, ListStyle, Output, Representation, TransferId,
    TransferKind, TransferRequest,
};
pub use address::{Endpoints, Family, canonical};
pub use config::{Config, limits};
pub use masquerade::{
    AnnounceReason, Announcement, ClientRule, Masquerade, OuterPorts, PortNumber, PublicAddress,
};
pub use never_connected::{ClientOrigin, Diagnosis, NeverConnected, PassiveOffer};
pub use outcome::{FileAnswer, Misuse, Opened, Outcome, Refusal, TransferError};
pub use path::FtpPath;
pub use permissions::Permissions;
pub use reach::Reach;
pub use reply::Reply;
pub use secret::Secret;
pub use session::Session;
pub use timeout::{Timeout, TimeoutKind};

/// Compiles and runs the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeExamples;
