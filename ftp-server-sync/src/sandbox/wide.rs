//! Directories that are too wide for a rule: what is needed from them is there by chance.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories that contain much that is not the server's.
#[derive(Clone, Debug, Default)]
pub(crate) struct WidePlaces {
    /// The directories of the users of this machine.
    homes: Vec<PathBuf>,
}

impl WidePlaces {
    /// Those of this machine.
    pub(crate) fn read() -> Self {
        Self::of(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    /// Those of a machine with these users: lines like `bob:x:1000:1000:Bob:/home/bob:/bin/sh`.
    fn of(passwd: &str) -> Self {
        let home = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let user: u32 = fields.get(2)?.parse().ok()?;
            let home = Path::new(fields.get(5)?);
            let may_log_in = user >= UID_MIN && user != OVERFLOW_UID && home.is_absolute();
            may_log_in.then(|| real_name(home))
        };
        Self {
            homes: passwd.lines().filter_map(home).collect(),
        }
    }

    /// Whether a directory is too wide, which contains what is `needed`. Both are without symbolic
    /// links.
    pub(super) fn contain(&self, directory: &Path, needed: &Path) -> bool {
        let is_above = |place: &&str| Path::new(*place).starts_with(directory);
        let is_home = directory.parent().is_some_and(|parent| {
            let mut homes = HOME_PARENTS.iter();
            homes.any(|homes| Path::new(homes) == parent)
        });
        // A user's home may be the shared directory.
        let has_home = |home: &PathBuf| home.starts_with(directory) && !home.starts_with(needed);
        PLACES.iter().any(is_above) || is_home || self.homes.iter().any(has_home)
    }
}

/// The home without symbolic links, except in its own name: to follow that could mount it.
fn real_name(home: &Path) -> PathBuf {
    let parent = home.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, home.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => home.to_owned(),
    }
}

/// Each of them, and each that contains one of them, is too wide.
const PLACES: [&str; 24] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run/user",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/usr/local/bin",
    "/var/cache",
    "/var/home",
    "/var/lib",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];

/// What is directly in them is a home.
const HOME_PARENTS: [&str; 2] = ["/home", "/var/home"];

/// Users of lower numbers are services (`UID_MIN` of `login.defs`).
const UID_MIN: u32 = 1000;

/// The number that stands for users whom the system does not know.
const OVERFLOW_UID: u32 = 65534;

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          ftp:x:104:65534::/srv/ftp:/usr/sbin/nologin\n\
                          none:x:65534:65534:none:/:/usr/sbin/nologin\n\
                          bob:x:1000:1000:Bob:/volume1/homes/bob:/bin/sh\n\
                          ann:x:1001:1000::/data/ann:/bin/sh\n\
                          damaged:x\n\
                          eve:x:1002:1000::nowhere:/bin/sh\n";

    #[test]
    fn directories_of_the_system_and_of_users_are_too_wide() {
        let places = WidePlaces::of(PASSWD);
        for (needed, is_wide) in [
            ("/srv", true),
            ("/srv/ftp", false),
            ("/srv/ftp/files", false),
            ("/mnt/disk", false),
            ("/home/bob", true),
            ("/home/bob/ftp", true),
            ("/home/bob/ftp/files", false),
            ("/root/ftp", true),
            ("/root/ftp/files", false),
            ("/etc/server.conf", true),
            ("/etc/ssl/key.pem", false),
            ("/var/www", true),
            ("/var/www/files", false),
            ("/var/lib/ftp", true),
            ("/usr/ftp", true),
            ("/run/ftp", true),
            ("/tmp/ftp", true),
            // Bob's home is in a directory beside it, or below it.
            ("/volume1/public", true),
            ("/volume1/public/ftp", false),
            ("/volume1/homes/bob", false),
            ("/volume1/homes/bob/ftp", true),
            ("/volume1/homes/shared", true),
            // Its parent contains nothing of hers but what is shared.
            ("/data/ann", false),
            ("/data/ann/ftp", true),
        ] {
            let needed = Path::new(needed);
            let found = places.contain(needed.parent().unwrap(), needed);
            assert_eq!(found, is_wide, "{needed:?}");
        }
    }

    #[test]
    fn the_users_of_this_machine_are_read() {
        // Every machine has some, though perhaps no person.
        let text = fs::read_to_string("/etc/passwd").unwrap();
        assert!(text.lines().count() > 0);
        assert_eq!(WidePlaces::read().homes, WidePlaces::of(&text).homes);
    }
}
