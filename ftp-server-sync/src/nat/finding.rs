//! What the operator should know about the settings.

use std::fmt;

/// One thing that is wrong or noteworthy. The text says what will happen and how to change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// How much a finding matters; the most severe is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Some clients will fail.
    Failure,
    /// Every client is served, but more may be possible than the operator wants.
    Risk,
    /// Every client is served.
    Note,
}

impl Finding {
    pub(crate) fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self {
            severity,
            text: text.into(),
        }
    }

    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self::new(Severity::Failure, text)
    }

    pub(crate) fn note(text: impl Into<String>) -> Self {
        Self::new(Severity::Note, text)
    }
}

/// The text of a log line. Its level shows whether it is a failure or a risk, or less.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.severity == Severity::Note {
            f.write_str("note: ")?;
        }
        f.write_str(&self.text)
    }
}
