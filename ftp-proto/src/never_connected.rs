//! Data connections that the client never opened, as the reply to a transfer and STAT report them.

use alloc::format;
use alloc::string::String;

use crate::offer::{Diagnosis, PassiveOffer};
use crate::reply::Reply;

/// A data connection that the client never opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NeverConnected {
    /// Its number in the session, counted from 1.
    pub number: u32,
    /// What the server had announced to the client.
    pub offer: PassiveOffer,
    /// The client had less time than it should have, because others needed the port.
    pub withdrawn: bool,
}

impl NeverConnected {
    /// The reply to a transfer that needed the connection.
    pub(crate) fn reply(&self) -> Reply {
        let (target, withdrawn, remedy) = (self.target(), self.withdrawn(), self.offer.diagnosis);
        Reply::never_connected(&target, withdrawn, remedy)
    }

    /// The line in STAT.
    pub(crate) fn status(&self) -> String {
        let (target, withdrawn, remedy) = (self.target(), self.withdrawn(), self.offer.diagnosis);
        match self.number {
            1 => format!(
                "Passive mode: 1 data connection {target} did not arrive{withdrawn}; {remedy}."
            ),
            count => format!(
                "Passive mode: {count} data connections did not arrive, the last {target}{withdrawn}; {remedy}."
            ),
        }
    }

    /// Where the client should have connected to. A private address is named as such where it is
    /// the cause.
    fn target(&self) -> String {
        let offer = self.offer;
        match (offer.diagnosis, offer.private_kind()) {
            (Diagnosis::PrivateAddress, Some(kind)) => format!("to {offer}, {kind},"),
            _ => format!("to {offer}"),
        }
    }

    fn withdrawn(&self) -> &'static str {
        if self.withdrawn {
            " before other clients needed the port"
        } else {
            ""
        }
    }
}
