//! The page of the documentation that shows the tables.

use std::fs;
use std::io;
use std::path::Path;

/// Replaces the lines between the marks of a section.
pub(crate) fn write(section: &str, lines: &[String]) -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = fs::read_to_string(&path)?;
    let (begin, end) = (
        format!("<!-- measured: {section} -->\n"),
        format!("<!-- end: {section} -->\n"),
    );
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts
        .ok_or_else(|| io::Error::other(format!("{} has no marks {begin}", path.display())))?;
    let table = lines.join("\n");
    fs::write(&path, format!("{before}{begin}{table}\n{end}{after}"))
}

/// Replaces the picture that the page shows.
pub(crate) fn write_picture(svg: &str) -> io::Result<()> {
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PICTURE), svg)
}

pub(crate) const WORKLOADS: &str = "workloads";
pub(crate) const GROWTH: &str = "growth";
const PAGE: &str = "../ftp-server-sync/docs/bench.md";
const PICTURE: &str = "../ftp-server-sync/docs/growth.svg";
