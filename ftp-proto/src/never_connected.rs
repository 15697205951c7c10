//! Data connections that the client never opened, as the reply to a transfer and STAT report them.

use alloc::format;
use alloc::string::{String, ToString};

use crate::config::limits::REMEDY_BYTES_MAX;
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

/// The last data connection that the client never opened, and what the driver knows about it.
#[derive(Clone, Debug)]
pub(crate) struct LastNeverConnected {
    pub(crate) connection: NeverConnected,
    /// In the place of the offer's diagnosis.
    remedy: Option<String>,
}

impl LastNeverConnected {
    pub(crate) fn new(connection: NeverConnected) -> Self {
        Self {
            connection,
            remedy: None,
        }
    }

    /// One line, of bounded length, that does not end the sentence which contains it.
    pub(crate) fn set_remedy(&mut self, remedy: &str) {
        let mut text = String::new();
        for character in remedy.chars() {
            if text.len() + character.len_utf8() > REMEDY_BYTES_MAX {
                break;
            }
            text.push(if character.is_control() {
                '?'
            } else {
                character
            });
        }
        text.truncate(text.trim_end_matches(['.', ' ']).len());
        self.remedy = (!text.is_empty()).then_some(text);
    }

    /// The reply to a transfer that needed the connection.
    pub(crate) fn reply(&self) -> Reply {
        let NeverConnected { withdrawn, .. } = self.connection;
        let target = self.connection.target();
        Reply::never_connected(&target, early(withdrawn), self.remedy())
    }

    /// The line in STAT.
    pub(crate) fn status(&self) -> String {
        let connection = self.connection;
        let (target, withdrawn) = (connection.target(), early(connection.withdrawn));
        let remedy = self.remedy();
        match connection.number {
            1 => format!(
                "Passive mode: 1 data connection {target} did not arrive{withdrawn}; {remedy}."
            ),
            count => format!(
                "Passive mode: {count} data connections did not arrive, the last {target}{withdrawn}; {remedy}."
            ),
        }
    }

    fn remedy(&self) -> String {
        match &self.remedy {
            Some(remedy) => remedy.clone(),
            None => self.connection.offer.diagnosis.to_string(),
        }
    }
}

impl NeverConnected {
    /// Where the client should have connected to. A private address is named as such where it is
    /// the cause.
    fn target(&self) -> String {
        let offer = self.offer;
        match (offer.diagnosis, offer.private_kind()) {
            (Diagnosis::PrivateAddress, Some(kind)) => format!("to {offer}, {kind},"),
            _ => format!("to {offer}"),
        }
    }
}

fn early(withdrawn: bool) -> &'static str {
    if withdrawn {
        " before other clients needed the port"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Endpoints;
    use crate::masquerade::Masquerade;

    fn last() -> LastNeverConnected {
        let socket = |text: &str| text.parse().unwrap();
        let endpoints = Endpoints::new(socket("203.0.113.5:21"), socket("198.51.100.7:40000"));
        let rules = Masquerade::default();
        let announcement = rules.lookup(&endpoints);
        LastNeverConnected::new(NeverConnected {
            number: 1,
            offer: PassiveOffer::new(&rules, &endpoints, announcement, 60_004, true),
            withdrawn: false,
        })
    }

    #[track_caller]
    fn check(remedy: &str, expected: &str) {
        let mut last = last();
        last.set_remedy(remedy);
        assert_eq!(
            last.status(),
            format!(
                "Passive mode: 1 data connection to 203.0.113.5:60004 did not arrive; {expected}."
            )
        );
    }

    #[test]
    fn a_remedy_is_part_of_one_sentence() {
        check("use --flag 203.0.113.9", "use --flag 203.0.113.9");
        check("look at the log. ", "look at the log");
        check("one\r\n230 two\u{85}", "one??230 two?");
        check("", "check whether a firewall blocks the port");
        check(" .", "check whether a firewall blocks the port");
    }

    #[test]
    fn a_remedy_is_bounded() {
        let long = "é".repeat(REMEDY_BYTES_MAX);
        check(&long, &"é".repeat(REMEDY_BYTES_MAX / 2));
    }
}
