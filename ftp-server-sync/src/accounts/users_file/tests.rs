use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ftp_proto::{FtpPath, Right};
use proptest::prelude::*;

use super::*;

/// Each line that begins with `$ ` is a line of a users file, and what follows is its error.
#[test]
fn bad_lines() {
    let golden = include_str!("../../../tests/bad_users.txt");
    crate::cli::golden::check("tests/bad_users.txt", golden, 60, |line| {
        match parse(&unquoted(line)) {
            Ok(users) => format!("accepted: {users:?}\n"),
            Err(problems) => problems
                .iter()
                .map(|problem| format!("{problem}\n"))
                .collect(),
        }
    });
}

/// `{XX}` in a golden line is a byte that a text file should not have.
fn unquoted(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some((before, (code, after))) = rest
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        bytes.extend_from_slice(before.as_bytes());
        match code {
            "long" => bytes.extend_from_slice(&[b'x'; 9000]),
            code => bytes.push(u8::from_str_radix(code, 16).unwrap()),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[track_caller]
fn one(line: &str) -> FileUser {
    let mut users =
        parse(line.as_bytes()).unwrap_or_else(|problems| panic!("{line}: {problems:?}"));
    assert_eq!(users.len(), 1, "{line}");
    users.remove(0)
}

fn path(text: &str) -> FtpPath {
    FtpPath::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_line_is_a_user() {
    let anna = one(&format!("anna:{HASH}:/srv/ftp/anna:elradfmw"));
    assert_eq!(anna.name, "anna");
    assert_eq!(anna.home, Path::new("/srv/ftp/anna"));
    assert_eq!(Some(anna.rights), Rights::from_letters("elradfmw"));
    assert_eq!(anna.options, UserOptions::default());
    assert!(matches!(anna.password, UserPassword::Stored(_)));

    let users = parse(
        format!("\u{feff}# users\n\n  # more\na:{HASH}:/a:read\r\n\tb:*:/b:read:\\#\n").as_bytes(),
    );
    assert_eq!(users.unwrap_err().len(), 1, "\\# is no option");
    let users = parse(format!("\u{feff}# users\n\n  # more\na:{HASH}:/a:read\r\n").as_bytes());
    let users = users.unwrap();
    assert_eq!((&*users[0].name, users[0].line), ("a", 4));
    assert_eq!(parse(b""), Ok(Vec::new()));
}

#[test]
fn escapes_are_a_part_of_the_text() {
    let user = one(&format!(
        r"a\:b\\c:{HASH}:/srv/x\:y\xe4\ :read:dir=/a\,b\;c,none"
    ));
    assert_eq!(user.name, r"a:b\c");
    assert_eq!(user.home.as_os_str().as_bytes(), b"/srv/x:y\xe4 ");
    assert_eq!(user.options.directories, [(path("/a,b;c"), Rights::NONE)]);
}

#[test]
fn anonymous_and_locked_users() {
    assert_eq!(one("anonymous::/srv/pub:read").password, UserPassword::Any);
    assert_eq!(
        one("anonymous:*:/srv/pub:read").password,
        UserPassword::Locked
    );
    assert_eq!(one("bob:*:/srv/bob:read").password, UserPassword::Locked);
}

#[test]
fn options_have_types() {
    let user = one(&format!(
        "scan:{HASH}:/srv/scan:dropbox:dir=/old,read; dir=/old/new,write;max-sessions=2;\
         rate-in=500K;rate-out=0;allow=192.168.1.0/24,fd00::/8;deny=192.168.1.7;\
         max-upload-size=0;hide=@eaDir,.Trash*;umask=027;expires=2026-12-31;tls"
    ));
    let options = user.options;
    assert_eq!(options.directories.len(), 2);
    assert!(options.directories[1].1.contains(Right::Delete));
    assert_eq!(options.sessions_max, Some(2));
    assert_eq!(options.rates.inward.map(u64::from), Some(500 << 10));
    assert_eq!(options.rates.outward, None);
    assert_eq!(options.access.allowed.len(), 2);
    assert_eq!(options.access.denied.len(), 1);
    assert_eq!(options.upload_bytes_max, Some(None));
    assert_eq!(options.hidden.len(), 2);
    assert_eq!(options.umask, Some(0o027));
    // 2027-01-01, as `date -u -d 2027-01-01 +%s` says.
    assert_eq!(options.expires, Some(1_798_761_600));
    assert!(options.tls_required);
}

#[test]
fn mounts_have_the_rights_of_their_place_or_their_own() {
    let user = one(&format!(
        "anna:{HASH}:/home/anna:read:mount=/music,/srv/music;mount=/new/a\\,b,/srv/a\\,b,write;\
         dir=/music/old,none;dir=/new,all;dir=/new/a\\,b/x,read;dir=/other,none"
    ));
    let mounts: Vec<(&str, Option<Rights>)> = user
        .options
        .mounts
        .iter()
        .map(|mount| (mount.directory.to_str().unwrap(), mount.rights))
        .collect();
    let write = Rights::READ_WRITE.without(Right::ChangeMode);
    assert_eq!(mounts, [("/srv/music", None), ("/srv/a,b", Some(write))]);
    assert_eq!(user.account().rights_at(&path("/new/a,b/y")), write);

    let account = |seen: &str| user.account_in(&path(seen));
    assert_eq!(account("/music").rights(), Rights::READ_ONLY);
    assert_eq!(
        account("/music").directories(),
        [(path("/old"), Rights::NONE)]
    );
    assert_eq!(account("/new/a,b").rights(), write);
    assert_eq!(
        account("/new/a,b").directories(),
        [(path("/x"), Rights::READ_ONLY)]
    );
    // Not those that a mount hides.
    let home = account("/");
    let home: Vec<&FtpPath> = home.directories().iter().map(|(path, _)| path).collect();
    assert_eq!(home, [&path("/other"), &path("/new")]);

    let changed = |options: &str| one(&format!("anna:{HASH}:/home/anna:all:{options}"));
    let before = changed("mount=/a,/srv/a;mount=/b,/srv/b,read");
    assert!(before.has_tree_of(&changed("mount=/b,/srv/b;mount=/a,/srv/a,write")));
    for other in ["mount=/a,/srv/a", "mount=/a,/srv/a;mount=/b,/srv/c", "tls"] {
        assert!(!before.has_tree_of(&changed(other)), "{other}");
    }
}

#[test]
fn all_bad_lines_are_reported() {
    let text =
        format!("a:{HASH}:/a:elx\nb:{HASH}:/b:read\nc\na:{HASH}:/a:read\nb:{HASH}:/c:read\n");
    let problems = parse(text.as_bytes()).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for (line, start) in lines
        .iter()
        .zip(["1: user a: rights", "3: 1 instead", "5: user b: name"])
    {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn hashes_are_not_shown() {
    let user = one(&format!("anna:{HASH}:/srv/ftp/anna:read"));
    let salt = "c29tZXNhbHRzb21lc2FsdA";
    assert!(HASH.contains(salt) && !format!("{user:?}").contains(salt));
    for line in [
        format!("anna:{HASH}x:/srv/ftp/anna:elx"),
        format!("anna:{HASH}\\q:/srv/ftp/anna:read"),
        format!("anna:{salt}:/srv/ftp/anna:read"),
    ] {
        let problems = parse(line.as_bytes()).unwrap_err();
        assert!(!problems[0].to_string().contains(salt), "{problems:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_users_or_problems(text in "[ab:;,=\\\\x#/\n *$elr-]{0,60}") {
        check(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_users_or_problems(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&text);
    }
}

fn check(text: &[u8]) {
    if let Err(problems) = parse(text) {
        assert!(!problems.is_empty());
        for problem in problems {
            let shown = problem.to_string();
            assert!(!shown.contains(char::is_control), "{shown}");
        }
    }
}

/// Of the password "secret", by the program argon2.
const HASH: &str = "$argon2id$v=19$m=8192,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$\
                    9zXZiMFJyR3Jp0WcSGuZtrSEoHBZHgfCIJx8EI0mQ0o";
