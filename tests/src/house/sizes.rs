//! How long files are.

use super::findings::Finding;
use super::program::Sources;

pub const SOURCE_LINES_MAX: usize = 500;
pub const TEST_LINES_MAX: usize = 600;

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
        let findings = long_files(&sources);
        let texts: Vec<&str> = findings
            .iter()
            .map(|finding| finding.text.as_str())
            .collect();
        assert_eq!(texts, expected);
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
}
