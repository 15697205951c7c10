//! The help text of a flag in its parts, for other places than the help.

use super::{Flag, Value};

/// What a flag does, without its default.
pub(super) fn text(flag: &Flag) -> &'static str {
    parts(flag).0
}

/// The default, such as `2121` or `every address`.
pub(super) fn default(flag: &Flag) -> Option<&'static str> {
    parts(flag).1
}

/// The first statement alone, for one line of a menu.
pub(super) fn summary(flag: &Flag) -> &'static str {
    let text = text(flag);
    text.split_once("; ").map_or(text, |(first, _)| first)
}

/// As sentences. A text that begins with a value keeps it as it is written.
pub(super) fn sentences(flag: &Flag) -> String {
    let (text, default) = parts(flag);
    let begin = text.split([',', ' ']).next().unwrap_or_default();
    let is_value = matches!(Value::of(flag), Value::Words(words) if words.contains(&begin));
    let mut sentences = String::new();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !is_value => sentences.push(first.to_ascii_uppercase()),
        first => sentences.extend(first),
    }
    sentences.push_str(letters.as_str());
    sentences.push('.');
    if let Some(default) = default {
        let end = if default.ends_with('.') && default.len() > 1 {
            ""
        } else {
            "."
        };
        let blank = if default == "." {
            " (the current directory)"
        } else {
            ""
        };
        sentences.push_str(&format!(" Default: {default}{blank}{end}"));
    }
    sentences
}

/// The default is in brackets at the end.
fn parts(flag: &Flag) -> (&'static str, Option<&'static str>) {
    let text = flag.description;
    let inside = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once(" ["));
    inside.map_or((text, None), |(text, default)| (text, Some(default)))
}
