//! The few lines in front of argh: from arguments as users write them to long names and values.
//!
//! Nothing here knows what a flag means; the table that argh derives says which flags exist, which
//! of them take a value and which may be repeated. An error never quotes a secret value.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use ftp_proto::text::printable_word;

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

/// A flag as it was given, with its value.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) flag: Flag,
    pub(crate) value: Option<OsString>,
    /// Where in the configuration file; `None`: on the command line.
    pub(crate) line: Option<usize>,
}

/// A command line in one spelling.
#[derive(Default)]
pub(crate) struct Expanded {
    pub(crate) given: Vec<Given>,
    /// Help was asked for; nothing after that is looked at.
    pub(crate) help: bool,
}

/// Refused flags: which one, its value where it may be shown, and what would be right.
#[derive(Clone, PartialEq, Eq)]
pub struct FlagError {
    /// File and line, where they are known.
    place: Option<String>,
    /// `None`: the line as a whole is refused.
    flag: Option<String>,
    value: Option<OsString>,
    problem: String,
    /// Which repeat of the flag is meant.
    repeat: usize,
    /// The other flag without which this one would be right.
    beside: Option<&'static str>,
}

impl Given {
    /// Refuses values that suit no flag.
    pub(crate) fn new(
        flag: Flag,
        value: Option<OsString>,
        line: Option<usize>,
    ) -> Result<Self, FlagError> {
        let problem = match &value {
            Some(value) if value.is_empty() => "the value is empty",
            Some(value) if value.to_str().is_none() && !MAY_BE_BYTES.contains(&flag.long) => {
                "the value is not UTF-8 text"
            }
            _ => return Ok(Self { flag, value, line }),
        };
        Err(refusal(flag, value, problem))
    }
}

impl FlagError {
    /// For a flag whose value is missing or must not be shown.
    pub(crate) fn new(flag: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            flag: Some(flag.into()),
            ..Self::of_line(problem)
        }
    }

    /// For a line of a file that has no name, or should not be quoted.
    pub(crate) fn of_line(problem: impl Into<String>) -> Self {
        Self {
            place: None,
            flag: None,
            value: None,
            problem: problem.into(),
            repeat: 0,
            beside: None,
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

    /// The flag is repeated, and this is about the repeat with this index.
    pub(crate) fn in_repeat(self, repeat: usize) -> Self {
        Self { repeat, ..self }
    }

    /// The flag is refused only because of `other`.
    pub(crate) fn beside(self, other: &'static str) -> Self {
        Self {
            beside: Some(other),
            ..self
        }
    }

    /// The fault is in this line.
    pub(crate) fn at(mut self, file: &OsStr, line: usize) -> Self {
        let value = self.value.as_ref().map(|value| value.to_string_lossy());
        if value.is_some_and(|value| holds_comment(&value)) {
            let hint = "; a comment stands on a line of its own";
            self.problem.push_str(hint);
        }
        self.place = Some(place(file, line));
        self
    }

    /// Names the lines of `file` in which the flags stand that this is about.
    pub(crate) fn locate(mut self, file: &OsStr, given: &[Given]) -> Self {
        let line = |flag: &str, repeat| {
            let mut repeats = given.iter().filter(|given| given.flag.long == flag);
            repeats.nth(repeat).and_then(|given| given.line)
        };
        if let Some(other) = self.beside
            && let Some(line) = line(other, 0)
        {
            let other = format!(" ({other} stands in {})", place(file, line));
            self.problem.push_str(&other);
        }
        match line(self.flag.as_deref().unwrap_or_default(), self.repeat) {
            Some(line) => self.at(file, line),
            None => self,
        }
    }
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(flag) = &self.flag {
            f.write_str(flag)?;
            if let Some(value) = &self.value {
                write!(f, " {}", shown(value))?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.problem)
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

/// The flags in the spelling that argh reads. It reads only text: of other values it sees a replacement.
pub(crate) fn texts(given: &[Given]) -> Vec<String> {
    let texts = |given: &Given| {
        let value = given.value.as_ref();
        let value = value.map(|value| value.to_string_lossy().into_owned());
        [Some(given.flag.long.to_owned()), value]
    };
    given.iter().flat_map(texts).flatten().collect()
}

/// The exact value of a flag that is given once.
pub(crate) fn value_of(given: &[Given], flag: &str) -> Option<OsString> {
    let found = given.iter().find(|given| given.flag.long == flag)?;
    found.value.clone()
}

/// Shows the value unless it is a secret.
pub(crate) fn refusal(
    flag: Flag,
    value: Option<OsString>,
    problem: impl Into<String>,
) -> FlagError {
    FlagError {
        value: value.filter(|_| !SECRET.contains(&flag.long)),
        ..FlagError::new(flag.long, problem)
    }
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
                shown(argument),
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
        self.expanded.given.push(Given::new(flag, value, None)?);
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
            let hint = format!(" before {}", shown(&value));
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

/// A value as errors show it.
fn shown(value: &OsStr) -> String {
    printable_word(value.as_bytes())
}

fn place(file: &OsStr, line: usize) -> String {
    format!("{}:{line}", shown(file))
}

/// Whether somebody may have meant the end of `value` as a comment.
fn holds_comment(value: &str) -> bool {
    value.starts_with('#') || [" #", "\t#"].iter().any(|start| value.contains(start))
}

fn unknown(name: &OsStr, similar: Option<&str>) -> FlagError {
    let hint = match similar {
        Some(long) => format!("unknown flag; {long} is meant, perhaps"),
        None => "unknown flag; --help lists all".to_owned(),
    };
    FlagError::new(shown(name), hint)
}

fn stray_argument(argument: &OsStr) -> FlagError {
    let shown = shown(argument);
    let problem = format!("belongs to no flag; --directory {shown} would share a directory");
    FlagError::new(shown, problem)
}

/// File names are bytes, and so are passwords on the wire.
const MAY_BE_BYTES: [&str; 7] = [
    "--directory",
    "--password",
    "--password-file",
    "--config",
    "--certfile",
    "--keyfile",
    "--client-ca",
];
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
            assert_eq!(texts(&expanded(line).unwrap().given), expected, "{line}");
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
            assert_eq!(value_of(&expanded.given, "--directory"), Some(odd.clone()));
        }
        let port = OsString::from_vec(b"--port=\xe9".to_vec());
        let error = expand(&table, [port]).err().unwrap();
        assert_eq!(
            error.to_string(),
            "--port \\xe9: the value is not UTF-8 text"
        );
    }
}
