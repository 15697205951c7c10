//! The table of commands in `docs/protocol.md` is made from those that the core and the tests use.
//! `SNAPSHOTS=overwrite` writes it again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use ftp_proto::{Config, Endpoints, Output, Session, commands};
use ftp_tests::reply_codes::{self, NOT_IMPLEMENTED, REASONS};

const BEGIN: &str = "<!-- The table begins. -->\n";
const END: &str = "<!-- The table ends. -->\n";

#[test]
fn the_documentation_has_the_table_of_commands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ftp-server-sync/docs/protocol.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the begin of the table");
    let (table, after) = rest.split_once(END).expect("the end of the table");
    let expected = format!("\n{}", markdown());
    if table == expected {
        return;
    }
    let overwrite = env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite");
    assert!(overwrite, "docs/protocol.md is outdated:\n{expected}");
    let new = [before, BEGIN, &expected, END, after].concat();
    fs::write(&path, new).expect("the page");
}

/// Asks HELP about every name of three or four letters.
#[test]
fn no_other_name_is_a_command() {
    let names = names(3).chain(names(4));
    let endpoints = Endpoints::new(
        "192.168.77.2:21".parse().expect("an address"),
        "192.168.77.3:4711".parse().expect("an address"),
    );
    let mut config = Config::default();
    config.digests = true;
    let mut session = Session::new(Arc::new(config), endpoints);
    let known: BTreeSet<&str> = commands().map(|command| command.name).collect();
    let refused = BTreeSet::from_iter(NOT_IMPLEMENTED.iter().copied());
    // The settings do not offer TLS.
    let tls = BTreeSet::from(["AUTH", "CCC", "PBSZ", "PROT"]);
    let _greeting = session.poll_output();
    for name in names {
        let line = format!("HELP {name}\r\n");
        assert_eq!(session.handle_input(line.as_bytes()), line.len());
        let Some(Output::Reply(reply)) = session.poll_output() else {
            panic!("no reply to {line:?}");
        };
        let name = name.as_str();
        let expected = if refused.contains(name) || tls.contains(name) {
            502
        } else if known.contains(name) {
            214
        } else {
            501
        };
        assert_eq!(reply.code(), expected, "{name}");
    }
}

/// Every name with this number of letters.
fn names(letters: u32) -> impl Iterator<Item = String> {
    let letter = move |number: u32, at: u32| {
        let digit = number / 26u32.pow(at) % 26;
        char::from_digit(10 + digit, 36).map_or('?', |digit| digit.to_ascii_uppercase())
    };
    (0..26u32.pow(letters)).map(move |number| (0..letters).map(|at| letter(number, at)).collect())
}

fn markdown() -> String {
    let mut text = String::from(
        "| command | what it does | final replies in the RFCs | additional replies |\n|---|---|---|---|\n",
    );
    for command in commands() {
        let codes = reply_codes::of(command.name.as_bytes()).expect("the codes of a command");
        let usage = format!("{} {}", command.name, command.syntax).replace('|', "\\|");
        let additional: Vec<String> = codes
            .additional
            .iter()
            .map(|(code, why)| format!("{code} ({})", letter(why)))
            .collect();
        let listed: Vec<String> = codes.listed.iter().map(u16::to_string).collect();
        text += &format!(
            "| `{}` | {} | {} | {} |\n",
            usage.trim_end(),
            command.purpose,
            listed.join(" "),
            additional.join(" ")
        );
    }
    text += "\nThe reply to any command may also be 500 (not understood, or too long) or 421 (the session ends). ";
    text += &format!(
        "These commands are not implemented and get 502: {}.\n\nThe reasons for the additional replies:\n\n",
        NOT_IMPLEMENTED.join(", ")
    );
    for why in REASONS {
        text += &format!("- ({}) {why}.\n", letter(why));
    }
    text
}

/// The letter that refers to a reason.
fn letter(why: &str) -> char {
    let mut letters = ('a'..='z').zip(REASONS);
    let found = letters.find(|(_, reason)| **reason == why);
    found.expect("a reason of the list").0
}
