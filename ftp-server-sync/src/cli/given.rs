//! Flags as one source gives them, and how several sources make one set.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::{iter, slice};

use argh::FromArgs;

use super::error::{self, FlagError};
use super::flags::{EVERY, Flag, Flags};
use super::values;

/// A flag as it is given; each entry of a list is one of its own.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) flag: Flag,
    pub(super) value: Option<OsString>,
    /// As in [`FlagError`].
    pub(super) place: Option<String>,
}

/// The flags of one source, or of several, in order.
#[derive(Default)]
pub(super) struct GivenFlags(Vec<Given>);

impl Given {
    pub(super) fn refuse(&self, problem: impl Into<String>) -> FlagError {
        let error = match &self.value {
            // The value for none: usually it was not written.
            Some(value) if self.flag.may_lack_value() && value == EVERY => {
                FlagError::new(self.flag.long, problem)
            }
            Some(value) => FlagError::with_value(self.flag.long, value, problem),
            None => FlagError::new(self.flag.long, problem),
        };
        error.at(self.place.clone())
    }

    /// Whether a stronger source with this flag makes `other` void.
    fn replaces(&self, other: &Self) -> bool {
        let both = [self.flag.long, other.flag.long];
        let mut alternatives = ALTERNATIVES.iter();
        both[0] == both[1] || alternatives.any(|pair| both.iter().all(|flag| pair.contains(flag)))
    }

    /// As argh reads it.
    fn words(&self) -> impl Iterator<Item = String> {
        let text = |value: &OsString| {
            if self.flag.takes_bytes() {
                values::text_of_bytes(value.as_bytes())
            } else {
                value.to_string_lossy().into_owned()
            }
        };
        iter::once(self.flag.long.to_owned()).chain(self.value.as_ref().map(text))
    }
}

impl GivenFlags {
    /// Adds a flag, unless its value suits no flag, or it is given already and must not be
    /// repeated.
    pub(super) fn add(
        &mut self,
        flag: Flag,
        value: Option<OsString>,
        place: Option<String>,
    ) -> Result<(), FlagError> {
        let entries = match value {
            Some(list) if flag.takes_list() && !list.is_empty() => {
                split(&list, b',').map(Some).collect()
            }
            value => vec![value],
        };
        let empty = match entries.len() {
            1 => error::empty(&flag.usage()),
            _ => error::EMPTY_ENTRY.to_owned(),
        };
        for value in entries {
            let place = place.clone();
            let given = Given { flag, value, place };
            self.check(&given, &empty)?;
            self.0.push(given);
        }
        Ok(())
    }

    /// Refuses a value that suits no flag, and a second value where there can be only one.
    fn check(&self, given: &Given, empty: &str) -> Result<(), FlagError> {
        let flag = given.flag;
        let value = given.value.as_ref().map(|value| value.to_str());
        let problem = match (value, self.find(flag.long)) {
            (_, Some(earlier)) if !flag.repeatable => error::given_twice(&earlier.place),
            (Some(Some("")), _) => empty.to_owned(),
            (Some(None), _) if !flag.takes_bytes() => error::NOT_TEXT.to_owned(),
            _ => return Ok(()),
        };
        Err(given.refuse(problem))
    }

    /// The first of these flags with this name.
    pub(super) fn find(&self, long: &str) -> Option<&Given> {
        self.nth(long, 0)
    }

    /// The first flag for which this is true.
    pub(super) fn first_that(&self, is_it: impl Fn(&Flag) -> bool) -> Option<&Flag> {
        let mut flags = self.0.iter().map(|given| &given.flag);
        flags.find(|flag| is_it(flag))
    }

    /// The flag that was added last.
    pub(super) fn last(&self) -> Option<&Flag> {
        self.0.last().map(|given| &given.flag)
    }

    /// The first flag that is none of these.
    pub(super) fn first_but(&self, long_names: &[&str]) -> Option<&Given> {
        let mut others = self.0.iter();
        others.find(|given| !long_names.contains(&given.flag.long))
    }

    #[inline(never)]
    fn nth(&self, long: &str, index: usize) -> Option<&Given> {
        let mut same = self.0.iter().filter(|given| given.flag.long == long);
        same.nth(index)
    }

    /// These flags, and those of `weaker` that they do not replace.
    pub(super) fn over(mut self, mut weaker: Self) -> Self {
        let is_replaced = |weak: &Given| self.0.iter().any(|strong| strong.replaces(weak));
        weaker.0.retain(|weak| !is_replaced(weak));
        weaker.0.append(&mut self.0);
        weaker
    }

    pub(super) fn remove(&mut self, flags: &[Flag]) {
        self.0.retain(|given| !flags.contains(&given.flag));
    }

    /// Removes all but these.
    pub(super) fn keep(&mut self, long_names: &[&str]) {
        self.0.retain(|given| long_names.contains(&given.flag.long));
    }

    /// The typed flags.
    pub(super) fn parse(&self) -> Result<Flags, FlagError> {
        // Each flag is parsed alone first: argh does not say which of several it refuses.
        for given in &self.0 {
            parse(slice::from_ref(given)).map_err(|problem| given.refuse(problem))?;
        }
        parse(&self.0).map_err(|problem| FlagError::new("", problem))
    }

    /// An error about the flag of this name.
    pub(super) fn refuse(&self, long: &str, problem: impl Into<String>) -> FlagError {
        self.refuse_nth(long, 0, problem)
    }

    /// An error about one entry, or repeat, of the flag of this name.
    pub(super) fn refuse_nth(
        &self,
        long: &str,
        index: usize,
        problem: impl Into<String>,
    ) -> FlagError {
        match self.nth(long, index) {
            Some(given) => given.refuse(problem),
            None => FlagError::new(long, problem),
        }
    }

    /// An error about the flag of this name that exists only because of the flag `other`.
    pub(super) fn refuse_beside(
        &self,
        long: &str,
        other: &str,
        problem: impl Into<String>,
    ) -> FlagError {
        let place = self.find(other).and_then(|other| other.place.as_ref());
        let hint = place.map(|place| format!(" ({other} is given in {place})"));
        self.refuse(long, problem.into() + &hint.unwrap_or_default())
    }

    /// Refuses an entry of a list whose key an earlier entry has too.
    pub(super) fn refuse_repeated<'a, K: PartialEq + ToString + 'a>(
        &self,
        long: &str,
        keys: impl Iterator<Item = &'a K> + Clone,
    ) -> Result<(), FlagError> {
        for (index, key) in keys.clone().enumerate() {
            if keys.clone().take(index).any(|earlier| earlier == key) {
                let problem = format!("{} is given twice; give it once", key.to_string());
                return Err(self.refuse_nth(long, index, problem));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<String> {
        self.0.iter().flat_map(Given::words).collect()
    }
}

/// The entries of a list.
pub(super) fn split(list: &OsStr, separator: u8) -> impl Iterator<Item = OsString> {
    let entries = list.as_bytes().split(move |&byte| byte == separator);
    entries.map(|entry| OsStr::from_bytes(entry).to_owned())
}

/// The typed flags, or what argh says against the only one.
fn parse(given: &[Given]) -> Result<Flags, String> {
    let words: Vec<String> = given.iter().flat_map(Given::words).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Flags::from_args(&[""], &words).map_err(|exit| {
        let [flag, value] = words[..] else {
            return exit.output;
        };
        let start = format!("Error parsing option '{flag}' with value '{value}': ");
        // The start must go: it shows secrets.
        let problem = exit.output.strip_prefix(&start);
        problem
            .unwrap_or("give another value")
            .trim_end()
            .to_owned()
    })
}

/// Flags that say the same thing in two ways.
const ALTERNATIVES: [[&str; 2]; 2] = [
    ["--password", "--password-file"],
    ["--debug", "--log-level"],
];
