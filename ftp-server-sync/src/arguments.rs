//! The few lines in front of argh: from arguments as users write them to long names and values.
//!
//! Nothing here knows what a flag means; the table that argh derives says which flags exist, which
//! of them take a value and which may be repeated. An error never quotes a secret value.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One row of the table of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag {
    /// With its dashes, such as `--port`.
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    /// What stands for the value in the help; `None`: the flag takes no value.
    pub(crate) value: Option<&'static str>,
    pub(crate) repeatable: bool,
    pub(crate) description: &'static str,
}

/// A command line in one spelling: long names, each value an argument of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) arguments: Vec<String>,
    /// Values that are not text, by flag: argh reads only text, so they go around it.
    pub(crate) bytes: BTreeMap<&'static str, OsString>,
    /// Help was asked for; nothing after that is looked at.
    pub(crate) help: bool,
}

/// A refused command line: the flag, its value where it may be shown, and what would be right.
#[derive(Clone, PartialEq, Eq)]
pub struct FlagError {
    flag: String,
    value: Option<OsString>,
    problem: String,
}

impl FlagError {
    /// For a flag whose value is missing or must not be shown.
    pub(crate) fn new(flag: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            flag: flag.into(),
            value: None,
            problem: problem.into(),
        }
    }

    /// For a flag with the value that is refused.
    pub(crate) fn with_value(
        flag: impl Into<String>,
        value: impl Into<OsString>,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::new(flag, problem)
        }
    }
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.flag)?;
        if let Some(value) = &self.value {
            write!(f, " {}", printable(value))?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Debug for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for FlagError {}

/// Brings the arguments into one spelling and refuses what can be refused without their meaning.
pub(crate) fn expand(
    table: &[Flag],
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Expanded, FlagError> {
    let mut expander = Expander {
        table,
        seen: BTreeSet::new(),
        expanded: Expanded::default(),
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_bytes() {
            b"--" => match arguments.next() {
                Some(stray) => return Err(stray_argument(&stray)),
                None => break,
            },
            [b'-', b'-', ..] => expander.long(&argument, &mut arguments)?,
            [b'-', _, ..] => expander.short(&argument, &mut arguments)?,
            _ => return Err(stray_argument(&argument)),
        }
        if expander.expanded.help {
            break;
        }
    }
    Ok(expander.expanded)
}

/// `value` on one line, fit for a terminal, and quoted where its ends would not be seen.
pub(crate) fn printable(value: &OsStr) -> String {
    let mut text = String::new();
    for character in value.to_string_lossy().chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        text = format!("\"{text}\"");
    }
    text
}

struct Expander<'a> {
    table: &'a [Flag],
    seen: BTreeSet<&'static str>,
    expanded: Expanded,
}

impl Expander<'_> {
    /// `--name`, `--name value` or `--name=value`.
    fn long(
        &mut self,
        argument: &OsStr,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), FlagError> {
        let mut parts = argument.as_bytes().splitn(2, |&byte| byte == b'=');
        let name = OsStr::from_bytes(parts.next().unwrap_or_default());
        let attached = parts
            .next()
            .map(|value| OsStr::from_bytes(value).to_owned());
        let flag = self.named(name)?;
        if flag.value.is_none() && attached.is_some() {
            return Err(FlagError::new(
                printable(argument),
                "takes no value; write the name alone",
            ));
        }
        self.accept(flag, attached, rest)
    }

    /// `-p`, `-p value`, `-pvalue`, or several letters of which only the last takes a value.
    fn short(
        &mut self,
        argument: &OsStr,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), FlagError> {
        let bytes = argument.as_bytes();
        // `-port` would otherwise be the port "ort".
        let doubled = [b"-", bytes].concat();
        let name = doubled
            .split(|&byte| byte == b'=')
            .next()
            .unwrap_or_default();
        if bytes.len() > 2
            && let Some(flag) = self.find(OsStr::from_bytes(name))
        {
            return Err(FlagError::new(
                &flag.long[1..],
                format!("a long name takes two dashes; write {}", flag.long),
            ));
        }
        for (index, &letter) in bytes.iter().enumerate().skip(1) {
            let flag = *self
                .table
                .iter()
                .find(|flag| flag.short == Some(char::from(letter)))
                // The rest is not shown: it may be a password.
                .ok_or_else(|| unknown(OsStr::from_bytes(&[b'-', letter]), None))?;
            let tail = &bytes[index + 1..];
            if flag.value.is_some() {
                let attached = (!tail.is_empty()).then(|| OsString::from_vec(tail.to_vec()));
                return self.accept(flag, attached, rest);
            }
            self.accept(flag, None, rest)?;
        }
        Ok(())
    }

    fn accept(
        &mut self,
        flag: Flag,
        attached: Option<OsString>,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), FlagError> {
        if flag.long == "--help" {
            self.expanded.help = true;
            return Ok(());
        }
        let value = match flag.value {
            Some(_) if attached.is_some() => attached,
            Some(placeholder) => Some(self.following(flag, placeholder, rest)?),
            None => None,
        };
        if !self.seen.insert(flag.long) && !flag.repeatable {
            return Err(refusal(flag, value, "given twice; give it once"));
        }
        self.expanded.arguments.push(flag.long.to_owned());
        let Some(value) = value else {
            return Ok(());
        };
        if value.is_empty() {
            return Err(refusal(flag, Some(value), "the value is empty"));
        }
        match value.into_string() {
            Ok(text) => self.expanded.arguments.push(text),
            Err(bytes) if MAY_BE_BYTES.contains(&flag.long) => {
                let text = bytes.to_string_lossy().into_owned();
                self.expanded.arguments.push(text);
                self.expanded.bytes.insert(flag.long, bytes);
            }
            Err(bytes) => return Err(refusal(flag, Some(bytes), "the value is not UTF-8 text")),
        }
        Ok(())
    }

    /// The value that stands in the next argument.
    fn following(
        &self,
        flag: Flag,
        placeholder: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<OsString, FlagError> {
        let missing = |hint: &str| {
            FlagError::new(
                flag.long,
                format!(
                    "the value is missing; write {} {placeholder}{hint}",
                    flag.long
                ),
            )
        };
        let value = rest.next().ok_or_else(|| missing(""))?;
        // `--username --write` has lost its name; nobody is called "--write".
        if self.find(&value).is_some() {
            let hint = format!(" before {}", printable(&value));
            return Err(missing(&hint));
        }
        Ok(value)
    }

    fn named(&self, name: &OsStr) -> Result<Flag, FlagError> {
        self.find(name).ok_or_else(|| {
            let begins = |flag: &&Flag| flag.long.as_bytes().starts_with(name.as_bytes());
            let mut similar = self.table.iter().filter(begins);
            let only = similar.next().filter(|_| similar.next().is_none());
            unknown(name, only.map(|flag| flag.long))
        })
    }

    /// The flag that `name`, dashes included, is the whole name of.
    fn find(&self, name: &OsStr) -> Option<Flag> {
        let is_short = |flag: &Flag| {
            let letter = flag.short.and_then(|short| u8::try_from(short).ok());
            letter.is_some_and(|letter| name.as_bytes() == [b'-', letter])
        };
        let found = |flag: &&Flag| name == flag.long || is_short(flag);
        self.table.iter().find(found).copied()
    }
}

fn refusal(flag: Flag, value: Option<OsString>, problem: &str) -> FlagError {
    FlagError {
        flag: flag.long.to_owned(),
        value: value.filter(|_| !SECRET.contains(&flag.long)),
        problem: problem.to_owned(),
    }
}

fn unknown(name: &OsStr, similar: Option<&str>) -> FlagError {
    let hint = match similar {
        Some(long) => format!("unknown flag; {long} is meant, perhaps"),
        None => "unknown flag; --help lists all".to_owned(),
    };
    FlagError::new(printable(name), hint)
}

fn stray_argument(argument: &OsStr) -> FlagError {
    let shown = printable(argument);
    let problem = format!("belongs to no flag; --directory {shown} would share a directory");
    FlagError::new(shown, problem)
}

/// File names are bytes, and so are passwords on the wire.
const MAY_BE_BYTES: [&str; 3] = ["--directory", "--password", "--password-file"];
const SECRET: [&str; 1] = ["--password"];

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
            value,
            repeatable,
            description: "",
        }
    }

    fn expanded(line: &str) -> Result<Expanded, FlagError> {
        expand(&TABLE, line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_spelling_becomes_the_same() {
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
            assert_eq!(expanded(line).unwrap().arguments, expected, "{line}");
        }
    }

    #[test]
    fn help_ends_the_reading() {
        for line in ["--help", "-h", "-wh", "--port 1 -h --nonsense"] {
            assert!(expanded(line).unwrap().help, "{line}");
        }
        assert!(!expanded("-w").unwrap().help);
    }

    #[test]
    fn values_that_are_not_text_go_around_argh() {
        let directory = Flag {
            value: Some("PATH"),
            ..row("--directory", 'd', None, false)
        };
        let table = [directory, TABLE[1]];
        let odd = OsString::from_vec(b"/srv/\xe9".to_vec());
        for spelling in [&b"--directory=/srv/\xe9"[..], b"-d/srv/\xe9"] {
            let arguments = [OsString::from_vec(spelling.to_vec())];
            let expanded = expand(&table, arguments).unwrap();
            assert_eq!(expanded.bytes.get("--directory"), Some(&odd));
        }
        let port = OsString::from_vec(b"--port=\xe9".to_vec());
        let error = expand(&table, [port]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--port \u{fffd}: the value is not UTF-8 text"
        );
    }

    #[test]
    fn shown_values_keep_to_one_line() {
        for (value, shown) in [
            ("plain", "plain"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\nb\u{1b}[2J", "a\\nb\\u{1b}[2J"),
        ] {
            assert_eq!(printable(OsStr::new(value)), shown);
        }
    }
}
