//! What is asked of a running server, and where its socket is.

use std::path::PathBuf;

/// A request to a running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequest {
    /// What is asked for.
    pub task: ClientTask,
    /// Where the server is.
    pub socket: SocketSearch,
}

/// What a running server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTask {
    /// Who is connected.
    Who {
        /// Again and again.
        watch: bool,
        /// As JSON instead of a table.
        json: bool,
    },
    /// The end of the session with this number.
    Kick(u64),
    /// The end of the server; running transfers have the time of `--shutdown-grace`.
    Stop,
    /// Its settings read again.
    Reload,
    /// The end of the server after that of its last session.
    Drain,
}

/// Where the status socket of a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketSearch {
    /// There.
    File {
        /// Its path.
        path: PathBuf,
        /// The control port that the server must have, if the user has named one.
        port: Option<u16>,
    },
    /// In one of these directories: the file `status-PORT.socket`.
    Directories {
        /// Where servers make it.
        directories: Vec<PathBuf>,
        /// The server's control port, if it is known.
        port: Option<u16>,
    },
}
