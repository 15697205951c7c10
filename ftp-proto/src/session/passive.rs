//! Passive mode as a driver asks about it: what was offered to the client, and what became of it.

use super::Session;
use crate::never_connected::NeverConnected;
use crate::offer::PassiveOffer;

impl Session {
    /// The last passive offer, until the client connects or the offer counts as never connected.
    /// The port of the offer may be closed meanwhile: the driver still reports
    /// [`NeverConnected`](crate::DataEvent::NeverConnected) if that is the reason. It does not
    /// count after a refused transfer, which is then why the client did not connect.
    #[must_use]
    pub fn passive_offer(&self) -> Option<&PassiveOffer> {
        self.context.offer.as_ref().map(|(_, offer)| offer)
    }

    /// The last data connection that the client never opened.
    #[must_use]
    pub fn never_connected(&self) -> Option<&NeverConnected> {
        let last = self.context.never_connected.as_ref();
        last.map(|last| &last.connection)
    }

    /// What cures the last data connection that the client never opened, in words of the driver,
    /// such as its flags: for the reply to the transfer and for STAT, in the place of the
    /// [`Diagnosis`](crate::Diagnosis), for which the session knows addresses alone. It completes
    /// "… did not arrive; …", without a full stop.
    ///
    /// Call it as soon as [`never_connected`](Self::never_connected) has changed, before the next
    /// output is taken: a reply that is made by then has the session's own words. The client reads
    /// it, so it must not show what one client may not know of another. Control characters become
    /// `?`, and what exceeds [`REMEDY_BYTES_MAX`](crate::limits::REMEDY_BYTES_MAX) is cut off. It
    /// ends with that connection: the next one that is never opened needs its own.
    pub fn set_remedy(&mut self, remedy: &str) {
        if let Some(last) = &mut self.context.never_connected {
            last.set_remedy(remedy);
        }
    }
}
