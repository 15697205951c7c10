//! One flag, as the help and the other lists of flags see it.

use crate::cli::error;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Flag {
    /// With its dashes, such as `--port`.
    pub(in crate::cli) long: &'static str,
    pub(in crate::cli) short: Option<char>,
    /// The word for the value in the help; `None`: the flag is a switch.
    pub(in crate::cli) placeholder: Option<&'static str>,
    pub(in crate::cli) repeatable: bool,
    pub(in crate::cli) description: &'static str,
}

impl Flag {
    /// The name without dashes.
    pub(in crate::cli) fn name(&self) -> &'static str {
        &self.long[2..]
    }

    /// How to write it, such as `--port N`.
    pub(in crate::cli) fn usage(&self) -> String {
        match self.placeholder {
            Some(placeholder) => format!("{} {placeholder}", self.long),
            None => self.long.to_owned(),
        }
    }

    /// Whether one value may have several entries, with commas between them.
    pub(in crate::cli) fn takes_list(&self) -> bool {
        self.placeholder
            .is_some_and(|text| text.ends_with("[,...]"))
    }

    /// Whether the flag may stand without its value, which is then [`EVERY`].
    pub(in crate::cli) fn may_lack_value(&self) -> bool {
        self.placeholder.is_some_and(|text| text.starts_with('['))
    }

    pub(in crate::cli) fn is_path(&self) -> bool {
        matches!(self.placeholder, Some("PATH" | "FILE"))
    }

    /// Paths are bytes, and so are passwords on the wire; all other values are text.
    pub(in crate::cli) fn takes_bytes(&self) -> bool {
        self.is_path() || error::is_secret(self.long)
    }

    /// These serve nothing, so they make no sense in a place that is read at each start.
    pub(in crate::cli) fn is_for_command_line_only(&self) -> bool {
        let flags = [
            "--check",
            "--drain",
            "--hash-password",
            "--help",
            "--json",
            "--kick",
            "--probe",
            "--recount",
            "--reload",
            "--rules",
            "--stop",
            "--version",
            "--watch",
            "--who",
            "--write-test",
        ];
        flags.contains(&self.long)
    }

    /// These ask another process, or for a line of text: no directory is shared with them.
    pub(in crate::cli) fn shares_nothing(&self) -> bool {
        let flags = [
            "--drain",
            "--hash-password",
            "--json",
            "--kick",
            "--probe",
            "--reload",
            "--stop",
            "--version",
            "--watch",
            "--who",
        ];
        flags.contains(&self.long)
    }
}

/// The value of a flag that stands without one.
pub(in crate::cli) const EVERY: &str = "*";
