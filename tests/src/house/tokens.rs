//! Rust source text as a list of tokens, comments included.
//!
//! This is not the compiler's grammar: it separates code from comments and literals, and nothing
//! more. Source text that the compiler rejects gives tokens too, without a panic.

/// What a token is, as far as the checks need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or an identifier; a raw identifier without its `r#`.
    Name,
    /// One character of punctuation, or `::`, `->`, `=>`.
    Punctuation,
    /// A string literal of any form: the text between the quotes, escapes as written.
    Text,
    /// A comment, with the characters that open and close it.
    Comment,
    /// A lifetime, a number, a character: nothing that a path or an item could begin with.
    Other,
}

/// A piece of source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Counts from 1.
    pub line: usize,
}

impl Token<'_> {
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Name | Kind::Punctuation) && self.text == text
    }

    pub fn is_name(&self) -> bool {
        self.kind == Kind::Name
    }
}

/// All tokens of a source file.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut reader = Reader {
        source,
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    loop {
        let rest = reader.rest();
        reader.skip(rest.len() - rest.trim_start().len());
        let Some(first) = reader.rest().chars().next() else {
            return tokens;
        };
        let line = reader.line;
        let (kind, text) = reader.token(first);
        tokens.push(Token { kind, text, line });
    }
}

/// The same without comments.
pub fn code(source: &str) -> Vec<Token<'_>> {
    let mut tokens = tokens(source);
    tokens.retain(|token| token.kind != Kind::Comment);
    tokens
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Moves past `bytes` bytes, at most to the end, and returns them.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, _) = self.rest().split_at(bytes.min(self.rest().len()));
        self.at += skipped.len();
        self.line += skipped.matches('\n').count();
        skipped
    }

    fn token(&mut self, first: char) -> (Kind, &'a str) {
        let rest = self.rest();
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            return (Kind::Comment, self.skip(end));
        }
        if rest.starts_with("/*") {
            return (Kind::Comment, self.skip(block_comment(rest)));
        }
        if let Some(literal) = Literal::at_start(rest) {
            let whole = self.skip(literal.prefix + literal.body + literal.suffix);
            let text = whole.get(literal.prefix..literal.prefix + literal.body);
            return (literal.kind, text.unwrap_or_default());
        }
        if is_name_start(first) {
            return (Kind::Name, self.skip(name(rest)));
        }
        if first.is_ascii_digit() {
            return (Kind::Other, self.skip(number(rest)));
        }
        if first == '\'' {
            return (Kind::Other, self.skip(1 + name(&rest[1..])));
        }
        let pair = ["::", "->", "=>"];
        let length = match pair.iter().find(|pair| rest.starts_with(**pair)) {
            Some(pair) => pair.len(),
            None => first.len_utf8(),
        };
        (Kind::Punctuation, self.skip(length))
    }
}

/// A literal with quotes, or a raw identifier: lengths in bytes. The suffix is shorter where the
/// text ends early.
struct Literal {
    kind: Kind,
    prefix: usize,
    body: usize,
    suffix: usize,
}

impl Literal {
    fn at_start(rest: &str) -> Option<Self> {
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let (letters, quoted) = rest.split_at(letters);
        match letters {
            "" | "b" if quoted.starts_with('\'') => {
                let body = character(&quoted[1..])?;
                Some(Self::new(Kind::Other, letters.len() + 1, body, 1))
            }
            "" | "b" | "c" if quoted.starts_with('"') => {
                let body = until_quote(&quoted[1..], '"');
                Some(Self::new(Kind::Text, letters.len() + 1, body, 1))
            }
            "r" | "br" | "cr" => {
                let hashes = quoted.bytes().take_while(|byte| *byte == b'#').count();
                let inner = &quoted[hashes..];
                if let Some(inner) = inner.strip_prefix('"') {
                    let end = format!("\"{}", "#".repeat(hashes));
                    let body = inner.find(&end).unwrap_or(inner.len());
                    let prefix = letters.len() + hashes + 1;
                    return Some(Self::new(Kind::Text, prefix, body, end.len()));
                }
                let raw = letters == "r" && hashes == 1 && inner.starts_with(is_name_start);
                raw.then(|| Self::new(Kind::Name, 2, name(inner), 0))
            }
            _ => None,
        }
    }

    fn new(kind: Kind, prefix: usize, body: usize, suffix: usize) -> Self {
        Self {
            kind,
            prefix,
            body,
            suffix,
        }
    }
}

fn is_name_start(character: char) -> bool {
    character == '_' || character.is_alphabetic()
}

fn name(text: &str) -> usize {
    text.find(|character: char| character != '_' && !character.is_alphanumeric())
        .unwrap_or(text.len())
}

/// A number; the dots of `0..9` and `1.max(2)` are no part of it.
fn number(text: &str) -> usize {
    let whole = name(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|digit: char| digit.is_ascii_digit()) => {
            whole + 1 + name(fraction)
        }
        _ => whole,
    }
}

/// The length of what stands between the quotes of a character literal; a lifetime has no closing
/// quote.
fn character(text: &str) -> Option<usize> {
    if text.starts_with('\\') {
        return Some(until_quote(text, '\''));
    }
    let mut characters = text.chars();
    let length = characters.next()?.len_utf8();
    (characters.next() == Some('\'')).then_some(length)
}

/// The length of the text before the closing quote; a backslash takes the meaning from the
/// character behind it.
fn until_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// The length of a block comment; block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[&str]) {
        let texts: Vec<&str> = code(source).iter().map(|token| token.text).collect();
        assert_eq!(texts, expected, "{source}");
    }

    #[test]
    fn code_is_split() {
        check(
            "a::b(c)->d=>e",
            &["a", "::", "b", "(", "c", ")", "->", "d", "=>", "e"],
        );
        check(
            "x.0.1; 0..9; 1.max(2); 1.5_f64; 0xff",
            &[
                "x", ".", "0.1", ";", "0", ".", ".", "9", ";", "1", ".", "max", "(", "2", ")", ";",
                "1.5_f64", ";", "0xff",
            ],
        );
        check("r#type::r#fn", &["type", "::", "fn"]);
        check("br r b c rb", &["br", "r", "b", "c", "rb"]);
        check("größe", &["größe"]);
    }

    #[test]
    fn comments_are_no_code() {
        check("a // use b;\nc", &["a", "c"]);
        check("a /* use /* b */ ; */ c /* open", &["a", "c"]);
        check("/// A [`b::C`].\nd", &["d"]);
    }

    #[test]
    fn literals_are_one_token_each() {
        check(
            r#"f("a::b", 'c', b'\'', b"d\"e")"#,
            &["f", "(", "a::b", ",", "c", ",", "\\'", ",", "d\\\"e", ")"],
        );
        check(r##"r"a\" b r#"c"d"# e"##, &["a\\", "b", "c\"d", "e"]);
        check("\"open", &["open"]);
        check("r#\"open", &["open"]);
        check(r"'\u{41}' '\\' '\n' x", &["\\u{41}", "\\\\", "\\n", "x"]);
    }

    #[test]
    fn lifetimes_open_no_character() {
        check(
            "&'a str, 'b: loop {} '_ 'é' ''",
            &[
                "&", "'a", "str", ",", "'b", ":", "loop", "{", "}", "'_", "é", "'", "'",
            ],
        );
    }

    #[test]
    fn lines_are_counted() {
        let lines: Vec<usize> = tokens("a\n/* b\nc */ \"d\ne\" f\n// g\nh")
            .iter()
            .map(|token| token.line)
            .collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn literals_are_neither_names_nor_punctuation() {
        let source = tokens("\"use\" 'u'");
        assert!(
            source
                .iter()
                .all(|token| !token.is("use") && !token.is_name())
        );
    }
}
