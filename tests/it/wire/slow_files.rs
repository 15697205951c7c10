//! Files of the server on a network drive that does not answer: each look at one is held by strace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use tempfile::TempDir;

use super::users::{log_in, write_users};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::fault::KernelTrace;
use crate::support::server::{Program, Setup, THREADS_IDLE, TestServer};
use crate::support::thread_status::{field, threads};
use crate::support::wait::{pause, wait_at_most, wait_until};

struct Scene {
    place: TempDir,
    server: TestServer<Program>,
}

impl Scene {
    /// A server with each kind of file that is taken when it changes.
    fn new() -> Self {
        let place = TempDir::new().expect("a temporary directory");
        let file = |name: &str| place.path().join(name);
        make_certificate(place.path(), 1);
        fs::create_dir(file("home")).expect("a directory");
        fs::write(file("address"), "203.0.113.1\n").expect("a file");
        write_users(&file("users"), place.path(), &[USER_LINE]);
        let [chain, key, users] = ["chain", "key", "users"].map(file);
        let address = format!("@{}", path(&file("address")));
        let flags = [
            "--tls",
            "--certfile",
            path(&chain),
            "--keyfile",
            path(&key),
            "--users",
            path(&users),
            "--masquerade-address",
            &address,
        ];
        let setup = Setup::from_flags_alone().flags(&["-i", "127.0.0.1", "-p", "0"]);
        let server = setup.flags(&flags).program();
        Self { place, server }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// From now on the look at this file does not return.
    fn hang(&self, name: &str) -> KernelTrace {
        let file = self.file(name);
        let trace = KernelTrace::delay_at(self.server.id(), "statx", &file, HANG);
        wait_until("a look hangs", || self.is_held());
        trace
    }

    /// Whether a thread stays stopped. Each call of the others stops them for a moment.
    fn is_held(&self) -> bool {
        let stopped = || -> BTreeSet<String> {
            let all = threads(self.server.id()).into_iter();
            let all = all.filter(|thread| field(thread, "State").starts_with('t'));
            all.map(|thread| field(&thread, "Pid")).collect()
        };
        let mut held = stopped();
        for _ in 0..20 {
            pause();
            let now = stopped();
            held.retain(|thread| now.contains(thread));
        }
        !held.is_empty()
    }

    /// New clients are served, and no further thread hangs.
    #[track_caller]
    fn expect_service(&self) {
        for _ in 0..2 {
            let mut client = Client::greeted(self.server.address);
            assert_eq!(log_in(&mut client, "anna").code, 230);
        }
        let looking = threads(self.server.id()).into_iter();
        let looking = looking.filter(|thread| field(thread, "Name") == "files");
        assert_eq!(looking.count(), 1);
    }
}

fn make_certificate(place: &Path, number: u32) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([format!("host{number}.example")]).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    for (name, text) in [("key", key.serialize_pem()), ("chain", certificate.pem())] {
        fs::write(place.join(name), text).expect("a file");
    }
}

#[test]
fn a_look_that_hangs_keeps_no_client_out_and_no_end_away() {
    // Each waits until the server looks at its files.
    thread::scope(|scope| {
        for name in ["chain", "key", "users", "address"] {
            scope.spawn(move || check_service_and_end(name));
        }
    });
}

#[track_caller]
fn check_service_and_end(name: &str) {
    let scene = Scene::new();
    let hang = scene.hang(name);
    scene.expect_service();
    scene.server.signal(Signal::TERM);
    scene.server.log_with("shutting down: SIGTERM asks for it");
    scene.server.log_with(" INFO  ended");
    // strace holds the thread that the system ends then.
    drop(hang);
    assert_eq!(scene.server.ended().0, Some(0));
}

#[test]
fn what_has_changed_meanwhile_is_taken_when_the_disk_answers() {
    let scene = Scene::new();
    let hang = scene.hang("chain");
    make_certificate(scene.place.path(), 2);
    let lines = [USER_LINE, "boris:HASH:HOMES/home:read"];
    write_users(&scene.file("users"), scene.place.path(), &lines);
    scene.expect_service();
    hang.end_with_any();
    scene.server.log_with("certificate for host2.example");
    scene.server.log_with("--users: boris is new");
    // Of the server, of which no file is watched twice.
    assert_eq!(
        scene
            .server
            .log()
            .matches("took the changed file of")
            .count(),
        1
    );
    scene.server.finish();
}

/// The files are read in the thread that reads the settings, before the main thread does it.
#[test]
fn a_reload_waits_for_the_disk_and_clients_do_not() {
    for name in ["chain", "address"] {
        let scene = Scene::new();
        let hang = scene.hang(name);
        scene.server.signal(Signal::HUP);
        scene.expect_service();
        scene.expect_service();
        assert!(!scene.server.log().contains("reloaded the settings"));
        hang.end_with_any();
        scene.server.log_with("reloaded the settings");
        scene.server.finish();
    }
}

#[test]
fn one_thread_looks_at_files() {
    let scene = Scene::new();
    let count = || scene.server.counts().1;
    wait_until("the first look", || count() == THREADS_IDLE + 1);
    make_certificate(scene.place.path(), 2);
    scene.server.log_with("certificate for host2.example");
    assert_eq!(count(), THREADS_IDLE + 1);
    scene.server.finish();
}

#[test]
fn long_a_look_that_hangs_has_one_line() {
    let scene = Scene::new();
    let hang = scene.hang("key");
    let expected = format!(
        " WARN  no change of a certificate, of --users or of a file with a public address is noticed \
         until --keyfile {} answers: see whether its disk does, or unmount it",
        scene.file("key").display()
    );
    let has_line = || scene.server.log().contains(&expected);
    wait_at_most(Duration::from_secs(30), "the log has a line", has_line);
    scene.server.signal(Signal::HUP);
    scene.expect_service();
    hang.end_with_any();
    scene.server.log_with("changes of files are noticed again");
    let log = scene.server.finish();
    assert_eq!(log.matches("is noticed until").count(), 1, "{log}");
}

const USER_LINE: &str = "anna:HASH:HOMES/home:all";

/// Longer than any test takes.
const HANG: Duration = Duration::from_secs(300);
