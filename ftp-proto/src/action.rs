//! All actions that the core can request from its driver.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU64;

use crate::event::DataId;
use crate::hash::HashRequest;
use crate::listing::ListRequest;
use crate::listing::style::ListStyle;
use crate::path::FtpPath;
use crate::reply::Reply;
use crate::secret::Secret;

/// One item of a session's ordered output.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Debug)]
#[must_use = "the client waits for the reply, or the session for the action's outcome"]
pub enum Output {
    /// Send this on the control connection.
    Reply(Reply),
    /// Perform this, after the replies before it have been handed to the network.
    Action(Action),
}

/// A request to the driver. Each is answered with exactly one [`Outcome`](crate::Outcome), except
/// [`CloseData`](Self::CloseData), [`AbortTransfer`](Self::AbortTransfer),
/// [`AbortFile`](Self::AbortFile), [`Close`](Self::Close) and [`CloseNow`](Self::CloseNow). A
/// driver must know them all, so a new one breaks its build.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Debug)]
pub enum Action {
    /// Check a name and a password: [`Outcome::Authenticated`](crate::Outcome::Authenticated). The
    /// driver decides how long it waits after a wrong password.
    Authenticate {
        /// The argument of USER.
        user: Vec<u8>,
        /// The argument of PASS.
        password: Secret,
    },
    /// A file operation that needs no data connection: [`Outcome::File`](crate::Outcome::File). It
    /// is answered once, but for [`FileRequest::Status`], whose answer may come in several
    /// pieces.
    File(FileRequest),
    /// Stop the [`FileRequest::Hash`] that is not answered yet: the client has sent ABOR. The
    /// driver must still answer it, with any refusal, or with the digest if it is complete. A
    /// driver that answers such a request at once never gets this.
    AbortFile,
    /// Listen for a data connection from the client, on the control connection's own local address:
    /// [`Outcome::PassiveOpened`](crate::Outcome::PassiveOpened). The driver accepts connections
    /// until [`Session::judge_peer`](crate::Session::judge_peer) says that one comes from the
    /// client, and closes the others. What happens is reported with this id:
    /// [`Session::handle_data`](crate::Session::handle_data).
    OpenPassive(DataId),
    /// Close the passive listener with this id, or the data connection that it accepted before a
    /// transfer. If [`OpenPassive`](Self::OpenPassive) is not answered yet, this cancels it;
    /// the driver must still answer it, with an error.
    CloseData(DataId),
    /// Open the file or directory, and change nothing yet: a file must not be truncated before its
    /// data connection exists. [`Outcome::TransferOpened`](crate::Outcome::TransferOpened).
    OpenTransfer(TransferRequest),
    /// Establish the data connection for the opened transfer and move the bytes in clear text:
    /// [`Outcome::TransferEnded`](crate::Outcome::TransferEnded). Report to
    /// [`Session::handle_data`](crate::Session::handle_data) when the connection is established,
    /// and while bytes move.
    StartTransfer(TransferStart),
    /// The same with TLS on the data connection (PROT P, RFC 4217, section 9), which carries no
    /// byte in clear text. We are the TLS server, even where we connect to the client. Report
    /// [`DataEvent::Protected`](crate::DataEvent::Protected) when the handshake has succeeded. It
    /// is requested only after [`StartTls`](Self::StartTls) has succeeded.
    StartProtectedTransfer(TransferStart),
    /// End the transfer now, for whatever reason; nothing more needs to be read or sent. If it was
    /// started, the driver must still answer with
    /// [`Outcome::TransferEnded`](crate::Outcome::TransferEnded), which may be `Ok` if the last
    /// bytes had already arrived. If it was only opened, the driver drops it, and there is no
    /// outcome.
    ///
    /// Bytes of an upload that have arrived from a client that is gone may be worth storing: a
    /// driver reads them before it calls
    /// [`handle_connection_lost`](crate::Session::handle_connection_lost).
    AbortTransfer(TransferId),
    /// Begin the TLS handshake on the control connection: [`Outcome::Tls`](crate::Outcome::Tls).
    StartTls,
    /// Close the data connections and files of the session, send the replies that are still unsent,
    /// then close the control connection. The session's timer still runs:
    /// [`TimeoutKind::Flush`](crate::TimeoutKind::Flush).
    Close,
    /// The client did not read the last replies in time: close the control connection without them.
    CloseNow,
}

/// Identifies a transfer; no two transfers of a session have the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub(crate) u64);

/// How a transfer that was opened starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TransferStart {
    /// Which transfer.
    pub transfer: TransferId,
    /// The id of its data connection: that of `OpenPassive` in passive mode, a new one in active
    /// mode.
    pub data: DataId,
    /// How the data connection is established.
    pub connection: DataConnection,
    /// The private address that PORT or EPRT named, for the log. The connection leads to the
    /// address of the control connection instead: the client is behind a router that translates
    /// its address, and does not know its public one. `None`: the address is used as it was named.
    pub named: Option<IpAddr>,
}

/// A file operation. Paths are absolute and normalised; the driver decides about symbolic links.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileRequest {
    /// Whether the directory exists and may be entered (CWD, CDUP).
    ChangeDirectory(FtpPath),
    /// MKD.
    MakeDirectory {
        /// The new directory.
        path: FtpPath,
        /// The permission bits that it must not have (SITE UMASK); `None`: the system's umask.
        umask: Option<u32>,
    },
    /// RMD: an empty directory. A symbolic link is removed itself, because MLSD shows it as the
    /// directory to which it leads.
    RemoveDirectory(FtpPath),
    /// DELE: anything but a directory. A symbolic link is removed itself.
    DeleteFile(FtpPath),
    /// Whether the path exists (RNFR).
    RenameFrom(FtpPath),
    /// RNTO.
    Rename {
        /// What RNFR named.
        from: FtpPath,
        /// What RNTO names.
        to: FtpPath,
        /// Whether a file at `to` may be replaced. If not, and there is one,
        /// [`Refusal::Exists`](crate::Refusal::Exists).
        replace: bool,
    },
    /// How many bytes a download of a regular file would send (SIZE):
    /// [`FileAnswer::Size`](crate::FileAnswer::Size).
    Size {
        /// The file.
        path: FtpPath,
        /// With [`Representation::Ascii`] the line ends must be counted:
        /// [`ascii::TextLength`](crate::ascii::TextLength). For a file of more bytes than
        /// [`ASCII_SIZE_BYTES_MAX`](crate::limits::ASCII_SIZE_BYTES_MAX), or in a driver that does
        /// not count them, [`Refusal::TextNotCounted`](crate::Refusal::TextNotCounted).
        representation: Representation,
    },
    /// When the file was last modified (MDTM):
    /// [`FileAnswer::Modified`](crate::FileAnswer::Modified).
    ModifiedTime(FtpPath),
    /// Set the permission bits of a file or directory; they are at most `0o777` (SITE CHMOD).
    ChangeMode {
        /// A regular file or a directory.
        path: FtpPath,
        /// The bits.
        mode: u32,
    },
    /// Set the time of last modification of a file or directory (MFMT).
    SetModified {
        /// A regular file or a directory.
        path: FtpPath,
        /// In seconds since 1970, UTC.
        modified: i64,
    },
    /// The facts of the path itself, or of what it leads to (MLST), by the rules of
    /// [`Details::FACTS`](crate::listing::Details::FACTS):
    /// [`FileAnswer::Entry`](crate::FileAnswer::Entry).
    ///
    /// Also asked for the name `~` before a command whose path begins with it: where the answer is
    /// [`Refusal::NotFound`](crate::Refusal::NotFound), `~` means the home directory.
    Facts(FtpPath),
    /// The entries that LIST would show (STAT with a path):
    /// [`FileAnswer::Entries`](crate::FileAnswer::Entries), in one batch or several;
    /// [`Walk::of_status`](crate::listing::Walk::of_status) finds them. More than
    /// [`STAT_ENTRIES_MAX`](crate::limits::STAT_ENTRIES_MAX) are refused.
    Status(ListRequest),
    /// The digest of a file (HASH, XCRC and others):
    /// [`FileAnswer::Digest`](crate::FileAnswer::Digest). This may take long. Meanwhile the session
    /// wants input, and has no timer: compute it in steps, or on another thread, and look for what
    /// the client sends.
    ///
    /// Where the file changes meanwhile, the digest would be that of no file:
    /// [`Refusal::Changed`](crate::Refusal::Changed). To protect the machine, a driver limits how
    /// many it computes at once: [`Refusal::Busy`](crate::Refusal::Busy).
    Hash(HashRequest),
    /// How much the login can store in this directory (ALLO, AVBL):
    /// [`FileAnswer::Space`](crate::FileAnswer::Space).
    Space(FtpPath),
    /// What the login has stored of its quota (SITE QUOTA):
    /// [`FileAnswer::Quota`](crate::FileAnswer::Quota).
    Quota,
}

/// A transfer to open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferRequest {
    /// Identifies it in all later actions, outcomes and events.
    pub id: TransferId,
    /// What is transferred, and in which direction.
    pub kind: TransferKind,
    /// How file bytes are represented on the data connection. Listings are always text.
    pub representation: Representation,
    /// The permission bits that a new file must not have (SITE UMASK); `None`: the system's umask.
    pub umask: Option<u32>,
}

/// What is transferred.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// RETR.
    Retrieve {
        /// The file.
        path: FtpPath,
        /// Where to begin (REST), counted in bytes as they are sent: with
        /// [`Representation::Ascii`] each line end counts as two.
        offset: u64,
        /// Where to end (RANG), behind the last byte. A file that ends earlier is sent up to its
        /// end. `None`: the end of the file, as always with [`Representation::Ascii`].
        end: Option<u64>,
    },
    /// STOR, APPE and STOU.
    Store {
        /// The file; for [`UploadStart::Unique`] the file whose name the client suggests.
        path: FtpPath,
        /// Which bytes of a file that exists stay.
        start: UploadStart,
    },
    /// LIST, NLST and MLSD.
    List(ListRequest),
}

/// How an upload begins. The core has checked the rights: a driver does what this says. It changes
/// nothing before [`StartTransfer`](Action::StartTransfer), but creates the file of
/// [`Unique`](Self::Unique), whose name is announced.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UploadStart {
    /// STOR of an account that may not overwrite: the file must not exist, else
    /// [`Refusal::Exists`](crate::Refusal::Exists). Another client may create it meanwhile, so it
    /// is created with `O_EXCL` or the like.
    Create,
    /// STOR: replace the file, or create it.
    Replace,
    /// STOR or APPE after REST: keep the bytes before the offset and write after them.
    At {
        /// How many bytes stay. If the file has fewer,
        /// [`Refusal::OffsetTooLarge`](crate::Refusal::OffsetTooLarge).
        offset: NonZeroU64,
        /// Whether bytes behind the offset may be removed. If not, and there are some,
        /// [`Refusal::Exists`](crate::Refusal::Exists).
        replace: bool,
    },
    /// APPE: write behind the end of the file, or create it.
    End,
    /// STOU: create a new file in the directory of the path. The driver chooses a name that is
    /// free, and begins with the one of the path.
    Unique,
}

/// TYPE (RFC 959, section 3.1.1).
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Representation {
    /// Lines end with CRLF on the wire: [`ascii`](crate::ascii).
    Ascii,
    /// Bytes as they are; also TYPE L 8.
    Image,
}

/// How a data connection is established.
///
/// A driver must handle every variant, so that this enum stays exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataConnection {
    /// The client connects to the listener of `OpenPassive` with the same id, or has done so
    /// already.
    Passive,
    /// We connect to this address, from the control connection's own local address.
    Active(SocketAddr),
}

impl Action {
    /// Whether the client must be able to see the replies before this action before it is
    /// performed. A driver that cannot send them yet keeps the action, and goes on with the
    /// outputs behind it: the session's timers run on, and what an expired one requests is
    /// there. An [`AbortTransfer`](Self::AbortTransfer) ends a transfer whose start is
    /// kept, with [`TransferEnded`](crate::Outcome::TransferEnded) as for any started one.
    #[must_use]
    pub fn waits_for_replies(&self) -> bool {
        match self {
            Self::StartTransfer(_) | Self::StartProtectedTransfer(_) | Self::StartTls => true,
            // Its replies are the last ones, and it sends them itself.
            Self::Close | Self::CloseNow => false,
            // Their effect is not visible to the client before the reply that follows it.
            Self::Authenticate { .. }
            | Self::File(_)
            | Self::AbortFile
            | Self::OpenPassive(_)
            | Self::CloseData(_)
            | Self::OpenTransfer(_)
            | Self::AbortTransfer(_) => false,
        }
    }
}

impl TransferKind {
    /// Whether the client sends the bytes.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        matches!(self, Self::Store { .. })
    }

    /// The command, for logs.
    #[must_use]
    pub fn command(&self) -> &'static str {
        match self {
            Self::Retrieve { .. } => "RETR",
            Self::Store { start, .. } => match start {
                UploadStart::Create | UploadStart::Replace | UploadStart::At { .. } => "STOR",
                UploadStart::End => "APPE",
                UploadStart::Unique => "STOU",
            },
            Self::List(request) => match request.style {
                ListStyle::Long => "LIST",
                ListStyle::Names => "NLST",
                ListStyle::Facts(_) => "MLSD",
            },
        }
    }

    /// The path, for logs; for STOU the one that the client suggests.
    #[must_use]
    pub fn path(&self) -> &FtpPath {
        match self {
            Self::Retrieve { path, .. } | Self::Store { path, .. } => path,
            Self::List(request) => &request.selection.path,
        }
    }

    /// All paths that the transfer uses: the account needs the right for each.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &FtpPath> {
        let paths = match self {
            Self::Retrieve { path, .. } | Self::Store { path, .. } => [Some(path), None],
            Self::List(request) => request.selection.paths(),
        };
        paths.into_iter().flatten()
    }
}

/// The requests that have exactly one path, as a pattern for what is owned and for references.
macro_rules! with_one_path {
    ($path:ident) => {
        Self::ChangeDirectory($path)
            | Self::MakeDirectory { path: $path, .. }
            | Self::RemoveDirectory($path)
            | Self::DeleteFile($path)
            | Self::RenameFrom($path)
            | Self::Size { path: $path, .. }
            | Self::ModifiedTime($path)
            | Self::ChangeMode { path: $path, .. }
            | Self::SetModified { path: $path, .. }
            | Self::Facts($path)
            | Self::Space($path)
            | Self::Hash(HashRequest { path: $path, .. })
    };
}

impl FileRequest {
    /// All paths that the request uses, in the order of the command: the account needs the right
    /// for each. A listing has its path, and the directory in which its pattern is looked for; a
    /// rename has both names; most others have one path.
    pub fn paths(&self) -> impl Iterator<Item = &FtpPath> {
        let paths = match self {
            Self::Rename { from, to, .. } => [Some(from), Some(to)],
            with_one_path!(path) => [Some(path), None],
            Self::Status(request) => request.selection.paths(),
            Self::Quota => [None, None],
        };
        paths.into_iter().flatten()
    }

    /// The same request for another path, for drivers that have several directories; one with no
    /// path, or with two, as it is, and a listing too.
    #[must_use]
    pub fn with_path(mut self, to: FtpPath) -> Self {
        match &mut self {
            with_one_path!(path) => *path = to,
            Self::Rename { .. } | Self::Status(_) | Self::Quota => {}
        }
        self
    }
}
