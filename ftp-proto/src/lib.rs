#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//!
//! - Feed a [`Session`]: [`Session::handle_input`] with what the client sent, [`Session::handle_outcome`] with
//!   the answer to an action, [`Session::handle_timeout`] when a timer has expired, and what happens to data
//!   connections: [`Session::handle_data_connected`], [`Session::handle_data_protected`],
//!   [`Session::handle_progress`], [`Session::handle_data_never_connected`], [`Session::handle_port_withdrawn`].
//! - Drain it: [`Session::poll_output`] returns a [`Reply`] to send or an [`Action`] to perform.
//! - Wait: [`Session::poll_timeout`] and [`Session::wants_input`].
//! - Helpers: [`ascii`], [`listing`], [`date`], [`rate`], [`ports`]; decisions: [`Masquerade::lookup`]; tables: [`commands`].
//! - For programs between a client and a server, or without a server: [`client`], [`argument`].

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod account;
mod action;
mod address;
pub mod ascii;
pub mod client;
mod codec;
mod command;
mod config;
pub mod date;
mod line;
pub mod listing;
mod masquerade;
mod never_connected;
mod offer;
mod outcome;
mod path;
pub mod ports;
pub mod rate;
mod reach;
mod reply;
mod rights;
mod secret;
mod session;
pub mod text;
mod timeout;

/// The arguments of PORT, EPRT and EPSV, for programs that read what clients send without a [`Session`]: proxies
/// and gateways. The replies to EPSV are read by [`client::parse_epsv`].
pub mod argument {
    pub use crate::address::{AddressError, EpsvArgument, parse_eprt, parse_epsv, parse_port};
}

pub use account::Account;
pub use action::{
    Action, DataConnection, FileRequest, ListStyle, Output, Representation, TransferId,
    TransferKind, TransferRequest, UploadStart,
};
pub use address::{AddressFamily, Endpoints, canonical};
pub use codec::{NameCodec, WireNames};
pub use command::{CommandSummary, commands};
pub use config::{Config, limits};
pub use ipnet::IpNet;
pub use masquerade::{
    AnnounceReason, Announcement, Bound, ClientRule, Masquerade, OuterPorts, OuterPortsError,
    PortNumber, PublicAddress,
};
pub use never_connected::NeverConnected;
pub use offer::{ClientOrigin, Diagnosis, PassiveOffer};
pub use outcome::{FileAnswer, Misuse, Opened, Outcome, Refusal, TransferError};
pub use path::FtpPath;
pub use reach::Reach;
pub use reply::Reply;
pub use rights::{Right, Rights};
pub use secret::Secret;
pub use session::Session;
pub use timeout::{Timeout, TimeoutKind};
