//! Comments, texts and documents use standard words: many who read them have learned English as a
//! foreign language.

use std::path::Path;

use ftp_tests::house::findings::{Exception, judge};
use ftp_tests::house::{prose, workspace};

/// This file, which names the words.
const OWN: &str = "tests/it/vocabulary.rs";

/// Whole words in lower case, as they stand in comments, string literals and documents.
const WORDS: &[&str] = &[
    "told",
    "tell",
    "tells",
    "whoever",
    "nobody",
    "somebody",
    "so many",
    "came of",
    "is meant",
    "upside down",
    "hear of",
    "belongs to",
];

/// Where a word may stand, as `file: word`, and why.
const EXCEPTIONS: &[Exception<'_>] = &[];

#[test]
fn prose_has_standard_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = workspace::read(&root).expect("the files of the workspace");
    sources.remove(OWN).expect("this file");
    if let Err(text) = judge(&prose::words(&sources, WORDS), EXCEPTIONS) {
        panic!("say it with a standard word:\n{text}");
    }
}
