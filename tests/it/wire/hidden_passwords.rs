//! Passwords that the program was started with: who else can see them. And those that clients
//! send, mistyped verbs included: they are in no log.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};
use crate::support::wait::wait_until;

#[test]
fn a_password_on_the_command_line_is_not_in_the_list_of_processes() {
    let server = TestServer::program(&["--banner", "a b"]);
    let shown = shown(&server);
    assert!(shown.ends_with("-P\0***\0-w\0--banner\0a b\0"), "{shown}");
    server.client().expect_in_step();
    // The password is still known.
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    server.client().expect_in_step();
    server.finish();
}

#[test]
fn a_password_in_a_variable_is_in_no_environment() {
    for (name, flags) in [
        ("FTP_PASSWORD", &["-u", USER][..]),
        ("FTP_SERVER_SYNC_PASSWORD", &["-u", USER, "--write"]),
    ] {
        let server = Setup::without_account()
            .flags(flags)
            .wrapped(|mut command| {
                command.env(name, PASSWORD);
                command
            })
            .on_own_address()
            .program();
        shown(&server);
        server.client().expect_in_step();
        server.finish();
    }
}

/// The process stays the same in all that its parent has chosen.
#[test]
fn a_process_that_hides_its_password_keeps_what_it_inherited() {
    let script = "trap '' ALRM; umask 027; ulimit -n 200; exec 9</dev/zero; exec \"$@\"";
    let server = Setup::new()
        .wrapped(|command| process::prefixed(&["sh", "-c", script, "sh"], &command))
        .program();
    shown(&server);
    let process = format!("/proc/{}", server.id());
    let descriptor = fs::read_link(format!("{process}/fd/9")).expect("the descriptor");
    assert_eq!(descriptor, Path::new("/dev/zero"));
    let status = fs::read_to_string(format!("{process}/status")).expect("the status");
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:\t"));
    let ignored = u64::from_str_radix(ignored.expect("signals"), 16).expect("bits");
    assert_ne!(ignored & (1 << (Signal::ALARM.as_raw() - 1)), 0, "{status}");
    assert!(status.contains("Umask:\t0027"), "{status}");
    let limits = fs::read_to_string(format!("{process}/limits")).expect("the limits");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    assert!(files.is_some_and(|line| line.contains(" 200 ")), "{limits}");
    server.finish();
}

#[test]
fn without_a_password_the_program_is_executed_again_for_the_allocator_alone() {
    for (own, is_executed) in [(&MALLOC[..2], true), (&MALLOC[..], false)] {
        let server = Setup::without_account()
            .flags(&["-i", "127.0.0.1"])
            .wrapped(|mut command| {
                command.envs(own.iter().map(|name| (*name, "4")));
                command
            })
            .program();
        let environment = fs::read(format!("/proc/{}/environ", server.id())).expect("variables");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        assert_eq!(
            environment.contains("FTP_HIDDEN"),
            is_executed,
            "{environment}"
        );
        for (number, name) in MALLOC.iter().enumerate() {
            let is_own = number < own.len();
            let has_value = environment.contains(&format!("{name}=4\0"));
            assert!(environment.contains(name), "{environment}");
            assert_eq!(has_value, is_own, "{environment}");
        }
        let log = server.finish();
        assert!(
            log.contains("read-only to anonymous, who needs no password"),
            "{log}"
        );
    }
}

/// What glibc's allocator reads at start.
const MALLOC: [&str; 4] = [
    "MALLOC_ARENA_MAX",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "GLIBC_TUNABLES",
];

#[test]
fn a_password_that_cannot_be_hidden_has_a_warning() {
    has_a_warning("memfd_create:error=ENOSYS");
}

/// As in an emulator of another processor, which is not registered with the kernel. A shell would
/// take the program for a script.
#[test]
fn a_program_that_cannot_execute_itself_serves() {
    // The call that starts the program does not count.
    has_a_warning("execve:error=ENOEXEC:when=1");
}

/// A server that cannot hide its password, as the system refuses this call, in strace's words.
fn has_a_warning(refused: &str) {
    let inject = format!("inject={refused}");
    let options = [
        "-D",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=execve,memfd_create",
        "-e",
    ];
    let strace = [&["strace"], &options[..], &[&inject]].concat();
    let server = Setup::new()
        .wrapped(|command| process::prefixed(&strace, &command))
        .program();
    let warning =
        "WARN  other users of this machine can see the password in the list of its processes";
    let log = server.log_with(warning);
    assert!(log.contains("give --password-file"), "{log}");
    server.client().expect_in_step();
}

/// A process must not start without its arguments.
#[test]
fn arguments_that_are_lost_are_an_error() {
    let script = format!(
        "FTP_HIDDEN_COMMAND_LINE=$$:99 exec {} -p 0",
        crate::support::server::command::<&str>(&[])
            .get_program()
            .display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let failed = process::run(&mut command, 30).expect_failure();
    let text = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(
        text.contains("the command line with the password cannot be read"),
        "{text}"
    );
    assert!(text.contains("give --password-file instead"), "{text}");
}

#[test]
fn a_password_file_that_others_can_read_has_a_warning_until_that_ends() {
    let setup = Setup::without_account();
    let file = setup.directory().join("password");
    fs::write(&file, PASSWORD).expect("a file");
    let set_mode = |mode| fs::set_permissions(&file, Permissions::from_mode(mode)).expect("a mode");
    set_mode(0o644);
    let flags = ["-u", USER, "--password-file", path(&file)];
    let server = setup.flags(&flags).on_own_address().program();
    let warning = format!(
        "WARN  all users of this machine can read the password in {0}; chmod go= {0}",
        file.display()
    );
    server.log_with(&warning);
    server.signal(Signal::HUP);
    wait_until("the reload warns too", || {
        server.log().matches(&warning).count() == 2
    });
    set_mode(0o600);
    server.signal(Signal::HUP);
    wait_until("it reloads again", || {
        server.log().matches("reloaded the settings").count() == 2
    });
    assert_eq!(server.log().matches(&warning).count(), 2);
}

/// People who type commands by hand mistype them. Before a login only `--debug` shows commands, and
/// after it unknown ones are logged always.
#[test]
fn a_password_behind_a_mistyped_verb_is_not_logged() {
    let server = TestServer::program(&["--debug"]);
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.command("PAS S3cret", 500);
    client.command("pasS S3cret-x", 530);
    client.command("PASSS3cret", 500);
    client.command("S3cret", 500);
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), 230);
    client.command("PSAS S3cret", 500);
    client.command("pas S3cret", 500);
    client.command("SITE PSWD S3cret S3cret2", 500);
    client.command("RETR S3cure", 550);
    let log = server.finish();
    assert!(!log.contains("S3cret"), "{log}");
    for text in [
        "> PAS (hidden)\n",
        "> PASS (hidden)\n",
        "> (hidden)\n",
        " PSAS (hidden) refused: 500 ",
        " (hidden) refused: 500 ",
        " SITE PSWD (hidden) refused: 50",
        " RETR /S3cure refused: 550 ",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
}

/// The arguments that others see. Checks that no other place has the password.
fn shown(server: &TestServer<Program>) -> String {
    let read = |file: &str| {
        let bytes = fs::read(format!("/proc/{}/{file}", server.id())).expect(file);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (arguments, environment) = (read("cmdline"), read("environ"));
    for text in [&arguments, &environment] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert!(
        environment.contains("FTP_HIDDEN_COMMAND_LINE="),
        "{environment}"
    );
    assert_eq!(read("comm"), "ftp-server-sync\n");
    // What has handed the password over is closed.
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("descriptors");
    for descriptor in descriptors {
        let target = fs::read_link(descriptor.expect("an entry").path()).unwrap_or_default();
        assert!(!target.to_string_lossy().contains("memfd"), "{target:?}");
    }
    arguments
}
