//! What files may contain, and what follows from it.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::cli::golden;

/// What a look finds that is due.
fn take_changed(files: &mut AddressFiles, now: Instant) -> Vec<LookupResult> {
    let seen = files.due(now).see(|_| ());
    files.take_seen(seen, now)
}

/// The addresses in a text; or after an exclamation mark, why there are none; or both.
fn parsed(text: &str) -> String {
    let answer = match parse(text.as_bytes()) {
        Ok(answer) => answer,
        Err(problem) => return format!("!{problem}"),
    };
    let addresses = answer.addresses.iter().map(IpAddr::to_string);
    let addresses = addresses.collect::<Vec<_>>().join(" ");
    match answer.problem {
        Some(problem) => format!("{addresses} !{problem}"),
        None => addresses,
    }
}

#[test]
fn one_address_a_line() {
    let wrong = |line, text: &str| {
        format!(
            "!line {line} is no IP address: \"{text}\"; write one address a line, such as 203.0.113.1"
        )
    };
    let empty = "!it is empty; write the router's public IPv4 address into it";
    for (text, expected) in [
        ("203.0.113.1", "203.0.113.1".to_owned()),
        ("203.0.113.1\n", "203.0.113.1".to_owned()),
        ("\u{feff}203.0.113.1\r\n", "203.0.113.1".to_owned()),
        (
            "# by dhcpcd\n\n  203.0.113.1 # wan\n",
            "203.0.113.1".to_owned(),
        ),
        (
            "2001:db8::1\n203.0.113.1\n203.0.113.2",
            "2001:db8::1 203.0.113.1 203.0.113.2".to_owned(),
        ),
        ("::ffff:203.0.113.1", "203.0.113.1".to_owned()),
        ("", empty.to_owned()),
        ("\n # 203.0.113.1\n", empty.to_owned()),
        ("203.0.113", wrong(1, "203.0.113")),
        ("#\n203.0.113.1/24\n", wrong(2, "203.0.113.1/24")),
        (
            "203.0.113.1 203.0.113.2",
            wrong(1, "203.0.113.1 203.0.113.2"),
        ),
        (
            "ip=203.0.113.1\nno\n203.0.113.7",
            format!("203.0.113.7 {}", wrong(1, "ip=203.0.113.1")),
        ),
        (&"x".repeat(1000), wrong(1, &"x".repeat(40))),
    ] {
        assert_eq!(parsed(text), expected, "{text:?}");
    }
}

proptest! {
    /// Whatever a file contains, the result has addresses or a problem, and the problem is one line
    /// that can be logged.
    #[test]
    fn every_file_is_understood(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        match parse(&bytes) {
            Ok(answer) => prop_assert!(!answer.addresses.is_empty()),
            Err(problem) => prop_assert!(!problem.chars().any(char::is_control), "{problem}"),
        }
    }

    /// Addresses come out in their order, whatever is written around them.
    #[test]
    fn addresses_keep_their_order(
        lines in prop::collection::vec((any::<IpAddr>(), "[ \t]{0,3}", "( ?#[^\n]{0,9})?(\r)?"), 1..9),
        comments in prop::collection::vec("#?[ \t]{0,3}", 9),
    ) {
        let mut text = String::new();
        for ((address, blank, end), comment) in lines.iter().zip(&comments) {
            text += &format!("{comment}\n{blank}{address}{end}\n");
        }
        let answer = parse(text.as_bytes()).unwrap();
        let expected: Vec<IpAddr> = lines.iter().map(|line| line.0.to_canonical()).collect();
        prop_assert_eq!(answer.addresses, expected);
        prop_assert_eq!(answer.problem, None);
    }
}

struct Scene {
    directory: tempfile::TempDir,
    files: AddressFiles,
    now: Instant,
}

impl Scene {
    fn new() -> (Self, Vec<String>) {
        let mut scene = Self {
            directory: tempfile::tempdir().unwrap(),
            files: AddressFiles::default(),
            now: Instant::now(),
        };
        let flags = format!("-n @{}", scene.file().display());
        let first = scene
            .files
            .update_settings(&golden::settings(&flags), scene.now);
        (scene, shown(first))
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ip")
    }

    /// What comes of the next checks, one after the other.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        for (index, expected) in expected.iter().enumerate() {
            self.now = self.files.next_check().unwrap();
            let found = shown(take_changed(&mut self.files, self.now)).join(" ");
            assert_eq!(found, *expected, "check {index}");
        }
    }
}

fn shown(results: Vec<LookupResult>) -> Vec<String> {
    let result = |result: LookupResult| match result.answer {
        Ok(answer) => answer.addresses[0].to_string(),
        Err(problem) => format!("!{problem}"),
    };
    results.into_iter().map(result).collect()
}

#[test]
fn a_file_is_read_when_it_changes() {
    let gone = "!cannot be read: no such file or directory; give a file with the router's public IPv4 \
                address";
    let empty = "!it is empty; write the router's public IPv4 address into it";
    let (mut scene, first) = Scene::new();
    assert_eq!(first, [gone]);
    scene.check(&["", ""]);
    fs::write(scene.file(), "203.0.113.1\n").unwrap();
    scene.check(&["203.0.113.1", ""]);
    // As a careful program does.
    let draft = scene.directory.path().join("draft");
    fs::write(&draft, "203.0.113.2\n").unwrap();
    fs::rename(&draft, scene.file()).unwrap();
    scene.check(&["203.0.113.2", ""]);
    // A program that truncates the file and writes it later is no problem.
    fs::write(scene.file(), "").unwrap();
    scene.check(&["", ""]);
    fs::write(scene.file(), "203.0.113.3").unwrap();
    scene.check(&["203.0.113.3"]);
    fs::write(scene.file(), "").unwrap();
    scene.check(&["", "", "", empty, ""]);
    fs::remove_file(scene.file()).unwrap();
    scene.check(&["", "", "", gone, ""]);
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        read(directory.path()).unwrap_err(),
        "a directory; give a file in it"
    );
    let long = directory.path().join("long");
    fs::write(&long, vec![b'\n'; 65537]).unwrap();
    let problem = read(&long).unwrap_err();
    assert!(
        problem.starts_with("longer than 65536 bytes; "),
        "{problem}"
    );
}

#[test]
fn without_files_there_is_nothing_to_check() {
    let mut files = AddressFiles::default();
    let now = Instant::now();
    assert!(
        files
            .update_settings(&golden::settings("-n a.example"), now)
            .is_empty()
    );
    assert_eq!(files.next_check(), None);
    assert!(take_changed(&mut files, now).is_empty());
}
