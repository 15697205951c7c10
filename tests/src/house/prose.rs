//! Words that comments, texts and documents do without.

use super::findings::Finding;
use super::program::Sources;
use super::tokens::{Kind, tokens};

/// A word, in lower case, and its line. An empty word ends a sentence of prose.
type Word = (String, usize);

/// Where prose has one of the expressions, which are whole words in lower case. The key is `file:
/// expression`.
pub fn words(sources: &Sources, expressions: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in sources {
        let prose = if file.ends_with(".rs") {
            prose(text)
        } else {
            split(text, 1)
        };
        for expression in expressions {
            let expected: Vec<&str> = expression.split(' ').collect();
            for (at, (word, line)) in prose.iter().enumerate() {
                let rest = prose[at..].iter().map(|(word, _)| word.as_str());
                if word == expected[0] && rest.take(expected.len()).eq(expected.iter().copied()) {
                    findings.push(Finding {
                        key: format!("{file}: {expression}"),
                        text: format!("{file}:{line}: \"{expression}\" is not in our vocabulary"),
                    });
                }
            }
        }
    }
    findings
}

/// The words of all comments and string literals. Comments that follow each other are one text.
fn prose(source: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut before = Kind::Other;
    for token in tokens(source) {
        if token.kind != Kind::Comment || before != Kind::Comment {
            words.push((String::new(), token.line));
        }
        match token.kind {
            Kind::Comment => words.extend(split(token.text, token.line)),
            Kind::Text => words.extend(split(&without_escapes(token.text), token.line)),
            _ => {}
        }
        before = token.kind;
    }
    words
}

fn split(text: &str, first_line: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let letters = |letter: char| !letter.is_alphanumeric() && letter != '_';
        let parts = text.split(letters).filter(|part| !part.is_empty());
        words.extend(parts.map(|part| (part.to_lowercase(), first_line + line)));
    }
    words
}

/// Spaces in place of `\n` and the like, which would make one word with the next.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next() == Some('\n') => plain.push('\n'),
            '\\' => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[&str]) {
        let sources = Sources::from([(file.to_owned(), text.to_owned())]);
        let findings = words(&sources, &["foo", "foo bar"]);
        let text = |finding: &Finding| {
            let (place, _) = finding.text.split_once(" is not").expect("a place");
            place.to_owned()
        };
        assert_eq!(
            findings.iter().map(text).collect::<Vec<_>>(),
            expected,
            "{file}"
        );
    }

    #[test]
    fn prose_stands_in_comments_texts_and_documents() {
        check(
            "a.rs",
            "// Foo.\nfoo();\n/* a\nfoo */ \"A foo.\"",
            &["a.rs:1: \"foo\"", "a.rs:4: \"foo\"", "a.rs:4: \"foo\""],
        );
        check(
            "a.md",
            "a\n`foo`, FOO's",
            &["a.md:2: \"foo\"", "a.md:2: \"foo\""],
        );
    }

    #[test]
    fn words_are_whole() {
        check("a.rs", "// foot foo_bar food\n\"barfoo\"; 'foo", &[]);
        check("a.rs", r#"f("\nfoo")"#, &["a.rs:1: \"foo\""]);
    }

    #[test]
    fn an_expression_goes_over_lines_of_one_text() {
        let both = ["a.rs:1: \"foo\"", "a.rs:1: \"foo bar\""];
        check("a.rs", "// A foo\n// bar.", &both);
        check("a.rs", "\"A foo\\\n bar\"", &both);
        check("a.rs", "// A foo\nbar();\n// bar.", &both[..1]);
        check("a.rs", "f(\"foo\", \"bar\")", &both[..1]);
    }
}
