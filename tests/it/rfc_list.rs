//! `tests/RFC.md` lists what the RFCs demand, with the test of each demand, and what does not apply.

use std::fs;
use std::path::{Path, PathBuf};

/// Each test in these files stands in the list, and each that the list names is somewhere.
#[test]
fn the_list_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("RFC.md")).expect("the list");
    let rows = list.lines().filter(|line| line.starts_with("| RFC "));
    let named: Vec<&str> = rows
        .filter_map(|row| row.trim_end_matches(" |").rsplit('`').nth(1))
        .collect();
    assert!(named.len() >= 60, "{named:?}");
    let mut sources = Vec::new();
    read_sources(&root.join("it"), &mut sources);
    read_sources(&root.join("../ftp-proto/src"), &mut sources);
    let has = |name: &str| {
        let function = format!("fn {name}(");
        sources.iter().any(|source| source.contains(&function))
    };
    for name in &named {
        assert!(has(name), "{name} is listed and is no test");
    }
    for source in &sources {
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

fn read_sources(directory: &Path, sources: &mut Vec<String>) {
    let entries = fs::read_dir(directory).expect("sources");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        match path.is_dir() {
            true => read_sources(&path, sources),
            false => sources.push(source(path)),
        }
    }
}

fn source(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
