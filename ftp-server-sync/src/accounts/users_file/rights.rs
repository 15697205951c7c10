//! Rights in a users file: letters as in pyftpdlib, or one word for a usual set.

use ftp_proto::{Right, Rights};

/// Reads `elr…` or a word.
///
/// # Errors
///
/// What is wrong, and what would be right.
pub(super) fn read(text: &[u8]) -> Result<Rights, String> {
    let Ok(text) = str::from_utf8(text) else {
        return Err(format!("no rights; {REMEDY}"));
    };
    if text.is_empty() {
        return Err(format!("empty; {REMEDY}"));
    }
    if let Some((_, rights)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(*rights);
    }
    if let Some(rights) = Rights::from_letters(text) {
        return Ok(rights);
    }
    let mut words = WORDS.iter();
    if let Some((word, _)) = words.find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        return Err(format!("write it in small letters: {word}"));
    }
    let wrong = |letter: &char| Rights::from_letters(&letter.to_string()).is_none();
    let wrong = text.chars().find(wrong).unwrap_or_default();
    Err(format!(
        "\"{}\" is no right; {REMEDY}",
        wrong.escape_default()
    ))
}

/// Rights as a users file has them, for people: a word, or letters.
pub(crate) fn describe(rights: Rights) -> String {
    if let Some((word, _)) = WORDS.iter().find(|(_, set)| *set == rights) {
        return (*word).to_owned();
    }
    let has = |right| rights.contains(right);
    let letters = [
        ('e', has(Right::ChangeDirectory)),
        ('l', has(Right::List)),
        ('r', has(Right::Read)),
        ('a', has(Right::Append)),
        ('d', has(Right::Delete)),
        ('f', has(Right::Rename)),
        ('m', has(Right::MakeDirectory)),
        ('w', has(Right::Store)),
        ('M', has(Right::ChangeMode)),
        ('T', has(Right::ChangeTime)),
    ];
    let letters = letters.into_iter().filter(|(_, has)| *has);
    letters.map(|(letter, _)| letter).collect()
}

/// New files, and no look at what is there.
const DROPBOX: Rights = Rights::NONE.with(Right::ChangeDirectory).with(Right::Store);

/// Everything may be read, and new files and directories stored. Append resumes an upload that
/// broke.
const UPLOAD: Rights = Rights::READ_ONLY
    .with(Right::Store)
    .with(Right::Append)
    .with(Right::MakeDirectory);

const WORDS: [(&str, Rights); 6] = [
    ("none", Rights::NONE),
    ("read", Rights::READ_ONLY),
    ("upload", UPLOAD),
    ("write", Rights::READ_WRITE.without(Right::ChangeMode)),
    ("all", Rights::READ_WRITE),
    ("dropbox", DROPBOX),
];

const REMEDY: &str = "give letters of elradfmwMT, or one of the words none, read, upload, write, \
                      all and dropbox";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_letters() {
        for (text, expected) in [
            ("none", ""),
            ("read", "elr"),
            ("elradfmwMT", "elradfmwMT"),
            ("all", "elradfmwMT"),
            ("write", "elradfmwT"),
            ("rle", "elr"),
        ] {
            let expected = Rights::from_letters(expected);
            assert_eq!(read(text.as_bytes()).ok(), expected, "{text}");
        }
        let upload = read(b"upload").unwrap();
        let dropbox = read(b"dropbox").unwrap();
        for right in [Right::Overwrite, Right::Delete, Right::Rename] {
            assert!(!upload.contains(right) && !dropbox.contains(right));
        }
        assert!(upload.contains(Right::Store) && dropbox.contains(Right::Store));
        for right in [Right::List, Right::Read, Right::Append] {
            assert!(upload.contains(right) && !dropbox.contains(right));
        }
    }

    #[test]
    fn descriptions_can_be_read() {
        for text in [
            "none", "read", "upload", "write", "all", "dropbox", "el", "elrd",
        ] {
            let rights = read(text.as_bytes()).unwrap();
            assert_eq!(describe(rights), text);
        }
    }
}
