//! Commands that need nothing from the driver: PWD, and the parameters of transfers TYPE, MODE,
//! STRU and REST.

use super::Ready;
use crate::action::Representation;
use crate::address::parse_decimal;
use crate::reply::Reply;
use crate::session::context::Context;

impl Ready {
    pub(super) fn print_directory(&self, context: &Context) -> Reply {
        Reply::current_directory(&self.names(context).encode(self.directory.as_bytes()))
    }

    pub(super) fn restart(&mut self, argument: &[u8]) -> Reply {
        let Some(offset) = parse_decimal(argument.trim_ascii()) else {
            return Reply::ARGUMENT_SYNTAX;
        };
        self.range = None;
        self.restart = offset;
        Reply::restarting(offset)
    }

    pub(super) fn cancel_restart(&mut self) {
        self.restart = 0;
        self.range = None;
    }

    pub(super) fn representation_type(&mut self, context: &Context, argument: &[u8]) -> Reply {
        let words = argument.trim_ascii().to_ascii_uppercase();
        match &words[..] {
            b"A" | b"A N" => {
                self.requested_type = Some(Representation::Ascii);
                match self.representation(context) {
                    Representation::Ascii => Reply::TYPE_ASCII,
                    Representation::Image => Reply::TYPE_ASCII_UNCONVERTED,
                }
            }
            // Some clients leave the space out.
            b"I" | b"L 8" | b"L8" => {
                self.requested_type = Some(Representation::Image);
                Reply::TYPE_IMAGE
            }
            b"A T" | b"A C" | b"E" | b"E N" | b"E T" | b"E C" => Reply::PARAMETER_NOT_IMPLEMENTED,
            [b'L', size @ ..] => {
                parameter_refusal(parse_decimal::<u8>(size.trim_ascii()).is_some())
            }
            _ => Reply::ARGUMENT_SYNTAX,
        }
    }

    pub(super) fn transfer_mode(argument: &[u8]) -> Reply {
        match &argument.trim_ascii().to_ascii_uppercase()[..] {
            b"S" => Reply::MODE_STREAM,
            other => parameter_refusal(matches!(other, b"B" | b"C" | b"Z")),
        }
    }

    pub(super) fn file_structure(argument: &[u8]) -> Reply {
        match &argument.trim_ascii().to_ascii_uppercase()[..] {
            b"F" => Reply::STRUCTURE_FILE,
            other => parameter_refusal(matches!(other, b"R" | b"P")),
        }
    }
}

/// 504 for a value of the RFC that is not implemented, 501 for any other.
fn parameter_refusal(is_known: bool) -> Reply {
    if is_known {
        Reply::PARAMETER_NOT_IMPLEMENTED
    } else {
        Reply::ARGUMENT_SYNTAX
    }
}
