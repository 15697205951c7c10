//! How long files and functions are.

use super::findings::Finding;
use super::program::Sources;
use super::tokens::{Token, code};

pub const SOURCE_LINES_MAX: usize = 500;
pub const TEST_LINES_MAX: usize = 600;
pub const FUNCTION_LINES_MAX: usize = 70;
/// That of rustfmt.
pub const COLUMNS_MAX: usize = 100;

/// The files that are too long. The key is the file.
pub fn long_files(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| file.ends_with(".rs")) {
        let limit = if is_test(file) {
            TEST_LINES_MAX
        } else {
            SOURCE_LINES_MAX
        };
        let lines = text.lines().count();
        if lines > limit {
            findings.push(Finding {
                key: file.clone(),
                text: format!("{file} has {lines} lines; {limit} are allowed: split it"),
            });
        }
    }
    findings
}

/// The lines of comments that are wider than code, except rows of tables and lines of drawings. The
/// key is the file.
pub fn wide_comments(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| file.ends_with(".rs")) {
        for (line, number) in text.lines().zip(1..) {
            let comment = line
                .trim_start()
                .trim_start_matches(['/', '!'])
                .trim_start();
            let is_picture = comment.starts_with('|') || comment.contains("  ");
            let is_comment = line.trim_start().starts_with("//");
            if is_comment && !is_picture && line.chars().count() > COLUMNS_MAX {
                findings.push(Finding {
                    key: file.clone(),
                    text: format!("{file}:{number} is wider than {COLUMNS_MAX} columns: wrap it"),
                });
            }
        }
    }
    findings
}

/// The functions that are too long, from `fn` to the brace that closes them. The key is `FILE:
/// NAME`.
pub fn long_functions(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| file.ends_with(".rs")) {
        let tokens = code(text);
        for (index, pair) in tokens.windows(2).enumerate() {
            let [keyword, name] = pair else { continue };
            // Without a name it is a type, such as `fn(u8) -> u8`.
            if !keyword.is("fn") || !name.is_name() {
                continue;
            }
            let lines = end_of_function(&tokens[index..]).map_or(0, |end| end - keyword.line + 1);
            if lines > FUNCTION_LINES_MAX {
                let name = name.text;
                findings.push(Finding {
                    key: format!("{file}: {name}"),
                    text: format!("{file}: {name} has {lines} lines; {FUNCTION_LINES_MAX} are allowed: split it"),
                });
            }
        }
    }
    findings
}

/// The line of the brace that closes the function. `None`: it has no body.
fn end_of_function(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    for token in tokens {
        match token.text {
            ";" if depth == 0 && token.is(";") => return None,
            "{" | "(" | "[" if token.is(token.text) => depth += 1,
            "}" | ")" | "]" if token.is(token.text) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && token.is("}") {
                    return Some(token.line);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a file has nothing but tests: it is named `tests.rs`, or is below a folder `tests`.
fn is_test(file: &str) -> bool {
    let mut parts = file.split('/');
    parts.any(|part| part == "tests" || part == "tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, lines: usize, expected: &[&str]) {
        let sources = Sources::from([(file.to_owned(), "a\n".repeat(lines))]);
        assert_eq!(texts(&long_files(&sources)), expected);
    }

    fn texts(findings: &[Finding]) -> Vec<&str> {
        let texts = findings.iter().map(|finding| finding.text.as_str());
        texts.collect()
    }

    #[test]
    fn sources_have_500_lines() {
        check("a/src/b.rs", 500, &[]);
        check(
            "a/src/b.rs",
            501,
            &["a/src/b.rs has 501 lines; 500 are allowed: split it"],
        );
        check("a/README.md", 501, &[]);
    }

    #[test]
    fn tests_have_600_lines() {
        for file in ["tests/it/b.rs", "a/src/tests/b.rs", "a/src/b/tests.rs"] {
            check(file, 600, &[]);
            let text = format!("{file} has 601 lines; 600 are allowed: split it");
            check(file, 601, &[&text]);
        }
    }

    #[track_caller]
    fn check_function(before: &str, lines: usize, expected: &[&str]) {
        let body = "    a();\n".repeat(lines - before.lines().count() - 1);
        let source = format!("struct A;\n\n{before}\n{body}}}\n\nfn next() {{}}\n");
        let sources = Sources::from([("a.rs".to_owned(), source)]);
        assert_eq!(texts(&long_functions(&sources)), expected);
    }

    #[test]
    fn functions_have_70_lines() {
        let found = &["a.rs: long has 71 lines; 70 are allowed: split it"][..];
        for before in [
            "fn long() {",
            "    pub(super) const fn long<'a>(\n        a: [u8; 3],\n    ) -> fn(u8) -> u8 {",
            "fn long() {\n    if a {}\n    let text = \"}\"; // }",
        ] {
            check_function(before, 70, &[]);
            check_function(before, 71, found);
        }
    }

    #[test]
    fn what_has_no_body_is_not_long() {
        let lines = "    a();\n".repeat(80);
        let source = format!(
            "trait A {{\n    fn a(b: [u8; 2]);\n}}\ntype B = fn(u8);\nmod c {{\n{lines}}}\n"
        );
        let sources = Sources::from([("a.rs".to_owned(), source)]);
        assert_eq!(texts(&long_functions(&sources)), [""; 0]);
    }

    #[test]
    fn comments_have_100_columns() {
        let filled =
            |start: &str, width: usize| format!("{start}{}", "a".repeat(width - start.len()));
        for (line, is_wide) in [
            (filled("    /// ", 100), false),
            (filled("    /// ", 101), true),
            (filled("//! ", 101), true),
            (filled("// ", 101), true),
            (filled("//! | ", 101), false),
            (filled("//! a  ", 101), false),
            (filled("let ", 101), false),
        ] {
            let sources = Sources::from([("a.rs".to_owned(), format!("\n{line}\n"))]);
            let expected = ["a.rs:2 is wider than 100 columns: wrap it"];
            let expected = if is_wide { &expected[..] } else { &[] };
            assert_eq!(texts(&wide_comments(&sources)), expected, "{line}");
        }
    }
}
