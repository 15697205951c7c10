//! From where an address can be reached.

use std::net::IpAddr;

use ftp_proto::Reach;

/// Whether an address is one of the Internet.
pub(crate) fn is_public(address: impl Into<IpAddr>) -> bool {
    Reach::of(address.into()) == Reach::Public
}
