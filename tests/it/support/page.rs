//! A page of the documentation, as far as tests read it: sections and fenced blocks.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block, and the paragraph before it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) text: String,
    /// On one line.
    pub(crate) before: String,
}

/// The repository's top directory.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the repository").to_owned()
}

/// A page by its path from the top of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The headings of the second level, and what is below each.
pub(crate) fn sections(page: &str) -> Vec<(&str, &str)> {
    let sections = page.split("\n## ").skip(1);
    sections
        .map(|section| section.split_once('\n').expect("text below a heading"))
        .collect()
}

/// The fenced blocks in their order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    // Every second piece is a block.
    let pieces: Vec<&str> = text.split("\n```").collect();
    for pair in pieces.chunks(2) {
        let [prose, block] = pair else {
            continue;
        };
        let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
        let before = prose.trim().rsplit("\n\n").next().unwrap_or_default();
        blocks.push(Block {
            kind: kind.to_owned(),
            text: format!("{text}\n"),
            before: before.replace('\n', " "),
        });
    }
    blocks
}
