//! Requests and replies of the status socket: one line each.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::snapshot::{PROTOCOL_VERSION, Snapshot};

/// The reply to one request: one line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReply {
    /// [`PROTOCOL_VERSION`] of the server.
    pub protocol: u32,
    /// One more field.
    #[serde(flatten)]
    pub answer: StatusAnswer,
}

/// What the server says. Each variant is a field of the reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusAnswer {
    /// The answer to `who`.
    Snapshot(Box<Snapshot>),
    /// What has been done, for people.
    Done(String),
    /// Why nothing has been done, for people.
    Error(String),
}

/// One line of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusRequest {
    Who,
    Order(StatusOrder),
}

/// What a client of the socket asks the server to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusOrder {
    /// End the session with this number.
    Kick(u64),
    /// As SIGTERM.
    Stop,
    /// As SIGHUP.
    Reload,
    /// As SIGUSR2.
    Drain,
}

impl StatusReply {
    /// A reply of this server.
    pub(crate) fn new(answer: StatusAnswer) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            answer,
        }
    }

    /// As a line, with its end.
    pub(super) fn line(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self);
        // The types have nothing that JSON has not.
        debug_assert!(json.is_ok(), "{json:?}");
        let mut line = json.unwrap_or_default();
        line.push(b'\n');
        line
    }
}

impl FromStr for StatusReply {
    type Err = String;

    /// The reply in a line. The error is for people.
    fn from_str(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| error.to_string())
    }
}

impl StatusRequest {
    /// The meaning of a line.
    ///
    /// # Errors
    ///
    /// What would be right, for people.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let (command, argument) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() {
            return Err(format!("too many words; {KNOWN}"));
        }
        let order = match (command, argument) {
            ("who", None) => return Ok(Self::Who),
            ("stop", None) => StatusOrder::Stop,
            ("reload", None) => StatusOrder::Reload,
            ("drain", None) => StatusOrder::Drain,
            ("kick", Some(number)) => {
                let number = number.strip_prefix('#').unwrap_or(number);
                let number = number.parse().map_err(|_| {
                    "kick needs the number of a session, such as kick 17".to_owned()
                })?;
                StatusOrder::Kick(number)
            }
            ("kick", None) => {
                return Err("kick needs the number of a session, such as kick 17".to_owned());
            }
            ("who" | "stop" | "reload" | "drain", Some(_)) => {
                return Err(format!("{command} takes no argument"));
            }
            _ => return Err(format!("unknown command; {KNOWN}")),
        };
        Ok(Self::Order(order))
    }
}

const KNOWN: &str = "the commands are who, kick NUMBER, stop, reload and drain";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_means() {
        let order = |order| Ok(StatusRequest::Order(order));
        for (line, expected) in [
            ("who", Ok(StatusRequest::Who)),
            (" who \r", Ok(StatusRequest::Who)),
            ("kick 17", order(StatusOrder::Kick(17))),
            ("kick #17", order(StatusOrder::Kick(17))),
            ("stop", order(StatusOrder::Stop)),
            ("reload", order(StatusOrder::Reload)),
            ("drain", order(StatusOrder::Drain)),
        ] {
            assert_eq!(StatusRequest::parse(line), expected, "{line}");
        }
        for (line, expected) in [
            ("", "unknown command; the commands are who, "),
            ("WHO", "unknown command; "),
            ("kick", "kick needs the number of a session"),
            ("kick bob", "kick needs the number of a session"),
            ("kick -1", "kick needs the number of a session"),
            ("kick 1 2", "too many words; "),
            ("stop now", "stop takes no argument"),
        ] {
            let error = StatusRequest::parse(line).expect_err(line);
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_reply_is_one_line_with_the_version() {
        let reply = StatusReply::new(StatusAnswer::Done("session 17 ends\n".to_owned()));
        let line = reply.line();
        assert_eq!(line, b"{\"protocol\":1,\"done\":\"session 17 ends\\n\"}\n");
        assert_eq!(str::from_utf8(&line).unwrap().parse(), Ok(reply));
        let error = StatusReply::new(StatusAnswer::Error("no".to_owned()));
        assert_eq!(error.line(), b"{\"protocol\":1,\"error\":\"no\"}\n");
    }
}
