//! A configuration file as flags: lines of `name value`.
//!
//! Nothing here knows what a flag means or what other sources say. An error names the line, and
//! quotes neither a secret nor a line without a name: it may be the wrong file.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::error::{self, FlagError};
use super::flags::{EVERY, Flag};
use super::given::{Given, GivenFlags};
use crate::accounts::similar::suggest;
use crate::settings::file;

/// Reads the file that `config` names, up to its first error.
pub(super) fn read(table: &[Flag], config: &Given) -> Result<GivenFlags, FlagError> {
    let path = config.value.clone().unwrap_or_default();
    let bytes = file::load(Path::new(&path), FILE_BYTES_MAX, WANTED);
    let bytes = bytes.map_err(|problem| config.refuse(problem))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(config.refuse("UTF-16 text; save it as UTF-8"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut given = GivenFlags::default();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let place = Some(format!("{}:{}", error::shown(&path), index + 1));
        let flag = read_line(table, line).map_err(|error| error.at(place.clone()))?;
        if let Some((flag, value)) = flag {
            given.add(flag, value, place)?;
        }
    }
    Ok(given)
}

/// The flag of one line; `None` for blank lines and comments.
fn read_line(table: &[Flag], line: &[u8]) -> Result<Option<(Flag, Option<OsString>)>, FlagError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LINE_BYTES_MAX {
        let remedy = "give a list in several lines of the same name";
        let problem = format!("longer than {LINE_BYTES_MAX} bytes; {remedy}");
        return Err(FlagError::of_line(problem));
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if let Some(column) = line.iter().position(is_control) {
        let shown = char::from(line[column]).escape_default();
        let column = column + 1;
        let problem = format!("the control character {shown} in column {column}; leave it out");
        return Err(FlagError::of_line(problem));
    }
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let end = line.iter().position(|byte| b" \t".contains(byte));
    let (word, value) = line.split_at(end.unwrap_or(line.len()));
    let value = value.trim_ascii();
    let flag = named(table, word, value)?;
    let value = (!value.is_empty()).then(|| OsStr::from_bytes(value).to_owned());
    match (flag.placeholder, &value) {
        (Some(_), None) if flag.may_lack_value() => Ok(Some((flag, Some(EVERY.into())))),
        (Some(_), None) => Err(FlagError::new(flag.long, error::missing(&usage(&flag)))),
        (None, Some(value)) => Err(FlagError::with_value(flag.long, value, no_value())),
        (_, Some(value)) if is_quoted(value) && !may_be_quoted(&flag) => {
            let problem = "the quotes would be a part of the value; leave them out";
            Err(FlagError::with_value(flag.long, value, problem))
        }
        _ => Ok(Some((flag, value))),
    }
}

/// The flag that a line begins with.
fn named(table: &[Flag], word: &[u8], value: &[u8]) -> Result<Flag, FlagError> {
    let mut parts = word.split(|byte| b"=:".contains(byte));
    let name = parts.next().unwrap_or_default();
    let is_part_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(is_part_of_name);
    let Some(name) = str::from_utf8(name).ok().filter(|_| is_name) else {
        let problem = "no name at the beginning; give a line such as port 2121";
        return Err(FlagError::of_line(problem));
    };
    let bare = name.trim_start_matches('-');
    let Some(&flag) = table.iter().find(|flag| flag.name() == bare) else {
        return Err(unknown(table, name, bare));
    };
    // A file in a file would hide what is in force.
    if flag.is_for_command_line_only() || flag.long == "--config" {
        let problem = "not for a file; give it on the command line";
        return Err(FlagError::new(flag.long, problem));
    }
    if bare != name {
        let usage = usage(&flag);
        let problem = format!("names in a file have no dashes in front; write {usage}");
        return Err(FlagError::new(name, problem));
    }
    let equals = value == b"=" || value.starts_with(b"= ") || value.starts_with(b"=\t");
    if word.len() == name.len() && !equals {
        Ok(flag)
    } else if flag.placeholder.is_none() {
        Err(FlagError::new(flag.long, no_value()))
    } else {
        let usage = usage(&flag);
        let problem = format!("only blanks may separate name and value; write {usage}");
        Err(FlagError::new(flag.long, problem))
    }
}

fn unknown(table: &[Flag], name: &str, bare: &str) -> FlagError {
    let allowed = table.iter().filter(|flag| !flag.is_for_command_line_only());
    let allowed: Vec<&Flag> = allowed.filter(|flag| flag.long != "--config").collect();
    let names: Vec<&str> = allowed.iter().map(|flag| flag.name()).collect();
    let is_letter = |flag: &&&Flag| flag.short.is_some_and(|short| short.to_string() == bare);
    let problem = match allowed.iter().find(is_letter) {
        Some(flag) => format!("a file takes only long names; write {}", usage(flag)),
        None => error::unknown("name", suggest(bare, &names).map(str::to_owned)),
    };
    FlagError::new(name, problem)
}

/// How a line with this flag looks.
fn usage(flag: &Flag) -> String {
    flag.usage()[2..].to_owned()
}

fn may_be_quoted(flag: &Flag) -> bool {
    flag.long == "--banner" || error::is_secret(flag.long)
}

/// As a shell would need it.
fn is_quoted(value: &OsStr) -> bool {
    let bytes = value.as_bytes();
    let is_between = |quote| bytes.len() > 1 && bytes.starts_with(quote) && bytes.ends_with(quote);
    is_between(b"\"") || is_between(b"'")
}

fn no_value() -> String {
    format!("{}, or leave the line out", error::NO_VALUE)
}

const WANTED: &str = "a file with one \"name value\" per line";
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Enough for the longest banner and the longest path.
const LINE_BYTES_MAX: usize = 8192;
/// Longer than any name, and too short to quote a key.
const NAME_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests;
