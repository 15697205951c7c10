//! A configuration file: from lines of `name value` to flags as given.
//!
//! Nothing here knows what a flag means or what the command line says. An error tells the line, and
//! quotes neither a secret nor a line that has no name: the wrong file may have been given.

use std::ffi::{OsStr, OsString};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::expand::{self, Flag, FlagError, Given};
use crate::settings::file;

/// Reads the whole file, or refuses it with its first fault.
pub(super) fn read(table: &[Flag], file: &OsStr) -> Result<Vec<Given>, FlagError> {
    let refuse = |problem: String| FlagError::with_value("--config", file, problem);
    let bytes = file::load(Path::new(file), FILE_BYTES_MAX, WANTED).map_err(refuse)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(refuse("UTF-16 text; save it as UTF-8".to_owned()));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut given = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let flag = read_line(table, line, number, &given);
        given.extend(flag.map_err(|error| error.at(file, number))?);
    }
    Ok(given)
}

/// The flag of one line; `None` for blank lines and comments.
fn read_line(
    table: &[Flag],
    line: &[u8],
    number: usize,
    earlier: &[Given],
) -> Result<Option<Given>, FlagError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LINE_BYTES_MAX {
        return Err(FlagError::of_line(format!(
            "longer than {LINE_BYTES_MAX} bytes; give a list in several lines of the same name"
        )));
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if let Some(column) = line.iter().position(is_control) {
        let shown = char::from(line[column]).escape_default();
        let column = column + 1;
        return Err(FlagError::of_line(format!(
            "holds the control character {shown} in column {column}; leave it out"
        )));
    }
    let line = trim(line);
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let (word, value) = match line.iter().position(is_blank) {
        Some(end) => (&line[..end], trim(&line[end..])),
        None => (line, &b""[..]),
    };
    let flag = named(table, word, value)?;
    let value = value_for(flag, value)?;
    if let Some(first) = earlier.iter().find(|given| given.flag == flag)
        && !flag.repeatable
    {
        let first = first.line.unwrap_or_default();
        let problem = format!("given twice, first in line {first}; give it once");
        return Err(expand::refusal(flag, value, problem));
    }
    Given::new(flag, value, Some(number)).map(Some)
}

/// The flag that a line begins with.
fn named(table: &[Flag], word: &[u8], value: &[u8]) -> Result<Flag, FlagError> {
    let is_separator = |byte: &u8| b"=:".contains(byte);
    let name = word.split(is_separator).next().unwrap_or_default();
    let is_part_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let name = str::from_utf8(name)
        .ok()
        .filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))
        .filter(|name| name.bytes().all(|byte| is_part_of_name(&byte)))
        .ok_or_else(|| {
            FlagError::of_line("does not begin with a name; give a line such as port 2121")
        })?;
    let bare = name.trim_start_matches('-');
    let Some(flag) = table.iter().find(|flag| &flag.long[2..] == bare) else {
        return Err(unknown(table, name));
    };
    if ELSEWHERE.contains(&flag.long) {
        let problem = "does not belong in a file; give it on the command line";
        return Err(FlagError::new(flag.long, problem));
    }
    if bare != name {
        let wanted = spelling(flag);
        let problem = format!("names have no dashes in front here; write {wanted}");
        return Err(FlagError::new(name, problem));
    }
    let equals = value == b"=" || value.starts_with(b"= ") || value.starts_with(b"=\t");
    if word.len() > name.len() || equals {
        if flag.value.is_none() {
            return Err(FlagError::new(flag.long, NO_VALUE));
        }
        let problem = format!(
            "a blank is wanted between name and value, nothing else; write {}",
            spelling(flag)
        );
        return Err(FlagError::new(flag.long, problem));
    }
    Ok(*flag)
}

fn value_for(flag: Flag, value: &[u8]) -> Result<Option<OsString>, FlagError> {
    let value = (!value.is_empty()).then(|| OsStr::from_bytes(value).to_owned());
    match (flag.value, &value) {
        (Some(_), None) => {
            let problem = format!("the value is missing; write {}", spelling(&flag));
            Err(FlagError::new(flag.long, problem))
        }
        (None, Some(_)) => Err(expand::refusal(flag, value, NO_VALUE)),
        _ => Ok(value),
    }
}

/// How a line with this flag looks.
fn spelling(flag: &Flag) -> String {
    let name = &flag.long[2..];
    flag.value.map_or(name.to_owned(), |placeholder| {
        format!("{name} {placeholder}")
    })
}

fn unknown(table: &[Flag], name: &str) -> FlagError {
    let bare = name.trim_start_matches('-');
    let problem = match meant(table, bare) {
        Some(flag) if is_letter_of(flag, bare) => {
            format!("only long names are known here; write {}", spelling(flag))
        }
        Some(flag) => format!("unknown name; {} is meant, perhaps", &flag.long[2..]),
        None => "unknown name; --help lists all, to be written without dashes".to_owned(),
    };
    FlagError::new(name, problem)
}

/// The one flag that `name` comes near to.
fn meant<'a>(table: &'a [Flag], name: &str) -> Option<&'a Flag> {
    let allowed = || table.iter().filter(|flag| !ELSEWHERE.contains(&flag.long));
    if let Some(flag) = allowed().find(|flag| is_letter_of(flag, name)) {
        return Some(flag);
    }
    let name = name.to_ascii_lowercase().replace('_', "-");
    let mut longer = allowed().filter(|flag| flag.long[2..].starts_with(&name));
    if let (Some(only), None) = (longer.next(), longer.next()) {
        return Some(only);
    }
    let distance = |flag: &Flag| edits(&name, &flag.long[2..]);
    let nearest = allowed().min_by_key(|flag| distance(flag))?;
    // Two wrong letters leave too little of a short name.
    (distance(nearest) <= EDITS_MAX.min(name.len() / 3)).then_some(nearest)
}

fn is_letter_of(flag: &Flag, letter: &str) -> bool {
    let mut characters = letter.chars();
    flag.short.is_some() && characters.next() == flag.short && characters.next().is_none()
}

/// How many letters must be put in, taken out, exchanged, or swapped with their neighbour to make
/// `from` into `to`.
fn edits(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.iter().enumerate() {
        let mut next = vec![index + 1];
        for (column, other) in to.iter().enumerate() {
            let exchanged = row[column] + usize::from(letter != other);
            let mut least = exchanged.min(row[column + 1] + 1).min(next[column] + 1);
            let swapped =
                index > 0 && column > 0 && (from[index - 1], letter) == (*other, &to[column - 1]);
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = mem::replace(&mut row, next);
    }
    row[to.len()]
}

fn is_blank(byte: &u8) -> bool {
    b" \t".contains(byte)
}

fn trim(line: &[u8]) -> &[u8] {
    let Some(start) = line.iter().position(|byte| !is_blank(byte)) else {
        return b"";
    };
    let end = line.iter().rposition(|byte| !is_blank(byte));
    &line[start..=end.unwrap_or(start)]
}

const NO_VALUE: &str = "takes no value; write the name alone, or leave the line out";
const WANTED: &str = "a file with one \"name value\" per line";
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Room for the longest banner and the longest path.
const LINE_BYTES_MAX: usize = 8192;
/// Longer than any name, shorter than what should be quoted.
const NAME_BYTES_MAX: usize = 40;
const EDITS_MAX: usize = 2;
/// A file within a file would hide what holds; the others serve nothing.
const ELSEWHERE: [&str; 5] = ["--check", "--config", "--help", "--rules", "--version"];

#[cfg(test)]
mod tests;
