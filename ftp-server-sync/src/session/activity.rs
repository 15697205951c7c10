//! What a session is doing, for SIGUSR1.

use std::time::Duration;

use ftp_proto::text::printable;
use log::info;

use super::connection::Connection;
use super::log::transfer_request;
use crate::data::connection::DataPort;

impl Connection {
    /// Logs the client, the user, the age of the session and its activity.
    pub(super) fn log_activity(&self, age: Duration) {
        let peer = self.session.endpoints().peer();
        let user = match self.session.user() {
            Some(user) => printable(user).to_string(),
            None => "not logged in".to_owned(),
        };
        info!(
            "#{} {peer}, {user}, for {} s: {}",
            self.number,
            age.as_secs(),
            self.activity()
        );
    }

    fn activity(&self) -> String {
        match (&self.transfer, &self.port) {
            (Some(transfer), _) => {
                let request = transfer_request(&transfer.request);
                if transfer.is_open() {
                    format!("{request}, {} bytes so far", transfer.bytes())
                } else {
                    format!("{request}, waiting for the data connection")
                }
            }
            (None, DataPort::Queued { since, .. }) => {
                let seconds = since.elapsed().as_secs();
                format!("waiting for a passive port for {seconds} s")
            }
            (None, DataPort::Listening(listener)) => {
                format!("waiting for a connection to port {}", listener.port())
            }
            (None, DataPort::Connected(_)) => "connected for a transfer".to_owned(),
            (None, DataPort::None) => "idle".to_owned(),
        }
    }
}
