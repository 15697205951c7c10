//! What happens to data connections, as a driver reports it.

use core::net::IpAddr;

use crate::kept::Kept;

/// Identifies a data connection, or the passive listener that waits for one; no two of a session
/// have the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataId(pub(crate) u64);

/// What happened to a data connection: an input of
/// [`Session::handle_data`](crate::Session::handle_data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataEvent {
    /// The connection is established, with this peer. In passive mode, ask
    /// [`Session::judge_peer`](crate::Session::judge_peer) first, and close the connection of a
    /// stranger: the session judges again, and ignores the event if the peer is not the client.
    /// It may happen before the transfer starts. If TLS protects the transfer,
    /// [`Protected`](Self::Protected) must follow.
    Connected(IpAddr),
    /// The TLS handshake of a [`StartProtectedTransfer`](crate::Action::StartProtectedTransfer) has
    /// succeeded. Until then the timer for opening the connection runs. It implies
    /// [`Connected`](Self::Connected).
    Protected,
    /// The number of bytes that the transfer has moved so far, in total. Cheap: report it as often
    /// as you like, but at least once in
    /// [`Config::data_stall_timeout`](crate::Config::data_stall_timeout). It implies
    /// [`Connected`](Self::Connected) and [`Protected`](Self::Protected).
    Progress(u64),
    /// How many entries a listing has shown, by [`Walk::entries_shown`]: to be reported before the
    /// transfer ends. The last reply then says how many there are, so that a client, or a person,
    /// can see whether all have come. Optional; ignored for other transfers.
    ///
    /// [`Walk::entries_shown`]: crate::listing::Walk::entries_shown
    Entries(u64),
    /// What an upload has left that is about to end with an error: the reply to it then says how
    /// many bytes came, and what the file is now. Optional; ignored for other transfers.
    Kept(Kept),
    /// The driver has closed the passive listener because an action said so, and the client had
    /// time to connect and did not. STAT and
    /// [`never_connected`](crate::Session::never_connected) report it. Each offer counts once: the
    /// session counts it itself where [`TimeoutKind::DataOpen`](crate::TimeoutKind::DataOpen)
    /// expires.
    NeverConnected,
    /// Other sessions need the passive port, and the client has not connected: its time ends early.
    Withdrawn,
}
