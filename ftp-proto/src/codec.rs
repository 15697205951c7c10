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
/// Both directions get whole paths or lines, and must leave the bytes of ASCII as they are, `/` and
/// the line ends among them.
pub trait NameCodec: Debug + Send + Sync {
    /// The name of the file system. `None`: the bytes are no name in this character set; the client
    /// gets a 501.
    fn decode(&self, wire: &[u8]) -> Option<Vec<u8>>;

    /// The name as the client gets it. What the character set cannot express should become a `?`.
    fn encode(&self, name: &[u8]) -> Vec<u8>;
}

/// The codec in force for a session: that of its account, or none after `OPTS UTF8 ON`. The default
/// changes no name.
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
    pub(crate) fn decode<'a>(&self, wire: &'a [u8]) -> Option<Cow<'a, [u8]>> {
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
