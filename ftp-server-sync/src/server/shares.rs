//! What is served by these settings, before there is a server, and for it.

use std::io;
use std::time::Instant;

use crate::fs::share::Share;
use crate::fs::share_rules::ShareRules;
use crate::settings::Settings;
use crate::settings::watched_files::WatchedFiles;

/// Which names of the shared directory clients see, and how uploads are stored.
fn share_rules(settings: &Settings) -> ShareRules {
    let rules = ShareRules::new(settings.hidden.clone(), settings.own_files());
    rules.with_uploads(settings.uploads)
}

/// The shared directory. Where no login is given it, it need not be there.
pub(super) fn open_share(settings: &Settings) -> io::Result<Share> {
    let rules = share_rules(settings);
    if settings.users.use_directory() {
        Share::open(&settings.directory, rules)
    } else {
        Ok(Share::open_later(&settings.directory, rules.into()))
    }
}

/// The same after the settings have been read again.
pub(super) fn updated_share(share: &Share, settings: &Settings) -> io::Result<Share> {
    if settings.users.use_directory() {
        share.updated(&settings.directory, share_rules(settings))
    } else {
        Ok(Share::open_later(
            &settings.directory,
            share_rules(settings).into(),
        ))
    }
}

/// The users file as it is now. Read it after this call: then no change is missed.
pub(super) fn watch(settings: &Settings, now: Instant) -> WatchedFiles {
    WatchedFiles::new(settings.users_file.iter().cloned().collect(), now)
}

/// The lines of a text, as the log takes them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
}
