//! What a session starts with.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;

use super::command::SentCommands;
use super::login_state::SharedLoginState;
use super::server_state::ServerState;

/// A client, and what its session needs of the server.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) number: u64,
    pub(crate) server: Arc<ServerState>,
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    /// `None`: the socket has to be asked.
    pub(crate) local: Option<SocketAddr>,
    /// The client starts with a TLS handshake.
    pub(crate) implicit_tls: bool,
    pub(crate) commands: Arc<SentCommands>,
    /// For the main thread.
    pub(crate) login_state: Arc<SharedLoginState>,
}
