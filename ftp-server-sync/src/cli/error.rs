//! Errors about flags: the place, the flag, its value, and what to write instead.
//!
//! This is the only file that knows what is said about any flag. No error shows a secret.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use ftp_proto::text::printable_word;

/// A flag that is not accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct FlagError {
    /// `None` on the command line, or else `FILE:LINE`, or the name of a variable.
    place: Option<String>,
    /// Empty if the error is about a whole line of a file.
    flag: String,
    /// `None`: there is none, or it must not be shown.
    value: Option<OsString>,
    problem: String,
}

impl FlagError {
    /// For a flag without a value.
    pub(crate) fn new(flag: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: None,
            flag: flag.into(),
            value: None,
            problem: problem.into(),
        }
    }

    /// For a flag with this value, which is not shown if it is a secret.
    pub(crate) fn with_value(
        flag: impl Into<String>,
        value: impl Into<OsString>,
        problem: impl Into<String>,
    ) -> Self {
        let error = Self::new(flag, problem);
        let value = (!is_secret(&error.flag)).then(|| value.into());
        Self { value, ..error }
    }

    /// For a line of a file that names no flag, or must not be quoted.
    pub(super) fn of_line(problem: impl Into<String>) -> Self {
        Self::new("", problem)
    }

    /// Adds the place, and a hint if the end of the value looks like a comment there.
    pub(super) fn at(mut self, place: Option<String>) -> Self {
        let value = self.value.as_deref().unwrap_or_default().to_string_lossy();
        let mut comments = [" #", "\t#"].iter();
        if value.starts_with('#') || comments.any(|start| value.contains(start)) {
            let hint = "; write a comment on a line of its own";
            self.problem.push_str(place.as_ref().map_or("", |_| hint));
        }
        Self { place, ..self }
    }
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        match &self.value {
            Some(value) => write!(f, "{} {}: ", self.flag, shown(value))?,
            None if !self.flag.is_empty() => write!(f, "{}: ", self.flag)?,
            None => {}
        }
        f.write_str(&self.problem)
    }
}

impl fmt::Debug for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for FlagError {}

/// Whether the value of a flag must never be shown.
pub(super) fn is_secret(flag: &str) -> bool {
    flag == "--password"
}

/// A name or value as errors show it.
pub(super) fn shown(value: &OsStr) -> String {
    printable_word(value.as_bytes())
}

/// The value is missing; `usage` is the flag with a placeholder for it.
pub(super) fn missing(usage: &str) -> String {
    format!("the value is missing; write {usage}")
}

/// The value is an empty text.
pub(super) fn empty(usage: &str) -> String {
    format!("the value is empty; write {usage}")
}

/// No flag has this name. `what` is the word for names in this place, and `similar` is a name.
pub(super) fn unknown(what: &str, similar: Option<String>) -> String {
    let remedy = similar.map(|similar| format!("did you mean {similar}?"));
    format!(
        "unknown {what}; {}",
        remedy.as_deref().unwrap_or("--help all lists them")
    )
}

pub(super) fn given_twice(earlier: &Option<String>) -> String {
    let first = earlier.as_ref().map(|place| format!(", first in {place}"));
    format!("given twice{}; give it once", first.unwrap_or_default())
}

/// Both flags are given, and they exclude each other.
pub(super) fn conflict(other: &str) -> String {
    format!("{other} is given too; give only one of them")
}

/// The flag has no meaning beside `order`, which asks a server that runs.
pub(super) fn not_with_order(order: &str) -> String {
    format!("means nothing with {order}, which asks a server that runs; leave it out")
}

pub(super) const EMPTY_ENTRY: &str = "an entry of the list is empty; leave the comma out";
pub(super) const NOT_TEXT: &str = "the value is not UTF-8 text";
pub(super) const NO_VALUE: &str = "takes no value; write the name alone";
pub(super) const YES_OR_NO: &str = "give yes or no";
pub(super) const NO_SERVER: &str = "nothing is served with this flag; leave it out";
pub(super) const NOT_WITH_PROBE: &str =
    "means nothing with --probe, which looks at a server as a client does; leave it out";
pub(super) const NOT_WITH_HASH_PASSWORD: &str =
    "means nothing with --hash-password, which makes a hash and serves nothing; leave it out";
pub(super) const NO_TLS: &str =
    "this program was built without TLS; build it with the feature \"tls\"";
