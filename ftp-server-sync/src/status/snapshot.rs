//! The server and its sessions at one moment: what `--who` and the metrics show.
//!
//! Names and types of the fields are a part of the status socket's protocol; `docs/status.md`
//! describes it. A field may be added within a version of the protocol; a change of one that exists
//! needs another version.
//!
//! Texts from the network (users, paths) are printable: bytes that are not are escaped, as in the
//! log.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The version of the protocol that these types describe.
pub const PROTOCOL_VERSION: u32 = 1;

/// The server and its sessions at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The server itself.
    pub server: ServerStatus,
    /// What was counted since its start.
    pub totals: Totals,
    /// In the order of their numbers.
    pub sessions: Vec<SessionStatus>,
}

/// The server, without its sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Such as `0.1.0`.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// When the snapshot was made, in seconds since 1970.
    pub unix_seconds: i64,
    /// How long the server has run, in seconds.
    pub uptime_seconds: u64,
    /// Whether it accepts new sessions.
    pub phase: ServerPhase,
    /// The control sockets.
    pub listen: Vec<SocketAddr>,
    /// The directory that is shared.
    pub directory: String,
    /// `--max-cons`, or less where the system has not enough descriptors.
    pub sessions_max: u64,
    /// The passive ports; `None` where the kernel chooses them.
    pub passive_ports: Option<PassivePortsStatus>,
    /// The public address in PASV replies to clients outside, if one is known.
    pub masquerade_address: Option<IpAddr>,
    /// Addresses that are blocked after failed logins.
    pub blocked_addresses: u64,
}

/// How far the end of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerPhase {
    /// It accepts sessions.
    Serving,
    /// It accepts no new session, and ends when the last one has ended.
    Draining,
    /// Running transfers may go on for the time of `--shutdown-grace`.
    ShuttingDown,
}

/// The range of `--passive-ports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassivePortsStatus {
    /// The first port.
    pub from: u16,
    /// The last port.
    pub to: u16,
    /// How many of them wait for a connection now.
    pub in_use: u64,
    /// How many sessions wait for a port.
    pub waiting: u64,
}

/// Counts since the start of the server. They never decrease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sessions that were started.
    pub sessions: u64,
    /// Control connections that were refused: too many, blocked, or not allowed.
    pub refused_connections: u64,
    /// Successful logins.
    pub logins: u64,
    /// Failed logins.
    pub failed_logins: u64,
    /// RETR.
    pub downloads: TransferTotals,
    /// STOR, APPE and STOU.
    pub uploads: TransferTotals,
    /// LIST, NLST and MLSD.
    pub listings: TransferTotals,
    /// Passive ports that were announced and to which no client connected.
    pub never_connected: u64,
    /// Log lines that were lost because their reader did not read in time.
    pub lost_log_lines: u64,
}

/// Counts of one kind of transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferTotals {
    /// Those that were confirmed with 226.
    pub completed: u64,
    /// Those that began and were not.
    pub failed: u64,
    /// The bytes of both, and of those that run.
    pub bytes: u64,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// As in the log: `#17`.
    pub number: u64,
    /// The address of the client.
    pub client: SocketAddr,
    /// The address of this machine that the client has connected to.
    pub local: SocketAddr,
    /// `None` before the login.
    pub user: Option<String>,
    /// The version of TLS on the control connection, such as `TLS 1.3`; `None` without TLS.
    pub tls: Option<String>,
    /// How long the session has lasted, in seconds.
    pub age_seconds: f64,
    /// How long the client has sent no command, in seconds.
    pub quiet_seconds: f64,
    /// What it does.
    pub activity: Activity,
    /// What the last PASV or EPSV has announced.
    pub announced: Option<Announced>,
}

/// What a session does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Activity {
    /// The client has not logged in.
    Login,
    /// It waits for a command.
    Idle,
    /// It waits until a passive port is free.
    WaitingForPort {
        /// How long, in seconds.
        seconds: f64,
    },
    /// It waits for a data connection, and no transfer command has come.
    WaitingForConnection {
        /// The passive port.
        port: u16,
    },
    /// The data connection is open, and no transfer command has come.
    Connected,
    /// It transfers a file or a listing, or waits for the data connection of one.
    Transfer(TransferStatus),
    /// It performs a command that takes long, such as a checksum.
    Working {
        /// The command with its path.
        command: String,
    },
}

/// A transfer that runs, or waits for its data connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferStatus {
    /// Such as `RETR`.
    pub command: String,
    /// The path as the client sees it.
    pub path: String,
    /// Where the bytes go.
    pub direction: Direction,
    /// Whether the data connection is established.
    pub is_connected: bool,
    /// Whether TLS protects it.
    pub is_protected: bool,
    /// The passive port that it came to; `None` in active mode.
    pub passive_port: Option<u16>,
    /// Where in the file it began (REST), in bytes.
    pub offset: u64,
    /// Bytes moved so far, without the offset. Of a download, those that the kernel still has to
    /// send do not count.
    pub bytes: u64,
    /// The size of the file of a download, or what ALLO has said of an upload, in bytes; `None`
    /// where that is not known.
    pub size: Option<u64>,
    /// How long the data connection has been established, in seconds.
    pub seconds: f64,
    /// Bytes per second since then.
    pub rate: f64,
    /// The time left at this rate, in seconds; `None` where the size is not known.
    pub seconds_left: Option<f64>,
}

/// Where the bytes of a transfer go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A file to the client.
    Download,
    /// A file from the client.
    Upload,
    /// A listing to the client.
    Listing,
}

/// What a 227 or a 229 has announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// The address in the reply, or the one that the client connects to after EPSV.
    pub address: IpAddr,
    /// The port in the reply.
    pub port: u16,
    /// The NAT rule that decided it, in the words of the log, such as `--masquerade-address`.
    pub rule: String,
    /// Whether a data connection came to that port; `None` while the server waits for it.
    pub is_connected: Option<bool>,
}

/// The server at one moment, and what its sessions do, without whose they are. Bytes that the
/// kernel still has to send count as sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overview {
    pub(crate) server: ServerStatus,
    pub(crate) totals: Totals,
    pub(crate) activities: Vec<Activity>,
}

/// Where snapshots come from. Nothing here waits for a session.
pub(crate) trait SnapshotSource: Send + Sync {
    /// The server and its sessions now.
    fn snapshot(&self) -> Snapshot;

    /// The same for those who count only. It takes less time.
    fn overview(&self) -> Overview;

    /// Whether the server accepts sessions. It takes no time.
    fn phase(&self) -> ServerPhase;
}

#[cfg(test)]
impl From<Snapshot> for Overview {
    fn from(snapshot: Snapshot) -> Self {
        let sessions = snapshot.sessions.into_iter();
        Self {
            server: snapshot.server,
            totals: snapshot.totals,
            activities: sessions.map(|session| session.activity).collect(),
        }
    }
}
