//! The README's table of commands is made from the core's. `SNAPSHOTS=overwrite` writes it.

use std::path::Path;
use std::{env, fs};

use ftp_proto::codes;

const BEGIN: &str =
    "<!-- Made from the table in ftp-proto; `SNAPSHOTS=overwrite` writes it anew. -->\n";
const END: &str = "\n## A configuration file";

#[test]
fn the_readme_has_the_table_of_commands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the begin of the table");
    let (table, after) = rest.split_once(END).expect("the end of the table");
    let expected = format!("\n{}", codes::markdown());
    if table == expected {
        return;
    }
    let overwrite = env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite");
    assert!(overwrite, "the README is behind:\n{expected}");
    let new = [before, BEGIN, &expected, END, after].concat();
    fs::write(&path, new).expect("the README");
}
