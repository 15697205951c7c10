//! The charset of names.

use crate::accounts::similar::suggest;
use crate::settings::NameCharset;

/// A charset by its label, `auto`, or `auto:` and a label.
pub(in crate::cli) fn encoding(text: &str) -> Result<NameCharset, String> {
    NameCharset::for_label(text).map_err(|error| {
        let similar = similar(text).filter(|_| error.may_be_misspelt());
        match similar {
            Some(similar) => format!("unknown; did you mean {similar}?"),
            None => error.to_string(),
        }
    })
}

/// The label that may be intended.
fn similar(text: &str) -> Option<String> {
    let (prefix, label) = match text.strip_prefix("auto:") {
        Some(label) => ("auto:", label),
        None => ("", text),
    };
    let similar = suggest(label, &LABELS)?;
    Some(format!("{prefix}{similar}"))
}

/// What users are likely to need, in lower case.
const LABELS: [&str; 13] = [
    "utf-8",
    "gbk",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "koi8-r",
    "koi8-u",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "iso-8859-1",
];
