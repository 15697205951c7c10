//! Which certificate the server has in force: at start, when its files change, and when it made its
//! own.
//!
//! The log shows its fingerprint.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version;
use tempfile::TempDir;

use crate::support::certificates::trusting;
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{self, Program, Setup, TestServer};
use crate::support::wait::pass_time;

/// A directory in which certificates are renewed, as certbot does it: the names that the server
/// knows are links.
struct Renewals {
    directory: TempDir,
}

impl Renewals {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let renewals = Self { directory };
        renewals.make(1);
        renewals.link("chain", "chain1");
        renewals.link("key", "key1");
        renewals
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// A certificate and its key, neither of them in force yet.
    fn make(&self, number: u32) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([format!("host{number}.example")]).expect("names");
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(&format!("chain{number}"), &certificate.pem());
        self.write(&format!("key{number}"), &key.serialize_pem());
    }

    /// Replaces a link without a moment in which there is none.
    fn link(&self, name: &str, target: &str) {
        symlink(target, self.path("new")).expect("a link");
        fs::rename(self.path("new"), self.path(name)).expect("a link in its place");
    }

    fn serve(&self, more: &[&str]) -> TestServer<Program> {
        let (chain, key) = (self.path("chain"), self.path("key"));
        let setup = Setup::without_account().host("127.0.0.1");
        let setup = setup.flags(&["--tls", "--certfile", path(&chain)]);
        setup
            .flags(&["--keyfile", path(&key)])
            .flags(more)
            .program()
    }
}

fn in_force(number: u32) -> String {
    format!("certificate for host{number}.example, valid until")
}

#[test]
fn a_renewed_certificate_takes_effect_without_a_signal() {
    check_renewal(&[]);
}

#[test]
fn a_renewed_certificate_is_within_the_sandbox() {
    check_renewal(&["--sandbox"]);
}

#[track_caller]
fn check_renewal(flags: &[&str]) {
    let renewals = Renewals::new();
    let server = renewals.serve(flags);
    server.log_with(&in_force(1));
    let mut session = Client::greeted(server.address);
    renewals.make(2);
    renewals.link("chain", "chain2");
    renewals.link("key", "key2");
    server.log_with(&in_force(2));
    // A session that was open before does not notice.
    session.command("NOOP", 200);
    let log = server.finish();
    assert!(!log.contains(" ERROR "), "{log}");
    assert_eq!(log.matches(&in_force(1)).count(), 1, "{log}");
}

#[test]
fn long_a_broken_renewal_leaves_the_old_certificate_in_force() {
    let renewals = Renewals::new();
    let server = renewals.serve(&[]);
    server.log_with(&in_force(1));
    renewals.make(2);
    renewals.link("chain", "chain2");
    let log = server.log_with("the old certificate stays in force: --keyfile ");
    assert!(
        log.contains("does not match the first certificate"),
        "{log}"
    );
    Client::greeted(server.address);
    renewals.link("key", "key2");
    server.log_with(&in_force(2));
    let log = server.finish();
    assert_eq!(log.matches(" ERROR ").count(), 1, "{log}");
}

#[test]
fn sighup_loads_the_certificate_or_logs_why_not() {
    let renewals = Renewals::new();
    let server = renewals.serve(&[]);
    server.log_with(&in_force(1));
    renewals.make(2);
    renewals.link("chain", "chain2");
    server.signal(Signal::HUP);
    server.log_with("not reloading, the old settings stay: --keyfile ");
    Client::greeted(server.address);
    renewals.link("key", "key2");
    server.signal(Signal::HUP);
    server.log_with(&in_force(2));
    server.log_with("reloaded the settings");
}

#[test]
fn long_the_watch_does_not_repeat_what_sighup_reported() {
    let renewals = Renewals::new();
    let server = renewals.serve(&[]);
    server.log_with(&in_force(1));
    renewals.make(2);
    renewals.link("chain", "chain2");
    server.signal(Signal::HUP);
    server.log_with("not reloading, the old settings stay: --keyfile ");
    // The watch of the files would report what it has rejected for 6 s.
    pass_time(Duration::from_secs(10), "the watch does not repeat it");
    let log = server.finish();
    assert_eq!(log.matches(" ERROR ").count(), 1, "{log}");
}

/// `--check` judges the certificate, and makes none.
#[test]
fn check_judges_the_certificate() {
    let check = |server: &mut Command, code: i32| {
        let finished = process::run(server.arg("--check"), 20);
        let status = finished.status.and_then(|status| status.code());
        assert_eq!(status, Some(code), "{}", finished.text());
        finished.text()
    };
    let renewals = Renewals::new();
    let path = |name| renewals.path(name).display().to_string();
    let (chain, key) = (path("chain"), path("key"));
    let flags = [
        "-i",
        "127.0.0.1",
        "-p",
        "0",
        "--tls",
        "--certfile",
        &chain,
        "--keyfile",
        &key,
    ];
    check(&mut server::command(&flags), 0);
    renewals.make(2);
    renewals.link("key", "key2");
    let text = check(&mut server::command(&flags), 2);
    assert!(
        text.contains("does not match the first certificate"),
        "{text}"
    );
    let state = TempDir::new().expect("a temporary directory");
    check(&mut storing(&state), 0);
    assert_eq!(fs::read_dir(&state).expect("the directory").count(), 0);
}

/// The command of a server that stores its certificate there.
fn storing(state: &TempDir) -> Command {
    let mut command = server::command(&["-i", "127.0.0.1", "-p", "0", "--tls"]);
    command.env("STATE_DIRECTORY", state.path());
    command
}

/// The same server, which runs.
fn serve_storing(state: &TempDir) -> TestServer<Program> {
    let setup = Setup::without_account().host("127.0.0.1").flags(&["--tls"]);
    let setup = setup.wrapped(|mut serve| {
        serve.env("STATE_DIRECTORY", state.path());
        serve
    });
    setup.program()
}

fn fingerprint(server: &TestServer<Program>) -> String {
    let log = server.log_with("SHA-256 fingerprint ");
    let (_, rest) = log
        .split_once("SHA-256 fingerprint ")
        .expect("what was waited for");
    rest.lines().next().expect("a line").to_owned()
}

#[test]
fn servers_share_one_stored_certificate() {
    let state = TempDir::new().expect("a temporary directory");
    // Both start before either has been waited for.
    let found = thread::scope(|scope| {
        let start = || scope.spawn(|| fingerprint(&serve_storing(&state)));
        [start(), start()].map(|thread| thread.join().expect("a server that starts"))
    });
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].len(), 32 * 3 - 1);
    let later = serve_storing(&state);
    assert_eq!(fingerprint(&later), found[0]);
    assert!(!later.log().contains("made a self-signed certificate"));
    // The neighbour: without the file it is another one.
    fs::remove_file(state.path().join("certificate.pem")).expect("the stored file");
    let new = serve_storing(&state);
    assert_ne!(fingerprint(&new), found[0]);
    new.log_with("made a self-signed certificate: ");
}

/// A client that trusts the public file is served, after a new certificate was made too.
#[test]
fn the_public_file_is_what_clients_need() {
    let state = TempDir::new().expect("a temporary directory");
    let stored = state.path().join("certificate.pem");
    let public = state.path().join("certificate.crt");
    for _certificate in 0..2 {
        let server = serve_storing(&state);
        server.log_with("the certificate without its key, for clients: ");
        let text = fs::read_to_string(&public).expect("the public file");
        assert!(!text.contains("KEY"), "{text}");
        let root = CertificateDer::from_pem_file(&public).expect("a certificate");
        let mut client = Client::greeted(server.address);
        client.auth_tls(&trusting(root, &version::TLS13));
        client.command("NOOP", 200);
        fs::remove_file(&stored).expect("the stored file");
    }
    // `--check` writes neither.
    fs::remove_file(&public).expect("the public file");
    process::run(storing(&state).arg("--check"), 20).expect_success();
    assert!(!public.exists());
    drop(serve_storing(&state));
    fs::remove_file(&public).expect("the public file");
    process::run(storing(&state).arg("--check"), 20).expect_success();
    assert!(!public.exists());
}

#[test]
fn a_broken_stored_certificate_is_refused() {
    let state = TempDir::new().expect("a temporary directory");
    fs::write(state.path().join("certificate.pem"), "").expect("a file");
    let finished = process::run(&mut storing(&state), 10).expect_failure();
    let text = String::from_utf8_lossy(&finished.stderr);
    let path = state.path().display();
    assert_eq!(
        text.trim_end(),
        format!(
            "ftp-server-sync: self-signed certificate file {path}/certificate.pem: the file is empty; \
             give a PEM file with -----BEGIN CERTIFICATE-----; or remove the file, and the server \
             makes a new one"
        )
    );
}

#[test]
fn a_read_only_state_directory_is_refused() {
    let state = TempDir::new().expect("a temporary directory");
    let server = storing(&state);
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o ro none \"$STATE_DIRECTORY\" && exec \"$@\"";
    command.args(["--mount", "sh", "-ec", script, "sh"]);
    command.arg(server.get_program()).args(server.get_args());
    command.env("STATE_DIRECTORY", state.path());
    let finished = process::run(&mut command, 10).expect_failure();
    let text = String::from_utf8_lossy(&finished.stderr);
    assert!(
        text.contains("read-only file system; give a certificate with --certfile, or set"),
        "{text}"
    );
}
