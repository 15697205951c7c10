//! Small trees of sources, and the edges that they have.

use super::super::cfg::Build;
use super::super::program::Sources;
use super::*;

const CRATES: [(&str, &str); 2] = [("core", "core/lib.rs"), ("driver", "driver/lib.rs")];

fn read(files: &[(&str, &str)], build: Build) -> (Graph, Vec<String>) {
    let files = files
        .iter()
        .map(|(file, text)| ((*file).into(), (*text).into()));
    let mut sources: Sources = files.collect();
    for (_, root) in CRATES {
        sources.entry(root.to_owned()).or_default();
    }
    let program = Program::read(&sources, &CRATES, build);
    let (graph, problems) = Graph::of(&program);
    (graph, [program.problems, problems].concat())
}

#[track_caller]
fn check_in(build: Build, files: &[(&str, &str)], expected: &[&str]) {
    let (graph, problems) = read(files, build);
    assert_eq!(problems, [""; 0]);
    let edge = |(from, to, names): (&str, &str, _)| format!("{from} -> {to}: {}", list(names));
    assert_eq!(graph.edges().map(edge).collect::<Vec<_>>(), expected);
}

/// Checks the edges of the crate `core`, with files that are named without it.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let file = |(file, text): &(&str, &str)| (format!("core/{file}.rs"), (*text).to_owned());
    let files: Vec<_> = files.iter().map(file).collect();
    let files: Vec<_> = files
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()))
        .collect();
    let full = |edge: &&str| {
        let (places, names) = edge.split_once(": ").expect("names");
        let (from, to) = places.split_once(" -> ").expect("an arrow");
        format!("core/{from}.rs -> core/{to}.rs: {names}")
    };
    let expected: Vec<String> = expected.iter().map(full).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check_in(Build::PROGRAM, &files, &expected);
}

#[test]
fn imports_are_edges() {
    let lib = ("lib", "mod a; mod b;");
    let b = ("b", "pub struct C; pub fn d() {} pub enum E { F }");
    check(&[lib, ("a", "use crate::b::C;"), b], &["a -> b: C"]);
    check(
        &[lib, ("a", "use super::{b::{d, C as G}};"), b],
        &["a -> b: C, d"],
    );
    check(
        &[lib, ("a", "use crate::b::E::{self, F};"), b],
        &["a -> b: E"],
    );
    check(
        &[lib, ("a", "fn f() { use crate::b::C; }"), b],
        &["a -> b: C"],
    );
    check(&[lib, ("a", "use crate::b;"), b], &[]);
}

#[test]
fn inline_paths_are_edges() {
    let lib = ("lib", "mod a; mod b;");
    let b = ("b", "pub struct C; pub fn d() {}");
    check(&[lib, ("a", "fn f() { crate::b::d() }"), b], &["a -> b: d"]);
    check(&[lib, ("a", "fn f(c: super::b::C) {}"), b], &["a -> b: C"]);
    check(
        &[lib, ("a", "fn f() { super::b::C::new() }"), b],
        &["a -> b: C"],
    );
    check(
        &[lib, ("a", "use crate::b; fn f() { b::d() }"), b],
        &["a -> b: d"],
    );
    check(
        &[lib, ("a", "use crate::b as g; fn f() { g::d() }"), b],
        &["a -> b: d"],
    );
    check(
        &[lib, ("a", "fn f() { use crate::b as g; g::d() }"), b],
        &["a -> b: d"],
    );
    check(
        &[lib, ("a", "#[with(super::b::d)] struct F;"), b],
        &["a -> b: d"],
    );
}

#[test]
fn children_and_parents_have_edges() {
    let lib = ("lib", "mod a; struct C;");
    let child = ("a/b", "pub fn d() {}");
    check(
        &[lib, ("a", "mod b; fn f() { b::d() }"), child],
        &["a -> a/b: d"],
    );
    check(
        &[lib, ("a", "mod b; fn f() { self::b::d() }"), child],
        &["a -> a/b: d"],
    );
    check(&[lib, ("a", "mod b; use b::d;"), child], &["a -> a/b: d"]);
    let parent = ("a", "mod b; pub struct D;");
    check(&[lib, parent, ("a/b", "use super::D;")], &["a/b -> a: D"]);
    check(
        &[lib, parent, ("a/b", "use super::super::C;")],
        &["a/b -> lib: C"],
    );
    check(
        &[lib, parent, ("a/b", "mod g { use super::super::D; }")],
        &["a/b -> a: D"],
    );
}

#[test]
fn declarations_and_exports_of_children_are_no_edges() {
    let lib = ("lib", "mod a; mod g;");
    let child = ("a/b", "pub struct C;");
    let other = ("g", "pub struct H;");
    check(&[lib, ("a", "pub mod b;"), child, other], &[]);
    check(&[lib, ("a", "mod b; pub use b::C;"), child, other], &[]);
    check(
        &[
            lib,
            ("a", "mod b; pub(crate) use self::b::{C as D};"),
            child,
            other,
        ],
        &[],
    );
    check(&[lib, ("a", "mod b; pub use b::*;"), child, other], &[]);
    // But this uses it, and that is not its own.
    let user = ("a", "mod b; pub use b::C; struct D(C);");
    check(&[lib, user, child, other], &["a -> a/b: C"]);
    let user = ("a", "mod b; pub use b::*; struct D(C);");
    check(&[lib, user, child, other], &["a -> a/b: C"]);
    let exporter = ("a", "mod b; pub use crate::g::H;");
    check(&[lib, exporter, child, other], &["a -> g: H"]);
}

#[test]
fn paths_go_through_exports() {
    let lib = ("lib", "mod a; mod b; mod user;");
    let child = ("a/c", "pub struct D;");
    let user = ("user", "use crate::a::D;");
    let b = ("b", "");
    check(
        &[lib, ("a", "mod c; pub use c::D;"), child, b, user],
        &["user -> a/c: D"],
    );
    check(
        &[lib, ("a", "mod c; pub use c::*;"), child, b, user],
        &["user -> a/c: D"],
    );
    let renamed = ("user", "use crate::a::E;");
    check(
        &[lib, ("a", "mod c; pub use c::D as E;"), child, b, renamed],
        &["user -> a/c: D"],
    );
    let long = ("b", "pub use crate::a::*;");
    let user = ("user", "use super::b; struct E(b::D);");
    check(
        &[lib, ("a", "mod c; pub use c::D;"), child, long, user],
        &["user -> a/c: D"],
    );
    let module = ("a", "mod c; pub use c as e;");
    let user = ("user", "use crate::a::e::D;");
    check(&[lib, module, child, b, user], &["user -> a/c: D"]);
}

#[test]
fn globs_give_the_names_that_are_used() {
    let lib = ("lib", "mod a; mod b;");
    let b = ("b", "pub struct C; pub fn d() {} pub const E: u8 = 0;");
    check(
        &[
            lib,
            ("a", "use crate::b::*; fn f(c: C) { c.d(); let e = E; }"),
            b,
        ],
        &["a -> b: C, E"],
    );
    check(
        &[lib, ("a", "use crate::b::*; fn f() { d(); }"), b],
        &["a -> b: d"],
    );
    check(
        &[
            lib,
            (
                "a",
                "use crate::b::*; struct C; fn d() {} fn f() { d(); C }",
            ),
            b,
        ],
        &[],
    );
    check(
        &[
            lib,
            ("a", "use std::collections::*; fn f() { HashMap::new() }"),
            b,
        ],
        &[],
    );
}

#[test]
fn methods_texts_and_tests_are_no_edges() {
    let lib = ("lib", "mod a; mod b;");
    let b = (
        "b",
        "pub struct C; impl C { pub fn d(&self) {} } pub fn d() {}",
    );
    check(&[lib, ("a", "fn f(x: &u8) { x.d(); x.b.d() }"), b], &[]);
    check(
        &[lib, ("a", "// use crate::b::C;\n/* crate::b::d() */"), b],
        &[],
    );
    check(
        &[
            lib,
            ("a", "const F: &str = r#\"\" use crate::b::C; \"#;"),
            b,
        ],
        &[],
    );
    check(
        &[lib, ("a", "#[cfg(test)] mod tests { use crate::b::C; }"), b],
        &[],
    );
    check(
        &[
            lib,
            ("a", "#[cfg(test)] mod tests;"),
            ("a/tests", "use crate::b::C;"),
            b,
        ],
        &[],
    );
    check(
        &[
            lib,
            ("a", "impl F { #[cfg(test)] fn g() { crate::b::d() } }"),
            b,
        ],
        &[],
    );
}

#[test]
fn a_name_may_be_a_module_and_a_function() {
    let lib = ("lib", "mod a; mod b;");
    let a = ("a", "use super::b::{self, C}; fn b() { b::c(); b() }");
    check(
        &[lib, a, ("b", "pub struct C; pub fn c() {}")],
        &["a -> b: C, c"],
    );
    let b = ("b", "pub use self::log::*; mod log { pub fn log() {} }");
    check(&[lib, ("a", "use log::log; fn f() { log() }"), b], &[]);
    check(
        &[lib, ("a", "use super::b::log; fn f() { log() }"), b],
        &["a -> b: log"],
    );
}

#[test]
fn crates_see_each_other() {
    let core = ("core/lib.rs", "mod a; pub use a::B;");
    let a = ("core/a.rs", "pub struct B;");
    let driver = ("driver/lib.rs", "use core::B; use ::std::io;");
    let expected = ["driver/lib.rs -> core/a.rs: B"];
    check_in(Build::PROGRAM, &[core, a, driver], &expected);
}

#[test]
fn features_choose_files() {
    let lib = "#[cfg(feature = \"x\")] mod a; #[cfg(not(feature = \"x\"))] #[path = \"a/off.rs\"] mod a; mod b;";
    let files = [
        ("core/lib.rs", lib),
        ("core/a.rs", "mod child; pub use child::C;"),
        ("core/a/child.rs", "pub struct C;"),
        ("core/a/off.rs", "pub struct C;"),
        ("core/b.rs", "use crate::a::C;"),
    ];
    check_in(Build::PROGRAM, &files, &["core/b.rs -> core/a/child.rs: C"]);
    check_in(
        Build::WITHOUT_FEATURES,
        &files,
        &["core/b.rs -> core/a/off.rs: C"],
    );
}

#[test]
fn what_cannot_be_read_is_a_problem() {
    #[track_caller]
    fn check(lib: &str, a: &str, expected: &str) {
        let (_, problems) = read(&[("core/lib.rs", lib), ("core/a.rs", a)], Build::PROGRAM);
        assert_eq!(problems, [expected]);
    }
    check("mod a; mod b;", "", "core/b.rs: there is no such file");
    check(
        "mod a;",
        "\nuse crate::b::C;",
        "core/a.rs:2: crate::b::C leads nowhere",
    );
    check(
        "mod a;",
        "fn f() { super::g() }",
        "core/a.rs:1: super::g leads nowhere",
    );
}

#[track_caller]
fn check_cycles(edges: &[(&str, &str)], expected: &[&[&str]]) {
    let mut graph = Graph::default();
    for (from, to) in edges {
        graph.add(from, to, "Name");
    }
    let cycles = graph.cycles();
    let cycles: Vec<Vec<&str>> = cycles
        .iter()
        .map(|cycle| cycle.iter().map(String::as_str).collect())
        .collect();
    assert_eq!(cycles, expected);
}

#[test]
fn cycles_are_found() {
    check_cycles(&[("a", "b"), ("b", "c"), ("a", "c")], &[]);
    check_cycles(&[("a", "b"), ("b", "a")], &[&["a", "b"]]);
    let eight = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("c", "d")];
    check_cycles(&eight, &[&["a", "b", "c"]]);
    let two = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("a", "c")];
    check_cycles(&two, &[&["a", "b"], &["c", "d"]]);
}

#[test]
fn a_cycle_may_go_through_an_export_and_an_inline_path() {
    let files = [
        ("core/lib.rs", "mod a; mod b;"),
        ("core/a.rs", "mod c; pub use c::D;"),
        ("core/a/c.rs", "pub struct D; fn e() { crate::b::f() }"),
        ("core/b.rs", "use crate::a::D; pub fn f() {}"),
    ];
    let (graph, _) = read(&files, Build::PROGRAM);
    let [cycle] = &graph.cycles()[..] else {
        panic!("{graph:?}");
    };
    let expected = "a cycle of 2 places:
  core/a/c.rs -> core/b.rs: f
  core/b.rs -> core/a/c.rs: D
";
    assert_eq!(graph.show(cycle), expected);
}

#[test]
fn folders_are_put_together() {
    let mut graph = Graph::default();
    graph.add("a/b", "a/c", "Inside");
    graph.add("a/b", "d", "First");
    graph.add("a/c", "d", "Second");
    graph.add("a/c", "e", "Third");
    let folder = |place: &str| match place.split('/').next() {
        Some("e") => None,
        other => other.map(str::to_owned),
    };
    let mut expected = Graph::default();
    expected.add("a", "d", "First");
    expected.add("a", "d", "Second");
    assert_eq!(graph.fold(folder), expected);
}
