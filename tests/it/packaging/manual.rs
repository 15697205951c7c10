//! The manual pages have no fault that the programs which show them know.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::file;
use crate::support::process;

const PAGES: [&str; 2] = ["man/ftp-server-sync.8", "man/ftp-server-sync.conf.5"];

#[test]
fn the_pages_have_no_fault() {
    for page in PAGES.map(file) {
        assert_eq!(faults(Path::new(&page)), "");
    }
}

/// Both programs are really asked.
#[test]
fn a_fault_would_be_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let page = fs::read_to_string(file(PAGES[0])).expect("a page");
    for (good, bad) in [
        (".SH NAME", ".SH NAME\n.XX"),
        (".SH FILES", ".RE\n.SH FILES"),
    ] {
        let broken = directory.path().join("broken.8");
        fs::write(&broken, page.replacen(good, bad, 1)).expect("a page");
        assert_ne!(faults(&broken), "", "{bad:?} instead of {good:?}");
    }
}

/// It looks as people know manual pages, with each section.
#[test]
fn the_page_has_the_usual_sections() {
    let page = fs::read_to_string(file(PAGES[0])).expect("a page");
    let sections = page.lines().filter_map(|line| line.strip_prefix(".SH "));
    let sections: Vec<&str> = sections.map(|name| name.trim_matches('"')).collect();
    let expected = "NAME,SYNOPSIS,DESCRIPTION,OPTIONS,SIGNALS,EXIT STATUS,FILES,ENVIRONMENT,\
                    EXAMPLES,SEE ALSO";
    assert_eq!(sections.join(","), expected);
}

/// What groff and mandoc complain about.
fn faults(page: &Path) -> String {
    let page = page.to_str().expect("UTF-8");
    let commands: [&[&str]; 2] = [
        &["groff", "-man", "-ww", "-Tutf8", "-z", page],
        &["mandoc", "-T", "lint", "-W", "warning", page],
    ];
    let outputs = commands.map(|words| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let finished = process::run(&mut command, 30);
        let is_silent = finished.stdout.is_empty() && finished.stderr.is_empty();
        let is_success = finished.status.is_some_and(|status| status.success());
        if is_silent && is_success {
            String::new()
        } else {
            finished.text()
        }
    });
    outputs.concat()
}
