//! The page for those who come from another server: what it names exists here, and its converter
//! writes users files that the server accepts.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::client_program::{SECONDS_MAX, path};
use crate::support::process;
use crate::support::server;

#[test]
fn the_flags_and_options_that_it_names_exist() {
    let page = read("migration.md");
    let help = process::run(&mut server::command(&["--help", "all"]), SECONDS_MAX).text();
    let flags: BTreeSet<&str> = words(&help).filter(|word| is_flag(word)).collect();
    let here = tables(&page).flat_map(words).filter(|word| is_flag(word));
    let unknown: BTreeSet<&str> = here.filter(|flag| !flags.contains(flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?} in migration.md");

    let users = read("users.md");
    let known: BTreeSet<&str> = words(&users).collect();
    for option in USER_OPTIONS {
        assert!(known.contains(option), "{option} is not in users.md");
        assert!(
            page.contains(&format!("`{option}")),
            "{option} is not in migration.md"
        );
    }
}

/// The files are as `pure-pw` and `ftpasswd` write them.
#[test]
fn converted_users_are_accepted() {
    let place = TempDir::new().expect("a temporary directory");
    for name in ["anna", "ben"] {
        fs::create_dir(place.path().join(name)).expect("a home");
    }
    let home = |name: &str| path(&place.path().join(name)).to_owned();
    let (anna, ben) = (home("anna"), home("ben"));
    let pure_ftpd = format!(
        "anna:{ARGON2}:1000:1000::{anna}/./:204800:102400:::3:::::192.168.0.0/16:10.0.0.0/8:900-1800\n\
         ben:{SCRYPT}:1000:1000::{ben}::::::::::::\n"
    );
    let expected = format!(
        "# name:hash:home:rights:options\n\
         # anna was limited to certain hours: 900-1800\n\
         anna:{ARGON2}:{anna}:all:rate-in=204800;rate-out=102400;max-sessions=3;\
         allow=192.168.0.0/16;deny=10.0.0.0/8\n\
         # ben could leave {ben}; now it is the root\n\
         # ben cannot log in: the hash is of a kind that cannot be checked; make a new one with \
         --hash-password\n\
         ben:*:{ben}:all\n"
    );
    check(&place, &pure_ftpd, &expected);

    let proftpd = format!(
        "anna:{SHA512}:1000:1000:Anna:{anna}:/bin/false\n\
         \n\
         ben:!{SHA512}:1001:1000::{ben}:/bin/false\n\
         ben\n"
    );
    let expected = format!(
        "# name:hash:home:rights:options\n\
         anna:{SHA512}:{anna}:all\n\
         # ben was locked: the hash begins with !\n\
         # ben cannot log in: the hash is of a kind that cannot be checked; make a new one with \
         --hash-password\n\
         ben:*:{ben}:all\n\
         # line 4 is of neither format: 1 fields\n\
         # the users had 2 owners (uid:gid); now the server's user owns what they upload\n"
    );
    check(&place, &proftpd, &expected);
}

/// Converts users, and has the server read the result.
#[track_caller]
fn check(place: &TempDir, users: &str, expected: &str) {
    let given = place.path().join("passwd");
    fs::write(&given, users).expect("a file");
    let script = docs().join("migration/users-from-passwd.awk");
    let mut awk = Command::new("awk");
    awk.arg("-f").arg(&script).arg(&given);
    let converted = awk.output().expect("awk (Debian package: mawk)");
    let text = String::from_utf8(converted.stdout).expect("text");
    assert_eq!(text, expected);

    let users = place.path().join("users");
    fs::write(&users, &text).expect("a users file");
    let share = path(place.path()).to_owned();
    let flags = ["-d", &share, "--users", path(&users), "-r", "60000-60009"];
    let flags = [&flags[..], &["--rules", "ufw"]].concat();
    let finished = process::run(&mut server::command(&flags), SECONDS_MAX);
    let is_accepted = finished.status.is_some_and(|status| status.success());
    assert!(is_accepted, "{}", finished.text());
}

/// The rows of the tables.
fn tables(page: &str) -> impl Iterator<Item = &str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    // The first column has the names of the other server.
    rows.filter_map(|row| row.split('|').nth(2))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
}

fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--");
    name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))
}

fn read(name: &str) -> String {
    let file = docs().join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ftp-server-sync/docs")
}

/// What is offered for a user.
const USER_OPTIONS: [&str; 8] = [
    "allow",
    "deny",
    "hide",
    "max-sessions",
    "max-upload-size",
    "rate-in",
    "rate-out",
    "umask",
];

const ARGON2: &str = "$argon2id$v=19$m=8192,t=15,p=1$H9wxY6x6MiPngrVXEox5tg$T9qxaJO9ckVzdEEERaOeuavGlCAbX7snk64+moP66mw";
const SCRYPT: &str = "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D";
const SHA512: &str = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1/";
