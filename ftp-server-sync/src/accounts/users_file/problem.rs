//! Errors about the lines of a users file: line, user, field, value, and what would be right.

use std::fmt;

use ftp_proto::text::printable_word;

use super::field::{Fault, Field};

/// A line that cannot be used. Displayed as `3: user bob: rights elx: …`, for the name of the file
/// in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineProblem {
    line: usize,
    text: String,
}

impl LineProblem {
    /// For a line as a whole.
    pub(super) fn of_line(line: usize, problem: impl Into<String>) -> Self {
        let text = problem.into();
        Self { line, text }
    }

    /// For a field of a line; `user`: the name, if it could be read.
    pub(super) fn new(line: usize, user: Option<&str>, fault: Fault) -> Self {
        let mut text = match user {
            Some(user) => format!("user {}: ", printable_word(user.as_bytes())),
            None => String::new(),
        };
        text += &fault.field.to_string();
        if let Some(value) = &fault.value {
            // Long ones are mistakes: the line says which.
            let shown = &value[..value.len().min(VALUE_BYTES_SHOWN)];
            text += match fault.field {
                Field::Option(_) => "=",
                _ => " ",
            };
            text += &printable_word(shown);
            text += if shown.len() < value.len() { "…" } else { "" };
        }
        text += ": ";
        text += &fault.problem;
        Self { line, text }
    }
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text)
    }
}

const VALUE_BYTES_SHOWN: usize = 80;
