//! Data connections that the client never opened, for the reply to the transfer and for STAT.

use alloc::format;
use alloc::string::String;

use crate::offer::{Diagnosis, PassiveOffer};
use crate::reply::Reply;

/// A data connection that never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeverConnected {
    /// Counts those of the session, from 1.
    pub number: u32,
    /// What the client had been told.
    pub offer: PassiveOffer,
    /// It was given less than its time, because others needed the port.
    pub withdrawn: bool,
}

impl NeverConnected {
    /// What a transfer is told that needed the connection.
    pub(crate) fn reply(&self) -> Reply {
        let early = match self.withdrawn {
            true => " before others needed the port",
            false => "",
        };
        let (offer, explanation) = (self.offer, self.explanation());
        Reply::line(
            425,
            format!("No connection came to {offer}{early}{explanation}"),
        )
    }

    /// The line in STAT.
    pub(crate) fn status(&self) -> String {
        let (connections, last) = match self.number {
            1 => ("connection", ""),
            _ => ("connections", " last"),
        };
        let early = match self.withdrawn {
            true => " and given up as others needed the port",
            false => "",
        };
        let (count, offer) = (self.number, self.offer);
        format!(
            "{count} data {connections} never came: {offer} was announced{last}{early}{}",
            self.explanation()
        )
    }

    fn explanation(&self) -> String {
        let diagnosis = self.offer.diagnosis;
        match (diagnosis, self.offer.private_kind()) {
            (Diagnosis::PrivateAddress, Some(kind)) => format!(", {kind}; {diagnosis}."),
            _ => format!("; {diagnosis}"),
        }
    }
}
