//! What one file defines, declares, imports and names.
//!
//! A reader of tokens cannot know types. So a call of a method is no path here, and a bare name in
//! lower case counts only where it is called: elsewhere it is nearly always a variable.

use super::cfg::{attribute, group, split, thing, visibility};
use super::tokens::{Kind, Token};

/// A module: a file, or the inside of `mod name { … }`.
#[derive(Debug, Default)]
pub struct Scope {
    pub definitions: Vec<Definition>,
    pub modules: Vec<Child>,
    pub imports: Vec<Import>,
    pub bodies: Vec<Body>,
}

#[derive(Debug)]
pub struct Definition {
    pub name: String,
    pub is_type: bool,
    /// `pub` without a restriction.
    pub is_public: bool,
    pub line: usize,
}

/// A module that is declared here.
#[derive(Debug)]
pub struct Child {
    pub name: String,
    /// What `#[path = "…"]` says.
    pub path: Option<String>,
    pub inline: Option<Scope>,
    pub line: usize,
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub struct Import {
    pub path: Path,
    /// The name in this scope; `None` for `*` and for `as _`.
    pub name: Option<String>,
    pub is_glob: bool,
    /// `pub use`, or `pub(crate) use` and the like.
    pub is_export: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// An empty first segment stands for a leading `::`.
    pub segments: Vec<String>,
    pub line: usize,
}

/// An item with everything inside it.
#[derive(Debug, Default)]
pub struct Body {
    pub imports: Vec<Import>,
    pub paths: Vec<Path>,
}

/// Reads the items of a file. Tokens must be without comments and without code that is switched
/// off.
pub fn scope(tokens: &[Token<'_>]) -> Scope {
    let mut scope = Scope::default();
    let mut at = 0;
    while at < tokens.len() {
        let length = thing(&tokens[at..]).max(1);
        scope.add(&tokens[at..at + length]);
        at += length;
    }
    scope
}

impl Scope {
    fn add(&mut self, item: &[Token<'_>]) {
        let mut start = 0;
        let mut path = None;
        loop {
            let length = attribute(&item[start..]);
            if let [_, _, word, equals, text, ..] = &item[start..start + length]
                && word.is("path")
                && equals.is("=")
            {
                path = Some(text.text.to_owned());
            }
            start += length;
            if length == 0 {
                break;
            }
        }
        let public = visibility(&item[start..]);
        let inner = &item[start + public..];
        match inner {
            [keyword, tree @ ..] if keyword.is("use") => {
                import(tree, Vec::new(), public > 0, &mut self.imports);
            }
            [keyword, name, rest @ ..] if keyword.is("mod") && name.is_name() => {
                let inline = match rest {
                    [open, inside @ .., _] if open.is("{") => Some(scope(inside)),
                    _ => None,
                };
                self.modules.push(Child {
                    name: name.text.to_owned(),
                    path,
                    inline,
                    line: name.line,
                });
            }
            _ => {
                define(inner, public == 1, &mut self.definitions);
                let variants = inner.first().is_some_and(|token| token.is("enum"));
                self.bodies.push(body(item, variants));
            }
        }
    }
}

/// Notes what an item defines.
fn define(item: &[Token<'_>], is_public: bool, definitions: &mut Vec<Definition>) {
    if let [name, bang, rest @ ..] = item
        && name.is_name()
        && bang.is("!")
        && !name.is("macro_rules")
    {
        // Something like `thread_local! { static NAME: … }`.
        for at in 0..rest.len() {
            definitions.extend(definition(&rest[at..], is_public));
        }
        return;
    }
    let modifiers = ["unsafe", "async", "auto", "default"];
    let mut at = 0;
    while let Some(token) = item.get(at) {
        let next_is_name = item.get(at + 1).is_some_and(Token::is_name);
        let modifier = modifiers.iter().any(|word| token.is(word))
            || (token.is("extern") && !next_is_name)
            || token.kind == Kind::Text
            || (token.is("const") && definition(&item[at + 1..], false).is_some())
            || (token.is("const") && item.get(at + 1).is_some_and(|next| next.is("unsafe")));
        if !modifier {
            break;
        }
        at += 1;
    }
    definitions.extend(definition(&item[at..], is_public));
}

/// The definition whose keyword stands first.
fn definition(item: &[Token<'_>], is_public: bool) -> Option<Definition> {
    let (keyword, rest) = item.split_first()?;
    let is_type = match keyword.text {
        "struct" | "enum" | "union" | "trait" | "type" => true,
        "fn" | "const" | "static" | "macro_rules" => false,
        _ => return None,
    };
    let name = rest
        .iter()
        .find(|token| !token.is("mut") && !token.is("!"))?;
    (keyword.is_name() && name.is_name()).then(|| Definition {
        name: name.text.to_owned(),
        is_type,
        is_public,
        line: name.line,
    })
}

/// Notes the leaves of a `use` tree that goes on from a path.
fn import(tree: &[Token<'_>], prefix: Vec<String>, is_export: bool, imports: &mut Vec<Import>) {
    let mut segments = prefix;
    let mut name = None;
    let mut is_glob = false;
    let mut at = 0;
    while let Some(token) = tree.get(at) {
        if token.is("{") {
            let inside = tree.get(at + 1..at + group(&tree[at..]) - 1);
            for part in split(inside.unwrap_or_default()) {
                import(part, segments.clone(), is_export, imports);
            }
            return;
        }
        match token.text {
            "::" if segments.is_empty() => segments.push(String::new()),
            "::" => {}
            "*" => is_glob = true,
            "as" => {
                name = tree.get(at + 1).map(|token| token.text.to_owned());
                break;
            }
            "self" if !segments.is_empty() => {}
            text if token.is_name() => segments.push(text.to_owned()),
            _ => break,
        }
        at += 1;
    }
    let Some(last) = segments.last() else { return };
    let name = name.unwrap_or_else(|| last.clone());
    imports.push(Import {
        name: (!is_glob && name != "_").then_some(name),
        path: Path {
            segments,
            line: tree[0].line,
        },
        is_glob,
        is_export,
    });
}

/// Reads the inside of an item; the variants of an enum are no paths.
fn body(item: &[Token<'_>], is_enum: bool) -> Body {
    let mut body = Body::default();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(token) = item.get(at) {
        match token.text {
            "(" | "[" | "{" if token.kind == Kind::Punctuation => depth += 1,
            ")" | "]" | "}" if token.kind == Kind::Punctuation => depth = depth.saturating_sub(1),
            _ => {}
        }
        // `impl A + use<'a>` imports nothing.
        if token.is("use") && !item.get(at + 1).is_some_and(|next| next.is("<")) {
            let end = item[at..].iter().position(|token| token.is(";"));
            let end = at + end.unwrap_or(item.len() - at);
            import(&item[at + 1..end], Vec::new(), false, &mut body.imports);
            at = end;
            continue;
        }
        let length = path(&item[at..]);
        let before = &item[..at];
        let is_variant = is_enum && depth == 1 && begins_variant(before);
        if length > 0 && !is_variant && counts(before, &item[at..at + length], &item[at + length..])
        {
            let names = item[at..at + length].iter().filter(|token| token.is_name());
            body.paths.push(Path {
                segments: names.map(|token| token.text.to_owned()).collect(),
                line: token.line,
            });
        }
        at += length.max(1);
    }
    body
}

/// How many tokens the path at the start has.
fn path(tokens: &[Token<'_>]) -> usize {
    if !tokens.first().is_some_and(Token::is_name) {
        return 0;
    }
    let mut length = 1;
    while let [colons, name, ..] = &tokens[length..]
        && colons.is("::")
        && name.is_name()
    {
        length += 2;
    }
    length
}

fn begins_variant(before: &[Token<'_>]) -> bool {
    before
        .last()
        .is_some_and(|last| ["{", ",", "]"].iter().any(|text| last.is(text)))
}

/// Whether a path may lead to an item, by what stands before and behind it.
fn counts(before: &[Token<'_>], path: &[Token<'_>], behind: &[Token<'_>]) -> bool {
    let is_before = |back: usize, text: &str| {
        let at = before.len().checked_sub(back);
        at.is_some_and(|at| before[at].is(text))
    };
    let is_behind =
        |ahead: usize, text: &str| behind.get(ahead).is_some_and(|token| token.is(text));
    // A field or a method, but for the range in `..END`; or what goes on behind `<A as B>` and
    // `a::<B>`.
    if (is_before(1, ".") && !is_before(2, ".")) || is_before(1, "::") {
        return false;
    }
    if path.len() > 1 {
        return !path[0].is("Self");
    }
    let declares = [
        "fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "mut",
    ];
    if declares.iter().any(|word| is_before(1, word)) || is_behind(0, ":") {
        return false;
    }
    // Nor is the word of an attribute, as in `#[derive(A)]`.
    if is_before(1, "[") && (is_before(2, "#") || (is_before(2, "!") && is_before(3, "#"))) {
        return false;
    }
    let is_macro = is_behind(0, "!") && ["(", "[", "{"].iter().any(|open| is_behind(1, open));
    path[0].text.starts_with(char::is_uppercase)
        || is_behind(0, "(")
        || is_behind(0, "::")
        || is_macro
}

#[cfg(test)]
mod tests {
    use super::super::tokens::code;
    use super::*;

    fn paths(paths: &[Path]) -> Vec<String> {
        paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[track_caller]
    fn check_imports(source: &str, expected: &[&str]) {
        let scope = scope(&code(source));
        let show = |import: &Import| {
            let name = match (&import.name, import.is_glob) {
                (Some(name), _) => name,
                (None, true) => "*",
                (None, false) => "_",
            };
            let mark = if import.is_export { "pub " } else { "" };
            format!("{mark}{} as {name}", import.path.segments.join("::"))
        };
        let imports: Vec<String> = scope.imports.iter().map(show).collect();
        assert_eq!(imports, expected, "{source}");
    }

    #[track_caller]
    fn check_paths(source: &str, expected: &[&str]) {
        let scope = scope(&code(source));
        let found = scope.bodies.iter().flat_map(|body| paths(&body.paths));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{source}");
    }

    #[test]
    fn trees_of_imports_have_leaves() {
        check_imports("use a::B;", &["a::B as B"]);
        check_imports("use a::B as C; use a::D as _;", &["a::B as C", "a::D as _"]);
        check_imports(
            "use {a::{b, c as d}, e};",
            &["a::b as b", "a::c as d", "e as e"],
        );
        check_imports(
            "use a::{self, b::{self as c, *}};",
            &["a as a", "a::b as c", "a::b as *"],
        );
        check_imports(
            "use self::a; use super::super::B;",
            &["self::a as a", "super::super::B as B"],
        );
        check_imports("use ::a::B;", &["::a::B as B"]);
        check_imports(
            "pub use a::B; pub(in crate::c) use d::E;",
            &["pub a::B as B", "pub d::E as E"],
        );
        check_imports("fn f() -> impl A + use<'a> {} use b::C;", &["b::C as C"]);
    }

    #[test]
    fn definitions_are_found() {
        let source = "pub struct A(B); pub(crate) enum C { D } type E = F; pub trait G { fn h(); }
            pub const fn i() {} const J: K = { L }; static mut M: N = 0; unsafe extern \"C\" fn o() {}
            macro_rules! p { () => { fn q() {} } } thread_local! { static R: S = const { T }; }
            impl U { pub fn v() {} const W: X = 0; } async fn y() {} extern crate alloc; union Z { a: B }
            const _: () = (); pub const fn fa<const N: usize>() {}";
        let scope = scope(&code(source));
        let show = |definition: &Definition| {
            let mark = if definition.is_public { "pub " } else { "" };
            let kind = if definition.is_type { "type " } else { "" };
            format!("{mark}{kind}{}", definition.name)
        };
        let names: Vec<String> = scope.definitions.iter().map(show).collect();
        let expected = [
            "pub type A",
            "type C",
            "type E",
            "pub type G",
            "pub i",
            "J",
            "M",
            "o",
            "p",
            "R",
            "y",
            "type Z",
            "_",
            "pub fa",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn modules_are_declared() {
        let source = "pub mod a; #[path = \"b/c.rs\"] mod d; mod e { mod f; struct G; }";
        let scope = scope(&code(source));
        let [a, d, e] = &scope.modules[..] else {
            panic!("{:?}", scope.modules);
        };
        assert_eq!((a.name.as_str(), &a.path), ("a", &None));
        assert_eq!((d.name.as_str(), d.path.as_deref()), ("d", Some("b/c.rs")));
        let inside = e.inline.as_ref().expect("an inside");
        assert_eq!(inside.modules[0].name, "f");
        assert_eq!(inside.definitions[0].name, "G");
    }

    #[test]
    fn paths_stand_in_code_only() {
        check_paths(
            "fn f() { a::b(c::D { e: g::H }) }",
            &["a::b", "c::D", "g::H"],
        );
        check_paths("fn f() { \"a::b\"; r#\"c::d()\"#; /* e::f */ }", &[]);
        check_paths("impl a::B for super::C {}", &["a::B", "super::C"]);
        check_paths(
            "#[arg(option = a::b)] struct C { d: e::F }",
            &["a::b", "e::F"],
        );
        check_paths("fn f() { format!(\"{}\", a::b) }", &["format", "a::b"]);
    }

    #[test]
    fn methods_and_fields_are_no_paths() {
        check_paths(
            "fn f(a: B) { a.b().c(d).e::<G>(); a.h; Self::i() }",
            &["B", "G"],
        );
        check_paths(
            "fn f() { <A as B>::c(); d::<E>::g(); ..H }",
            &["A", "B", "d", "E", "H"],
        );
    }

    #[test]
    fn bare_names_count_where_they_can_be_items() {
        check_paths("fn f() { a(b); c = d; e!(g); h != i }", &["a", "e"]);
        check_paths(
            "fn f() { let A(b) = C; let d: E = G { h: I }; }",
            &["A", "C", "E", "G", "I"],
        );
        check_paths("enum A { B, C(D), E { f: G }, #[h] I }", &["D", "G"]);
        check_paths(
            "impl A { fn b() {} const C: D = 0; type E = G; }",
            &["A", "D", "G"],
        );
    }

    #[test]
    fn items_have_imports_of_their_own() {
        let scope = scope(&code("fn f() { use a::{b, C}; b() }"));
        assert!(scope.imports.is_empty());
        let body = &scope.bodies[0];
        let imports: Vec<_> = body
            .imports
            .iter()
            .map(|import| &import.path.segments[1])
            .collect();
        assert_eq!(imports, ["b", "C"]);
        assert_eq!(paths(&body.paths), ["b"]);
    }
}
