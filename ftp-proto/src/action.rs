//! What the core asks its driver to do: the whole vocabulary.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::listing::{FactSet, Selection};
use crate::path::FtpPath;
use crate::permissions::Permissions;
use crate::reply::Reply;
use crate::secret::Secret;

/// One item of the ordered stream that a session puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the client waits for the reply, or the session for the action's outcome"]
pub enum Output {
    /// To be sent on the control connection.
    Reply(Reply),
    /// To be performed, after the replies before it have been handed to the network.
    Action(Action),
}

/// A request to the driver. Each is answered with exactly one [`Outcome`](crate::Outcome), except
/// [`CloseData`](Self::CloseData), [`AbortTransfer`](Self::AbortTransfer) and [`Close`](Self::Close).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Check a name and a password: [`Outcome::Authenticated`](crate::Outcome::Authenticated). A
    /// delay after a wrong password is the driver's.
    Authenticate {
        /// The argument of USER.
        user: Vec<u8>,
        /// The argument of PASS.
        password: Secret,
    },
    /// Something about files that needs no data connection: [`Outcome::File`](crate::Outcome::File).
    File(FileRequest),
    /// Listen for a data connection from the client, on the control connection's own local address:
    /// [`Outcome::PassiveOpened`](crate::Outcome::PassiveOpened). Connections from other addresses
    /// are dropped in silence.
    OpenPassive,
    /// Close the passive listener, or the data connection that came through it before a transfer.
    /// Cancels an [`OpenPassive`](Self::OpenPassive) that is still unanswered; its outcome, an error,
    /// is still owed.
    CloseData,
    /// Open the file or directory, and change nothing yet: a file is truncated only once its data
    /// connection exists. [`Outcome::TransferOpened`](crate::Outcome::TransferOpened).
    OpenTransfer(TransferRequest),
    /// Establish the data connection for the opened transfer and move the bytes:
    /// [`Outcome::TransferEnded`](crate::Outcome::TransferEnded). Tell
    /// [`Session::handle_data_connected`](crate::Session::handle_data_connected) when it is
    /// established, and [`Session::handle_progress`](crate::Session::handle_progress) as bytes move.
    StartTransfer {
        /// Which transfer.
        transfer: TransferId,
        /// How the data connection comes into being.
        connection: DataConnection,
        /// Whether it is to be protected by TLS (PROT P). We are TLS's server, also where we connect
        /// to the client. Tell
        /// [`Session::handle_data_protected`](crate::Session::handle_data_protected) when the handshake
        /// is over.
        protected: bool,
    },
    /// End the transfer soon. Once it is started, its one
    /// [`Outcome::TransferEnded`](crate::Outcome::TransferEnded) is still owed, and an upload whose
    /// last bytes have arrived already may still end well. One that is only opened is dropped, without
    /// an outcome.
    AbortTransfer(TransferId),
    /// Begin the TLS handshake on the control connection: [`Outcome::Tls`](crate::Outcome::Tls).
    StartTls,
    /// Send what is still unsent, then close everything that belongs to the session.
    Close,
}

/// Names a transfer for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub(crate) u64);

/// A file operation. Paths are absolute and normalised; symbolic links are the driver's to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileRequest {
    /// Whether the directory exists and may be entered (CWD, CDUP).
    ChangeDirectory(FtpPath),
    /// MKD.
    MakeDirectory {
        /// The new directory.
        path: FtpPath,
        /// The permission bits that it must not have (SITE UMASK); `None`: the system decides.
        umask: Option<u32>,
    },
    /// RMD.
    RemoveDirectory(FtpPath),
    /// DELE.
    DeleteFile(FtpPath),
    /// Whether the path exists (RNFR).
    RenameFrom(FtpPath),
    /// RNTO.
    Rename {
        /// What RNFR named.
        from: FtpPath,
        /// What RNTO names.
        to: FtpPath,
    },
    /// The size in bytes of a regular file (SIZE): [`FileAnswer::Size`](crate::FileAnswer::Size).
    Size(FtpPath),
    /// When the file was last modified (MDTM): [`FileAnswer::Modified`](crate::FileAnswer::Modified).
    ModifiedTime(FtpPath),
    /// Give the file or directory these permission bits, of which none is above `0o777` (SITE CHMOD).
    ChangeMode {
        /// A regular file or a directory.
        path: FtpPath,
        /// The bits.
        mode: u32,
    },
    /// Say that the file or directory was modified then (MFMT).
    SetModified {
        /// A regular file or a directory.
        path: FtpPath,
        /// In seconds since 1970, UTC.
        modified: i64,
    },
    /// What is known about the path itself (MLST): [`FileAnswer::Entry`](crate::FileAnswer::Entry).
    Facts(FtpPath),
    /// Lines as LIST would send them, at most
    /// [`STAT_ENTRIES_MAX`](crate::limits::STAT_ENTRIES_MAX) (STAT with a path):
    /// [`FileAnswer::Lines`](crate::FileAnswer::Lines).
    Status(Selection),
}

/// A transfer to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// Its name from now on.
    pub id: TransferId,
    /// What moves, and where to.
    pub kind: TransferKind,
    /// How file bytes are represented on the data connection. Listings are always text.
    pub representation: Representation,
    /// The permission bits that a new file must not have (SITE UMASK); `None`: the system decides.
    pub umask: Option<u32>,
}

/// What a transfer moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// RETR.
    Retrieve {
        /// The file.
        path: FtpPath,
        /// Where to begin (REST), in bytes as they would be sent: with [`Representation::Ascii`] each line
        /// end counts as two.
        offset: u64,
    },
    /// STOR.
    Store {
        /// The file.
        path: FtpPath,
        /// Zero: replace what is there. Else keep this many bytes (REST) and write behind them.
        offset: u64,
    },
    /// APPE.
    Append {
        /// The file; made when it does not exist.
        path: FtpPath,
    },
    /// STOU.
    StoreUnique {
        /// Where the driver makes a new file under a name of its choice.
        directory: FtpPath,
        /// The name that the client would like; may be empty.
        suggested_name: Vec<u8>,
    },
    /// LIST, NLST and MLSD.
    List {
        /// A directory; for LIST and NLST also a file, or a path with wildcards.
        selection: Selection,
        /// What a line looks like.
        style: ListStyle,
    },
}

/// The form of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListStyle {
    /// LIST: the form of `ls -l`, see [`listing`](crate::listing).
    Long,
    /// NLST: names alone, each with [`Selection::prefix`](crate::listing::Selection::prefix) before
    /// it, so that the client can use the lines as they come (RFC 1123, section 4.1.2.7).
    Names,
    /// MLSD: facts and names (RFC 3659, section 7).
    Facts {
        /// Which facts.
        facts: FactSet,
        /// What the user may do, for the `perm` fact.
        permissions: Permissions,
    },
}

/// TYPE (RFC 959, section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// Lines end with CRLF on the wire: [`ascii`](crate::ascii).
    Ascii,
    /// Bytes as they are; also TYPE L 8.
    Image,
}

/// How a data connection comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataConnection {
    /// The client connects to the listener of the last `OpenPassive`.
    Passive,
    /// We connect to this address, from the control connection's own local address.
    Active(SocketAddr),
}

impl TransferKind {
    /// Whether the client sends the bytes.
    pub fn is_upload(&self) -> bool {
        matches!(
            self,
            Self::Store { .. } | Self::Append { .. } | Self::StoreUnique { .. }
        )
    }

    /// The command, for logs.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Retrieve { .. } => "RETR",
            Self::Store { .. } => "STOR",
            Self::Append { .. } => "APPE",
            Self::StoreUnique { .. } => "STOU",
            Self::List {
                style: ListStyle::Long,
                ..
            } => "LIST",
            Self::List {
                style: ListStyle::Names,
                ..
            } => "NLST",
            Self::List {
                style: ListStyle::Facts { .. },
                ..
            } => "MLSD",
        }
    }

    /// The path, for logs; STOU's directory.
    pub fn path(&self) -> &FtpPath {
        match self {
            Self::Retrieve { path, .. } | Self::Store { path, .. } | Self::Append { path } => path,
            Self::List { selection, .. } => &selection.path,
            Self::StoreUnique { directory, .. } => directory,
        }
    }
}
