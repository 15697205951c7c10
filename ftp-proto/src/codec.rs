//! Names in another character set on the wire.
//!
//! Inside the core, and between core and driver, names are the bytes of the file system. Only the
//! words that come from the client and the names that go to it pass through the codec of the
//! account.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;

/// Turns names on the wire into names of the file system, and back, for clients that do not send
/// what the file system stores. Given to an account by
/// [`Account::with_codec`](crate::Account::with_codec).
///
/// Both directions get whole paths or lines, and convert what is between two `/` without regard to
/// the rest: lines of listings are encoded in such pieces. They must leave printable ASCII but `%`
/// as it is, and make no `/` and no NUL.
pub trait NameCodec: Debug + Send + Sync {
    /// The name of the file system. `None`: the bytes are no name in this character set; the client
    /// gets a 501.
    fn decode(&self, wire: &[u8]) -> Option<Vec<u8>>;

    /// The name as the client gets it. What the character set cannot express should become a form
    /// that `decode` turns back.
    fn encode(&self, name: &[u8]) -> Vec<u8>;

    /// Whether this argument of a command shows that the client writes UTF-8, although it has not
    /// sent `OPTS UTF8 ON`. If so, the session uses no codec from this command on. A codec that is
    /// for clients of one character set does not look.
    fn shows_utf8(&self, argument: &[u8]) -> bool {
        let _ = argument;
        false
    }
}

/// The codec in force for a session: that of its account, or none where names are in UTF-8. The
/// default changes no name.
#[derive(Clone, Debug, Default)]
pub struct WireNames(Option<Arc<dyn NameCodec>>);

impl WireNames {
    /// Names are not changed.
    pub(crate) const IDENTITY: Self = Self(None);

    pub(crate) fn new(codec: Arc<dyn NameCodec>) -> Self {
        Self(Some(codec))
    }

    /// The name as the client gets it.
    #[must_use]
    pub fn encode<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.0 {
            Some(codec) => Cow::Owned(codec.encode(name)),
            None => Cow::Borrowed(name),
        }
    }

    /// The name that the client means. `None`: the bytes are no name in its character set.
    #[must_use]
    pub fn decode<'a>(&self, wire: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match &self.0 {
            Some(codec) => codec.decode(wire).map(Cow::Owned),
            None => Some(Cow::Borrowed(wire)),
        }
    }

    /// Whether no name is changed.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this argument shows that the client writes UTF-8.
    pub(crate) fn shows_utf8(&self, argument: &[u8]) -> bool {
        let codec = self.0.as_ref();
        codec.is_some_and(|codec| codec.shows_utf8(argument))
    }
}

/// Two are equal if they use the same codec, or none.
impl PartialEq for WireNames {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::as_ptr(own).addr() == Arc::as_ptr(other).addr(),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Eq for WireNames {}
