//! The parameters of transfers and listings: OPTS, TYPE, MODE, STRU, ALLO.

use alloc::format;
use alloc::string::String;

use super::Session;
use super::phase::Phase;
use crate::action::Representation;
use crate::address::parse_decimal;
use crate::command::split_word;
use crate::listing::FactSet;
use crate::reply::Reply;

impl Session {
    pub(super) fn options(&mut self, argument: &[u8]) {
        let (name, options) = split_word(argument.trim_ascii());
        let options = options.trim_ascii();
        let reply = if name.eq_ignore_ascii_case(b"UTF8") {
            match options.is_empty() || options.eq_ignore_ascii_case(b"ON") {
                true => Reply::UTF8_ALWAYS,
                false => Reply::PARAMETER_NOT_IMPLEMENTED,
            }
        } else if name.eq_ignore_ascii_case(b"MLST") {
            match &mut self.phase {
                Phase::Ready(ready) => match FactSet::parse(options) {
                    Some(facts) => {
                        ready.facts = facts;
                        let text = format!("MLST OPTS {}", facts.option_text());
                        Reply::line(200, String::from(text.trim_end()))
                    }
                    None => Reply::FACTS_SYNTAX,
                },
                _ => Reply::NOT_LOGGED_IN,
            }
        } else {
            Reply::fixed(501, "There are no options for that.")
        };
        self.reply(reply);
    }

    pub(super) fn representation_type(&mut self, argument: &[u8]) {
        let words = argument.trim_ascii().to_ascii_uppercase();
        let (representation, reply) = match &words[..] {
            b"A" | b"A N" => (Representation::Ascii, Reply::TYPE_ASCII),
            // People leave the blank out.
            b"I" | b"L 8" | b"L8" => (Representation::Image, Reply::TYPE_IMAGE),
            b"A T" | b"A C" | b"E" | b"E N" | b"E T" | b"E C" => {
                return self.reply(Reply::PARAMETER_NOT_IMPLEMENTED);
            }
            [b'L', size @ ..] => {
                let is_size = parse_decimal::<u8>(size.trim_ascii()).is_some();
                return self.reply(parameter_refusal(is_size));
            }
            _ => return self.reply(Reply::ARGUMENT_SYNTAX),
        };
        if let Phase::Ready(ready) = &mut self.phase {
            ready.representation = representation;
        }
        self.reply(reply);
    }

    pub(super) fn transfer_mode(&mut self, argument: &[u8]) {
        self.reply(match &argument.trim_ascii().to_ascii_uppercase()[..] {
            b"S" => Reply::MODE_STREAM,
            other => parameter_refusal(matches!(other, b"B" | b"C" | b"Z")),
        });
    }

    pub(super) fn file_structure(&mut self, argument: &[u8]) {
        self.reply(match &argument.trim_ascii().to_ascii_uppercase()[..] {
            b"F" => Reply::STRUCTURE_FILE,
            other => parameter_refusal(matches!(other, b"R" | b"P")),
        });
    }

    pub(super) fn allocate(&mut self, argument: &[u8]) {
        let mut words = argument.trim_ascii().split(|&byte| byte == b' ');
        let mut number = || words.next().and_then(parse_decimal::<u64>).is_some();
        let bytes_given = number();
        let well_formed = bytes_given
            && match words.next() {
                None => true,
                Some(record) if record.eq_ignore_ascii_case(b"R") => {
                    words.next().and_then(parse_decimal::<u64>).is_some() && words.next().is_none()
                }
                Some(_) => false,
            };
        self.reply(match well_formed {
            true => Reply::ALLOCATION_SUPERFLUOUS,
            false => Reply::ARGUMENT_SYNTAX,
        });
    }
}

/// A value of the RFC that we lack is 504, anything else 501.
fn parameter_refusal(known: bool) -> Reply {
    match known {
        true => Reply::PARAMETER_NOT_IMPLEMENTED,
        false => Reply::ARGUMENT_SYNTAX,
    }
}
