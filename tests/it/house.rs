//! The sources are in order: imports, sizes, names.
//!
//! Each check has a list of exceptions with a reason. An exception that nothing needs any more
//! fails its test, so the lists only get shorter.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use ftp_tests::house::cfg::Build;
use ftp_tests::house::cycles::cycles;
use ftp_tests::house::findings::{Exception, Finding, judge};
use ftp_tests::house::graph::Graph;
use ftp_tests::house::layout::Layout;
use ftp_tests::house::program::{Program, Sources};
use ftp_tests::house::{names, sizes, workspace};

/// The crates, by their names in paths. Paths cannot lead into the program.
const CRATES: &[(&str, &str)] = &[
    ("ftp_proto", "ftp-proto/src/lib.rs"),
    ("ftp_proto_testkit", "tests/testkit/src/lib.rs"),
    ("ftp_server_sync", "ftp-server-sync/src/lib.rs"),
    ("the program", "ftp-server-sync/src/main.rs"),
];

/// The tree of the driver.
const LAYOUT: Layout<'_> = Layout {
    folder: "ftp-server-sync/src",
    layers: &[
        &["locks"],
        &["logging"],
        &["net"],
        &["accounts", "sandbox", "status"],
        &["settings"],
        &["fs", "passive", "privileges", "tls"],
        &["data"],
        &["nat", "probe"],
        &["session"],
        &["server"],
        &["cli"],
        &["lib"],
        &["main"],
    ],
    modules_max: 19,
};

/// Folders that may have cycles inside.
const FILE_CYCLES: &[Exception<'_>] = &[];

/// Modules of the driver that import each other.
const MODULE_CYCLES: &[Exception<'_>] = &[];

/// Arrows between modules of the driver that do not go down.
const ARROWS: &[Exception<'_>] = &[];

const LONG_FILES: &[Exception<'_>] = &[];

const WIDE_COMMENTS: &[Exception<'_>] = &[];

const LONG_FUNCTIONS: &[Exception<'_>] = &[];

const TYPE_NAMES: &[Exception<'_>] = &[];

#[test]
fn every_path_is_understood() {
    let mut files = BTreeSet::new();
    for build in [Build::PROGRAM, Build::WITHOUT_FEATURES, Build::TESTS] {
        let program = Program::read(&SOURCES, CRATES, build);
        let (_, problems) = Graph::of(&program);
        assert_eq!([program.problems, problems].concat(), [""; 0]);
        files.extend(program.modules.into_iter().map(|module| module.file));
    }
    let folders = [
        "ftp-proto/src/",
        "ftp-server-sync/src/",
        "tests/testkit/src/",
    ];
    let unread: Vec<&String> = SOURCES
        .keys()
        .filter(|file| {
            file.ends_with(".rs") && folders.iter().any(|folder| file.starts_with(folder))
        })
        .filter(|file| !files.contains(*file))
        .collect();
    assert_eq!(unread, [""; 0], "no module declares these files");
}

#[test]
fn files_do_not_import_each_other_in_cycles() {
    check(&cycles(&GRAPH, &keys(FILE_CYCLES)), FILE_CYCLES);
}

#[test]
fn modules_do_not_import_each_other_in_cycles() {
    let graph = GRAPH.fold(|file| LAYOUT.module(file));
    check(&cycles(&graph, &keys(MODULE_CYCLES)), MODULE_CYCLES);
}

#[test]
fn arrows_between_modules_go_down() {
    check(&LAYOUT.arrows(&GRAPH), ARROWS);
}

#[test]
fn modules_are_few_and_have_layers() {
    check(&LAYOUT.modules(&SOURCES), &[]);
}

#[test]
fn files_are_short() {
    check(&sizes::long_files(&SOURCES), LONG_FILES);
}

#[test]
fn functions_are_short() {
    check(&sizes::long_functions(&SOURCES), LONG_FUNCTIONS);
}

#[test]
fn comments_are_as_wide_as_code() {
    check(&sizes::wide_comments(&SOURCES), WIDE_COMMENTS);
}

#[test]
fn public_types_have_names_of_their_own() {
    let program = Program::read(&SOURCES, CRATES, Build::PROGRAM);
    check(&names::shared_type_names(&program), TYPE_NAMES);
}

/// The core has no standard library but in one file, behind a feature; its tests have one.
#[test]
fn the_core_names_the_standard_library_in_one_file() {
    let core = SOURCES
        .iter()
        .filter(|(path, _)| path.starts_with("ftp-proto/src/"));
    let naming = core.filter_map(|(path, text)| {
        let text = text.replace("#[cfg(test)]\nextern crate std;", "");
        text.contains("extern crate std").then_some(path.as_str())
    });
    assert_eq!(naming.collect::<Vec<_>>(), ["ftp-proto/src/std.rs"]);
    let features = &SOURCES["ftp-proto/src/lib.rs"];
    assert!(features.contains("#![no_std]\n"));
    assert!(
        features
            .contains("#[cfg(feature = \"std\")]\n#[path = \"std.rs\"]\nmod std_conversions;\n")
    );
}

static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    workspace::read(&root).expect("the files of the workspace")
});

/// The program as it is by default, and as it is without features: that has other files.
static GRAPH: LazyLock<Graph> = LazyLock::new(|| {
    let mut graph = Graph::default();
    for build in [Build::PROGRAM, Build::WITHOUT_FEATURES] {
        graph.join(&Graph::of(&Program::read(&SOURCES, CRATES, build)).0);
    }
    graph
});

#[track_caller]
fn check(findings: &[Finding], exceptions: &[Exception<'_>]) {
    if let Err(text) = judge(findings, exceptions) {
        panic!("{text}");
    }
}

fn keys<'a>(exceptions: &[Exception<'a>]) -> Vec<&'a str> {
    exceptions.iter().map(|(key, _)| *key).collect()
}
