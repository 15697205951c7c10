//! suppaftp, the client library of Rust programs: in this process, with rustls beneath it.
//!
//! rustls uses each ticket of TLS 1.3 once only, and the control connection hands out two.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ::suppaftp::types::FileType;
use ::suppaftp::{
    FtpError, FtpResult, FtpStream, ImplFtpStream, Mode, RustlsConnector, RustlsFtpStream,
    TlsStream,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{SupportedProtocolVersion, version};

use super::dialogue;
use super::dialogue::Dialogue;
use super::tls::{NOT_RESUMED, STRICT};
use super::{LOOPBACK, SIZE, assert_sample, start, start_secure};
use crate::support::certificates::{HOST, VERSIONS, trusting};
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::server::{PASSWORD, Program, SecureServer, TestServer, USER};

#[test]
fn suppaftp_in_clear_text() {
    for (mode, expected) in WAYS {
        let server = start(LOOPBACK);
        let client = FtpStream::connect_with_stream(control(&server)).expect("a greeting");
        let mut client = client.passive_stream_builder(bounded);
        check(&mut client, mode, &server);
        let dialogue = Dialogue::finish(server);
        dialogue.assert_mode(expected);
        assert!(!dialogue.commands().any(|line| line.starts_with("AUTH")));
    }
}

/// By default: with TLS 1.3 the third data connection has no ticket left, and makes a full
/// handshake.
#[test]
fn suppaftp_over_tls() {
    for version in VERSIONS {
        for (mode, expected) in WAYS {
            let secure = start_secure(&["--tls-control-required", "--tls-data-required"]);
            let mut client = secured(&secure, version);
            check(&mut client, mode, &secure.server);
            let dialogue = Dialogue::finish(secure.server);
            let log = dialogue.log();
            dialogue
                .assert_mode(expected)
                .assert_used(&["AUTH", "PROT"]);
            let full = *version == version::TLS13;
            assert_eq!(log.contains(NOT_RESUMED), full, "{log}");
        }
    }
}

#[test]
fn suppaftp_resumes_where_that_is_required() {
    for (mode, expected) in WAYS {
        let secure = start_secure(&STRICT);
        let mut client = secured(&secure, &version::TLS12);
        check(&mut client, mode, &secure.server);
        let dialogue = Dialogue::finish(secure.server);
        let log = dialogue.log();
        dialogue.assert_mode(expected);
        assert!(!log.contains(NOT_RESUMED), "{log}");
    }
    // With TLS 1.3 it can resume for as many transfers as there are tickets.
    let secure = start_secure(&STRICT);
    let mut client = secured(&secure, &version::TLS13);
    client.login(USER, PASSWORD).expect("a login");
    for _ in 0..2 {
        client.list(None).expect("a listing");
    }
    match client.list(None) {
        Err(FtpError::UnexpectedResponse(reply)) => {
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(text.starts_with("522 "), "{text}");
        }
        other => panic!("{other:?}"),
    }
    client.noop().expect("a session that goes on");
    client.quit().expect("an end");
    secure.server.finish();
}

/// Sends the sample, lists it, fetches it back whole and from its middle.
#[track_caller]
fn check<T: TlsStream>(client: &mut ImplFtpStream<T>, mode: Mode, server: &TestServer<Program>) {
    client.set_mode(mode);
    client.login(USER, PASSWORD).expect("a login");
    client.transfer_type(FileType::Binary).expect("TYPE I");
    let sample = noise(SIZE);
    let sent = client.put_file("sample", &mut &sample[..]);
    assert_eq!(sent.expect("an upload"), SIZE as u64);
    assert_sample(&server.path("sample"));
    assert_eq!(client.size("sample").expect("its size"), SIZE);
    let listed = client.list(None).expect("a listing");
    assert!(
        listed.iter().any(|line| line.ends_with(" sample")),
        "{listed:?}"
    );
    assert_eq!(client.nlst(None).expect("names"), ["sample"]);
    for from in [0, SIZE / 2] {
        client.resume_transfer(from).expect("REST");
        let fetched = client.retr_as_buffer("sample").expect("a download");
        assert!(fetched.into_inner() == sample[from..], "from byte {from}");
    }
    client.quit().expect("an end");
}

/// A client after AUTH TLS, PBSZ and PROT P.
#[track_caller]
fn secured(
    secure: &SecureServer<Program>,
    version: &'static SupportedProtocolVersion,
) -> RustlsFtpStream {
    let root = CertificateDer::from_pem_file(&secure.certificate.chain).expect("the certificate");
    let connector = RustlsConnector::from(trusting(root, version));
    let client = RustlsFtpStream::connect_with_stream(control(&secure.server)).expect("a greeting");
    let client = client.passive_stream_builder(bounded);
    client.into_secure(connector, HOST).expect("TLS")
}

#[track_caller]
fn control(server: &TestServer<Program>) -> TcpStream {
    bounded(server.address).expect("a connection")
}

/// A connection with deadlines.
fn bounded(address: SocketAddr) -> FtpResult<TcpStream> {
    let most = Duration::from_secs(SECONDS_MAX);
    let stream = TcpStream::connect_timeout(&address, most).map_err(FtpError::ConnectionError)?;
    stream
        .set_read_timeout(Some(most))
        .and_then(|()| stream.set_write_timeout(Some(most)))
        .map_err(FtpError::ConnectionError)?;
    Ok(stream)
}

/// What the client uses, and what the log must show.
const WAYS: [(Mode, dialogue::Mode); 2] = [
    (Mode::Passive, dialogue::Mode::Pasv),
    (Mode::ExtendedPassive, dialogue::Mode::Epsv),
];
