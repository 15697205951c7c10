//! Replaces the charsets of names in a program that is built without them. There, names are UTF-8.

use std::fmt;

use ftp_proto::Account;

/// UTF-8: the bytes of names are not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameCharset(());

impl NameCharset {
    /// The bytes of names are not changed.
    pub const UTF_8: Self = Self(());

    /// Reads a label of UTF-8.
    ///
    /// # Errors
    ///
    /// It is another one.
    pub fn for_label(text: &str) -> Result<Self, CharsetError> {
        let mut labels = ["utf-8", "utf8"].iter();
        let is_utf8 = labels.any(|label| label.eq_ignore_ascii_case(text));
        is_utf8.then_some(Self::UTF_8).ok_or(CharsetError::LeftOut)
    }

    /// The name in the standard.
    pub fn name(self) -> &'static str {
        "UTF-8"
    }

    /// Whether a name in UTF-8 switches its session to UTF-8.
    pub fn detects_utf8(self) -> bool {
        false
    }

    /// The same account, whose clients write names so.
    pub(crate) fn apply(self, account: Account) -> Account {
        account
    }
}

/// Why a label is no charset of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharsetError {
    /// This program converts no names.
    LeftOut,
}

impl CharsetError {
    /// Whether a similar label may be meant.
    pub(crate) fn may_be_misspelt(self) -> bool {
        false
    }
}

impl fmt::Display for CharsetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this program was built without other charsets than UTF-8; build it with the feature \
             \"charsets\"",
        )
    }
}
