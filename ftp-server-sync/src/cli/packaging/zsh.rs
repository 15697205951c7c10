//! The completion for zsh: one specification of `_arguments` for each flag.

use super::{Flag, Value, description, sections};

pub(super) fn completion() -> String {
    let mut text = String::from(
        "#compdef ftp-server-sync\n\
         # Completion of ftp-server-sync for zsh, made from its table of flags.\n\n\
         _arguments -s -S \\\n",
    );
    for (_, flags) in sections() {
        for flag in flags {
            text.push_str(&format!("    {} \\\n", specification(&flag)));
        }
    }
    // The last one has no other behind it.
    text.truncate(text.len() - 3);
    text.push('\n');
    text
}

fn specification(flag: &Flag) -> String {
    let value = Value::of(flag);
    let explained = format!("[{}]", escaped(description::summary(flag)));
    let (equals, plus, rest) = match (flag.placeholder, action(&value)) {
        (Some(placeholder), action) => {
            // Two colons: the value may be left out.
            let colons = if flag.may_lack_value() { "::" } else { ":" };
            (
                "=",
                "+",
                format!("{colons}{}:{action}", escaped(placeholder)),
            )
        }
        (None, _) => ("", "", String::new()),
    };
    let long = flag.long;
    match (flag.short, flag.repeatable) {
        (None, false) => format!("'{long}{equals}{explained}{rest}'"),
        (None, true) => format!("'*{long}{equals}{explained}{rest}'"),
        (Some(short), false) => {
            format!("'(-{short} {long})'{{-{short}{plus},{long}{equals}}}'{explained}{rest}'")
        }
        (Some(short), true) => {
            format!("'*'{{-{short}{plus},{long}{equals}}}'{explained}{rest}'")
        }
    }
}

fn action(value: &Value) -> String {
    match value {
        Value::Switch | Value::Free => " ".to_owned(),
        Value::Words(words) => format!("({})", words.join(" ")),
        Value::File => "_files".to_owned(),
        Value::Directory => "_files -/".to_owned(),
        Value::User => "_users".to_owned(),
        Value::Group => "_groups".to_owned(),
    }
}

/// In single quotes, within brackets and between colons.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\'' => escaped.push_str("'\\''"),
            '[' | ']' | ':' | '\\' => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}
