//! The client's side of TLS. A certificate is not verified: its fingerprint is shown instead.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, NamedGroup,
    ProtocolVersion, SignatureScheme, StreamOwned,
};

use super::shown::shown;
use super::socket::TimedSocket;
use crate::locks::lock;
use crate::tls::fingerprint;

/// TLS for one control connection and its data connections, which resume its session.
#[derive(Clone, Debug)]
pub(super) struct ClientTls {
    config: Arc<ClientConfig>,
    sessions: Arc<Sessions>,
    name: ServerName<'static>,
}

/// A connection in TLS.
#[derive(Debug)]
pub(super) struct SecureStream(StreamOwned<ClientConnection, TimedSocket>);

/// What a handshake has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFacts {
    pub(super) version: &'static str,
    /// Of the server's own certificate, SHA-256.
    pub(super) fingerprint: Option<String>,
    pub(super) resumed: bool,
}

/// The sessions of one server.
#[derive(Debug, Default)]
struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Each is used once.
    tickets: VecDeque<Tls13ClientSessionValue>,
    had_tickets: bool,
}

/// Checks signatures, but not whose certificate it is.
#[derive(Debug)]
struct AnyCertificate;

impl ClientTls {
    /// For a server with this name or address.
    pub(super) fn new(host: &str, address: IpAddr) -> Result<Self, String> {
        let sessions = Arc::new(Sessions::default());
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = builder.dangerous();
        let builder = builder.with_custom_certificate_verifier(Arc::new(AnyCertificate));
        let mut config = builder.with_no_client_auth();
        config.resumption = Resumption::store(sessions.clone());
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned());
        Ok(Self {
            config: config.into(),
            sessions,
            name: name.unwrap_or_else(|_| ServerName::IpAddress(address.into())),
        })
    }

    /// Whether the tickets of the control connection are used up, so that the next data connection
    /// could not resume its session.
    pub(super) fn is_used_up(&self) -> bool {
        let kept = lock(&self.sessions.0);
        kept.had_tickets && kept.tickets.is_empty()
    }

    pub(super) fn handshake(&self, socket: TimedSocket) -> io::Result<SecureStream> {
        let connection = ClientConnection::new(self.config.clone(), self.name.clone());
        let mut stream = StreamOwned::new(connection.map_err(io::Error::other)?, socket);
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .map_err(in_own_words)?;
        }
        Ok(SecureStream(stream))
    }
}

impl SecureStream {
    pub(super) fn facts(&self) -> TlsFacts {
        let connection = &self.0.conn;
        let certificates = connection.peer_certificates().unwrap_or_default();
        TlsFacts {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS 1.3",
            },
            fingerprint: certificates.first().map(|first| fingerprint(first)),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    pub(super) fn timed(&self) -> &TimedSocket {
        &self.0.sock
    }

    pub(super) fn timed_mut(&mut self) -> &mut TimedSocket {
        &mut self.0.sock
    }

    pub(super) fn close(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()
    }
}

impl Read for SecureStream {
    /// Many servers end a listing without close_notify: that is an end too, for a probe.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            result => result.map_err(in_own_words),
        }
    }
}

impl Write for SecureStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An error of the library holds text that the server may have chosen.
fn in_own_words(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::InvalidData => io::Error::other(format!(
            "TLS failed: {}",
            shown(error.to_string().as_bytes())
        )),
        _ => error,
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        lock(&self.0).group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        lock(&self.0).group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        lock(&self.0).tls12 = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        lock(&self.0).tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        lock(&self.0).tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut kept = lock(&self.0);
        kept.had_tickets = true;
        if kept.tickets.len() < TICKETS_MAX {
            kept.tickets.push_back(ticket);
        }
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        lock(&self.0).tickets.pop_front()
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} tickets)", self.tickets.len())
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

/// A server may send any number.
const TICKETS_MAX: usize = 8;
