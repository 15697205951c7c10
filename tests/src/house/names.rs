//! What public types are called.

use std::collections::BTreeMap;

use super::findings::Finding;
use super::program::Program;

/// The names that several public types share. The key is the name.
pub fn shared_type_names(program: &Program) -> Vec<Finding> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for module in &program.modules {
        let types = module.scope.definitions.iter();
        for item in types.filter(|item| item.is_public && item.is_type) {
            let place = format!("{}:{}", module.file, item.line);
            places.entry(&item.name).or_default().push(place);
        }
    }
    places.retain(|_, places| places.len() > 1);
    let finding = |(name, places): (&str, Vec<String>)| Finding {
        key: name.to_owned(),
        text: format!(
            "several public types are called {name}: {}",
            places.join(", ")
        ),
    };
    places.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cfg::Build;
    use super::super::program::Sources;
    use super::*;

    #[track_caller]
    fn check(first: &str, second: &str, expected: &[&str]) {
        let files = [("a/lib.rs", first), ("b/lib.rs", second)];
        let sources: Sources = files
            .map(|(file, text)| (file.to_owned(), text.to_owned()))
            .into();
        let program = Program::read(
            &sources,
            &files.map(|(file, _)| (file, file)),
            Build::PROGRAM,
        );
        let findings = shared_type_names(&program);
        let texts: Vec<&str> = findings
            .iter()
            .map(|finding| finding.text.as_str())
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn public_types_have_names_of_their_own() {
        let expected = ["several public types are called A: a/lib.rs:1, b/lib.rs:2"];
        check("pub struct A;", "\npub enum A {}", &expected);
        check("pub trait A {}", "\nmod b { pub type A = u8; }", &expected);
    }

    #[test]
    fn other_items_may_share_names() {
        check("pub struct A;", "pub(crate) struct A; struct B;", &[]);
        check("pub struct A;", "pub fn A() {}", &[]);
        check("pub struct A;", "#[cfg(test)] pub struct A;", &[]);
        check("pub struct A;", "pub use a::A;", &[]);
    }
}
