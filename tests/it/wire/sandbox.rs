//! The program with `--sandbox`: everything works in it, on each thread, and what does not suit it
//! is refused with the cure.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use rustls::version::TLS13;
use tempfile::TempDir;

use super::users::{log_in, write_users};
use crate::support::certificates::trusting_any;
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{connect, read_all};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{self, PASSWORD, Program, SecureServer, Setup, TestServer, USER};
use crate::support::wait::wait_until;

fn sandboxed(flags: &[&str]) -> TestServer<Program> {
    Setup::new().flags(&["--sandbox"]).flags(flags).program()
}

#[test]
fn clients_notice_nothing() {
    let secure = SecureServer::program(&["--sandbox", "--local-time", "--sync"]);
    let config = secure.config(&TLS13);
    let mut protected = secure.client(&config);
    protected.store_securely("STOR secret", b"text", &config);
    assert_eq!(protected.fetch_securely("RETR secret", &config), b"text");
    protected.command("DELE secret", 250);
    let server = secure.server;
    let mut client = server.client();
    let bytes = noise(1 << 20);
    client.command("MKD d", 257);
    client.store("STOR d/file", &bytes);
    assert!(client.fetch("RETR d/file") == bytes);
    assert!(client.fetch_passive("RETR d/file") == bytes);
    assert!(client.fetch_active("RETR d/file").0 == bytes);
    client.store("APPE d/file", "more");
    client.command("RNFR d/file", 350);
    client.command("RNTO moved", 250);
    // Not even its owner may read it then; the rights of root are not asked for.
    client.command("SITE CHMOD 200 moved", 200);
    client.command("SITE CHMOD 644 moved", 200);
    client.command("HASH moved", 213);
    client.command("MFMT 20200202020202 moved", 213);
    // Names of owners, and dates of this machine.
    let listing = String::from_utf8(client.fetch("LIST")).expect("UTF-8");
    let words: Vec<&str> = listing
        .lines()
        .next()
        .expect("a line")
        .split_whitespace()
        .collect();
    assert_eq!(words[2..4], ["root", "root"], "{listing}");
    client.store("STOR d/new", "text");
    client.command("DELE d/new", 250);
    client.command("RMD d", 250);
    client.command("DELE moved", 250);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    client.store("STOR again", "text");
    let log = server.finish();
    assert!(!log.contains(" ERROR "), "{log}");
}

/// Each has a rule of its own, with as many rights as its user has there.
#[test]
fn mounts_of_other_directories_are_within_reach() {
    let place = TempDir::new().expect("a temporary directory");
    let [file, homes] = ["users", "homes"].map(|name| place.path().join(name));
    let other = TempDir::new().expect("a temporary directory");
    let [work, music] = ["a/work", "b/music"].map(|name| other.path().join(name));
    for directory in [&homes.join("anna"), &work, &music] {
        fs::create_dir_all(directory).expect("a directory");
        fs::write(directory.join("file"), "text").expect("a file");
    }
    let write = |rights: &str| {
        let mounts = format!(
            "mount=/work,{};mount=/music,{},{rights}",
            path(&work),
            path(&music)
        );
        write_users(
            &file,
            &homes,
            &[&format!("anna:HASH:HOMES/anna:all:{mounts}")],
        );
    };
    write("el");
    let flags = [
        "-i",
        "127.0.0.1",
        "-p",
        "0",
        "--sandbox",
        "--users",
        path(&file),
    ];
    let server = Setup::from_flags_alone().flags(&flags).program();
    let mut anna = Client::greeted(server.address);
    assert_eq!(log_in(&mut anna, "anna").code, 230);
    anna.store("STOR work/new", "bytes");
    assert_eq!(anna.fetch("RETR work/new"), b"bytes");
    anna.command("RNFR work/new", 350);
    anna.command("RNTO work/file", 250);
    anna.command("DELE work/file", 250);
    assert_eq!(anna.fetch("NLST music"), b"music/file\r\n");
    anna.command("RETR music/file", 550);
    anna.command("DELE music/file", 550);
    anna.command("MKD music/new", 550);
    assert_eq!(anna.fetch("RETR file"), b"text");
    // Where no right changes anything, the rule is one to read.
    write("all");
    server.signal(Signal::HUP);
    server.log_with("--sandbox keeps the server from the right to change it");
    server.finish();
}

/// The directory for it does not exist yet.
#[test]
fn a_certificate_is_made_and_stays() {
    let state = TempDir::new().expect("a temporary directory");
    let directory = state.path().join("deep/state");
    let serve = || {
        let setup = Setup::new().flags(&["--sandbox", "--tls"]);
        let setup = setup.wrapped(|mut serve| {
            serve.env("STATE_DIRECTORY", &directory);
            serve
        });
        setup.program()
    };
    let first = serve();
    Client::greeted(first.address).auth_tls(&trusting_any(&TLS13));
    first.log_with("made a self-signed certificate");
    first.log_with("the certificate without its key, for clients");
    first.finish();
    let second = serve();
    Client::greeted(second.address).auth_tls(&trusting_any(&TLS13));
    let log = second.finish();
    assert!(!log.contains("made a self-signed certificate"), "{log}");
}

/// Landlock holds for the thread that asks for it, and for those that it starts later.
#[test]
fn no_thread_is_older_than_the_sandbox() {
    let setup = Setup::new();
    let trace = setup.directory().join("trace");
    let calls = "trace=clone,clone3,landlock_restrict_self";
    let strace = ["strace", "-D", "-f", "-q", "-e", calls, "-o", path(&trace)];
    let setup = setup.flags(&["--sandbox"]);
    let server = setup
        .wrapped(|serve| process::prefixed(&strace, &serve))
        .program();
    server.client().expect_in_step();
    let read = || fs::read_to_string(&trace).expect("the trace");
    wait_until("the session's thread", || {
        read().matches("CLONE_THREAD").count() >= 2
    });
    let text = read();
    let entered = text.find("landlock_restrict_self(").expect("the sandbox");
    assert!(
        text[entered..]
            .lines()
            .next()
            .is_some_and(|line| line.ends_with("= 0")),
        "{text}"
    );
    assert!(!text[..entered].contains("clone"), "{text}");
    server.finish();
}

/// Threads inherit the loss of that right together with the sandbox.
#[test]
fn each_thread_is_without_new_privileges() {
    let server = sandboxed(&["--masquerade-address", "localhost"]);
    server.write("file", noise(20 << 20));
    let sessions: Vec<Client> = (0..3).map(|_| server.client()).collect();
    let mut transferring = server.client();
    let mut data = connect(transferring.extended_passive());
    transferring.command("RETR file", 150);
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).expect("threads");
    let states: Vec<String> = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .collect();
    // The main thread, the log's, and one for each session.
    assert!(states.len() >= 6, "{states:#?}");
    for state in states {
        assert!(state.contains("NoNewPrivs:\t1"), "{state}");
    }
    read_all(&mut data);
    transferring.expect(226);
    drop(sessions);
    server.finish();
}

#[test]
fn the_start_and_check_say_what_stays_reachable() {
    let setup = Setup::new();
    let around = setup.directory().to_owned();
    let keys = around.join("keys");
    fs::create_dir(&keys).expect("a directory");
    let password = keys.join("password");
    fs::write(&password, PASSWORD).expect("a password");
    let root = setup.root();
    let mut flags = vec!["-i", "127.0.0.1", "-d", path(&root), "--sandbox"];
    flags.extend(["-u", USER, "--password-file", path(&password)]);
    let check = |flags: &[&str]| {
        let mut check = server::command(&[&["--check"], flags].concat());
        process::run(&mut check, 20).expect_success().text()
    };
    // One line of the report is several.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let reading = format!(
        "for reading {}; and what names and time zones need",
        path(&around)
    );
    assert!(words(&check(&flags)).contains(&reading));
    flags.push("-w");
    let changes = format!(
        "for changes {}; and what names and time zones need",
        path(&around)
    );
    assert!(words(&check(&flags)).contains(&changes));
    let log = setup.flags(&["--sandbox"]).program().finish();
    assert!(log.contains(&changes), "{log}");
}

/// The line is as complete as the rules that the kernel gets, and promises no more.
#[test]
fn the_line_names_each_place_that_the_kernel_allows() {
    let place = TempDir::new().expect("a temporary directory");
    let file = |name: &str| {
        let directory = place.path().join(name);
        fs::create_dir(&directory).expect("a directory");
        directory.join("file")
    };
    let names = ["logs", "transfers", "sockets", "keys", "public"];
    let [log, transfers, socket, password, address] = names.map(file);
    fs::write(&password, PASSWORD).expect("a password");
    fs::write(&address, "203.0.113.1").expect("an address");
    let (state, trace) = (place.path().join("state"), place.path().join("trace"));
    let address = format!("@{}", path(&address));
    let flags = [
        ["--log-file", path(&log)],
        ["--xferlog", path(&transfers)],
        ["--status-socket", path(&socket)],
        ["--password-file", path(&password)],
        ["--masquerade-address", &address],
        ["--username", USER],
        ["--interface", "127.0.0.1"],
        ["--metrics", "0"],
    ];
    let setup = Setup::without_account().flags(&flags.concat());
    let shared = path(setup.directory()).to_owned();
    let strace = "strace -D -f -q -y -e trace=landlock_add_rule -o";
    let strace: Vec<&str> = strace.split(' ').chain([path(&trace)]).collect();
    let setup = setup
        .flags(&["--sandbox", "--tls", "--write"])
        .wrapped(|serve| {
            let mut command = process::prefixed(&strace, &serve);
            command.env("STATE_DIRECTORY", &state);
            command
        });
    let server = setup.program();
    wait_until("the line", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("--sandbox leaves the server"))
    });
    server.client().store("STOR file", "text");
    server.finish();
    let log = fs::read_to_string(&log).expect("the log");
    let line = log
        .split("--sandbox leaves the server")
        .nth(1)
        .expect("a line");
    let line = line
        .lines()
        .next()
        .unwrap_or_default()
        .replace([',', ';'], " ");
    let of_test = |place: &&str| place.starts_with("/tmp/");
    let mut named: Vec<&str> = line.split_whitespace().filter(of_test).collect();
    named.sort_unstable();
    let trace = fs::read_to_string(&trace).expect("the trace");
    let rules = trace.lines().filter(|line| line.ends_with(" = 0"));
    let rules = rules.flat_map(|line| line.split("parent_fd=").nth(1));
    let rules = rules.flat_map(|rest| rest.split(['<', '>']).nth(1));
    let mut allowed: Vec<&str> = rules.filter(of_test).collect();
    allowed.sort_unstable();
    assert_eq!(named, allowed, "{trace}");
    let mut expected: Vec<String> = names
        .iter()
        .map(|name| path(&place.path().join(name)).to_owned())
        .collect();
    expected.extend([path(&state).to_owned(), shared]);
    expected.sort_unstable();
    assert_eq!(named, expected);
}

/// `/opt` is too wide for a rule. What is mounted over the share then is out of reach, and so is
/// what is mounted around a share.
#[test]
fn a_mount_beyond_the_sandbox_names_the_restart() {
    let share = Path::new("/opt/share");
    let script = "mount -t tmpfs none /opt && mkdir /opt/share && echo old > /opt/share/old";
    let setup = Setup::from_flags_alone();
    let flags = [
        "--sandbox",
        "-d",
        path(share),
        "-u",
        USER,
        "-P",
        PASSWORD,
        "-p",
        "0",
    ];
    let server = setup.flags(&flags).mounting(script, &[share]).program();
    server.log_with("does not leave the server the directories around /opt/share, which");
    let mut client = server.client();
    assert_eq!(client.fetch("NLST"), b"old\r\n");
    server.in_its_mounts(
        "mount -t tmpfs none \"$0\" && echo new > \"$0/new\"",
        &[path(share)],
    );
    client.command("STAT old", 550);
    let log = server.finish();
    let expected = "the shared directory /opt/share is not available: permission denied (if it is new or was \
                    replaced, --sandbox keeps the server from it: restart the server): each operation in it is refused";
    assert!(log.contains(expected), "{log}");
}

/// A rule for a file does not hold for the one that takes its place.
#[test]
fn replaced_names_are_named() {
    let setup = Setup::new();
    let etc = setup.directory().join("etc");
    let script = "cp -a /etc \"$0\" && mount --bind \"$0\" /etc";
    let setup = setup.flags(&["--sandbox"]);
    let server = setup.mounting(script, &[&etc]).program();
    server.write("file", "");
    // No library knows this user without the file.
    chown(server.path("file"), Some(1), None).expect("another owner");
    let mut client = server.client();
    let owner = |client: &mut Client| {
        let listing = String::from_utf8(client.fetch("LIST")).expect("UTF-8");
        listing.split_whitespace().nth(2).map(str::to_owned)
    };
    assert_eq!(owner(&mut client).as_deref(), Some("daemon"));
    server.in_its_mounts("cp /etc/passwd /etc/new && mv /etc/new /etc/passwd", &[]);
    assert_eq!(owner(&mut client).as_deref(), Some("1"));
    assert_eq!(owner(&mut client).as_deref(), Some("1"));
    let log = server.finish();
    let warnings = log.lines().filter(|line| line.contains(" WARN "));
    let warnings: Vec<&str> = warnings.filter(|line| line.contains("--sandbox")).collect();
    let expected = "/etc/passwd is new or was replaced, and --sandbox keeps the server from it: names are \
                    missing until the server is restarted";
    assert!(
        warnings.len() == 1 && warnings[0].ends_with(expected),
        "{log}"
    );
}

#[test]
fn a_reload_that_needs_more_names_the_restart() {
    let setup = Setup::from_flags_alone();
    let (root, conf) = (setup.root(), setup.directory().join("ftp.conf"));
    let (inside, outside) = (
        setup.directory().join("inside"),
        TempDir::new().expect("a place"),
    );
    fs::create_dir(&inside).expect("a directory");
    fs::write(outside.path().join("ca.pem"), "").expect("a file");
    let shared = format!("directory {}", path(&root));
    let write = |lines: &[&str]| {
        // As editors do it.
        let new = conf.with_extension("new");
        fs::write(&new, lines.join("\n")).expect("a configuration");
        fs::rename(new, &conf).expect("the new configuration");
    };
    write(&[&shared, "sandbox"]);
    let flags = ["-i", "127.0.0.1", "-p", "0", "-u", USER, "-P", PASSWORD];
    let server = setup
        .flags(&flags)
        .flags(&["--config", path(&conf)])
        .program();
    let other = format!("directory {}", path(outside.path()));
    let certificate = format!("certfile {}", path(&conf));
    let ca = format!("client-ca {}/ca.pem", path(outside.path()));
    for (lines, expected) in [
        (
            &[&*shared][..],
            "--sandbox cannot be switched on or off while the server runs; restart it",
        ),
        (
            &[&shared, "sandbox", "write"],
            "from the right to change it; restart the server",
        ),
        (
            &[&other, "sandbox"],
            "permission denied (if it is new or was replaced, --sandbox keeps the server from it: restart \
             the server); give a directory",
        ),
        (
            &[&shared, "sandbox", "tls", "certfile /etc/shadow"],
            "--certfile /etc/shadow: since the start, --sandbox keeps the server from the right to read it",
        ),
        (
            &[&shared, "sandbox", "tls", &certificate, &ca],
            "ca.pem: since the start, --sandbox keeps the server from the right to read it; restart",
        ),
        (
            &[&shared, "sandbox", "log-file /usr/new.log"],
            "--log-file /usr: since the start, --sandbox keeps the server from the right to change it",
        ),
    ] {
        write(lines);
        server.signal(Signal::HUP);
        server.log_with(expected);
    }
    let shared = format!("directory {}", path(&inside));
    write(&[&shared, "sandbox", "banner Hello"]);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    let mut client = Client::connect(server.address);
    assert_eq!(client.expect(220).text(), "220 Hello");
    fs::write(inside.join("file"), "text").expect("a file");
    assert_eq!(server.client().fetch("RETR file"), b"text");
    let log = server.finish();
    let refused = log.matches("not reloading, the old settings stay: ");
    assert_eq!(refused.count(), 6, "{log}");
}

/// What older kernels say is made by strace.
#[test]
fn older_kernels_are_refused_or_named() {
    let place = TempDir::new().expect("a place");
    let inject = |answer: &str| format!("inject=landlock_create_ruleset:{answer}");
    let strace = |inject: &str| {
        let trace = ["-e", "trace=landlock_create_ruleset", "-o", "/dev/null"];
        let words = [&["strace", "-D", "-f", "-q", "-e", inject][..], &trace].concat();
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    let wrapped = |answer: &str, command: &Command| {
        let words = strace(&inject(answer));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        process::prefixed(&words, command)
    };
    let flags = [
        "--sandbox",
        "-i",
        "127.0.0.1",
        "-p",
        "0",
        "-d",
        path(place.path()),
    ];
    for answer in [
        "error=ENOSYS",
        "error=EOPNOTSUPP",
        "error=EPERM",
        "retval=1:when=1",
    ] {
        for check in [&[][..], &["--check"]] {
            let command = server::command(&[&flags[..], check].concat());
            let finished = process::run(&mut wrapped(answer, &command), 20);
            let code = finished.status.and_then(|status| status.code());
            let text = finished.text();
            assert_eq!(code, Some(2), "{answer}: {text}");
            let refusal = "--sandbox: this kernel cannot do it: Linux 5.19 or later is needed";
            assert!(text.contains(refusal), "{answer}: {text}");
        }
    }
    // The second version, when the parts of later ones are asked for.
    let setup = Setup::new().flags(&["--sandbox"]);
    let server = setup
        .wrapped(|serve| wrapped("retval=2:when=3..6", &serve))
        .program();
    server.client().store("STOR file", "text");
    let log = server.finish();
    let expected = "WARN  this kernel is too old for a part of --sandbox: it does not refuse cutting files off \
                    elsewhere (Linux 6.2); commands to devices (Linux 6.10); signals to other programs, and \
                    abstract sockets of theirs (Linux 6.12)\n";
    assert!(log.contains(expected), "{log}");
}
