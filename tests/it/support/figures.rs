//! What a long test has measured, for those who run it: the output of a test that passes is not
//! shown otherwise.

use std::fmt;
use std::io::{self, Write};

/// Prints a line that is shown in every case.
pub(crate) fn show(line: fmt::Arguments<'_>) {
    // Not by `println!`, which is captured. It is no failure if no one reads it.
    let _ = writeln!(io::stdout(), "== measured: {line}");
}
