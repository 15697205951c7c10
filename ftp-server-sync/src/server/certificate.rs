//! The certificate in force, and files with another one that appear while the server runs.
//!
//! Sessions keep the certificate that they began with. Files that are of no use change nothing.

use std::time::Instant;

use log::{error, info};

use super::Server;
use super::reload::log_findings;
use crate::nat::diagnose::certificate::certificate_findings;
use crate::settings::Settings;
use crate::settings::watched_files::WatchedFiles;
use crate::tls::Identity;

impl Server {
    /// Takes the files of the certificate, its key and the clients' authorities again once they have changed.
    pub(super) fn follow_certificate(&mut self, now: Instant) {
        if !self.certificate.has_changed(now) {
            return;
        }
        let current = self.shared.current();
        match Identity::load(&current.settings, &current.interfaces) {
            Ok(identity) => {
                self.certificate.taken();
                self.shared.replace(current.with_identity(identity));
                info!("took the changed files of --certfile, --keyfile and --client-ca");
                self.log_certificate();
            }
            Err(error) if self.certificate.useless(now) => {
                error!("the old certificate stays in force: {error}");
            }
            Err(_) => {}
        }
    }

    pub(super) fn log_certificate(&self) {
        if let Some(identity) = &self.shared.current().identity {
            info!("{}", identity.description());
            log_findings(certificate_findings(identity.problems()));
        }
    }
}

/// To be made before the files are read.
pub(super) fn watch(settings: &Settings) -> WatchedFiles {
    let files = settings.tls.iter().flat_map(|tls| tls.files());
    WatchedFiles::new(files.collect(), Instant::now())
}
