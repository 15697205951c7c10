//! Rights in a users file: letters as in pyftpdlib, or one word for a usual set.

use ftp_proto::{Right, Rights};

use crate::accounts::similar::{edits, suggest};

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
        return match repeated(text) {
            Some(letter) => Err(format!("\"{letter}\" is there twice; {}", hint(text))),
            None => Ok(rights),
        };
    }
    let mut words = WORDS.iter();
    if let Some((word, _)) = words.find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        return Err(format!("write it in small letters: {word}"));
    }
    let wrong = |letter: &char| Rights::from_letters(&letter.to_string()).is_none();
    let wrong = text.chars().find(wrong).unwrap_or_default();
    let wrong = wrong.escape_default();
    Err(format!("\"{wrong}\" is no right; {}", hint(text)))
}

/// What would be right instead.
fn hint(text: &str) -> String {
    match suggest(text, &WORDS.map(|(word, _)| word)) {
        Some(word) => format!("did you mean {word}?"),
        None => REMEDY.to_owned(),
    }
}

/// The first letter that was there before: typing errors in words have such letters.
fn repeated(text: &str) -> Option<char> {
    let mut letters = text.char_indices();
    let found = letters.find(|(index, letter)| text[..*index].contains(*letter));
    found.map(|(_, letter)| letter)
}

/// What is doubtful about letters that look like a mistyped word: `raed` lets a user delete files,
/// and not list them. They are valid, so this is no error.
///
/// Letters that permit to enter directories are not doubtful in the usual order, nor if they permit
/// to list too. The others are if they begin with a word, or are one typing error away from it that
/// adds no other letter. Letters that do not permit to enter are all doubtful.
pub(super) fn doubt(text: &[u8]) -> Option<String> {
    let text = str::from_utf8(text).ok()?;
    let rights = Rights::from_letters(text)?;
    if WORDS.iter().any(|(word, _)| *word == text) {
        return None;
    }
    let ordered = letters(rights);
    let enters = rights.contains(Right::ChangeDirectory);
    if enters && (text == ordered || rights.contains(Right::List)) {
        return None;
    }
    let is_mistyped = |word: &str| {
        let has_letters_of_word = text.chars().all(|letter| word.contains(letter));
        let is_near = text.len() >= LETTERS_MIN && edits(text, word) == 1;
        text.starts_with(word) || is_near && has_letters_of_word
    };
    let mistyped = WORDS.iter().find(|(word, _)| is_mistyped(word));
    match mistyped {
        Some((word, _)) if text != ordered => Some(format!(
            "the rights {text} are taken as the letters {ordered}; did you mean {word}? Otherwise \
             write {ordered}"
        )),
        _ if enters => None,
        _ => Some(format!(
            "the rights {text} have no e, so that the user can enter no directory; write \
             e{ordered}, or one of the words read, upload, write, all and dropbox"
        )),
    }
}

/// Rights as a users file has them, for people: a word, or letters.
pub(crate) fn describe(rights: Rights) -> String {
    if let Some((word, _)) = WORDS.iter().find(|(_, set)| *set == rights) {
        return (*word).to_owned();
    }
    letters(rights)
}

/// The letters, in their usual order.
fn letters(rights: Rights) -> String {
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

/// Fewer letters are too little of a word.
const LETTERS_MIN: usize = 3;

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
    fn a_wrong_word_gets_the_right_one() {
        for (text, word) in [
            ("wirte", "write"),
            ("uplaod", "upload"),
            ("reads", "read"),
            ("drop", "dropbox"),
        ] {
            let problem = read(text.as_bytes()).expect_err(text);
            let hint = format!("did you mean {word}?");
            assert!(problem.ends_with(&hint), "{text}: {problem}");
        }
    }

    #[test]
    fn letters_that_look_like_a_word() {
        for (text, word, ordered) in [
            ("raed", "read", "erad"),
            ("reda", "read", "erad"),
            ("rea", "read", "era"),
            ("red", "read", "erd"),
            ("readw", "read", "eradw"),
            ("readfmw", "read", "eradfmw"),
        ] {
            let expected = format!(
                "the rights {text} are taken as the letters {ordered}; did you mean {word}? \
                 Otherwise write {ordered}"
            );
            assert_eq!(doubt(text.as_bytes()), Some(expected), "{text}");
            assert!(read(text.as_bytes()).is_ok(), "{text}");
            assert_eq!(doubt(ordered.as_bytes()), None);
        }
    }

    #[test]
    fn a_letter_is_given_once() {
        for (text, letter, word) in [
            ("readd", 'd', Some("read")),
            ("rread", 'r', Some("read")),
            ("alll", 'l', Some("all")),
            ("elrr", 'r', None),
        ] {
            let problem = read(text.as_bytes()).expect_err(text);
            let remedy = word.map_or(REMEDY.to_owned(), |word| format!("did you mean {word}?"));
            assert_eq!(problem, format!("\"{letter}\" is there twice; {remedy}"));
        }
    }

    #[test]
    fn letters_that_do_not_permit_to_enter() {
        for (text, ordered) in [("rw", "rw"), ("wr", "rw"), ("da", "ad"), ("rwad", "radw")] {
            let doubt = doubt(text.as_bytes()).expect(text);
            let start = format!("the rights {text} have no e, ");
            assert!(doubt.starts_with(&start), "{doubt}");
            assert!(doubt.contains(&format!("write e{ordered}, ")), "{doubt}");
        }
    }

    /// Each set in the usual order, and each in other orders that people use.
    #[test]
    fn sensible_letters_are_not_doubtful() {
        let all = "elradfmwMT";
        for set in 1..1_u32 << all.len() {
            let has = |index: usize| set >> index & 1 == 1;
            let letters = all.chars().enumerate().filter(|(index, _)| has(*index));
            let ordered: String = letters.map(|(_, letter)| letter).collect();
            let reversed = ordered.chars().rev().collect();
            let mut sorted: Vec<char> = ordered.chars().collect();
            sorted.sort_unstable();
            for text in [ordered, reversed, sorted.iter().collect()] {
                let enters = text.contains('e');
                assert_eq!(doubt(text.as_bytes()).is_none(), enters, "{text}");
            }
        }
        for text in [
            "rle", "lre", "wead", "real", "lead", "lread", "readl", "relw", "rwlead", "none",
            "read", "write", "all", "x",
        ] {
            assert_eq!(doubt(text.as_bytes()), None, "{text}");
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
