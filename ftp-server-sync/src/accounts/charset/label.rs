//! The labels of charsets.

use std::fmt;

use encoding_rs::{BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, X_USER_DEFINED};

/// Why a label is no charset of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharsetError {
    /// No charset has it.
    Unknown,
    /// In the characters of this charset, bytes of ASCII have another meaning.
    NotForFtp,
}

impl CharsetError {
    /// Whether a similar label may be meant.
    pub(crate) fn may_be_misspelt(self) -> bool {
        self == Self::Unknown
    }
}

/// The charset with this label.
pub(super) fn encoding(label: &str) -> Result<&'static Encoding, CharsetError> {
    let is_label = |(page, _): &&(&str, _)| page.eq_ignore_ascii_case(label);
    let code_page = CODE_PAGES.iter().find(is_label);
    let encoding = match code_page {
        Some((_, encoding)) => *encoding,
        None => Encoding::for_label(label.as_bytes()).ok_or(CharsetError::Unknown)?,
    };
    if encoding == X_USER_DEFINED {
        Err(CharsetError::Unknown)
    } else if encoding.is_ascii_compatible() {
        Ok(encoding)
    } else {
        Err(CharsetError::NotForFtp)
    }
}

impl fmt::Display for CharsetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => {
                "not a charset that this server knows; give UTF-8, GBK, GB18030, Big5, Shift_JIS, \
                 EUC-JP, EUC-KR, KOI8-R, windows-1251, ISO-8859-2 or another one of the web's, or \
                 auto, or auto:GBK"
            }
            Self::NotForFtp => {
                "not a charset for FTP: its characters contain bytes that FTP takes for others, \
                 such as / and line ends; give UTF-8, or one such as GBK, EUC-JP or windows-1252"
            }
        })
    }
}

/// Windows' names, which other servers' options have, and which are no labels of the standard.
const CODE_PAGES: [(&str, &Encoding); 4] = [
    ("cp932", SHIFT_JIS),
    ("cp936", GBK),
    ("cp949", EUC_KR),
    ("cp950", BIG5),
];
