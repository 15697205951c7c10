//! The files of packages that are made from the table of flags: manual pages, completions, and the
//! configuration file with every flag.
//!
//! They are committed below `packaging/`, and what is not about single flags comes from
//! `packaging/templates/`. A test here fails when a file is outdated, and writes it with
//! `SNAPSHOTS=overwrite`. Nothing of this is in the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::flags::{self, Flag};
use super::help::{SECTIONS, help};
use super::{Invocation, golden, parse};
use value::Value;

mod bash;
mod configuration;
mod description;
mod fish;
mod manual;
mod value;
mod zsh;

/// The flags below each heading of the help.
fn sections() -> Vec<(&'static str, Vec<Flag>)> {
    let mut sections: Vec<(&str, Vec<Flag>)> = Vec::new();
    for flag in flags::table() {
        let heading = SECTIONS.iter().find(|(_, first)| *first == flag.long);
        if let Some((heading, _)) = heading {
            sections.push((heading, Vec::new()));
        }
        let (_, flags) = sections.last_mut().expect("a heading before each flag");
        flags.push(flag);
    }
    sections
}

/// Whether the flag can stand in a configuration file.
fn is_for_files(flag: &Flag) -> bool {
    !flag.is_for_command_line_only() && flag.long != "--config"
}

/// Replaces the line `mark` of the template with this name.
fn fill(template: &str, mark: &str, text: &str) -> String {
    let template = read(&directory().join("templates").join(template));
    let line = format!("{mark}\n");
    assert_eq!(template.matches(&line).count(), 1, "{mark} stands once");
    template.replace(&line, text)
}

/// Each file that is made, by its place below `packaging/`.
fn files() -> [(&'static str, String); 6] {
    [
        ("man/ftp-server-sync.8", manual::program()),
        ("man/ftp-server-sync.conf.5", manual::configuration()),
        ("ftp-server-sync.conf", configuration::file()),
        ("completions/ftp-server-sync.bash", bash::completion()),
        ("completions/_ftp-server-sync", zsh::completion()),
        ("completions/ftp-server-sync.fish", fish::completion()),
    ]
}

/// What some flags need beside them to be accepted, instead of a range.
#[rustfmt::skip]
const NEEDS: [(&str, &str); 4] = [
    ("--gateway-resumption", "--tls --trust-gateway 192.0.2.1"),
    ("--hook-timeout", "--on-upload /bin/true"),
    ("--passive-ports", ""),
    ("--rules", "--passive-ports 60000-60009 -n 203.0.113.1"),
];
/// Flags with offered values that a program without TLS refuses.
const NEEDS_TLS: [&str; 1] = ["--gateway-resumption"];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_files_of_packages_are_up_to_date() {
    let overwrite = env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite");
    let mut outdated = Vec::new();
    for (name, expected) in files() {
        let path = directory().join(name);
        if fs::read_to_string(&path).is_ok_and(|text| text == expected) {
            continue;
        }
        if overwrite {
            fs::write(&path, expected).unwrap();
        } else {
            outdated.push(name);
        }
    }
    assert!(
        outdated.is_empty(),
        "outdated below packaging/: {outdated:?}; this writes them: \
         SNAPSHOTS=overwrite cargo test -p ftp-server-sync --lib packaging"
    );
}

/// Each place that lists flags has each flag, and the files about the configuration file have those
/// that it may hold.
#[test]
fn every_flag_stands_in_every_list() {
    let [manual, names, configuration, bash, zsh, fish] = files().map(|(_, text)| text);
    let page = read(&directory().join("../docs/flags.md"));
    let help = help();
    let table = flags::table();
    assert!(table.len() > 60, "{}", table.len());
    for flag in &table {
        let (long, name) = (flag.long, flag.name());
        let roff = |text: &str| format!("\\fB{}\\fR", text.replace('-', "\\-"));
        let is_somewhere = |text: &str, pattern: &str| {
            // A name may begin another one.
            let ends = [" ", "\n", "`", "=", "[", ",", ")"].map(|end| format!("{pattern}{end}"));
            ends.iter().any(|pattern| text.contains(pattern))
        };
        let begins_line = |text: &str, pattern: &str| {
            let mut lines = text.lines();
            lines.any(|line| line == pattern || line.starts_with(&format!("{pattern} ")))
        };
        assert!(is_somewhere(&manual, &roff(long)), "the manual: {long}");
        assert!(is_somewhere(&bash, &format!(" {long}")), "bash: {long}");
        assert!(is_somewhere(&zsh, long), "zsh: {long}");
        assert!(is_somewhere(&fish, &format!(" -l {name}")), "fish: {long}");
        assert!(is_somewhere(&page, long), "docs/flags.md: {long}");
        assert!(is_somewhere(&help, long), "the help: {long}");
        let is_in_file =
            begins_line(&configuration, name) || begins_line(&configuration, &format!("#{name}"));
        assert_eq!(is_in_file, is_for_files(flag), "the file: {long}");
        assert_eq!(
            begins_line(&names, &roff(name)),
            is_for_files(flag),
            "conf(5): {long}"
        );
    }
}

/// A value that a shell offers, and a default that the configuration file shows, is one that the
/// flag takes. What else the flag needs is given too.
#[test]
fn offered_values_are_accepted() {
    let home = tempfile::tempdir().unwrap();
    let mut count = 0;
    for flag in flags::table() {
        let mut values = match Value::of(&flag) {
            Value::Words(words) => words,
            _ => Vec::new(),
        };
        values.extend(configuration::literal_default(&flag));
        if cfg!(not(feature = "tls")) && NEEDS_TLS.contains(&flag.long) {
            continue;
        }
        for value in values {
            let needs = NEEDS.iter().find(|(long, _)| *long == flag.long);
            let needs = needs.map_or("--passive-ports 60000-60009", |(_, needs)| needs);
            let mut line: Vec<OsString> = needs.split_whitespace().map(OsString::from).collect();
            if flag.long != "--directory" {
                line.extend(["--directory".into(), home.path().into()]);
            }
            line.extend([flag.long, value].map(OsString::from));
            let parsed = parse(line, |_| None);
            assert!(parsed.is_ok(), "{} (see NEEDS): {parsed:?}", flag.long);
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

/// The file of the package, as it is, shares one directory for reading.
#[test]
fn the_configuration_file_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let text = configuration::file();
    assert_eq!(text.matches("\ndirectory /srv/ftp\n").count(), 1);
    let share = home.path().to_str().unwrap();
    let file = home.path().join("conf");
    fs::write(&file, text.replace("/srv/ftp", share)).unwrap();
    let line = ["--config".into(), file.into_os_string()];
    let Ok(Invocation::Serve(mut settings)) = parse(line, |_| None) else {
        panic!("not accepted");
    };
    settings.sources.clear();
    // Nothing else is in force: anonymous reads, and the port is the usual one.
    assert_eq!(*settings, golden::settings(&format!("-d {share}")));
}
