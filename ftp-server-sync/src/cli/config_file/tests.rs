//! Good files against command lines that say the same, bad ones against golden messages.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use ftp_proto::Secret;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;
use crate::cli::{CommandLine, Invocation, flags};
use crate::settings::Settings;

/// A file in a directory of its own.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("file");
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn command_line(flags: &str, file: Option<PathBuf>) -> CommandLine {
    let mut arguments: Vec<OsString> = flags.split_whitespace().map(OsString::from).collect();
    if let Some(file) = file {
        // Where it stands on the command line must not matter.
        arguments.splice(0..0, ["--config".into(), file.into_os_string()]);
    }
    CommandLine::new(arguments, |_| None)
}

#[track_caller]
fn settings(content: impl AsRef<[u8]>, flags: &str) -> Settings {
    let place = Place::new();
    let file = place.file(content);
    without_sources(command_line(flags, Some(file)).settings().unwrap())
}

/// What the settings say, wherever they come from.
fn without_sources(mut settings: Settings) -> Settings {
    settings.sources.clear();
    settings.password_source = None;
    settings
}

/// What is said about a file with this content.
fn refusal(content: impl AsRef<[u8]>, flags: &str) -> String {
    let place = Place::new();
    let file = place.file(content);
    match command_line(flags, Some(file.clone())).settings() {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string().replace(file.to_str().unwrap(), "FILE"),
    }
}

/// One case of the golden file: flags after `$`, the file's lines after `|`.
fn golden_case(case: &str) -> (String, Option<Vec<u8>>, String) {
    let (mut flags, mut content, mut input) = ("", None::<Vec<u8>>, String::new());
    for line in case.lines() {
        if let Some(text) = line.strip_prefix('|') {
            let content = content.get_or_insert_default();
            content.extend(unescaped(text.strip_prefix(' ').unwrap_or(text)));
            content.push(b'\n');
        } else if let Some(text) = line.strip_prefix("$ ") {
            flags = text;
        } else {
            continue;
        }
        input.push_str(&format!("{line}\n"));
    }
    (flags.to_owned(), content, input)
}

/// `\xNN` is a byte.
fn unescaped(line: &str) -> Vec<u8> {
    let mut parts = line.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    bytes
}

#[test]
fn bad_files_are_refused_with_their_lines() {
    let golden = include_str!("../../../tests/bad_configs.txt");
    let mut cases = Vec::new();
    for case in golden.trim_end().split("\n\n") {
        let (flags, content, input) = golden_case(case);
        let refusal = match content {
            Some(content) => refusal(content, &flags),
            None => command_line(&flags, None)
                .settings()
                .unwrap_err()
                .to_string(),
        };
        assert!(!refusal.contains("secret"), "{refusal}");
        cases.push(format!("{input}{refusal}\n"));
    }
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let actual = cases.join("\n");
    assert!(
        actual == golden,
        "tests/bad_configs.txt differs; now:\n{actual}"
    );
}

#[test]
fn a_file_means_what_the_same_command_line_means() {
    for (content, flags) in [
        ("", ""),
        ("\n\n  \n\t\n", ""),
        ("# nothing\n  # nothing\n#", ""),
        ("port 21", "-p 21"),
        ("port 21\n", "-p 21"),
        ("  port\t 21 \t\n", "-p 21"),
        ("port 21\r\n\r\n# comment\r\nwrite\r\n", "-p 21 -w"),
        ("\u{feff}port 21\n", "-p 21"),
        ("\u{feff}# comment\nport 21\n", "-p 21"),
        ("write", "--write"),
        ("username bob\npassword x#y", "-u bob --password=x#y"),
        ("password #\nusername bob", "-u bob --password=#"),
        ("username bob\npassword =x=", "-u bob --password==x="),
        (
            "username bob\npassword --write",
            "-u bob --password=--write",
        ),
        ("username bob\npassword \"x\"", "-u bob --password=\"x\""),
        ("banner p:q", "--banner p:q"),
        (
            "interface 10.0.0.1\nport 21\ninterface 10.0.0.2",
            "-i 10.0.0.1 -i 10.0.0.2 -p 21",
        ),
        (
            "local-networks 10.0.0.0/8,10.8.0.0/24\nlocal-networks fd00::/8",
            "--local-networks 10.0.0.0/8,10.8.0.0/24,fd00::/8",
        ),
        ("shutdown-grace 0", "--shutdown-grace 0"),
        ("debug", "-D"),
    ] {
        let expected = command_line(flags, None).settings().unwrap();
        assert_eq!(settings(content, ""), expected, "{content:?}");
    }
    let banner = "banner Cats # and dogs \n# and dogs\n";
    assert_eq!(settings(banner, "").banner.unwrap(), "Cats # and dogs");
    let latin = b"# f\xfcr\nusername bob\npassword gr\xfcn\n";
    let users = settings(latin, "").users;
    assert!(users.check(b"bob", &Secret::new(b"gr\xfcn")).is_some());
}

/// The file, the command line, and a command line that says alone what both say together.
#[test]
fn the_command_line_wins() {
    for (content, flags, same) in [
        ("port 21", "-p 22", "-p 22"),
        ("port 21", "-w", "-p 21 -w"),
        ("write", "-w", "-w"),
        ("write\nanonymous", "-p 22", "-w --anonymous -p 22"),
        (
            "interface 10.0.0.1\ninterface 10.0.0.2",
            "-i 10.0.0.3 --interface 10.0.0.4",
            "-i 10.0.0.3 -i 10.0.0.4",
        ),
        (
            "local-networks 10.0.0.0/8\nlocal-networks 10.8.0.0/24",
            "--local-networks none",
            "--local-networks none",
        ),
        (
            "masquerade-address-map 10.0.0.1=203.0.113.1\nmasquerade-address 203.0.113.9",
            "--masquerade-address-map 10.0.0.2=203.0.113.2",
            "--masquerade-address-map 10.0.0.2=203.0.113.2 -n 203.0.113.9",
        ),
        ("passive-ports 70-60", "-r 60-70", "-r 60-70"),
        ("log-level warn", "-D", "-D"),
        ("debug", "--log-level warn", "--log-level warn"),
        ("username bob\npassword x", "-u eve", "-u eve -P x"),
        ("username bob\npassword x", "-P y", "-u bob -P y"),
        (
            "username bob\npassword-file /nowhere",
            "-P y",
            "-u bob -P y",
        ),
        (
            "username bob\npassword x\npassword-file /nowhere",
            "-P y",
            "-u bob -P y",
        ),
        (
            "username bob\npassword x",
            "--password-file PASSWORD",
            "-u bob -P pw",
        ),
        ("username bob", "-P y", "-u bob -P y"),
        ("password x", "-u bob", "-u bob -P x"),
    ] {
        let place = Place::new();
        fs::write(place.path("pw"), "pw\n").unwrap();
        let flags = flags.replace("PASSWORD", place.path("pw").to_str().unwrap());
        let expected = command_line(same, None).settings().unwrap();
        assert_eq!(settings(content, &flags), expected, "{content:?} {flags}");
    }
}

#[test]
fn the_password_variable_counts_less_than_the_file() {
    let place = Place::new();
    let file = place.file("username bob\n");
    let arguments = || ["--config".into(), file.clone().into_os_string()];
    let variable = |name: &str| (name == "FTP_PASSWORD").then(|| "from-variable".into());
    let line = CommandLine::new(arguments(), variable);
    let is_password = |password: &[u8]| {
        let users = line.settings().unwrap().users;
        users.check(b"bob", &Secret::new(password)).is_some()
    };
    assert!(is_password(b"from-variable"));
    place.file("username bob\npassword from-file\n");
    assert!(is_password(b"from-file") && !is_password(b"from-variable"));
    assert!(!format!("{line:?}").contains("variable"));
}

/// What SIGHUP does: the same command line, read again.
#[test]
fn changed_files_are_read_again() {
    let place = Place::new();
    let password = place.path("password");
    fs::write(&password, "old").unwrap();
    let content = |banner: &str| {
        let password = password.display();
        format!("username bob\npassword-file {password}\nbanner {banner}\n")
    };
    let line = command_line("-p 22", Some(place.file(content("old"))));
    let before = line.settings().unwrap();
    assert_eq!(line.settings().unwrap(), before);

    place.file(content("new"));
    fs::write(&password, "new").unwrap();
    let after = line.settings().unwrap();
    assert_eq!(after.banner.as_deref(), Some("new"));
    assert!(after.users.check(b"bob", &Secret::new(b"new")).is_some());
    assert!(after.users.check(b"bob", &Secret::new(b"old")).is_none());
    assert_eq!(after.listen, before.listen);

    place.file("nonsense\n");
    assert!(line.settings().is_err());
    fs::remove_file(place.path("file")).unwrap();
    assert!(line.settings().is_err());
    place.file(content("old"));
    fs::write(&password, "old").unwrap();
    assert_eq!(line.settings().unwrap(), before);
}

#[test]
fn nothing_is_served_for_help() {
    for flags in ["--help", "--version"] {
        let line = command_line(flags, Some("/nowhere".into()));
        assert!(!matches!(line.parse(), Ok(Invocation::Serve(_)) | Err(_)));
        assert!(line.settings().unwrap_err().to_string().starts_with(flags));
    }
}

/// They need the settings, the file's among them, and still give a server none to serve.
#[test]
fn nothing_is_served_for_check_and_rules() {
    let place = Place::new();
    let file = place.file("passive-ports 60000-60009\n");
    for flags in ["--check", "--rules docker"] {
        let line = command_line(flags, Some(file.clone()));
        match line.parse() {
            Ok(Invocation::Check(settings) | Invocation::Rules(settings, _)) => {
                assert_eq!(settings.passive_ports, Some("60000-60009".parse().unwrap()));
            }
            other => panic!("{flags}: {other:?}"),
        }
        let refusal = line.settings().unwrap_err().to_string();
        assert!(
            flags.starts_with(refusal.split(':').next().unwrap()),
            "{refusal}"
        );
    }
}

#[test]
fn a_file_takes_every_flag_but_those_for_the_command_line() {
    let table = flags::table();
    for flag in &table {
        let is_refused = flag.is_for_command_line_only() || flag.long == "--config";
        match read_line(&table, flag.name().as_bytes()) {
            Ok(found) => {
                let value = flag.may_lack_value().then(|| EVERY.into());
                assert_eq!(found, Some((*flag, value)));
            }
            Err(error) => {
                let error = error.to_string();
                assert_eq!(error.contains("command line"), is_refused, "{error}");
                assert!(is_refused || error.contains("is missing"), "{error}");
            }
        }
    }
}

#[test]
fn lines_and_files_have_a_maximum_length() {
    let line = |bytes: usize| format!("write\n#{}\n", "x".repeat(bytes - 1));
    assert_eq!(refusal(line(LINE_BYTES_MAX), ""), "accepted");
    assert_eq!(
        refusal(line(LINE_BYTES_MAX + 1), ""),
        "FILE:2: longer than 8192 bytes; give a list in several lines of the same name"
    );
    let file = |bytes: u64| "#2345678901234\r\n".repeat(bytes as usize / 16);
    assert_eq!(refusal(file(FILE_BYTES_MAX), ""), "accepted");
    assert_eq!(
        refusal(file(FILE_BYTES_MAX) + "\n", ""),
        "--config FILE: longer than 1048576 bytes; give a file with one \"name value\" per line"
    );
}

/// Opening a pipe without a writer would wait for ever.
#[test]
fn a_pipe_is_refused_and_not_opened() {
    let place = Place::new();
    let pipe = place.path("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let error = command_line("", Some(pipe)).settings().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("give one that can be read again"),
        "{error}"
    );
}

#[test]
fn the_file_with_the_password_is_known() {
    let place = Place::new();
    let path = place.path("file");
    fs::write(&path, "username bob\npassword x\n").unwrap();
    let source = |flags: &str| {
        let line = command_line(flags, Some(path.clone()));
        line.settings().unwrap().password_source
    };
    assert_eq!(source(""), Some(path.clone()));
    assert_eq!(source("-P other"), None);
    fs::write(&path, "username bob\n").unwrap();
    assert_eq!(source("-P other"), None);
}

#[test]
fn a_file_may_have_any_name() {
    let place = Place::new();
    let path = place.directory.path().join(OsStr::from_bytes(b"f \xe9"));
    let mut file = File::create(&path).unwrap();
    file.write_all(b"port 21\n").unwrap();
    let line = command_line("", Some(path.clone()));
    let found = line.settings().unwrap();
    assert_eq!(found.sources, [path]);
    let expected = command_line("-p 21", None).settings().unwrap();
    assert_eq!(without_sources(found), expected);
    file.write_all(b"prot 21\n").unwrap();
    let error = line.settings().unwrap_err().to_string();
    assert!(error.contains("/f \\xe9\":2: prot: unknown"), "{error}");
}
