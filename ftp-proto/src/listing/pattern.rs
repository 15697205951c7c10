//! The wildcards of a shell in one component of a path: `*`, `?` and `[a-c]`.
//!
//! The time of a match is at most proportional to the length of the pattern times that of the name,
//! because matching goes back only to the last star, never to an earlier one.

use alloc::vec::Vec;

/// A pattern for one name. Any bytes are a valid pattern; a bracket that is not closed matches
/// itself.
///
/// `*` matches any number of characters, `?` matches one character, `[abx-z]` one of these, and
/// `[!abx-z]` or `[^abx-z]` any other. There is no escape: `[*]` matches a star. A character is a
/// character of UTF-8, or a single byte that is not UTF-8, so that names in other encodings match
/// too. Only a dot matches a dot at the beginning of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Vec<u8>,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    One(u32),
    Any,
    Class {
        negated: bool,
        /// In ascending order, with a gap between each two.
        ranges: Vec<(u32, u32)>,
    },
    Star,
}

impl Pattern {
    /// Reads a pattern.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let mut tokens = Vec::new();
        // After the last closing bracket no class can end, so no opening bracket needs a search.
        let last_close = text.iter().rposition(|&byte| byte == b']').unwrap_or(0);
        let mut rest = text;
        while let Some(&byte) = rest.first() {
            let may_close = text.len() - rest.len() < last_close;
            let (token, length) = match byte {
                b'*' => (Token::Star, 1),
                b'?' => (Token::Any, 1),
                b'[' if may_close => class(rest).unwrap_or((Token::One(byte.into()), 1)),
                _ => {
                    let (character, length) = character(rest);
                    (Token::One(character), length)
                }
            };
            rest = &rest[length..];
            // Several stars in a row match what one star matches.
            if token != Token::Star || tokens.last() != Some(&Token::Star) {
                tokens.push(token);
            }
        }
        let text = text.to_vec();
        Self { text, tokens }
    }

    /// The pattern as it was read.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The only name that matches, if the pattern has no wildcards.
    #[must_use]
    pub fn literal(&self) -> Option<&[u8]> {
        let is_one = |token: &Token| matches!(token, Token::One(_));
        let is_literal = self.tokens.iter().all(is_one);
        is_literal.then_some(&self.text)
    }

    /// Whether the whole `name` matches.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let dot = Token::One(b'.'.into());
        if name.starts_with(b".") && self.tokens.first() != Some(&dot) {
            return false;
        }
        let (mut next, mut rest) = (0, name);
        // The token after the last star, and the part of the name where it was tried.
        let mut last_star: Option<(usize, &[u8])> = None;
        loop {
            let (first, length) = match rest {
                [] => (None, 0),
                _ => {
                    let (first, length) = character(rest);
                    (Some(first), length)
                }
            };
            match (self.tokens.get(next), first) {
                (None, None) => return true,
                (Some(Token::Star), _) => {
                    next += 1;
                    last_star = Some((next, rest));
                    continue;
                }
                (Some(token), Some(first)) if token.accepts(first) => {
                    next += 1;
                    rest = &rest[length..];
                    continue;
                }
                _ => {}
            }
            // The last star matches one more character.
            let Some((after, tried)) = last_star.filter(|(_, tried)| !tried.is_empty()) else {
                return false;
            };
            let (_, length) = character(tried);
            (next, rest) = (after, &tried[length..]);
            last_star = Some((next, rest));
        }
    }
}

impl Token {
    /// Whether it matches this character; never called for a star.
    fn accepts(&self, character: u32) -> bool {
        match self {
            Self::One(one) => *one == character,
            Self::Any => true,
            Self::Class { negated, ranges } => {
                let next = ranges.partition_point(|(_, last)| *last < character);
                let is_in = ranges
                    .get(next)
                    .is_some_and(|(first, _)| *first <= character);
                is_in != *negated
            }
            Self::Star => false,
        }
    }
}

/// The class at the beginning of `text`, and its length; `None` without a closing bracket.
fn class(text: &[u8]) -> Option<(Token, usize)> {
    let mut at = 1;
    let negated = matches!(text.get(at), Some(b'!' | b'^'));
    at += usize::from(negated);
    let mut ranges = Vec::new();
    let first = at;
    loop {
        // A closing bracket in the first place is one of the characters.
        if *text.get(at)? == b']' && at > first {
            let ranges = without_overlap(ranges);
            return Some((Token::Class { negated, ranges }, at + 1));
        }
        let (low, length) = character(&text[at..]);
        at += length;
        let mut high = low;
        if let [b'-', end, ..] = text[at..]
            && end != b']'
        {
            let (last, length) = character(&text[at + 1..]);
            high = last;
            at += 1 + length;
        }
        ranges.push((low, high));
    }
}

/// The same characters in ranges that are searched fast: a class may have thousands of them, and is
/// tried at each character of each name.
fn without_overlap(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let overlaps = next.0 <= before.1.saturating_add(1);
        if overlaps {
            before.1 = before.1.max(next.1);
        }
        overlaps
    });
    ranges
}

/// The first character of `text`, which is not empty, and its length in bytes.
fn character(text: &[u8]) -> (u32, usize) {
    let length = match text[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        byte if byte.is_ascii() => return (byte.into(), 1),
        _ => 1,
    };
    let whole = text
        .get(..length)
        .and_then(|bytes| str::from_utf8(bytes).ok());
    match whole.and_then(|whole| whole.chars().next()) {
        Some(character) => (character.into(), length),
        // A number above all characters, so that it equals none of them.
        None => (0x11_0000 + u32::from(text[0]), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &[u8], yes: &[&[u8]], no: &[&[u8]]) {
        let compiled = Pattern::new(pattern);
        let pattern = pattern.escape_ascii();
        for name in yes {
            assert!(compiled.matches(name), "{pattern} {}", name.escape_ascii());
        }
        for name in no {
            assert!(!compiled.matches(name), "{pattern} {}", name.escape_ascii());
        }
    }

    #[test]
    fn stars() {
        check(b"*", &[b"a", b"a.b", b"-", b"\xff"], &[b".a", b".."]);
        check(
            b"*.txt",
            &[b"a.txt", b"a.b.txt"],
            &[b"a.txtx", b".txt", b"a.TXT"],
        );
        check(
            b"a*b*c",
            &[b"abc", b"a-b-c", b"abbcc", b"abcbc"],
            &[b"acb", b"ab", b"abcd"],
        );
        check(b"a**", &[b"a", b"ab"], &[b"b"]);
        check(b".*", &[b".a", b".", b".."], &[b"a"]);
    }

    #[test]
    fn single_characters() {
        check(
            b"?",
            &[b"a", "ä".as_bytes(), "中".as_bytes(), b"\xe4"],
            &[b"", b"ab", b"."],
        );
        check(b"a?c", &[b"abc", b"a?c", b"a.c"], &[b"ac", b"abbc"]);
        check(
            "?ä".as_bytes(),
            &["öä".as_bytes()],
            &["ö".as_bytes(), b"\xe4\xe4"],
        );
        check(b"??", &[b"\xe4\xb8", b"ab"], &["中".as_bytes()]);
    }

    #[test]
    fn classes() {
        check(b"[a-c]?", &[b"ax", b"cc"], &[b"dx", b"a", b"-x", b"Ax"]);
        check(b"[!a-c]", &[b"d", b"!", b"-"], &[b"a", b"c", b".", b""]);
        check(b"[^a]", &[b"b", b"^"], &[b"a"]);
        check(b"[]a]", &[b"]", b"a"], &[b"b", b"[]a]"]);
        check(b"[!]a]", &[b"b", b"!"], &[b"]", b"a"]);
        check(b"[a-]", &[b"a", b"-"], &[b"b"]);
        check(b"[-a]", &[b"a", b"-"], &[b"b"]);
        check(b"[a-c-e]", &[b"b", b"-", b"e"], &[b"d"]);
        check(b"[c-a]", &[], &[b"a", b"b", b"c"]);
        check("[ä-ü]".as_bytes(), &["ö".as_bytes()], &[b"o", b"\xf6"]);
        check(b"[\xe0-\xff]", &[b"\xf6"], &[b"o", "ö".as_bytes()]);
        check(b"[*]", &[b"*"], &[b"a", b"[*]"]);
        check(
            b"[x-zb-da-cfe1-9k-aq]",
            &[b"a", b"d", b"e", b"f", b"5", b"q", b"y"],
            &[b"g", b"k", b"h", b"0", b"w", b"r"],
        );
        // A dot that begins a name is not matched by a class either.
        check(b"[.]a", &[], &[b".a"]);
    }

    #[test]
    fn other_characters_match_themselves() {
        check(b"", &[b""], &[b"a"]);
        check(b"[", &[b"["], &[b"a", b""]);
        check(b"[]", &[b"[]"], &[b"]"]);
        check(b"[!", &[b"[!"], &[b"a"]);
        check(b"[a", &[b"[a"], &[b"a"]);
        check(b"[a-", &[b"[a-"], &[b"a"]);
        check(b"\\*", &[b"\\", b"\\a"], &[b"*"]);
        for (pattern, literal) in [
            (&b""[..], true),
            (b"a.b", true),
            (b"[a", true),
            (b"a]", true),
            (b"\xff", true),
            (b"[a]", false),
            (b"a*", false),
            (b"?", false),
        ] {
            let found = Pattern::new(pattern).literal().map(<[u8]>::to_vec);
            assert_eq!(found, literal.then(|| pattern.to_vec()));
        }
    }

    /// If matching went back to every star, this would not end in any useful time.
    #[test]
    fn many_stars_are_fast() {
        let name = [b'a'; 255];
        let mut pattern = b"a*".repeat(2000);
        assert!(!Pattern::new(&pattern).matches(&name));
        pattern.truncate(400);
        assert!(Pattern::new(&pattern).matches(&name));
        pattern.push(b'b');
        assert!(!Pattern::new(&pattern).matches(&name));
    }

    /// A match tries a class at each character of each name.
    #[test]
    fn a_class_has_few_ranges() {
        let class = |text: &[u8]| match &Pattern::new(text).tokens[..] {
            [Token::Class { ranges, .. }] => ranges.clone(),
            other => panic!("{other:?}"),
        };
        let long = [b"[", &b"cabd".repeat(1000)[..], b"x-za-by]"].concat();
        let range = |first: u8, last: u8| (first.into(), last.into());
        assert_eq!(class(&long), [range(b'a', b'd'), range(b'x', b'z')]);
        assert_eq!(class(b"[z-a]"), []);
    }
}
