//! The limit: a server that checks nothing and does hardly more than the system calls that the work
//! needs, with a thread for each connection.
//!
//! It lets anyone in and reads what it is asked for. It is for benches on 127.0.0.1 only.

mod listing;
mod session;
mod transfer;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustls::ServerConfig;

use crate::tls;
use session::Session;

/// What all sessions share.
pub(super) struct Limit {
    top: PathBuf,
    /// Uploads get a temporary name first, as those of the server do.
    stages: bool,
    tls: Option<Arc<ServerConfig>>,
}

/// `PORT DIRECTORY`, then `stage` or `plain`, then perhaps the files of a certificate and its key.
/// It serves until its process is ended.
pub(crate) fn serve(arguments: &[String]) -> io::Result<()> {
    let [port, top, mode, files @ ..] = arguments else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let limit = Arc::new(Limit {
        top: top.into(),
        stages: mode == STAGE,
        tls: match files {
            [chain, key] => Some(tls::server(Path::new(chain), Path::new(key))?),
            _ => None,
        },
    });
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let stack = if limit.tls.is_some() {
        TLS_STACK_BYTES
    } else {
        STACK_BYTES
    };
    loop {
        let (socket, _) = listener.accept()?;
        let limit = limit.clone();
        // A client that is gone ends its session, and nothing else.
        let session = move || drop(Session::new(limit, socket).and_then(Session::run));
        thread::Builder::new().stack_size(stack).spawn(session)?;
    }
}

/// The first argument of a process that is the limit.
pub(crate) const ARGUMENT: &str = "--limit";
pub(crate) const STAGE: &str = "stage";
pub(crate) const PLAIN: &str = "plain";
const STACK_BYTES: usize = 64 << 10;
const TLS_STACK_BYTES: usize = 256 << 10;
