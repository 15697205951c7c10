//! What can stand behind a flag, as completions need it.

use super::Flag;
use crate::cli::error;

/// The values of a flag.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It takes none.
    Switch,
    /// Text that a shell cannot know, or must not offer: a secret.
    Free,
    Words(Vec<&'static str>),
    File,
    Directory,
    /// A user of this machine.
    User,
    /// A group of this machine; may be left out.
    Group,
}

impl Value {
    /// By the placeholder; a new one is free text.
    pub(super) fn of(flag: &Flag) -> Self {
        let Some(placeholder) = flag.placeholder else {
            return Self::Switch;
        };
        if error::is_secret(flag.long) {
            return Self::Free;
        }
        match placeholder {
            // The path of anything else may be that of a file.
            "PATH" if flag.long == "--directory" => Self::Directory,
            "FILE" | "PATH" => Self::File,
            "USER[:GROUP]" => Self::User,
            "[GROUP]" => Self::Group,
            "LEVEL" => Self::Words(LEVELS.to_vec()),
            "KIND" => Self::Words(KINDS.to_vec()),
            _ => match words(placeholder) {
                words if words.is_empty() => Self::Free,
                words => Self::Words(words),
            },
        }
    }
}

/// The alternatives of `keep|discard` and the like, also in brackets; those in capitals stand for
/// something else. `NET=ADDR|local` has none: a word there is a part of the value.
fn words(placeholder: &'static str) -> Vec<&'static str> {
    let inside = placeholder.strip_prefix('[');
    let inside = inside.and_then(|text| text.strip_suffix(']'));
    let text = inside.unwrap_or(placeholder);
    if !text.contains('|') || text.contains(['=', '[']) {
        return Vec::new();
    }
    let is_word = |text: &&str| !text.contains(|letter: char| letter.is_ascii_uppercase());
    text.split('|').filter(is_word).collect()
}

/// Of `--log-level`.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// Of `--rules`.
const KINDS: [&str; 5] = ["text", "nft", "iptables", "docker", "ufw"];

#[test]
fn alternatives_are_words() {
    assert_eq!(words("keep|discard"), ["keep", "discard"]);
    assert_eq!(words("NAME|auto"), ["auto"]);
    assert_eq!(words("[all|WORD]"), ["all"]);
    for none in [
        "N",
        "[GROUP]",
        "NET[,...]",
        "NET=ADDR|local[,...]",
        "HOST[:PORT]",
    ] {
        assert_eq!(words(none), [""; 0], "{none}");
    }
}
