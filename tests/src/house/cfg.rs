//! Conditional compilation: removes what `#[cfg(…)]` switches off.

use super::tokens::{Kind, Token};

/// A build of the crates, as far as `#[cfg(…)]` asks about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    pub tests: bool,
    /// Every feature is on, or none.
    pub features: bool,
}

impl Build {
    /// The program with its default features.
    pub const PROGRAM: Self = Self {
        tests: false,
        features: true,
    };

    /// The program without any feature.
    pub const WITHOUT_FEATURES: Self = Self {
        tests: false,
        features: false,
    };

    pub const TESTS: Self = Self {
        tests: true,
        features: true,
    };
}

/// The tokens that are compiled in this build. The attributes that decide it go too.
pub fn compiled<'a>(tokens: &[Token<'a>], build: Build) -> Vec<Token<'a>> {
    let mut compiled = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        match condition(&tokens[at..]) {
            None => {
                compiled.push(tokens[at]);
                at += 1;
            }
            Some((predicate, attribute)) if holds(predicate, build) != Some(false) => {
                at += attribute;
            }
            // An inner attribute switches the rest of the file off.
            Some(_) if tokens[at + 1].is("!") => return compiled,
            Some((_, attribute)) => at += attribute + thing(&tokens[at + attribute..]),
        }
    }
    compiled
}

/// How many tokens the delimited group at the start has, its delimiters included; 0 if there is
/// none.
pub fn group(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if ["(", "[", "{"].iter().any(|open| token.is(open)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|close| token.is(close)) {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return if at == 0 { 0 } else { at + 1 };
        }
    }
    tokens.len()
}

/// How many tokens the attribute at the start has; 0 if there is none.
pub fn attribute(tokens: &[Token<'_>]) -> usize {
    if !tokens.first().is_some_and(|token| token.is("#")) {
        return 0;
    }
    let bang = usize::from(tokens.get(1).is_some_and(|token| token.is("!")));
    match tokens.get(1 + bang) {
        Some(open) if open.is("[") => 1 + bang + group(&tokens[1 + bang..]),
        _ => 0,
    }
}

/// How many tokens the visibility at the start has; 0 if there is none.
pub fn visibility(tokens: &[Token<'_>]) -> usize {
    if !tokens.first().is_some_and(|token| token.is("pub")) {
        return 0;
    }
    let restricted = tokens.get(1).is_some_and(|token| token.is("("))
        && tokens.get(2).is_some_and(|token| {
            ["crate", "super", "self", "in"]
                .iter()
                .any(|word| token.is(word))
        });
    1 + if restricted { group(&tokens[1..]) } else { 0 }
}

/// The predicate of the `#[cfg(…)]` at the start, and how many tokens the attribute has.
fn condition<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<(&'t [Token<'a>], usize)> {
    let length = attribute(tokens);
    let open = tokens[..length].iter().position(|token| token.is("["))?;
    match tokens.get(open + 1..length - 1)? {
        [cfg, open, predicate @ .., close] if cfg.is("cfg") && open.is("(") && close.is(")") => {
            Some((predicate, length))
        }
        _ => None,
    }
}

/// Whether a predicate holds; `None` where it depends on the machine.
fn holds(predicate: &[Token<'_>], build: Build) -> Option<bool> {
    let (word, rest) = predicate.split_first()?;
    let inner = match rest {
        [open, inner @ .., close] if open.is("(") && close.is(")") => inner,
        _ => &[],
    };
    let parts = || split(inner).into_iter().map(|part| holds(part, build));
    match word.text {
        "test" => Some(build.tests),
        "doctest" => Some(false),
        "feature" => Some(build.features),
        "not" => parts().next().flatten().map(|held| !held),
        "all" if parts().any(|held| held == Some(false)) => Some(false),
        "all" if parts().all(|held| held == Some(true)) => Some(true),
        "any" if parts().any(|held| held == Some(true)) => Some(true),
        "any" if parts().all(|held| held == Some(false)) => Some(false),
        _ => None,
    }
}

/// The parts of `a, b(c, d)` between its commas.
pub fn split<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < tokens.len() {
        if tokens[at].is(",") {
            parts.push(&tokens[start..at]);
            start = at + 1;
        }
        at += group(&tokens[at..]).max(1);
    }
    if start < tokens.len() {
        parts.push(&tokens[start..]);
    }
    parts
}

/// How many tokens the item, field, variant, arm or statement at the start has.
pub fn thing(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    loop {
        match attribute(&tokens[at..]) {
            0 => break,
            length => at += length,
        }
    }
    at += visibility(&tokens[at..]);
    at + match Shape::of(&tokens[at..]) {
        Shape::Block => until(&tokens[at..], true, false),
        Shape::Statement => until(&tokens[at..], false, false),
        Shape::Part => until(&tokens[at..], true, true),
    }
}

/// How the end of a thing is found.
enum Shape {
    /// It ends with its braces, or with a semicolon.
    Block,
    /// It ends with a semicolon.
    Statement,
    /// A field, a variant, an arm, an expression: it may also end with a comma, or with what
    /// encloses it.
    Part,
}

impl Shape {
    fn of(tokens: &[Token<'_>]) -> Self {
        let word = |at: usize| {
            let token = tokens.get(at).filter(|token| token.is_name());
            token.map_or("", |token| token.text)
        };
        let bang = tokens.get(1).is_some_and(|token| token.is("!"));
        match (word(0), word(1)) {
            ("const", "fn" | "unsafe" | "async" | "extern") => Self::Block,
            ("extern", "crate") => Self::Statement,
            ("fn" | "struct" | "enum" | "trait" | "impl" | "mod" | "extern" | "unsafe", _)
            | ("async", "fn" | "unsafe") => Self::Block,
            ("union", name) if !name.is_empty() => Self::Block,
            ("macro_rules", _) if bang => Self::Block,
            ("use" | "type" | "const" | "static" | "let", _) => Self::Statement,
            _ => Self::Part,
        }
    }
}

/// How many tokens stand before the end, which counts if it is a semicolon, a comma or a closing
/// brace of its own.
fn until(tokens: &[Token<'_>], braces_end: bool, is_part: bool) -> usize {
    let mut angles = 0_usize;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if token.is(";") || (is_part && angles == 0 && token.is(",")) {
            return at + 1;
        }
        if token.kind == Kind::Punctuation {
            match token.text {
                ")" | "]" | "}" => return at,
                "<" => angles += 1,
                ">" => angles = angles.saturating_sub(1),
                _ => {}
            }
        }
        let length = group(&tokens[at..]);
        at += length.max(1);
        if length > 0 && token.is("{") && braces_end && !goes_on(tokens.get(at), is_part) {
            return at;
        }
    }
    at
}

/// Whether the token behind a closing brace goes on with the same thing.
fn goes_on(next: Option<&Token<'_>>, is_part: bool) -> bool {
    let more = [",", ";", ".", "?", "=", "=>", "else"];
    is_part && next.is_some_and(|next| more.iter().any(|text| next.is(text)))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::code;
    use super::*;

    #[track_caller]
    fn check_in(build: Build, source: &str, expected: &str) {
        let left = compiled(&code(source), build);
        let texts: Vec<&str> = left.iter().map(|token| token.text).collect();
        assert_eq!(texts.join(" "), expected, "{source}");
    }

    #[track_caller]
    fn check(source: &str, expected: &str) {
        check_in(Build::PROGRAM, source, expected);
    }

    #[test]
    fn items_for_tests_go() {
        check(
            "#[cfg(test)] mod tests { use a; fn b() {} } fn c() {}",
            "fn c ( ) { }",
        );
        check("#[cfg(test)] mod tests; fn c() {}", "fn c ( ) { }");
        check(
            "#[cfg(test)] #[derive(A)] pub(crate) struct B<C, D> { e: F } struct G;",
            "struct G ;",
        );
        check("#[cfg(test)] struct A(B, C); struct D;", "struct D ;");
        check(
            "#[cfg(test)] fn a<B, C>(d: E) -> F { g } h!();",
            "h ! ( ) ;",
        );
        check("#[cfg(test)] const A: B = C { d: e }; use f;", "use f ;");
        check("#[cfg(test)] const fn a() {} use f;", "use f ;");
        check("#[cfg(test)] unsafe impl A for B<C> {} use f;", "use f ;");
        check("#[cfg(test)] macro_rules! a { () => {} } use f;", "use f ;");
        check("#[cfg(test)] use a::{b, c}; use d;", "use d ;");
        check("#![cfg(test)] use a;", "");
    }

    #[test]
    fn parts_of_items_go() {
        check(
            "struct A { #[cfg(test)] b: C<D, E>, f: G }",
            "struct A { f : G }",
        );
        check(
            "struct A { b: C, #[cfg(test)] d: E }",
            "struct A { b : C , }",
        );
        check("enum A { #[cfg(test)] B { c: D }, E }", "enum A { E }");
        check("enum A { #[cfg(test)] B(C, D), E }", "enum A { E }");
        check(
            "match a { #[cfg(test)] B => { c } D => e }",
            "match a { D => e }",
        );
        check(
            "match a { #[cfg(test)] B { c } => d, D => e }",
            "match a { D => e }",
        );
        check("{ #[cfg(test)] let a = B { c }; d }", "{ d }");
        check("{ #[cfg(test)] { a } d }", "{ d }");
        check("{ #[cfg(test)] a::<B, C>(d).e(); f }", "{ f }");
        check(
            "impl A { #[cfg(test)] fn b(&self) {} fn c() {} }",
            "impl A { fn c ( ) { } }",
        );
    }

    #[test]
    fn other_conditions_stay() {
        check("#[cfg(not(test))] fn a() {}", "fn a ( ) { }");
        check("#[cfg(unix)] fn a() {}", "fn a ( ) { }");
        check("#[derive(A)] fn a() {}", "# [ derive ( A ) ] fn a ( ) { }");
        check("#[cfg(any(test, unix))] a;", "a ;");
        check("#[cfg(all(test, unix))] a; b", "b");
        check("#[cfg(all(unix, not(all(test, windows))))] a; b", "a ; b");
        check("#[cfg(doctest)] struct A; b", "b");
        check_in(Build::TESTS, "#[cfg(test)] mod a; b", "mod a ; b");
    }

    #[test]
    fn features_are_all_on_or_all_off() {
        let source =
            "#[cfg(feature = \"b\")] mod a; #[cfg(not(feature = \"b\"))] #[path = \"c\"] mod a;";
        check(source, "mod a ;");
        check_in(Build::WITHOUT_FEATURES, source, "# [ path = c ] mod a ;");
    }
}
