//! The arguments as flags: `--name=value`, bundled letters, and values that are not UTF-8.
//!
//! Nothing here knows what a flag means: the table says which flags exist, and which take a value.

use std::ffi::{OsStr, OsString};
use std::iter::Peekable;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::error::{self, FlagError};
use super::flags::{EVERY, Flag};
use super::given::GivenFlags;
use crate::accounts::similar::suggest;

/// The flags of the command line. What stands after `--help` and its words is not read.
pub(super) fn expand(
    table: &[Flag],
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<GivenFlags, FlagError> {
    let mut given = GivenFlags::default();
    let mut arguments = arguments.into_iter().peekable();
    let mut in_word: Option<Flag> = None;
    while let Some(argument) = arguments.next() {
        let flags = match argument.as_bytes() {
            b"--" => match arguments.next() {
                Some(stray) => return Err(not_a_flag(&stray, None, &given)),
                None => break,
            },
            [b'-', b'-', ..] => vec![long(table, &argument)?],
            [b'-', _, ..] => letters(table, &argument)?,
            _ => return Err(not_a_flag(&argument, in_word, &given)),
        };
        let is_word = argument.as_bytes()[1] != b'-';
        in_word = None;
        for (flag, attached) in flags {
            in_word = Some(flag).filter(|_| is_word && attached.is_some());
            let value = match (flag.placeholder, attached) {
                (Some(_), None) if flag.long == "--help" => Some(words(table, &mut arguments)),
                (Some(_), None) if flag.may_lack_value() => {
                    let value = arguments.next_if(|next| !is_flag(next));
                    Some(value.unwrap_or_else(|| EVERY.into()))
                }
                (Some(_), None) => Some(following(table, flag, arguments.next())?),
                (_, attached) => attached,
            };
            given.add(flag, value, None)?;
            if flag.long == "--help" {
                return Ok(given);
            }
        }
    }
    Ok(given)
}

/// `--name` or `--name=value`.
fn long(table: &[Flag], argument: &OsStr) -> Result<(Flag, Option<OsString>), FlagError> {
    let mut parts = argument.as_bytes().splitn(2, |&byte| byte == b'=');
    let name = OsStr::from_bytes(parts.next().unwrap_or_default());
    let value = parts.next().map(|value| OsString::from_vec(value.to_vec()));
    let Some(flag) = find(table, name) else {
        let names: Vec<&str> = table.iter().map(Flag::name).collect();
        let similar = suggest(&name.to_string_lossy()[2..], &names);
        let similar = similar.map(|name| format!("--{name}"));
        let problem = error::unknown("flag", similar);
        return Err(FlagError::new(error::shown(name), problem));
    };
    if flag.placeholder.is_none() && value.is_some() {
        return Err(FlagError::new(error::shown(argument), error::NO_VALUE));
    }
    Ok((flag, value))
}

/// `-p`, `-pvalue`, or several letters of which only the last takes a value.
fn letters(table: &[Flag], argument: &OsStr) -> Result<Vec<(Flag, Option<OsString>)>, FlagError> {
    let bytes = argument.as_bytes();
    // `-port` would otherwise be the port "ort".
    let name = bytes.split(|&byte| byte == b'=').next().unwrap_or_default();
    let same = |flag: &&Flag| flag.long.as_bytes()[1..] == *name;
    if let Some(flag) = table.iter().find(same) {
        let problem = format!("a long name takes two dashes; write {}", flag.long);
        return Err(FlagError::new(&flag.long[1..], problem));
    }
    let mut flags: Vec<(Flag, Option<OsString>)> = Vec::new();
    for (index, &letter) in bytes.iter().enumerate().skip(1) {
        let name = [b'-', letter];
        let name = OsStr::from_bytes(&name);
        // The rest is not shown: it may be a password.
        let flag = find(table, name).ok_or_else(|| match flags.last() {
            Some((before, _)) if letter == b'=' => FlagError::new(before.long, error::NO_VALUE),
            _ => FlagError::new(error::shown(name), error::unknown("flag", None)),
        })?;
        let rest = bytes[index + 1..].to_vec();
        if flag.placeholder.is_some() {
            flags.push((flag, (!rest.is_empty()).then(|| OsString::from_vec(rest))));
            break;
        }
        flags.push((flag, None));
    }
    Ok(flags)
}

/// The value that stands in the next argument.
fn following(table: &[Flag], flag: Flag, next: Option<OsString>) -> Result<OsString, FlagError> {
    let missing = |hint: String| FlagError::new(flag.long, error::missing(&flag.usage()) + &hint);
    let value = next.ok_or_else(|| missing(String::new()))?;
    // In `--username --write` the name is missing: no user is called "--write".
    match find(table, &value) {
        Some(_) => Err(missing(format!(" before {}", error::shown(&value)))),
        None => Ok(value),
    }
}

/// The words behind `--help`, of which the first may be a flag.
fn words(table: &[Flag], arguments: &mut Peekable<impl Iterator<Item = OsString>>) -> OsString {
    if let Some(flag) = arguments.next_if(|next| find(table, next).is_some()) {
        return flag;
    }
    let mut words: Vec<OsString> = Vec::new();
    while let Some(word) = arguments.next_if(|next| !is_flag(next)) {
        words.push(word);
    }
    if words.is_empty() {
        return EVERY.into();
    }
    words.join(OsStr::new(" "))
}

/// Whether the argument is a flag, behind one that may stand without a value.
pub(super) fn is_flag(argument: &OsStr) -> bool {
    argument.as_bytes().starts_with(b"-")
}

/// The flag with this name, dashes included.
fn find(table: &[Flag], name: &OsStr) -> Option<Flag> {
    let short = |flag: &Flag| flag.short.map(|short| format!("-{short}").into());
    let is_it = |flag: &&Flag| {
        name == flag.long || short(flag).is_some_and(|short: OsString| name == short)
    };
    table.iter().find(is_it).copied()
}

/// A word where a flag should stand. In `-ru bob`, "u" is the value of `-r`, which is seldom meant.
fn not_a_flag(argument: &OsStr, in_word: Option<Flag>, before: &GivenFlags) -> FlagError {
    let shown = error::shown(argument);
    let is_answer = ANSWERS.iter().any(|answer| argument == *answer);
    let answered = before
        .last()
        .filter(|last| is_answer && last.placeholder.is_none());
    if let Some(flag) = before.first_that(Flag::shares_nothing).or(answered) {
        let values = flag.placeholder.map_or("no value", |_| "one value");
        let problem = format!("not a flag, and {} takes {values}; leave it out", flag.long);
        return FlagError::new(shown, problem);
    }
    let mut problem = format!("not a flag; write --directory {shown} to share a directory");
    if let Some((flag, short)) = in_word.and_then(|flag| Some((flag, flag.short?))) {
        let rest = format!(
            "; the rest of the word of -{short} is the value of {}",
            flag.long
        );
        problem.push_str(&rest);
    }
    FlagError::new(shown, problem)
}

/// Values that other programs have for their switches.
const ANSWERS: [&str; 8] = ["yes", "no", "on", "off", "true", "false", "1", "0"];

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Flag; 4] = [
        row("--help", 'h', None, false),
        row("--port", 'p', Some("N"), false),
        row("--interface", 'i', Some("ADDR"), true),
        row("--write", 'w', None, false),
    ];

    const fn row(
        long: &'static str,
        short: char,
        value: Option<&'static str>,
        repeatable: bool,
    ) -> Flag {
        Flag {
            long,
            short: Some(short),
            placeholder: value,
            repeatable,
            description: "",
        }
    }

    fn expanded(line: &str) -> Result<GivenFlags, FlagError> {
        expand(&TABLE, line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_spelling_gives_the_same_flags() {
        for (line, same) in [
            ("", ""),
            ("--", ""),
            ("--port 1 --write", "--port 1 --write"),
            ("--port=1 -w", "--port 1 --write"),
            ("-p 1 -w", "--port 1 --write"),
            ("-wp1", "--write --port 1"),
            ("-p1 -w", "--port 1 --write"),
            ("-wp 1 --", "--write --port 1"),
            (
                "-i a -i b --interface=c",
                "--interface a --interface b --interface c",
            ),
            ("--interface=a=b", "--interface a=b"),
            ("--port -1", "--port -1"),
            ("--port=--write", "--port --write"),
        ] {
            let expected: Vec<_> = same.split_whitespace().collect();
            let given = expanded(line).unwrap();
            assert_eq!(given.words(), expected, "{line}");
        }
    }

    #[test]
    fn a_flag_may_lack_its_value() {
        let users = Flag {
            short: None,
            placeholder: Some("[GROUP]"),
            ..row("--users", 'u', None, false)
        };
        let table = [users, TABLE[1], TABLE[3]];
        for (line, expected) in [
            ("--users", "--users *"),
            ("--users --", "--users *"),
            ("--users staff", "--users staff"),
            ("--users=staff -w", "--users staff --write"),
            ("--users -w", "--users * --write"),
            ("--users --port 1", "--users * --port 1"),
            ("-w --users -p1", "--write --users * --port 1"),
        ] {
            let given = expand(&table, line.split_whitespace().map(OsString::from)).unwrap();
            let expected: Vec<_> = expected.split_whitespace().collect();
            assert_eq!(given.words(), expected, "{line}");
        }
    }

    #[test]
    fn nothing_is_read_after_help() {
        for line in ["--help", "-h", "-wh", "--port 1 -h --nonsense"] {
            let given = expanded(line).unwrap();
            assert!(given.find("--help").is_some(), "{line}");
        }
        assert!(expanded("-w").unwrap().find("--help").is_none());
    }

    #[test]
    fn only_paths_may_be_other_bytes_than_text() {
        let directory = Flag {
            placeholder: Some("PATH"),
            ..row("--directory", 'd', None, false)
        };
        let table = [directory, TABLE[1]];
        for spelling in [&b"--directory=/srv/\xe9"[..], b"-d/srv/\xe9"] {
            let given = expand(&table, [OsString::from_vec(spelling.to_vec())]).unwrap();
            let value = given.find("--directory").unwrap().value.as_ref();
            assert_eq!(value.unwrap().as_bytes(), b"/srv/\xe9");
        }
        let port = OsString::from_vec(b"--port=\xe9".to_vec());
        let error = expand(&table, [port]).err().unwrap().to_string();
        assert_eq!(error, "--port \\xe9: the value is not UTF-8 text");
    }
}
