//! The certificates in force, and changed files of theirs that appear while the server runs.
//!
//! Sessions keep the certificates that they started with. Files that cannot be used change nothing.

use std::time::Instant;

use log::{error, info};

use super::Server;
use super::file_looks::SeenCertificate;
use super::findings::log_findings;
use crate::nat::diagnose::certificate::certificate_findings;

impl Server {
    /// Takes the files of the certificates, their keys and the clients' authorities, as they were
    /// read again if they have changed.
    pub(super) fn update_certificate(&mut self, seen: SeenCertificate, now: Instant) {
        if !self.certificate.update(seen.states, now) {
            return;
        }
        let current = self.state.current();
        match seen.identity {
            None => {}
            Some(Ok(identity)) => {
                self.certificate.accept();
                self.state.replace(current.with_identity(identity));
                info!("took the changed files of --certfile, --keyfile and --client-ca");
                self.log_certificate();
            }
            Some(Err(error)) if self.certificate.reject(now) => {
                error!("the old certificate stays in force: {error}");
            }
            // Another program may still be writing the files.
            Some(Err(_)) => {}
        }
    }

    pub(super) fn log_certificate(&self) {
        if let Some(identity) = &self.state.current().identity {
            for description in identity.descriptions() {
                info!("{description}");
            }
            log_findings(certificate_findings(identity.problems()));
        }
    }
}
