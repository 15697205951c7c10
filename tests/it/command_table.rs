//! The table of commands in `docs/protocol.md` is the one that the core uses. `SNAPSHOTS=overwrite` writes it again.

use std::path::Path;
use std::{env, fs};

use ftp_proto::codes;

const BEGIN: &str = "<!-- The table begins. -->\n";
const END: &str = "<!-- The table ends. -->\n";

#[test]
fn the_documentation_has_the_table_of_commands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ftp-server-sync/docs/protocol.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the begin of the table");
    let (table, after) = rest.split_once(END).expect("the end of the table");
    let expected = format!("\n{}", codes::markdown());
    if table == expected {
        return;
    }
    let overwrite = env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite");
    assert!(overwrite, "docs/protocol.md is outdated:\n{expected}");
    let new = [before, BEGIN, &expected, END, after].concat();
    fs::write(&path, new).expect("the page");
}
