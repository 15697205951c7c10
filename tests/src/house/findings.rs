//! What a check finds, and the list of what it lets pass.

use std::fmt::Write;

/// A fault that a check finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What an entry of the list of exceptions names.
    pub key: String,
    /// The whole fault, for people.
    pub text: String,
}

/// An exception: the key of the findings that pass, and the reason.
pub type Exception<'a> = (&'a str, &'a str);

/// Fails if a finding is no exception, and if an exception has no finding: so the list of
/// exceptions shrinks.
pub fn judge(findings: &[Finding], exceptions: &[Exception<'_>]) -> Result<(), String> {
    let mut text = String::new();
    for finding in findings {
        if !exceptions.iter().any(|(key, _)| *key == finding.key) {
            let _ = writeln!(text, "{}", finding.text);
        }
    }
    for (key, reason) in exceptions {
        if !findings.iter().any(|finding| finding.key == *key) {
            let _ = writeln!(
                text,
                "the exception \"{key}\" ({reason}) is no longer needed: remove it"
            );
        }
    }
    if text.is_empty() { Ok(()) } else { Err(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &[&str], exceptions: &[&str], expected: &str) {
        let finding = |key: &&str| Finding {
            key: (*key).to_owned(),
            text: format!("found {key}"),
        };
        let findings: Vec<_> = keys.iter().map(finding).collect();
        let exceptions: Vec<_> = exceptions.iter().map(|key| (*key, "why")).collect();
        let text = judge(&findings, &exceptions).err().unwrap_or_default();
        assert_eq!(text, expected);
    }

    #[test]
    fn exceptions_pass() {
        check(&[], &[], "");
        check(&["a", "a", "b"], &["b", "a"], "");
    }

    #[test]
    fn other_findings_fail() {
        check(&["a", "b"], &["b"], "found a\n");
    }

    #[test]
    fn exceptions_that_nothing_needs_fail() {
        let text = "the exception \"b\" (why) is no longer needed: remove it\n";
        check(&["a"], &["a", "b"], text);
    }
}
