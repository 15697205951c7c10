//! A server that inetd has started: it serves one client, and ends with its session.

use std::time::Instant;

use mio::net::TcpStream;

use super::listeners::Accepted;
use super::{Server, Shutdown};
use crate::net::socket::set_control_options;

impl Server {
    /// Starts the session, once the public addresses for PASV replies are known: this server is as
    /// young as its client. Ends the server after it.
    pub(super) fn serve_single_client(&mut self, now: Instant) {
        let Some(client) = &mut self.single_client else {
            return;
        };
        if self.shutdown != Shutdown::No {
            client.connection = None;
            return;
        }
        if client.connection.is_some() && now < client.deadline && !self.addresses.have_answered() {
            return;
        }
        if let Some(connection) = client.connection.take() {
            self.start_session(connection);
        }
        // A client that is refused has no session.
        if self.sessions.count() == 0 {
            self.end_now();
        }
    }

    fn start_session(&mut self, connection: TcpStream) {
        let addresses = (connection.local_addr(), connection.peer_addr());
        let (Ok(local), Ok(peer)) = addresses else {
            // It is gone already.
            return;
        };
        let listen = &self.state.current().settings.listen;
        let mut listen = listen.iter();
        let implicit_tls =
            listen.any(|listen| listen.implicit_tls && listen.address.port() == local.port());
        if set_control_options(&connection).is_err() {
            return;
        }
        self.admit(Accepted {
            stream: connection,
            peer,
            local: Some(local),
            implicit_tls,
        });
    }
}
