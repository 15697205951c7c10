//! What a probe has seen. The judgement about it is made from these values alone.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::shown::shown;

/// All observations about one server.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// As the user gave it: a name, or an address.
    pub(super) host: String,
    /// The address that the control connection leads to.
    pub(super) dialled: SocketAddr,
    pub(super) tls: bool,
    /// What our server's STAT says; `None` for other servers.
    pub(super) status: Option<Status>,
    /// One for each of [`Way::ALL`], in this order; PASV only once over IPv6.
    pub(super) attempts: Vec<Attempt>,
    /// How a file was stored and removed, if that was asked for.
    pub(super) written: Option<Result<(), String>>,
}

/// The lines of our server's STAT that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// The client's address, as the server sees it.
    pub(super) client: Option<IpAddr>,
    /// The address that PASV announces.
    pub(super) announced: IpAddr,
    /// By which rule.
    pub(super) reason: String,
    /// What the server says about data connections that did not arrive.
    pub(super) never_connected: Option<String>,
}

/// How a data connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// PASV; connect to the address in the reply.
    PasvAsAnnounced,
    /// EPSV; connect to the server's address.
    Epsv,
    /// PASV; connect to the server's address, with the port of the reply.
    PasvToServer,
}

/// One data connection that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) way: Way,
    /// Code and text of the reply to PASV or EPSV.
    pub(super) reply: Option<Answer>,
    /// The address in the reply to PASV; for EPSV, and for IPv6, the server's address.
    pub(super) announced: Option<SocketAddr>,
    /// Where the data connection was to lead.
    pub(super) target: Option<SocketAddr>,
    pub(super) result: Result<Listing, Failure>,
}

/// A listing that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) lines: usize,
    /// Only its start was read.
    pub(super) cut: bool,
    /// The data connection has resumed the TLS session of the control connection.
    pub(super) resumed: bool,
}

/// A final reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) text: Vec<u8>,
}

/// Why a data connection was of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The command was refused, with this reply.
    NotOffered(Answer),
    /// The reply holds no address, or no port.
    NoAddress,
    /// It would lead where a reply must not lead a probe.
    NotTried(&'static str),
    /// No packet came back within this many seconds.
    NoAnswer(u64),
    /// The other side answered that it does not listen there.
    Refused,
    /// The system has no way there.
    Unreachable(String),
    /// It was open, and then the transfer failed: with this reply.
    TransferRefused(Answer),
    /// It was open, and the login may not store there, by this reply.
    MayNotWrite(Answer),
    /// It was open, and then something else went wrong.
    Broken(String),
    /// The control connection failed.
    Control(String),
}

impl Seen {
    /// What was seen on this way.
    pub(super) fn attempt(&self, way: Way) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.way == way)
    }

    /// Whether a listing arrived on this way.
    pub(super) fn works(&self, way: Way) -> bool {
        self.attempt(way)
            .is_some_and(|attempt| attempt.result.is_ok())
    }

    /// The address in the reply to PASV, if the reply has one.
    pub(super) fn announced(&self) -> Option<IpAddr> {
        let attempt = self.attempt(Way::PasvAsAnnounced)?;
        attempt.announced.map(|address| address.ip())
    }
}

impl Attempt {
    /// Nothing was asked for yet.
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            reply: None,
            announced: None,
            target: None,
            result: Err(Failure::NoAddress),
        }
    }
}

impl Status {
    /// Reads the lines of the reply to STAT. Other servers do not say what PASV announces.
    pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (mut client, mut announcement, mut never_connected) = (None, None, None);
        for line in lines {
            let line = String::from_utf8_lossy(line);
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("Connected from ") {
                client = rest.trim_end_matches('.').parse().ok();
            } else if let Some(rest) = line.strip_prefix("Passive mode announces ") {
                let (address, reason) = rest.trim_end_matches('.').split_once(", by ")?;
                announcement = Some((address.parse().ok()?, shown(reason.as_bytes())));
            } else if let Some(rest) = line.strip_prefix("Passive mode: ") {
                never_connected = Some(shown(rest.as_bytes()));
            }
        }
        announcement.map(|(announced, reason)| Self {
            client,
            announced,
            reason,
            never_connected,
        })
    }
}

impl Way {
    /// In the order in which they are tried.
    pub(super) const ALL: [Self; 3] = [Self::PasvAsAnnounced, Self::Epsv, Self::PasvToServer];

    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Epsv => "EPSV",
            Self::PasvAsAnnounced | Self::PasvToServer => "PASV",
        }
    }
}

impl Failure {
    /// Whether no data connection was opened, though the server announced a port.
    pub(super) fn is_unreached(&self) -> bool {
        matches!(
            self,
            Self::NoAnswer(_) | Self::Refused | Self::Unreachable(_)
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {}", self.code, shown(&self.text))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(answer) => write!(f, "the server refuses the command: {answer}"),
            Self::NoAddress => f.write_str("the reply holds no address and port"),
            Self::NotTried(reason) => write!(f, "not tried: {reason}"),
            Self::NoAnswer(seconds) => write!(f, "no answer within {seconds} s"),
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable(reason) => f.write_str(reason),
            Self::TransferRefused(answer) => write!(f, "connected, but then {answer}"),
            Self::MayNotWrite(answer) => {
                write!(f, "the server does not let this user write there: {answer}")
            }
            Self::Broken(reason) => write!(f, "connected, but then {reason}"),
            Self::Control(reason) => write!(f, "the control connection failed: {reason}"),
        }
    }
}
