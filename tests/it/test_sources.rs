//! Rules for the tests' own sources.

use std::fs;
use std::path::{Path, PathBuf};

/// `tests/RFC.md` lists what the RFCs demand: each test that it names exists, and each test that is
/// named after a section is in it.
#[test]
fn each_rfc_test_is_listed_and_each_listed_test_exists() {
    let list = fs::read_to_string(manifest().join("RFC.md")).expect("the list");
    let rows = list.lines().filter(|line| line.starts_with("| RFC "));
    let named: Vec<&str> = rows
        .filter_map(|row| row.trim_end_matches(" |").rsplit('`').nth(1))
        .collect();
    assert!(named.len() >= 60, "{named:?}");
    let mut sources = sources("it");
    sources.extend(self::sources("../ftp-proto/src"));
    for name in &named {
        let function = format!("fn {name}(");
        let mut texts = sources.iter().map(|(_, text)| text);
        let exists = texts.any(|text| text.contains(&function));
        assert!(exists, "{name} is listed and is no test");
    }
    for (_, source) in &sources {
        for (_, rest) in source
            .match_indices("fn rfc")
            .map(|(at, _)| source[at..].split_at(3))
        {
            let name = rest.split('(').next().unwrap_or(rest);
            let is_test = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            assert!(!is_test || named.contains(&name), "{name} is not listed");
        }
    }
}

/// The rows of `tests/NAT-MATRIX.md` are checked as their tests run; here it is the tests that must
/// fail.
#[test]
fn each_test_in_the_nat_matrix_exists() {
    let matrix = fs::read_to_string(manifest().join("NAT-MATRIX.md")).expect("the matrix");
    let rows = matrix.lines().skip_while(|line| !line.starts_with("|---"));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let mut count = 0;
    for (module, name) in quoted.filter_map(|test| test.rsplit_once("::")) {
        let module = module.replace("::", "/");
        count += 1;
        let path = manifest().join(format!("it/nat/{module}.rs"));
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains(&format!("fn {name}()")), "{module}::{name}");
    }
    assert!(count > 80, "{count}");
}

/// A driver is compiled with the test kit's judge in the place of a session, so each method of a
/// session is there, with the same arguments.
#[test]
fn the_judge_has_the_methods_of_a_session() {
    let read = |path: &str| fs::read_to_string(manifest().join(path)).expect("a file");
    let api = read("../ftp-proto/PUBLIC-API.txt");
    let judge = read("testkit/src/judge.rs");
    let prefix = "fn ftp_proto::Session::";
    let methods: Vec<&str> = api
        .lines()
        .map(|line| line.strip_prefix("#[must_use] ").unwrap_or(line))
        .filter_map(|line| line.strip_prefix(prefix))
        .collect();
    assert!(methods.len() > 15, "{methods:?}");
    for method in methods {
        assert!(judge.contains(&format!("pub fn {method} {{")), "{method}");
    }
}

/// They could not be run against another server's command otherwise.
#[test]
fn black_box_tests_start_no_other_server() {
    let sources = sources("it/wire/black_box");
    assert!(sources.len() > 15, "{} files", sources.len());
    for (path, text) in sources {
        for other in ["in_process", "program(", "Setup"] {
            assert!(!text.contains(other), "{} holds {other}", path.display());
        }
    }
}

/// Tests wait for conditions; `support/wait.rs` has the pause between two looks, and the
/// exceptions.
#[test]
fn tests_sleep_nowhere_else() {
    for (path, text) in sources("it") {
        let may_sleep = ["support/wait.rs", "test_sources.rs"];
        let may_sleep = may_sleep.iter().any(|name| path.ends_with(name));
        assert!(may_sleep || !text.contains("sleep("), "{}", path.display());
    }
}

#[test]
fn no_file_is_longer_than_600_lines() {
    for (path, text) in sources("it") {
        let lines = text.lines().count();
        assert!(lines <= 600, "{}: {lines} lines", path.display());
    }
}

/// All Rust files beneath a directory of this package, with their text.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut ahead = vec![manifest().join(directory)];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    found
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
