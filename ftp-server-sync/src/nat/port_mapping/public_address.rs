//! Whether clients on the Internet can connect to the address that a router calls its own.

use std::net::Ipv4Addr;

use ftp_proto::Reach;

use crate::nat::address_source::choice::BEHIND_CARRIER;
use crate::settings::unusable;

/// What a router says about its address towards the Internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicSide {
    /// Clients can connect to this address.
    Address(Ipv4Addr),
    /// It has no address, or one that clients on the Internet cannot reach: why, with a remedy. It
    /// completes "the router …".
    Unreachable(String),
}

impl PublicSide {
    /// Judges the address in an answer.
    ///
    /// # Errors
    ///
    /// That no router has such an address: then nothing of the answer is believed.
    pub(crate) fn of(address: Ipv4Addr) -> Result<Self, String> {
        if address.is_unspecified() {
            return Ok(Self::Unreachable(
                "has no address on the Internet: it is not connected".to_owned(),
            ));
        }
        if let Some(problem) = unusable(address) {
            return Err(format!("{address} as its public address: {problem}"));
        }
        Ok(match Reach::of(address.into()) {
            Reach::Public => Self::Address(address),
            Reach::Host => {
                return Err(format!(
                    "{address}, a loopback address, as its public address"
                ));
            }
            Reach::Link => Self::Unreachable(format!(
                "has no address on the Internet, only {address}, a link-local address: it is not \
                 connected"
            )),
            Reach::Site => Self::Unreachable(format!(
                "has no address on the Internet, only {address}, a private address: it is behind \
                 another router, which has to forward the same ports to it; give the public \
                 address of that one with --masquerade-address"
            )),
            Reach::Provider => {
                Self::Unreachable(format!("has the address {address}, {BEHIND_CARRIER}"))
            }
        })
    }

    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Unreachable(_) => None,
        }
    }

    /// Why there is none.
    pub(crate) fn problem(&self) -> Option<&str> {
        match self {
            Self::Address(_) => None,
            Self::Unreachable(problem) => Some(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: &str) {
        let found = match PublicSide::of(address.parse().unwrap()) {
            Ok(PublicSide::Address(address)) => format!("good {address}"),
            Ok(PublicSide::Unreachable(problem)) => format!("unreachable {problem}"),
            Err(problem) => format!("wrong {problem}"),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn only_a_public_address_is_announced() {
        check("203.0.113.1", "good 203.0.113.1");
        check("11.22.33.1", "good 11.22.33.1");
        check(
            "0.0.0.0",
            "unreachable has no address on the Internet: it is not",
        );
        check(
            "10.0.0.1",
            "unreachable has no address on the Internet, only 10.0.0.1, a private",
        );
        check(
            "169.254.1.1",
            "unreachable has no address on the Internet, only 169.254.1.1, a link",
        );
        check(
            "100.64.0.1",
            "unreachable has the address 100.64.0.1, an address behind the provider's",
        );
        check("127.0.0.1", "wrong 127.0.0.1, a loopback address");
        check(
            "224.0.0.1",
            "wrong 224.0.0.1 as its public address: a multicast address",
        );
        check(
            "255.255.255.255",
            "wrong 255.255.255.255 as its public address",
        );
        check("0.1.2.3", "wrong 0.1.2.3 as its public address");
    }
}
