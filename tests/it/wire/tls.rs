//! TLS on the wire, by a client that does what others would not: it closes without a word, resumes what is not
//! its own, or says something else than TLS.

mod client_certificates;
mod control;
mod data;
mod hostile;
mod renewal;
mod resumption;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};
use tempfile::TempDir;

use super::{Client, Site};
use crate::support::certificates::{Certificate, HOST, VERSIONS, trusting};

/// A server with a certificate that its clients trust.
struct Secure {
    site: Site,
    root: CertificateDer<'static>,
    _directory: TempDir,
}

/// One side of TLS: ours.
struct Protected {
    tls: ClientConnection,
    socket: TcpStream,
}

/// How one of our ends was told that the server's data is whole.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    CloseNotify,
    /// Anything else: what came before may be a part.
    Truncated,
}

impl Secure {
    fn new(extra: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let certificate = Certificate::new(directory.path(), &[]);
        Self {
            site: Site::new(&[&certificate.flags(), extra].concat()),
            root: CertificateDer::from_pem_file(&certificate.chain).expect("the certificate"),
            _directory: directory,
        }
    }

    /// A client's settings. Connections with the same settings resume each other's sessions.
    fn config(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        trusting(self.root.clone(), version)
    }

    /// A client after AUTH TLS.
    #[track_caller]
    fn secured(&self, config: &Arc<ClientConfig>) -> Client {
        let mut client = Client::greeted(self.site.address);
        client.command("AUTH TLS", 234);
        client.secure(config);
        client
    }

    /// The same after its login and PROT P.
    #[track_caller]
    fn client(&self, config: &Arc<ClientConfig>) -> Client {
        let mut client = self.secured(config);
        client.log_in();
        client.command("PBSZ 0", 200);
        client.command("PROT P", 200);
        client
    }
}

impl Client {
    /// Shakes hands.
    #[track_caller]
    fn secure(&mut self, config: &Arc<ClientConfig>) {
        let mut tls = connection(config);
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream).expect("a handshake");
        }
        self.tls = Some(tls.into());
    }

    /// A whole transfer to us, over TLS.
    #[track_caller]
    fn fetch_securely(&mut self, command: &str, config: &Arc<ClientConfig>) -> Vec<u8> {
        let socket = self.data();
        self.command(command, 150);
        let (bytes, ending) = Protected::over(socket, config).read_to_end();
        assert_eq!(ending, Ending::CloseNotify, "{command}");
        self.expect(226);
        bytes
    }

    /// A whole transfer from us, over TLS.
    #[track_caller]
    fn store_securely(&mut self, command: &str, bytes: &[u8], config: &Arc<ClientConfig>) {
        let socket = self.data();
        self.command(command, 150);
        let mut data = Protected::over(socket, config);
        data.write(bytes);
        data.close();
        self.expect(226);
    }
}

impl Protected {
    /// Shakes hands.
    #[track_caller]
    fn over(socket: TcpStream, config: &Arc<ClientConfig>) -> Self {
        Self::try_over(socket, config).expect("a handshake")
    }

    fn try_over(mut socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
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
    fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("sending data");
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Reads until the server ends the connection, in whatever way.
    #[track_caller]
    fn read_to_end(mut self) -> (Vec<u8>, Ending) {
        let mut bytes = Vec::new();
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        match stream.read_to_end(&mut bytes) {
            Ok(_) => (bytes, Ending::CloseNotify),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end comes"),
            Err(_) => (bytes, Ending::Truncated),
        }
    }

    #[track_caller]
    fn read_some(&mut self, count: usize) {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        stream.read_exact(&mut vec![0; count]).expect("data");
    }

    /// Ends as TLS wants it.
    #[track_caller]
    fn close(mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).expect("close_notify");
        }
    }

    /// Ends as many clients do: the connection is closed, and not a word said in TLS.
    fn close_bare(self) {
        self.socket.shutdown(Shutdown::Write).expect("an end");
    }

    fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}

fn connection(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from(HOST).expect("a name");
    ClientConnection::new(config.clone(), name).expect("a connection")
}

/// A data connection from us, once the server has been told where it may connect to.
#[track_caller]
fn accept(client: &mut Client, command: &str) -> TcpStream {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address: SocketAddr = listener.local_addr().expect("its address");
    client.command(format!("EPRT |1|127.0.0.1|{}|", address.port()), 200);
    client.command(command, 150);
    super::guarded(listener.accept().expect("the server's connection").0)
}

/// Around the size of a record, and more than several of them.
const SIZES: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 200_000, 3_000_000];
