//! The rights of root: given up after the start, or missing later.

use std::io::{self, ErrorKind};
use std::time::Instant;

use log::{info, warn};

use super::Server;
use super::shares::watch;
use crate::privileges;
use crate::settings::watched_files::WatchedFiles;
use crate::settings::{Settings, TlsSettings};
use crate::tls::Identity;

impl Server {
    /// Gives up the rights of root if the settings name a user to become: this process then has
    /// that user's rights, for good. A library should not call it: it is a matter of the whole
    /// process, which must have no other thread yet.
    ///
    /// A certificate that the server makes itself is loaded, or made, only here: the user may
    /// change the directory that holds it, so root must not write there.
    ///
    /// # Errors
    ///
    /// If a right remains, the user may not list the shared directory, or the certificate cannot be
    /// used. The process should end then.
    pub fn with_run_as(mut self) -> io::Result<Self> {
        let current = self.state.current();
        let settings = &current.settings;
        let Some(run_as) = &settings.run_as else {
            return Ok(self);
        };
        // Later they may be out of reach.
        current.share.remember_own_files();
        let own_certificate = Self::certificate_of_user(settings);
        let directory = &settings.state_directory;
        let hand_over = || privileges::hand_over(directory, &settings.state_files(), run_as);
        if own_certificate.is_some() || settings.has_quotas() {
            hand_over()?;
        } else if settings.port_mapping.uses_state() {
            // If it fails, the log says what follows from that when the file is written.
            let _ = hand_over();
        }
        privileges::give_up(run_as)?;
        let refuse = |error: io::Error| {
            io::Error::new(error.kind(), format!("--run-as {}: {error}", run_as.text))
        };
        if settings.users.use_directory() {
            current.share.check_listable().map_err(refuse)?;
        }
        if own_certificate.is_some() {
            let loaded = Identity::load(settings, &current.interfaces);
            let identity = loaded.map_err(|error| refuse(io::Error::other(error)))?;
            self.state.replace(current.with_identity(identity));
        }
        // A file that is out of reach now looks like one that has changed.
        let now = Instant::now();
        self.certificate = WatchedFiles::new(settings.certificate_files(), now);
        self.users_file = watch(settings, now);
        self.open_socket_as_user();
        info!(
            "the server has become {} (user {}, group {}), without any right of root",
            run_as.text, run_as.user, run_as.group
        );
        Ok(self)
    }

    /// The settings of the certificate that the server makes itself, if another user will own it.
    pub(super) fn certificate_of_user(settings: &Settings) -> Option<&TlsSettings> {
        let is_own = |tls: &&TlsSettings| tls.certificates.is_empty() && settings.run_as.is_some();
        settings.tls.as_ref().filter(is_own)
    }

    /// The settings after a reload, with the user that the server is.
    ///
    /// # Errors
    ///
    /// If they need the rights that the server has given up.
    pub(super) fn with_current_user(&self, mut settings: Settings) -> io::Result<Settings> {
        let run_as = &self.state.current().settings.run_as;
        if settings.run_as != *run_as {
            let user = run_as.as_ref().map_or("root", |run_as| &run_as.text);
            warn!("--run-as has changed: restart the server, which is {user} until then");
            settings.run_as.clone_from(run_as);
        }
        match run_as {
            Some(run_as) if settings.users.system().is_some() => Err(io::Error::other(format!(
                "--system-users: the server has given up the rights of root (--run-as {}): restart \
                 it without --run-as",
                run_as.text
            ))),
            _ => Ok(settings),
        }
    }

    /// The error of a listener, with what to do if the right to open it was given up.
    pub(super) fn without_rights(settings: &Settings, error: io::Error) -> io::Error {
        match &settings.run_as {
            Some(run_as) if error.kind() == ErrorKind::PermissionDenied => {
                let user = &run_as.text;
                let text =
                    format!("{error}, which --run-as {user} has given up: restart the server");
                io::Error::new(error.kind(), text)
            }
            _ => error,
        }
    }
}
