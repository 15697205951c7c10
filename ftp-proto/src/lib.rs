//! The FTP server protocol as a pure state machine.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod address;
mod config;
mod masquerade;
mod timeout;

pub use address::{Endpoints, Family, canonical};
pub use config::{Config, limits};
pub use masquerade::{Announcement, ClientRule, Masquerade, OuterPorts, PortSide, Why};
pub use timeout::{Timeout, TimeoutKind};
