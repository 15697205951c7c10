//! The texts of `--help`, made from the table of flags: the flags that matter, all of them, or
//! those with a word in their names.

use std::ffi::OsStr;

use super::environment::variable_name;
use super::error::{self, FlagError};
use super::flags::{self, EVERY, Flag};
use crate::accounts::similar::suggest;
use crate::logging::wrap::wrap;

/// The text of `--help all`, at most 80 columns wide.
pub fn help() -> String {
    let mut text = beginning();
    text.push_str(&in_sections(|_| true));
    text.push_str(EPILOGUE);
    text.push_str(EXAMPLES);
    text
}

/// The text of `--help`, which fits on a screen of 80 columns.
pub fn short_help() -> String {
    let table = flags::table();
    let mut text = beginning();
    text.push_str("\nThe flags that most servers need:\n");
    for name in MOST_USED {
        let flag = table.iter().find(|flag| flag.long == name);
        text.extend(flag.map(entry));
    }
    let count = table.len();
    text.push_str(&format!(
        "\n--help all shows all {count} flags, and --help WORD those with WORD in their names.\n"
    ));
    text.push_str(EXAMPLES);
    text
}

/// The text for the value of `--help`: words with blanks between them.
pub(super) fn requested(value: &OsStr) -> Result<String, FlagError> {
    let value = value.to_string_lossy();
    if value == EVERY {
        return Ok(short_help());
    }
    let words: Vec<&str> = value.split_whitespace().collect();
    let mut wanted = Vec::new();
    for word in &words {
        let flags = about(word);
        if flags.is_empty() && *word != ALL {
            return Err(unknown(word));
        }
        wanted.extend(flags);
    }
    if words.contains(&ALL) {
        return Ok(help());
    }
    let text = in_sections(|flag| wanted.contains(flag));
    let mut text = text.trim_start().to_owned();
    if let ([word], [only]) = (&words[..], &wanted[..])
        && is_name_of(only, word)
    {
        text += &elsewhere(only);
    }
    Ok(text)
}

fn unknown(word: &str) -> FlagError {
    let table = flags::table();
    let names: Vec<&str> = table.iter().map(Flag::name).collect();
    let problem = match suggest(word.trim_start_matches('-'), &names) {
        Some(name) => error::unknown("flag", Some(format!("--help {name}"))),
        None => "no flag has this in its name; --help all shows every flag".to_owned(),
    };
    FlagError::with_value("--help", word, problem)
}

/// The flag of this name or letter, or else those with the word in their names.
fn about(word: &str) -> Vec<Flag> {
    let table = flags::table();
    if let Some(only) = table.iter().find(|flag| is_name_of(flag, word)) {
        return vec![*only];
    }
    let word = word.trim_start_matches('-');
    let flags = table.into_iter();
    flags
        .filter(|flag| !word.is_empty() && flag.name().contains(word))
        .collect()
}

/// Whether this is the flag's name or letter, with dashes or without.
fn is_name_of(flag: &Flag, word: &str) -> bool {
    let word = word.trim_start_matches('-');
    let letter = flag.short.map(String::from);
    flag.name() == word || letter.as_deref() == Some(word)
}

/// How the flag is written in a file and in the environment.
fn elsewhere(flag: &Flag) -> String {
    if flag.is_for_command_line_only() {
        return String::new();
    }
    let variable = variable_name(flag);
    let value = flag.placeholder.unwrap_or("yes");
    let variable = format!("As a variable: {variable}={value}\n");
    if flag.long == "--config" {
        return format!("\n{variable}");
    }
    format!("\nIn a file: {}\n{variable}", &flag.usage()[2..])
}

fn beginning() -> String {
    format!(
        "Usage: ftp-server-sync [FLAG]...\n\n{}\n",
        flags::description()
    )
}

/// The flags that are wanted, with the headings of their sections.
fn in_sections(is_wanted: impl Fn(&Flag) -> bool) -> String {
    let (mut text, mut heading) = (String::new(), None);
    for flag in flags::table() {
        let section = SECTIONS.iter().find(|(_, first)| *first == flag.long);
        heading = section.map(|(heading, _)| heading).or(heading);
        if is_wanted(&flag) {
            if let Some(heading) = heading.take() {
                text.push_str(&format!("\n{heading}:\n"));
            }
            text.push_str(&entry(&flag));
        }
    }
    text
}

/// One flag, with its description in a column beside it, or below where the flag is too long.
fn entry(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let head = format!("  {short}{}", flag.usage());
    wrap(&head, COLUMN, WIDTH, flag.description)
}

/// The word for all flags.
const ALL: &str = "all";
pub(super) const WIDTH: usize = 80;
pub(super) const COLUMN: usize = 32;
/// The headings of the help, each with the flag that it stands before.
pub(super) const SECTIONS: [(&str, &str); 6] = [
    ("What is served, and to whom", "--interface"),
    ("Behind a NAT router", "--masquerade-address"),
    ("TLS", "--tls"),
    ("Limits", "--max-cons"),
    ("A server that runs", "--status-socket"),
    ("Other flags", "--banner"),
];
const EPILOGUE: &str = "
A file and the environment can give these flags too: the line \"port 21\" in the
file of --config, or the variable FTP_SERVER_SYNC_PORT=21. The command line wins
over the environment, and the environment over the file.
";
/// What a server for one user, or for some, behind a router needs, and what finds mistakes.
const MOST_USED: [&str; 10] = [
    "--directory",
    "--write",
    "--username",
    "--password-file",
    "--users",
    "--masquerade-address",
    "--passive-ports",
    "--tls",
    "--config",
    "--check",
];
const EXAMPLES: &str = "
Try it: anonymous may read this directory at port 2121.
  ftp-server-sync -d /srv/ftp

One user, behind a router that forwards port 21 to 2121, and 60000-60009:
  ftp-server-sync -d /srv/ftp -u NAME --password-file FILE --write \\
    -n PUBLIC-ADDRESS -r 60000-60009

What would each kind of client get with these flags, and what is wrong?
  ftp-server-sync -d /srv/ftp -n PUBLIC-ADDRESS -r 60000-60009 --check
";

#[cfg(test)]
mod tests;
