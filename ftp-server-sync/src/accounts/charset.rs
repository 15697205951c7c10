//! Charsets of names on the wire, for clients that do not write UTF-8.
//!
//! Names on disk are bytes, UTF-8 by habit. A client of another charset gets each character in its
//! charset, and an [escape] for each byte of what has no form there that leads back to it:
//! characters that the charset lacks, bytes that are not UTF-8, and control characters.
//!
//! `/`, line ends and NUL are only ever themselves: in all charsets that are accepted, the bytes of
//! other characters are different ones, also where they include bytes of ASCII such as `\` or `|`.

mod escape;
mod label;
mod locale;

use std::borrow::Cow;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};
use ftp_proto::{Account, NameCodec};

pub use label::CharsetError;

/// How clients write names that have not sent `OPTS UTF8 ON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameCharset {
    encoding: &'static Encoding,
    /// A name in UTF-8 switches its session to UTF-8.
    detects_utf8: bool,
}

impl NameCharset {
    /// The bytes of names are not changed.
    pub const UTF_8: Self = Self {
        encoding: UTF_8,
        detects_utf8: false,
    };

    /// Reads `LABEL`, `auto:LABEL`, or `auto`, which takes the charset that the locale of this
    /// process suggests. Labels are those of the WHATWG's Encoding Standard, in upper or lower
    /// case, and the numbers of Windows' code pages such as `cp936`.
    ///
    /// # Errors
    ///
    /// No charset has this label, or its bytes would be mistaken for others in FTP.
    pub fn for_label(text: &str) -> Result<Self, CharsetError> {
        if text == AUTO {
            return Ok(Self::detecting(locale::encoding()));
        }
        let after_auto = text.strip_prefix(AUTO);
        match after_auto.and_then(|rest| rest.strip_prefix(':')) {
            Some(label) => label::encoding(label).map(Self::detecting),
            None => label::encoding(text).map(|encoding| Self {
                encoding,
                detects_utf8: false,
            }),
        }
    }

    /// The conversion; `None`: there is nothing to convert.
    pub fn codec(self) -> Option<Arc<dyn NameCodec>> {
        (self != Self::UTF_8).then(|| Arc::new(self) as Arc<dyn NameCodec>)
    }

    /// The name in the standard, such as `GBK`.
    pub fn name(self) -> &'static str {
        self.encoding.name()
    }

    /// Whether a name in UTF-8 switches its session to UTF-8.
    pub fn detects_utf8(self) -> bool {
        self.detects_utf8
    }

    /// The same account, whose clients write names so.
    pub(crate) fn apply(self, account: Account) -> Account {
        match self.codec() {
            Some(codec) => account.with_codec(codec),
            None => account,
        }
    }

    fn detecting(encoding: &'static Encoding) -> Self {
        Self {
            encoding,
            detects_utf8: encoding != UTF_8,
        }
    }

    /// The text that these bytes are in this charset.
    fn text(self, wire: &[u8]) -> Option<Cow<'_, str>> {
        let encoding = self.encoding;
        encoding.decode_without_bom_handling_and_without_replacement(wire)
    }

    /// The bytes of a text, if they lead back to the same text.
    fn exact_bytes(self, text: &str) -> Option<Cow<'_, [u8]>> {
        let (wire, _, has_unmappable) = self.encoding.encode(text);
        let is_exact = !has_unmappable && self.text(&wire).as_deref() == Some(text);
        is_exact.then_some(wire)
    }

    /// Appends a piece of a name that has no byte of ASCII.
    fn push_foreign(self, piece: &[u8], wire: &mut Vec<u8>) {
        for chunk in piece.utf8_chunks() {
            self.push_text(chunk.valid(), wire);
            escape::push(chunk.invalid(), wire);
        }
    }

    fn push_text(self, text: &str, wire: &mut Vec<u8>) {
        if let Some(exact) = self.exact_bytes(text) {
            return wire.extend_from_slice(&exact);
        }
        let mut buffer = [0; 4];
        for character in text.chars() {
            let character: &str = character.encode_utf8(&mut buffer);
            match self.exact_bytes(character) {
                Some(exact) => wire.extend_from_slice(&exact),
                None => escape::push(character.as_bytes(), wire),
            }
        }
    }
}

impl NameCodec for NameCharset {
    fn decode(&self, wire: &[u8]) -> Option<Vec<u8>> {
        let text = self.text(wire)?;
        Some(escape::read(text.as_bytes()))
    }

    fn encode(&self, name: &[u8]) -> Vec<u8> {
        let mut wire = Vec::with_capacity(name.len());
        for piece in name.chunk_by(|one, next| one.is_ascii() == next.is_ascii()) {
            if piece.is_ascii() {
                escape::push_ascii(piece, &mut wire);
            } else {
                self.push_foreign(piece, &mut wire);
            }
        }
        wire
    }

    /// Some bytes are names in both: a short word of Chinese in GBK can be one of Greek in UTF-8.
    /// So a name must be none in the charset, or too long for a coincidence.
    fn shows_utf8(&self, argument: &[u8]) -> bool {
        if !self.detects_utf8 || argument.is_ascii() {
            return false;
        }
        let Ok(text) = str::from_utf8(argument) else {
            return false;
        };
        let foreign = text.chars().filter(|character| !character.is_ascii());
        let has_long = || foreign.clone().any(|character| character.len_utf8() > 2);
        let count = foreign.clone().count();
        let is_proof = if self.encoding.is_single_byte() {
            count >= PROOF_SINGLE_BYTE
        } else {
            has_long() || count >= PROOF_MULTI_BYTE
        };
        is_proof || self.text(argument).is_none()
    }
}

const AUTO: &str = "auto";

/// Characters of UTF-8 that text in a charset of one byte each does not contain by accident.
const PROOF_SINGLE_BYTE: usize = 2;

/// The same for other charsets, if all have two bytes in UTF-8. Of 349,046 Chinese words in GBK,
/// 4225 are valid UTF-8 with two such characters or more, and one with five; 30 have longer ones.
const PROOF_MULTI_BYTE: usize = 5;

#[cfg(test)]
mod tests;
