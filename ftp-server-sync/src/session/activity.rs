//! What a session is doing, for SIGUSR1.

use ftp_proto::text::printable;
use log::info;

use super::connection::Connection;
use super::subject::transfer_request;
use crate::data::connection::DataActivity;

impl Connection {
    /// Logs the client, the user, the age of the session and its activity.
    pub(super) fn log_activity(&self) {
        let peer = self.session.endpoints().peer();
        let user = match self.session.user() {
            Some(user) => printable(user).to_string(),
            None => "not logged in".to_owned(),
        };
        info!(
            "#{} {peer}, {user}, for {} s: {}",
            self.number,
            self.log.age().as_secs(),
            self.activity()
        );
    }

    fn activity(&self) -> String {
        match (&self.transfer, self.data.activity()) {
            (Some(transfer), _) => {
                let request = transfer_request(&transfer.request);
                if self.data.is_open() {
                    format!("{request}, {} bytes so far", transfer.bytes())
                } else {
                    format!("{request}, waiting for the data connection")
                }
            }
            (None, _) if self.is_hashing() => {
                let subject = self.long_request.as_ref().map(|(_, subject)| subject);
                subject.cloned().unwrap_or_default()
            }
            (None, DataActivity::Queued { since }) => {
                let seconds = since.elapsed().as_secs();
                format!("waiting for a passive port for {seconds} s")
            }
            (None, DataActivity::Listening { port }) => {
                format!("waiting for a connection to port {port}")
            }
            (None, DataActivity::Connected) => "connected for a transfer".to_owned(),
            (None, DataActivity::Idle) => "idle".to_owned(),
        }
    }
}
