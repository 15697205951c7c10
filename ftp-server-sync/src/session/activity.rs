//! What a session is doing, for SIGUSR1.

use log::info;

use super::connection::Connection;
use super::subject::transfer_request;
use crate::data::connection::DataActivity;

impl Connection {
    /// Logs the age of the session and its activity.
    pub(super) fn log_activity(&self) {
        let login = match self.session.user() {
            Some(_) => "",
            None => "not logged in, ",
        };
        info!(
            "{} from port {}, {login}for {} s: {}",
            self.name,
            self.session.endpoints().peer().port(),
            self.log.age().as_secs(),
            self.activity()
        );
    }

    fn activity(&self) -> String {
        if let Some(opening) = &self.opening_listing {
            return format!("{}, looking for names", transfer_request(&opening.request));
        }
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
