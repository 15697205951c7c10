//! Certificates that change while sessions transfer files: only new sessions notice.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, version};
use tempfile::TempDir;

use crate::support::certificates::{Certificate, VERSIONS, trusting};
use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::file_contents::noise;
use crate::support::server::{Program, SecureServer, TestServer};
use crate::support::wait::wait_at_most;

/// Each trusts the first certificate alone, so it would notice any other on its data connections
/// too: those of TLS 1.3 have no ticket left after two transfers, and make a full handshake.
#[test]
fn sessions_transfer_while_the_certificate_is_replaced() {
    check_renewals(4, |_| true);
}

/// Half of the times, the server finds the new files itself.
#[test]
fn long_twenty_sessions_transfer_while_the_certificate_is_replaced() {
    check_renewals(20, |round| round % 2 == 0);
}

/// `is_signalled`: whether SIGHUP announces the new certificate of this round.
#[track_caller]
fn check_renewals(sessions: usize, is_signalled: impl Fn(usize) -> bool) {
    let secure = SecureServer::program(&[]);
    let server = &secure.server;
    let mut in_force = root(&secure.certificate);
    let load = Load::new(sessions);
    thread::scope(|scope| {
        let _ends = load.ends_with_this();
        for number in 0..sessions {
            let config = trusting(in_force.clone(), VERSIONS[number % 2]);
            let (load, address) = (&load, server.address);
            scope.spawn(move || session(load, number, address, &config));
        }
        load.each_goes_on();
        for (round, state) in BROKEN.iter().enumerate() {
            state.apply(&secure.certificate);
            server.signal(Signal::HUP);
            logged(server, "not reloading, the old settings stay: ", round + 1);
            load.each_goes_on();
            assert!(presents(server.address, &in_force), "{state:?}");
            in_force = renew(server.directory());
            if is_signalled(round) {
                server.signal(Signal::HUP);
            }
            until("the new certificate", || {
                presents(server.address, &in_force)
            });
            load.each_goes_on();
        }
    });
    // The sessions have ended: a panic in one of them would have been a panic of the scope.
    secure.server.finish();
}

/// One session over and over: what it sends it fetches back.
fn session(load: &Load, number: usize, address: SocketAddr, config: &Arc<ClientConfig>) {
    let bytes = noise(100_000 + number);
    let mut client = Client::greeted(address);
    client.auth_tls(config);
    client.log_in();
    client.protect_data();
    while load.goes_on.load(Ordering::Relaxed) {
        client.store_securely(&format!("STOR file{number}"), &bytes, config);
        let fetched = client.fetch_securely(&format!("RETR file{number}"), config);
        assert!(fetched == bytes, "#{number}: other bytes");
        load.rounds[number].fetch_add(1, Ordering::Relaxed);
    }
    client.command("QUIT", 221);
    client.expect_closed();
}

/// How much the sessions have done, and whether they continue.
struct Load {
    goes_on: AtomicBool,
    /// Of each session.
    rounds: Vec<AtomicUsize>,
}

impl Load {
    fn new(sessions: usize) -> Self {
        Self {
            goes_on: AtomicBool::new(true),
            rounds: (0..sessions).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Every session has sent and fetched its file from beginning to end since this was called.
    #[track_caller]
    fn each_goes_on(&self) {
        let done = || {
            let rounds = self.rounds.iter();
            rounds.map(|rounds| rounds.load(Ordering::Relaxed))
        };
        // The round that is under way began before.
        let wanted: Vec<usize> = done().map(|rounds| rounds + 2).collect();
        until("all sessions' next transfers", || {
            done()
                .zip(&wanted)
                .all(|(rounds, &wanted)| rounds >= wanted)
        });
    }

    /// Ends the sessions also when the test fails.
    fn ends_with_this(&self) -> EndsWithThis<'_> {
        EndsWithThis(self)
    }
}

struct EndsWithThis<'a>(&'a Load);

impl Drop for EndsWithThis<'_> {
    fn drop(&mut self) {
        self.0.goes_on.store(false, Ordering::Relaxed);
    }
}

fn root(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&certificate.chain).expect("the certificate")
}

/// Another certificate, written over the old one: first the chain, then the key.
fn renew(directory: &Path) -> CertificateDer<'static> {
    root(&Certificate::new(directory, &[]))
}

/// What is wrong with the files of a certificate.
#[derive(Clone, Copy, Debug)]
enum Broken {
    HalfChain,
    OtherKey,
    NoKey,
    HalfKey,
}

impl Broken {
    fn apply(self, certificate: &Certificate) {
        let (chain, key) = (&certificate.chain, &certificate.key);
        let half = |file: &str| {
            let text = fs::read(file).expect("a file");
            fs::write(file, &text[..text.len() / 2]).expect("half a file");
        };
        match self {
            Self::HalfChain => half(chain),
            Self::HalfKey => half(key),
            Self::NoKey => fs::remove_file(key).expect("no key"),
            Self::OtherKey => {
                let directory = TempDir::new().expect("a temporary directory");
                let other = Certificate::new(directory.path(), &[]);
                fs::copy(other.key, key).expect("another key");
            }
        }
    }
}

/// Whether a new client, which trusts this certificate only, is served.
fn presents(address: SocketAddr, certificate: &CertificateDer<'static>) -> bool {
    let mut client = Client::greeted(address);
    client.command("AUTH TLS", 234);
    let config = trusting(certificate.clone(), &version::TLS13);
    Protected::try_over(client.stream, &config).is_ok()
}

#[track_caller]
fn logged(server: &TestServer<Program>, text: &str, times: usize) {
    until(text, || server.log().matches(text).count() >= times);
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    wait_at_most(Duration::from_secs(60), what, is_so);
}

const BROKEN: [Broken; 4] = [
    Broken::HalfChain,
    Broken::OtherKey,
    Broken::NoKey,
    Broken::HalfKey,
];
