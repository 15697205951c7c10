//! What comes of a lookup.

use std::net::IpAddr;
use std::time::Duration;

use crate::settings::AddressSource;

/// The result of one lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookupResult {
    pub(crate) source: AddressSource,
    /// The addresses, or why there are none.
    pub(crate) answer: Result<Answer, String>,
}

/// What a source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// In the source's order.
    pub(crate) addresses: Vec<IpAddr>,
    /// The time since a file was written; `None`: the answer is new.
    pub(crate) age: Option<Duration>,
    /// What else the source contains that is no address, with a remedy.
    pub(crate) problem: Option<String>,
}
