// The server in the manual uses the feature, and is a doc test.
#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "std"),
    doc = "The server's side of FTP as a pure state machine. The manual is the README.\n"
)]
//!
//! # Where to begin
//!
//! - Feed a [`Session`]: [`Session::handle_input`] with what the client sent,
//!   [`Session::handle_outcome`] with the answer to an action, [`Session::handle_data`] with what
//!   happens to data connections, and [`Session::handle_timeout`] when a timer has expired.
//! - Drain it: [`Session::poll_output`] returns a [`Reply`] to send or an [`Action`] to perform.
//! - Wait: [`Session::poll_timeout`], which [`Timers`] measures, and [`Session::wants_input`].
//! - Helpers: [`ascii`], [`listing`], [`date`], [`rate`], [`ports`]; decisions:
//!   [`Masquerade::lookup`]; tables: [`commands`].
//! - For programs between a client and a server, or without a server: [`client`], [`argument`].

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::must_use_candidate, clippy::return_self_not_must_use)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod account;
mod action;
mod address;
mod allowed_peers;
pub mod ascii;
pub mod client;
mod codec;
mod command;
mod config;
pub mod date;
mod denied_commands;
mod deny;
mod event;
mod exceeded_quota;
mod foreign_protocol;
mod hash;
mod kept;
mod line;
pub mod listing;
mod masquerade;
mod never_connected;
mod offer;
mod outcome;
mod path;
pub mod ports;
mod printable;
pub mod rate;
mod reach;
mod refusal;
mod refusal_codes;
mod refused_request;
mod reply;
mod rights;
mod secret;
mod session;
mod space;
#[cfg(feature = "std")]
#[path = "std.rs"]
mod std_conversions;
pub mod text;
mod timeout;
mod timers;

/// The arguments of PORT, EPRT and EPSV, for programs that read what clients send without a
/// [`Session`]: proxies and gateways. The replies to EPSV are read by [`client::parse_epsv`].
pub mod argument {
    pub use crate::address::{AddressError, EpsvArgument, parse_eprt, parse_epsv, parse_port};
}

pub use account::Account;
pub use action::{
    Action, DataConnection, FileRequest, Output, Representation, TransferId, TransferKind,
    TransferRequest, TransferStart, UploadStart,
};
pub use address::{AddressFamily, Endpoints, canonical};
pub use allowed_peers::{AllowedPeers, PeerVerdict};
pub use codec::{NameCodec, WireNames};
pub use command::{CommandSummary, commands};
pub use config::{AsciiConversion, Config, limits};
pub use denied_commands::{DeniedCommands, DenyError};
pub use event::{DataEvent, DataId};
pub use exceeded_quota::ExceededQuota;
pub use foreign_protocol::ForeignProtocol;
pub use hash::{Digest, HashAlgorithm, HashRequest};
pub use ipnet::IpNet;
pub use kept::Kept;
pub use listing::style::ListStyle;
pub use masquerade::{
    AnnounceReason, Announcement, Bound, ClientRule, Masquerade, OuterPorts, OuterPortsError,
    PortNumber, PublicAddress,
};
pub use never_connected::NeverConnected;
pub use offer::{ClientOrigin, Diagnosis, PassiveOffer};
pub use outcome::{FileAnswer, Misuse, Opened, Outcome, TransferError};
pub use path::FtpPath;
pub use reach::Reach;
pub use refusal::Refusal;
pub use refused_request::RefusedRequest;
pub use reply::Reply;
pub use rights::{Right, Rights};
pub use secret::Secret;
pub use session::Session;
pub use space::{QuotaUse, Space};
pub use timeout::{Timeout, TimeoutKind};
pub use timers::Timers;
