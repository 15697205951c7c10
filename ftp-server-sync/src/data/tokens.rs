//! The tokens of a session's data connections in its poll.

use mio::Token;

/// The listener of the passive port.
pub(super) const LISTENER: Token = Token(2);

/// A connection whose transfer has ended.
pub(super) const LINGERING: Token = Token(3);

/// Makes a token for each connection, so that a late event of one is not taken for another's.
#[derive(Debug)]
pub(super) struct Tokens {
    last: usize,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { last: LINGERING.0 }
    }
}

impl Tokens {
    pub(super) fn next(&mut self) -> Token {
        self.last += 1;
        Token(self.last)
    }
}
