//! Tests that any FTP server can be put through: they know its address, its directory and one user, nothing else.
//!
//! `tests/run --server COMMAND wire` runs them against `COMMAND -p 0 -d DIRECTORY -u USER -P PASSWORD -w`, those in
//! `tls` with `--tls`; `--skip black_box::tls` leaves these out. Without a command they run against our server in
//! this process. The type of the server, `TestServer<BlackBox>`, has nothing that another server would lack.

mod abort;
mod active;
mod attributes;
mod control;
mod files;
mod listings;
mod login;
mod names;
mod rfc;
mod strangers;
mod tls;
mod transfers;

use std::fs;
use std::path::Path;

/// What starts another kind of server has no place here.
#[test]
fn these_tests_start_no_other_server() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/wire/black_box");
    let mut ahead = vec![directory];
    let mut files = 0;
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                ahead.push(path);
                continue;
            }
            files += 1;
            let source = fs::read_to_string(&path).expect("a source file");
            for other in ["in_process", "program(", "Setup"] {
                let place = path.display();
                assert!(!source.contains(other), "{place} holds {other}");
            }
        }
    }
    assert!(files > 15, "{files} files");
}
