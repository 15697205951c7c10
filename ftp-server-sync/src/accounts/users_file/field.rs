//! Which part of a line is wrong, and why.

use std::fmt;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Hash,
    Home,
    Rights,
    /// An option, by its key; all of them, if it is empty.
    Option(String),
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: Field,
    /// `None`: there is none, or it must not be shown.
    pub(super) value: Option<Vec<u8>>,
    pub(super) problem: String,
}

impl Fault {
    /// For a field without a value, or with a secret one.
    #[cold]
    #[inline(never)]
    pub(super) fn new(field: Field, problem: impl Into<String>) -> Self {
        Self {
            field,
            value: None,
            problem: problem.into(),
        }
    }

    /// For a field with this value, as it is written.
    pub(super) fn with_value(field: Field, value: &[u8], problem: impl Into<String>) -> Self {
        let value = Some(value.to_vec()).filter(|value| !value.is_empty());
        Self {
            value,
            ..Self::new(field, problem)
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Hash => f.write_str("password hash"),
            Self::Home => f.write_str("home"),
            Self::Rights => f.write_str("rights"),
            Self::Option(key) if key.is_empty() => f.write_str("options"),
            Self::Option(key) => write!(f, "option {key}"),
        }
    }
}
