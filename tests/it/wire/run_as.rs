//! From root to another user: `--run-as`, and what becomes of a server that stays root.
//!
//! The tests run as root. The users are in files that are mounted over this machine's.

mod hooks;
mod unreadable;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use rustls::version;
use tempfile::TempDir;

use crate::support::certificates::{Certificate, trusting_any};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data;
use crate::support::process;
use crate::support::server::{self, Program, Setup, TestServer, own_address};
use crate::support::thread_status::{field, threads};
use crate::support::wait::wait_until;

/// Users and groups that the server finds, in place of this machine's.
struct Accounts {
    directory: TempDir,
}

impl Accounts {
    fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "only root can become another user: run `tests/run` as root"
        );
        let directory = TempDir::new().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("a file");
        };
        write(
            "passwd",
            "root:x:0:0::/root:/bin/sh\nftpd:x:4711:4712::/:/bin/false\n",
        );
        write(
            "group",
            "root:x:0:\nftpd:x:4712:\nmedia:x:4713:ftpd\nother:x:4714:\n",
        );
        Self { directory }
    }

    /// The command of a server that finds these users.
    fn know(&self, serve: &Command) -> Command {
        let file = |name: &str| self.directory.path().join(name);
        let script = "mount --bind \"$0\" /etc/passwd && mount --bind \"$1\" /etc/group";
        process::mounting(script, &[&file("passwd"), &file("group")], serve)
    }

    /// A server that becomes `ftpd`, whose share is its own.
    fn serve(&self, setup: Setup<'_>) -> TestServer<Program> {
        give(&setup.root());
        let setup = setup.flags(&["--run-as", "ftpd"]);
        let setup = setup.wrapped(|serve| self.know(&serve));
        setup.program()
    }
}

/// Every thread has the new user and nothing else, a port below 1024 is open, and the path of the
/// share cannot be followed any more, as it leads through a directory of root's alone.
#[test]
fn all_threads_give_up_all_rights() {
    expect_privileged_ports();
    let accounts = Accounts::new();
    let setup = Setup::new().on_own_address().flags(&["-p", "21"]);
    fs::set_permissions(setup.directory(), Permissions::from_mode(0o700)).expect("a mode");
    let server = accounts.serve(setup);
    assert_eq!(server.address.port(), 21);
    let mut client = server.client();
    client.store("STOR new", "text");
    client.command("MKD directory", 257);
    for name in ["new", "directory"] {
        let metadata = fs::metadata(server.path(name)).expect(name);
        assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712), "{name}");
    }
    let threads = threads(server.id());
    assert!(threads.len() >= 3, "{threads:#?}");
    for thread in &threads {
        let expect = |name: &str, value: &str| assert_eq!(field(thread, name), value, "{thread}");
        expect("Uid", "4711 4711 4711 4711");
        expect("Gid", "4712 4712 4712 4712");
        expect("Groups", "4712 4713");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            expect(set, "0000000000000000");
        }
        expect("NoNewPrivs", "1");
    }
    // What only root may read.
    fs::write(server.path("secret"), "text").expect("a file");
    server.set_mode("secret", 0o600);
    client.extended_passive();
    client.command("RETR secret", 550);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    assert_eq!(server.client().fetch("RETR new"), b"text");
    let log = server.finish();
    for line in [
        "has become ftpd (user 4711, group 4712), without any right of root",
        "note: the server may not follow the path ",
    ] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
    assert!(!log.contains("runs as root"), "{log}");
    assert!(!log.contains("is not available"), "{log}");
    assert!(!log.contains("cannot store files"), "{log}");
}

/// Both at once: no thread is outside of either, and what the server needs of the disk is the
/// user's and within the sandbox, also at a reload.
#[test]
fn the_user_is_in_the_sandbox() {
    let accounts = Accounts::new();
    let setup = Setup::new().flags(&["--tls", "--sandbox"]);
    let state = setup.directory().join("state");
    let trace = setup.directory().join("trace");
    let calls = "trace=setresuid,landlock_restrict_self,clone,clone3";
    let strace = ["strace", "-D", "-f", "-q", "-e", calls, "-o", path(&trace)];
    search(setup.directory());
    give(&setup.root());
    let setup = setup.flags(&["--run-as", "ftpd"]);
    let setup = setup.wrapped(|mut serve| {
        serve.env("STATE_DIRECTORY", &state);
        accounts.know(&process::prefixed(&strace, &serve))
    });
    let server = setup.program();
    let mut client = Client::greeted(server.address);
    client.auth_tls(&trusting_any(&version::TLS13));
    client.log_in();
    server.client().store("STOR new", "text");
    for file in [server.path("new"), state.join("certificate.pem")] {
        assert_eq!(fs::metadata(&file).expect("a file").uid(), 4711, "{file:?}");
    }
    for thread in &threads(server.id()) {
        assert_eq!(field(thread, "Uid"), "4711 4711 4711 4711", "{thread}");
        assert_eq!(field(thread, "NoNewPrivs"), "1", "{thread}");
    }
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    let text = fs::read_to_string(&trace).expect("the trace");
    let place = |call: &str| {
        text.find(call)
            .unwrap_or_else(|| panic!("no {call}\n{text}"))
    };
    let user = place("setresuid(4711, 4711, 4711)");
    let (sandbox, thread) = (place("landlock_restrict_self("), place("CLONE_THREAD"));
    let is_entered = text[sandbox..]
        .lines()
        .next()
        .is_some_and(|line| line.ends_with("= 0"));
    assert!(is_entered && sandbox < thread && user < thread, "{text}");
    let log = server.finish();
    assert!(!log.contains(" ERROR "), "{log}");
}

/// What the server knows its port mappings by after a crash is the user's, with and without TLS.
/// Where it cannot be stored, the start says so.
#[test]
fn the_user_stores_the_nonce_of_port_mappings() {
    let accounts = Accounts::new();
    let mapping = ["--port-mapping", "pcp"];
    let start = |state: &Path, extra: &[&str]| {
        let setup = Setup::new().flags(&mapping).flags(extra);
        search(setup.directory());
        serve_with_state(&accounts, setup, state)
    };
    let directory = TempDir::new().expect("a temporary directory");
    search(directory.path());
    for extra in [&[][..], &["--tls"]] {
        let state = directory.path().join(format!("state{}", extra.len()));
        let file = state.join("port-mapping-nonce");
        let server = start(&state, extra);
        wait_until("the file", || file.exists());
        let metadata = fs::metadata(&file).expect("the file");
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (4711, 0o600));
        server.finish();
        // A server that was root has left them.
        let before = fs::read(&file).expect("the file");
        for entry in fs::read_dir(&state).expect("the directory") {
            chown(entry.expect("a file").path(), Some(0), Some(0)).expect("a file");
        }
        chown(&state, Some(0), Some(0)).expect("the directory");
        let server = start(&state, extra);
        server.log_with("--port-mapping: ");
        assert_eq!(fs::read(&file).expect("the file"), before);
        assert_eq!(fs::metadata(&file).expect("the file").uid(), 4711);
        let log = server.finish();
        assert!(!log.contains("cannot be written"), "{log}");
    }
    let file = directory.path().join("file");
    fs::write(&file, "").expect("a file");
    let server = start(&file.join("state"), &[]);
    server.log_with(
        "after a crash, the server will not know its port mappings (PCP) again until they end",
    );
    server.finish();
}

/// Listeners stay open. One that needs a right of root is refused, and the others stay as they are,
/// also where one would have to be closed first.
#[test]
fn a_reload_opens_no_privileged_port() {
    expect_privileged_ports();
    let accounts = Accounts::new();
    // The port must be free on all addresses.
    let port = TcpListener::bind("0.0.0.0:0").and_then(|free| free.local_addr());
    let port = port.expect("a free port").port().to_string();
    let setup = Setup::new().on_all_addresses().flags(&["-p", &port]);
    let (file, state) = (
        setup.directory().join("conf"),
        setup.directory().join("state"),
    );
    let own = own_address();
    let write = |interface: Ipv4Addr, implicit: &str| {
        let text = format!("tls\ninterface {interface}\ntls-implicit {implicit}\n");
        fs::write(&file, text).expect("the configuration");
    };
    write(own, "990");
    search(setup.directory());
    let setup = setup.flags(&["--config", path(&file)]);
    let server = serve_with_state(&accounts, setup, &state);
    server.log_with(&format!("listening on {own}:990"));
    // The listeners of one address are in the way of those of all addresses.
    for (interface, port) in [(own, "991"), (Ipv4Addr::UNSPECIFIED, "990")] {
        write(interface, port);
        server.signal(Signal::HUP);
        let text = format!("cannot listen on {interface}:{port}: Permission denied");
        let log = server.log_with(&text);
        let line = log.lines().find(|line| line.contains(&text));
        let line = line.expect("a line");
        let cure = "need root or CAP_NET_BIND_SERVICE, which --run-as ftpd has given up: restart";
        assert!(line.contains(cure), "{line}");
        server.client();
        data::connect(SocketAddr::from((own, 990)));
    }
    write(own, "990");
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    let log = server.finish();
    assert!(!log.contains("is lost"), "{log}");
}

/// The certificate that the server makes as root is the new user's, and a reload reads it.
#[test]
fn the_state_directory_is_handed_over() {
    let accounts = Accounts::new();
    let setup = Setup::new().flags(&["--tls"]);
    let state = setup.directory().join("state");
    search(setup.directory());
    let server = serve_with_state(&accounts, setup, &state);
    for name in ["", "certificate.pem", "certificate.crt"] {
        let metadata = fs::metadata(state.join(name)).expect(name);
        assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712), "{name}");
    }
    let config = trusting_any(&version::TLS13);
    let mut client = Client::greeted(server.address);
    client.auth_tls(&config);
    client.log_in();
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    // A lost one is made again.
    fs::remove_file(state.join("certificate.pem")).expect("the certificate");
    server.signal(Signal::HUP);
    wait_until("a second certificate", || {
        server
            .log()
            .matches("made a self-signed certificate")
            .count()
            == 2
    });
    let log = server.finish();
    assert!(!log.contains("may not read"), "{log}");
}

/// A directory that holds something else is not given away.
#[test]
fn a_state_directory_of_others_stays_as_it_is() {
    let accounts = Accounts::new();
    let place = TempDir::new().expect("a temporary directory");
    search(place.path());
    let state = place.path().join("state");
    fs::create_dir(&state).expect("a directory");
    fs::set_permissions(&state, Permissions::from_mode(0o700)).expect("a mode");
    fs::write(state.join("other"), "text").expect("a file");
    let share = place.path().join("share");
    fs::create_dir(&share).expect("a directory");
    let flags = ["-i", "127.0.0.1", "-p", "0", "-d", path(&share)];
    let flags = [&flags[..], &["--tls", "--run-as", "ftpd"]].concat();
    let mut serve = server::command(&flags);
    serve.env("STATE_DIRECTORY", &state);
    let finished = process::run(&mut accounts.know(&serve), 20);
    finished.expect_refusal(
        "cannot be written: permission denied; give a certificate with --certfile, or set the \
         environment variable STATE_DIRECTORY to a directory that this user may write to",
    );
    for name in ["", "other"] {
        let owner = fs::metadata(state.join(name)).expect(name).uid();
        assert_eq!(owner, 0, "{name}");
    }
}

/// What stands in a directory of the user may lead anywhere.
#[test]
fn root_follows_no_link_of_the_users_state_directory() {
    let accounts = Accounts::new();
    let setup = Setup::new().flags(&["--tls"]);
    search(setup.directory());
    let state = setup.directory().join("state");
    let secret = setup.directory().join("secret");
    let key = Certificate::new(setup.directory(), &["root.example"]);
    let both = [&key.chain, &key.key].map(|file| fs::read(file).expect("a certificate"));
    fs::write(&secret, both.concat()).expect("a file");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("a mode");
    fs::create_dir(&state).expect("a directory");
    chown(&state, Some(4711), Some(4712)).expect("an owner");
    symlink(&secret, state.join("certificate.pem")).expect("a link");

    give(&setup.root());
    let mut serve = server::command(&["-i", "127.0.0.1", "-p", "0", "-d", path(&setup.root())]);
    serve.args(["--tls", "--run-as", "ftpd"]);
    serve.env("STATE_DIRECTORY", &state);
    let finished = process::run(&mut accounts.know(&serve), 20);
    finished.expect_refusal("certificate.pem: cannot be read: permission denied");

    // One that is made again is the user's, although root starts the server.
    fs::remove_file(state.join("certificate.pem")).expect("the link");
    let server = serve_with_state(&accounts, setup, &state);
    for name in ["certificate.pem", "certificate.crt"] {
        let owner = fs::metadata(state.join(name)).expect(name).uid();
        assert_eq!(owner, 4711, "{name}");
    }
    server.finish();
}

/// The user of the process cannot change without a restart.
#[test]
fn another_user_needs_a_restart() {
    let accounts = Accounts::new();
    let setup = Setup::new();
    let file = setup.directory().join("ftp.conf");
    fs::write(&file, "run-as ftpd\n").expect("the configuration");
    search(setup.directory());
    give(&setup.root());
    let setup = setup.flags(&["--config", path(&file)]);
    let server = setup.wrapped(|serve| accounts.know(&serve)).program();
    fs::write(&file, "run-as ftpd:other\n").expect("the configuration");
    server.signal(Signal::HUP);
    server.log_with("--run-as has changed: restart the server, which is ftpd until then");
    server.log_with("reloaded the settings");
    server.finish();
}

#[test]
fn a_group_replaces_that_of_the_user() {
    let accounts = Accounts::new();
    let setup = Setup::new();
    chown(setup.root(), Some(0), Some(4714)).expect("another group");
    fs::set_permissions(setup.root(), Permissions::from_mode(0o770)).expect("a mode");
    let setup = setup.flags(&["--run-as", "ftpd:other"]);
    let server = setup.wrapped(|serve| accounts.know(&serve)).program();
    server.client().store("STOR new", "text");
    let metadata = fs::metadata(server.path("new")).expect("a file");
    assert_eq!((metadata.uid(), metadata.gid()), (4711, 4714));
    let thread = &threads(server.id())[0];
    assert_eq!(field(thread, "Groups"), "4713 4714");
    server.finish();
}

#[test]
fn a_share_that_the_user_may_not_list_is_refused() {
    let accounts = Accounts::new();
    let place = TempDir::new().expect("a temporary directory");
    let flags = ["-i", "127.0.0.1", "-p", "0", "--run-as", "ftpd", "-d"];
    let run = |directory: &Path, extra: &[&str]| {
        let serve = server::command(&[&flags[..], &[path(directory)], extra].concat());
        process::run(&mut accounts.know(&serve), 20)
    };
    let root_only = Permissions::from_mode(0o700);
    fs::set_permissions(place.path(), root_only).expect("a mode");
    for extra in [&[][..], &["--check"]] {
        let finished = run(place.path(), extra);
        let text = format!(
            "--run-as ftpd: the shared directory {} cannot be listed",
            path(place.path())
        );
        finished.expect_refusal(&text);
    }
    // Below a directory of root's it is found at the start.
    let share = place.path().join("share");
    fs::create_dir(&share).expect("a directory");
    give(&share);
    let flags = ["-i", "127.0.0.1", "-p", "0", "-d", path(&share), "--check"];
    let check = server::command(&[&flags[..], &["--run-as", "ftpd"]].concat());
    let finished = process::run(&mut accounts.know(&check), 20).expect_success();
    assert!(
        finished.text().contains("may not follow the path"),
        "{}",
        finished.text()
    );
}

#[test]
fn only_root_can_become_another_user() {
    let place = TempDir::new().expect("a temporary directory");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("a mode");
    let flags = ["-p", "0", "-d", path(place.path()), "--run-as", "4711:4711"];
    let serve = server::command(&flags);
    // It may still read all files: the program is in some directory of root's.
    let user = [
        "setpriv",
        "--reuid",
        "4712",
        "--inh-caps=-all,+dac_override",
    ];
    let user = [&user[..], &["--ambient-caps=+dac_override"]].concat();
    let finished = process::run(&mut process::prefixed(&user, &serve), 20);
    finished.expect_refusal("--run-as 4711:4711: only root can become another user");
    // Root without the right to do so.
    let bounded = [
        "setpriv",
        "--bounding-set=-setuid,-setgid",
        "--inh-caps=-all",
    ];
    let finished = process::run(&mut process::prefixed(&bounded, &serve), 20);
    finished.expect_refusal("give the server the capabilities SETUID and SETGID");
}

#[test]
fn root_does_not_share_the_root_directory() {
    let place = TempDir::new().expect("a temporary directory");
    let point = place.path().join("point");
    fs::create_dir(&point).expect("a directory");
    let serve = |directory: &str, extra: &[&str]| {
        let flags = ["-i", "127.0.0.1", "-p", "0", "-d", directory];
        let serve = server::command(&[&flags[..], extra].concat());
        let mut serve = process::mounting("mount --bind / \"$0\"", &[&point], &serve);
        process::run(&mut serve, 20)
    };
    for directory in ["/", "/etc/..", "/proc/self/root", path(&point)] {
        for extra in [&[][..], &["--check"]] {
            let finished = serve(directory, extra);
            finished.expect_refusal("this is the root directory, and the server runs as root");
        }
    }
    let finished = serve("/", &["--check", "--run-as", "4711:4711"]);
    assert!(
        !finished.text().contains("root directory"),
        "{}",
        finished.text()
    );
}

/// One line at the start, and no `/` by a reload.
#[test]
fn a_server_that_stays_root_warns() {
    let setup = Setup::from_flags_alone();
    let file = setup.directory().join("ftp.conf");
    let share = format!("directory {}\n", path(&setup.root()));
    fs::write(&file, share).expect("the configuration");
    let setup = setup.flags(&["-i", "127.0.0.1", "-p", "0", "--config", path(&file)]);
    let server = setup.program();
    server.log_with(ROOT_WARNING);
    fs::write(&file, "directory /\n").expect("the configuration");
    server.signal(Signal::HUP);
    server.log_with("not reloading, the old settings stay: --directory /: this is the root");
    let log = server.finish();
    assert_eq!(log.matches(ROOT_WARNING).count(), 1, "{log}");
    assert!(log.contains("add --run-as USER"), "{log}");
}

/// A server with its state in this directory.
fn serve_with_state(accounts: &Accounts, setup: Setup<'_>, state: &Path) -> TestServer<Program> {
    give(&setup.root());
    let setup = setup.flags(&["--run-as", "ftpd"]);
    let setup = setup.wrapped(|mut serve| {
        serve.env("STATE_DIRECTORY", state);
        accounts.know(&serve)
    });
    setup.program()
}

/// The directory is the server's user's.
fn give(directory: &Path) {
    chown(directory, Some(4711), Some(4712)).expect("another owner: run as root");
}

/// Others may look up names in the directory.
fn search(directory: &Path) {
    fs::set_permissions(directory, Permissions::from_mode(0o711)).expect("a mode");
}

#[track_caller]
fn expect_privileged_ports() {
    let setting = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first = fs::read_to_string(setting).expect("a setting of the kernel");
    assert_eq!(
        first.trim(),
        "1024",
        "ports below must need a right: set {setting} to 1024"
    );
}

const ROOT_WARNING: &str = " WARN  the server runs as root: ";
