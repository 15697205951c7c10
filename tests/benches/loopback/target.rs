//! The server that a workload is measured on, and what the workload may use.

use std::io;

use crate::client::Client;
use crate::meter::{Measurement, Units};
use crate::scale::Scale;
use crate::server::{Server, Start};
use crate::share::{Place, SMALL, SMALL_BYTES, Shares};

/// A server that has just started, for one measurement.
pub(crate) struct Target<'a> {
    pub(crate) start: Start<'a>,
    pub(crate) server: Server,
    pub(crate) shares: &'a Shares,
    pub(crate) place: Place,
    pub(crate) scale: &'a Scale,
}

impl Target<'_> {
    pub(crate) fn log_in(&self) -> io::Result<Client> {
        self.log_in_to(&self.server)
    }

    pub(crate) fn log_in_to(&self, server: &Server) -> io::Result<Client> {
        let certificate = self.start.certificate;
        let tls = certificate.map(|certificate| &certificate.client);
        Client::log_in(server.address, tls)
    }

    /// A session that is ready for transfers.
    pub(crate) fn prepared(&self) -> io::Result<Client> {
        let mut client = self.log_in()?;
        client.prepare()?;
        Ok(client)
    }

    /// Measures this work after a first session, for which a server does much once.
    pub(crate) fn measure(
        &self,
        units: Units,
        work: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Measurement> {
        let mut client = self.prepared()?;
        let data = client.extended_passive()?;
        let mut received = Vec::new();
        client.fetch(data, &format!("RETR {SMALL}"), &mut received)?;
        client.quit()?;
        if received != [b's'; SMALL_BYTES] {
            return Err(io::Error::other("a server sends something else"));
        }
        Measurement::of(&self.server, units, work)
    }
}
