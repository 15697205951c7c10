//! Flags as variables, notes about variables, and where state is stored.

use std::fs;

use ftp_proto::Secret;

use super::*;
use crate::cli::CommandLine;
use crate::settings::Settings;

/// Finds a variable among `NAME=value` pairs with spaces between them.
fn find(variables: &str, name: &str) -> Option<OsString> {
    let mut pairs = variables
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap());
    let found = pairs.find(|(known, _)| *known == name);
    found.map(|(_, value)| value.into())
}

/// The settings by these variables, whose names stand without their common beginning.
#[track_caller]
fn settings(variables: &str, flags: &str) -> Settings {
    let arguments = flags.split_whitespace().map(OsString::from);
    let line = CommandLine::new(arguments, |name| {
        find(variables, name.strip_prefix(PREFIX)?)
    });
    let mut settings = line.settings().unwrap();
    // What they say is compared, wherever they come from.
    settings.sources.clear();
    settings.password_source = None;
    settings
}

fn notes(variables: &str) -> Vec<String> {
    let pairs = variables.split_whitespace();
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap());
    environment_notes(pairs.map(|(name, value)| (name.into(), value.into())))
}

#[test]
fn a_variable_means_what_the_same_flag_means() {
    for (variables, flags) in [
        ("", ""),
        ("PORT=21", "-p 21"),
        ("PORT= WRITE= CONFIG=", ""),
        ("WRITE=yes", "-w"),
        ("WRITE=no ANONYMOUS=no", ""),
        ("INTERFACE=10.0.0.1,::1", "-i 10.0.0.1 -i ::1"),
        (
            "MASQUERADE_CLIENT=10.8.0.0/24=local,10.9.0.0/24=10.9.0.1",
            "--masquerade-client 10.8.0.0/24=local,10.9.0.0/24=10.9.0.1",
        ),
        (
            "TRUST_GATEWAY=172.17.0.1,172.18.0.1",
            "--trust-gateway 172.17.0.1 --trust-gateway 172.18.0.1",
        ),
        ("BANNER=a,b:c", "--banner a,b:c"),
        ("USERNAME=bob PASSWORD=a,b=c", "-u bob -P a,b=c"),
        ("DEBUG=no LOG_LEVEL=warn", "--log-level warn"),
        // Kubernetes sets this for a service of our name.
        ("PORT=tcp://10.0.0.1:21", ""),
    ] {
        assert_eq!(settings(variables, ""), settings("", flags), "{variables}");
    }
}

/// The variables, the command line, the file, and a command line that says alone what they say
/// together.
#[test]
fn the_command_line_wins_over_variables_and_these_over_the_file() {
    for (variables, flags, content, same) in [
        ("PORT=21", "-p 22", "port 23", "-p 22"),
        ("PORT=21", "", "port 23", "-p 21"),
        ("PORT=", "", "port 23", "-p 23"),
        ("WRITE=no", "", "write\nanonymous", "--anonymous"),
        ("WRITE=no", "-w", "", "-w"),
        ("DEBUG=no", "", "debug", ""),
        ("DEBUG=no", "", "log-level warn", "--log-level warn"),
        ("DEBUG=yes", "", "log-level warn", "-D"),
        ("LOG_LEVEL=error", "-D", "log-level warn", "-D"),
        ("LOG_LEVEL=error", "", "debug", "--log-level error"),
        (
            "TLS_IMPLICIT=990 TLS=yes",
            "",
            "tls-implicit 991",
            "--tls --tls-implicit 990",
        ),
        (
            "INTERFACE=10.0.0.1,10.0.0.2",
            "",
            "interface 10.0.0.3\ninterface 10.0.0.4",
            "-i 10.0.0.1 -i 10.0.0.2",
        ),
        (
            "USERNAME=bob PASSWORD_FILE=/nowhere",
            "-P x",
            "password y",
            "-u bob -P x",
        ),
        (
            "PASSWORD=x",
            "",
            "username bob\npassword-file /nowhere",
            "-u bob -P x",
        ),
        // What is replaced is not even parsed.
        (
            "PASSIVE_PORTS=70-60",
            "-r 60-70",
            "passive-ports x",
            "-r 60-70",
        ),
    ] {
        if cfg!(not(feature = "tls")) && same.contains("--tls") {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, content).unwrap();
        for (variables, flags) in [
            (
                format!("{variables} CONFIG={}", file.display()),
                flags.to_owned(),
            ),
            (
                variables.to_owned(),
                format!("{flags} --config {}", file.display()),
            ),
        ] {
            let found = settings(&variables, &flags);
            assert_eq!(found, settings("", same), "{variables} {flags} {content:?}");
        }
    }
}

#[test]
fn every_flag_but_those_for_the_command_line_has_a_variable() {
    for flag in flags::table() {
        let name = variable_name(&flag);
        let environment = Environment::read(|variable| (variable == name).then(|| "x".into()));
        let is_read = environment.flags.iter().any(|(found, _)| *found == flag);
        assert_eq!(is_read, !flag.is_for_command_line_only(), "{name}");
        let notes = notes(&format!("{name}=x"));
        assert_eq!(notes.is_empty(), is_read, "{notes:?}");
    }
}

#[test]
fn lists_of_paths_have_colons_between_them() {
    let flag = Flag {
        long: "--share",
        short: None,
        placeholder: Some("PATH"),
        repeatable: true,
        description: "",
    };
    let environment = Environment {
        flags: vec![(flag, "/a,b:/c".into())],
        password: None,
        state_directory: PathBuf::new(),
        system_state_directory: PathBuf::new(),
        runtime_directory: None,
        time_zone: None,
    };
    let (given, _) = environment.flags().unwrap();
    let text = |text: &[u8]| super::super::values::text_of_bytes(text);
    let expected = ["--share", &text(b"/a,b"), "--share", &text(b"/c")];
    assert_eq!(given.words(), expected);
}

#[test]
fn a_variable_may_be_any_bytes_where_its_flag_may() {
    let odd = || OsStr::from_bytes(b"gr\xfcn").to_owned();
    let line = CommandLine::new(["-u".into(), "bob".into()], |name| {
        (name == "FTP_SERVER_SYNC_PASSWORD").then(odd)
    });
    assert!(
        line.settings()
            .unwrap()
            .users
            .check(b"bob", &Secret::new(b"gr\xfcn"))
            .is_some()
    );
    let line = CommandLine::new([], |name| (name == "FTP_SERVER_SYNC_BANNER").then(odd));
    assert_eq!(
        line.settings().unwrap_err().to_string(),
        "FTP_SERVER_SYNC_BANNER: --banner gr\\xfcn: the value is not UTF-8 text"
    );
}

/// A variable without a value is none.
#[test]
fn a_variable_that_names_no_group_can_name_every_user() {
    let line = CommandLine::new(std::iter::empty(), |name| {
        find("SYSTEM_USERS=no-such-group", name.strip_prefix(PREFIX)?)
    });
    assert_eq!(
        line.settings().unwrap_err().to_string(),
        "FTP_SERVER_SYNC_SYSTEM_USERS: --system-users no-such-group: this machine has no group \
         no-such-group; give another group, or * for every user"
    );
}

#[test]
fn ignored_variables_get_notes() {
    for (variables, expected) in [
        ("PATH=/bin FTP_PASSWORD=x FTP_SERVER_SYNC_PORT=21", &[][..]),
        ("FTP_SERVER_SYNC_PORT= FTP_SERVER_SYNC_WRITE=nonsense", &[]),
        (
            "FTP_SERVER_SYNC_PROT=secret FTP_SERVER_SYNC_NONSENSE=secret FTP_SERVER_SYNC_=secret",
            &[
                "FTP_SERVER_SYNC_ is ignored: unknown name; --help lists all",
                "FTP_SERVER_SYNC_NONSENSE is ignored: unknown name; --help lists all",
                "FTP_SERVER_SYNC_PROT is ignored: unknown name; did you mean FTP_SERVER_SYNC_PORT?",
            ],
        ),
        (
            "FTP_SERVER_SYNC_CHECK=yes",
            &["FTP_SERVER_SYNC_CHECK is ignored: --check works only on the command line"],
        ),
        (
            "FTP_SERVER_SYNC_PORT=tcp://10.0.0.1:21 FTP_SERVER_SYNC_SERVICE_HOST=10.0.0.1 \
             FTP_SERVER_SYNC_SERVICE_PORT=21 FTP_SERVER_SYNC_PORT_21_TCP_PORT=21",
            &[
                "Kubernetes sets these for a service, so they are ignored: FTP_SERVER_SYNC_PORT, \
                 FTP_SERVER_SYNC_PORT_21_TCP_PORT, FTP_SERVER_SYNC_SERVICE_HOST, \
                 FTP_SERVER_SYNC_SERVICE_PORT",
            ],
        ),
    ] {
        assert_eq!(notes(variables), expected, "{variables}");
    }
}

fn check_directory(variables: &str, expected: &str) {
    let found = state_directory(|name| find(variables, name));
    assert_eq!(found, Path::new(expected), "{variables}");
}

#[test]
fn state_is_stored_where_systemd_or_xdg_says() {
    let own = "/var/lib/ftp-server-sync";
    check_directory("", own);
    check_directory("HOME=/root", "/root/.local/state/ftp-server-sync");
    check_directory("HOME=/root XDG_STATE_HOME=/x", "/x/ftp-server-sync");
    check_directory("HOME=/root XDG_STATE_HOME=/x STATE_DIRECTORY=/s", "/s");
    check_directory("STATE_DIRECTORY=/s/a:/s/b", "/s/a");
    // Relative ones would lead elsewhere at each start.
    check_directory("HOME=home XDG_STATE_HOME=x STATE_DIRECTORY=s", own);
    check_directory("HOME= XDG_STATE_HOME= STATE_DIRECTORY=", own);
}

#[test]
fn another_user_does_not_store_in_roots_home() {
    let directory = |variables: &str| {
        let environment = Environment::read(|name| find(variables, name));
        environment.system_state_directory
    };
    let own = Path::new("/var/lib/ftp-server-sync");
    assert_eq!(directory("HOME=/root XDG_STATE_HOME=/root/x"), own);
    let variables = "HOME=/root STATE_DIRECTORY=/s/a:/s/b";
    assert_eq!(directory(variables), Path::new("/s/a"));
}

#[test]
fn the_status_socket_is_where_systemd_says_or_beside_the_state() {
    let directory = |variables: &str, becomes_user| {
        let environment = Environment::read(|name| find(variables, name));
        environment.socket_directory(becomes_user)
    };
    let variables = "HOME=/root RUNTIME_DIRECTORY=/run/ftp:/run/x";
    for becomes_user in [false, true] {
        assert_eq!(directory(variables, becomes_user), Path::new("/run/ftp"));
    }
    let state = "/root/.local/state/ftp-server-sync";
    assert_eq!(directory("HOME=/root", false), Path::new(state));
    let relative = "HOME=/root RUNTIME_DIRECTORY=run";
    assert_eq!(directory(relative, false), Path::new(state));
    let of_system = "/var/lib/ftp-server-sync";
    assert_eq!(directory("HOME=/root", true), Path::new(of_system));
}
