//! Which clients are let in, and what the others are sent.

use std::io::Write;
use std::net::IpAddr;

use ftp_proto::Reply;
use mio::net::TcpStream;

use super::fd_limit::DescriptorLimit;
use super::sessions::Sessions;
use crate::settings::Limits;

/// The reply to a client that is one too many. A gateway is not one client: the limit for each
/// address does not apply to it.
pub(super) fn refusal(
    limits: &Limits,
    descriptors: &DescriptorLimit,
    sessions: &Sessions,
    peer: IpAddr,
    is_gateway: bool,
) -> Option<Reply> {
    let most = limits.connections_max.min(descriptors.sessions_max());
    if sessions.count() >= most as usize {
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
pub(super) fn refuse(mut stream: TcpStream, implicit_tls: bool, reply: &Reply) {
    if implicit_tls {
        return;
    }
    let mut bytes = Vec::new();
    reply.encode(&mut bytes);
    let _ = stream.write(&bytes);
}
