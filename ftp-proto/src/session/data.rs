//! What a driver reports of data connections, and whose they are.

use core::net::IpAddr;

use super::Session;
use super::flow::Phase;
use crate::allowed_peers::{AllowedPeers, PeerVerdict};
use crate::event::{DataEvent, DataId};

impl Session {
    /// Reports what happened to a data connection, or to the listener that waits for it. Ignored
    /// when `data` is not the id of the one that is set up now: a driver need not prevent
    /// events that come late.
    pub fn handle_data(&mut self, data: DataId, event: DataEvent) {
        match event {
            DataEvent::Connected(peer) => self.data_connected(data, peer),
            DataEvent::Protected => self.data_moved(data, None),
            DataEvent::Progress(bytes_total) => self.data_moved(data, Some(bytes_total)),
            DataEvent::Entries(entries) => {
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.entries_shown(data, entries);
                }
            }
            DataEvent::Kept(kept) => {
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.upload_kept(data, kept);
                }
            }
            DataEvent::NeverConnected => self.context.record_never_connected(data, false),
            DataEvent::Withdrawn => {
                if let Phase::Ready(ready) = &mut self.phase
                    && ready.open_port() == Some(data)
                {
                    ready.expire_data(&mut self.context, true);
                }
            }
        }
    }

    /// Whose connection it is that comes from this address to a passive port of the session. Has no
    /// effect: if it is the client's, report [`DataEvent::Connected`].
    pub fn judge_peer(&self, address: IpAddr) -> PeerVerdict {
        self.context.allowed_peers.judge(address)
    }

    /// Who is judged to be the client, as a value: for a pool of ports that several sessions share.
    /// Like the verdict it changes only when another data connection is set up.
    #[must_use]
    pub fn allowed_peers(&self) -> &AllowedPeers {
        &self.context.allowed_peers
    }

    fn data_connected(&mut self, data: DataId, peer: IpAddr) {
        let verdict = self.judge_peer(peer);
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        if ready.data_connected(data, verdict) {
            self.context.offer_taken(data);
            self.context.epochs.data_stall += 1;
        }
    }

    /// The data connection is protected by TLS where it must be, and bytes have moved if there is a
    /// number of them.
    fn data_moved(&mut self, data: DataId, bytes_total: Option<u64>) {
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        if ready.data_moved(data, bytes_total) {
            self.context.offer_taken(data);
            self.context.epochs.data_stall += 1;
        }
    }
}
