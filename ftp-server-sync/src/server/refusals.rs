//! Which clients are let in, and what the others are sent.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use ftp_proto::Reply;
use log::warn;
use mio::net::TcpStream;

use super::sessions::Sessions;
use crate::settings::Limits;

/// The reply to a client that is one too many. A gateway is not one client: the limit for each
/// address does not apply to it.
pub(super) fn refusal(
    limits: &Limits,
    sessions: &Sessions,
    peer: IpAddr,
    is_gateway: bool,
) -> Option<Reply> {
    if sessions.count() >= limits.connections_max as usize {
        return Some(Reply::too_many_connections());
    }
    if is_gateway {
        return None;
    }
    let most = limits.connections_per_address_max? as usize;
    (sessions.count_from(peer) >= most).then(Reply::too_many_from_address)
}

/// Sends the reply if that is possible without waiting, and closes the connection. A client that
/// starts with TLS could not read it.
pub(super) fn refuse(mut stream: TcpStream, peer: SocketAddr, implicit_tls: bool, reply: &Reply) {
    warn!("refused {peer}: too many connections");
    if implicit_tls {
        return;
    }
    let mut bytes = Vec::new();
    reply.encode(&mut bytes);
    let _ = stream.write(&bytes);
}
