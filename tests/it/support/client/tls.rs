//! TLS from the client's side: the control connection's, and data connections over it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::Client;
use crate::support::certificates::HOST;
use crate::support::data::is_timeout;
use crate::support::file_contents::noise;

/// One side of TLS: ours.
pub(crate) struct Protected {
    pub(crate) tls: ClientConnection,
    pub(crate) socket: TcpStream,
}

/// How the server has ended its data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    CloseNotify,
    /// Without a close_notify: what came before may be only a part.
    Truncated,
}

impl Client {
    /// Performs the handshake.
    #[track_caller]
    pub(crate) fn secure(&mut self, config: &Arc<ClientConfig>) {
        let mut tls = connection(config);
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream).expect("a handshake");
        }
        self.tls = Some(tls.into());
    }

    /// Asks for TLS and performs the handshake.
    #[track_caller]
    pub(crate) fn auth_tls(&mut self, config: &Arc<ClientConfig>) {
        self.command("AUTH TLS", 234);
        self.secure(config);
    }

    /// From now on data connections are protected too.
    #[track_caller]
    pub(crate) fn protect_data(&mut self) {
        self.command("PBSZ 0", 200);
        self.command("PROT P", 200);
    }

    /// A whole transfer to us, over TLS.
    #[track_caller]
    pub(crate) fn fetch_securely(&mut self, command: &str, config: &Arc<ClientConfig>) -> Vec<u8> {
        let socket = self.data();
        self.command(command, 150);
        let (bytes, ending) = Protected::over(socket, config).read_to_end();
        assert_eq!(ending, Ending::CloseNotify, "{command}");
        self.expect(226);
        bytes
    }

    /// A whole transfer from us, over TLS.
    #[track_caller]
    pub(crate) fn store_securely(
        &mut self,
        command: &str,
        bytes: &[u8],
        config: &Arc<ClientConfig>,
    ) {
        let socket = self.data();
        self.command(command, 150);
        let mut data = Protected::over(socket, config);
        data.write(bytes);
        data.close();
        self.expect(226);
    }

    /// A session with TLS, after the greeting: its login, a file to the server and back, its end.
    #[track_caller]
    pub(crate) fn use_tls(mut self, config: &Arc<ClientConfig>) {
        self.auth_tls(config);
        self.log_in();
        self.protect_data();
        self.store_securely("STOR secure", &noise(100_000), config);
        assert_eq!(self.fetch_securely("RETR secure", config).len(), 100_000);
        self.command("QUIT", 221);
    }
}

impl Protected {
    /// Performs the handshake.
    #[track_caller]
    pub(crate) fn over(socket: TcpStream, config: &Arc<ClientConfig>) -> Self {
        Self::try_over(socket, config).expect("a handshake")
    }

    pub(crate) fn try_over(mut socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut tls = connection(config);
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        // The end of our handshake.
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        Ok(Self { tls, socket })
    }

    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("sending data");
    }

    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Reads until the server ends the connection.
    #[track_caller]
    pub(crate) fn read_to_end(mut self) -> (Vec<u8>, Ending) {
        let mut bytes = Vec::new();
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        match stream.read_to_end(&mut bytes) {
            Ok(_) => (bytes, Ending::CloseNotify),
            Err(error) if is_timeout(&error) => panic!("no end comes"),
            Err(_) => (bytes, Ending::Truncated),
        }
    }

    #[track_caller]
    pub(crate) fn read_some(&mut self, count: usize) {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        stream.read_exact(&mut vec![0; count]).expect("data");
    }

    /// Ends as TLS asks: with a close_notify.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).expect("close_notify");
        }
    }

    /// Ends as many clients do: the connection is closed without a close_notify.
    pub(crate) fn close_bare(self) {
        self.socket.shutdown(Shutdown::Write).expect("an end");
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}

pub(crate) fn connection(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from(HOST).expect("a name");
    ClientConnection::new(config.clone(), name).expect("a connection")
}
