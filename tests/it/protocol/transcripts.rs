//! The golden sessions of `tests/testkit/transcripts`. `SNAPSHOTS=overwrite` makes the result the
//! expectation.

use std::fs;
use std::path::{Path, PathBuf};

use ftp_tests::transcript::Transcript;
use snapbox::{Assert, Data};

const TRANSCRIPTS_MIN: usize = 32;

/// Transcripts that must exist.
const NAMED: [&str; 14] = [
    "abor-during-retr",
    "epsv-all",
    "line-too-long",
    "never-connected-not-forwarded",
    "never-connected-private-address",
    "missing-file-no-150",
    "noop-then-abor",
    "pasv-behind-nat",
    "pasv-map-dual-stack",
    "pasv-on-ipv6",
    "pasv-waits-for-port",
    "port-bounce-refused",
    "quit-held-by-transfer",
    "rest-retr",
];

#[test]
fn each_transcript_is_replayed() {
    let transcripts = transcripts();
    assert!(
        transcripts.len() >= TRANSCRIPTS_MIN,
        "transcripts are missing"
    );
    for name in NAMED {
        assert!(
            transcripts
                .iter()
                .any(|path| path.ends_with(format!("{name}.txt"))),
            "{name}"
        );
    }
    let faults: Vec<String> = transcripts
        .iter()
        .filter_map(|path| {
            check(path)
                .err()
                .map(|fault| format!("{}: {fault}", path.display()))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn transcripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testkit/transcripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the transcripts")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// The text must be what a replay gives, and the outputs must not depend on how the bytes arrive.
fn check(path: &Path) -> Result<(), String> {
    let source = fs::read_to_string(path).map_err(|fault| fault.to_string())?;
    let replayed = Transcript::parse(&source)?.replay_in_every_way()?;
    let name = path.file_name().map(|name| name.display().to_string());
    Assert::new()
        .action_env("SNAPSHOTS")
        .try_eq(
            name.as_ref().map(|name| name as &dyn std::fmt::Display),
            Data::text(&replayed.text).raw(),
            Data::read_from(path, None).raw(),
        )
        .map_err(|fault| fault.to_string())
}
