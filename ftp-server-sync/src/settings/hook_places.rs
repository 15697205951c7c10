//! Where the programs of hooks may not be: clients could exchange them, and have their own program
//! run.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ftp_proto::FtpPath;
use ftp_proto::text::printable_word;

use super::Settings;
use super::hooks::HookKind;
use super::sandbox::access;
use crate::accounts::system_users::SystemFiles;
use crate::sandbox::AllowedAccess;

impl Settings {
    /// A hook whose program clients could replace, or a directory above it, and why. `None`: there
    /// is none.
    pub(crate) fn replaceable_hook(&self) -> Option<(HookKind, String)> {
        // Without a hook, no user of the system is looked up.
        self.hooks.programs().next()?;
        let changed = self.changed_directories();
        let changed = changed
            .into_iter()
            .map(|(name, path)| (name, path.to_owned()));
        let changed = changed.chain(self.changed_system_homes(&SystemFiles::default()));
        self.replaceable_in(changed)
    }

    /// The same, if clients can change these directories.
    fn replaceable_in(
        &self,
        changed: impl Iterator<Item = (&'static str, PathBuf)>,
    ) -> Option<(HookKind, String)> {
        let changed = changed.filter_map(|(name, directory)| {
            let real = directory.canonicalize().ok()?;
            Some((name, directory, real))
        });
        let changed: Vec<_> = changed.collect();
        self.hooks.programs().find_map(|(kind, program)| {
            let program = program.canonicalize().ok()?;
            let mut changed = changed.iter();
            let (name, directory, _) = changed.find(|(.., real)| program.starts_with(real))?;
            let directory = printable_word(directory.as_os_str().as_bytes());
            let problem = format!(
                "is in {name} {directory}, where clients could replace it; move it elsewhere"
            );
            Some((kind, problem))
        })
    }

    /// The homes of the system's users, in which the kernel lets them change something.
    fn changed_system_homes(&self, files: &SystemFiles) -> Vec<(&'static str, PathBuf)> {
        let system = self.users.system();
        let system = system.filter(|system| system.rights.may_change());
        let homes = system.map_or(Vec::new(), |system| system.homes(files));
        homes.into_iter().map(|home| ("the home", home)).collect()
    }

    /// The directories in which some login of the flags or of the file may change something.
    fn changed_directories(&self) -> Vec<(&'static str, &Path)> {
        let mut changed = Vec::new();
        if self.changes_files() {
            changed.push(("the shared directory", &*self.directory));
        }
        for user in self.users.of_file() {
            if access(user, &FtpPath::root()) == AllowedAccess::Change {
                changed.push(("the home", &*user.home));
            }
            for mount in &user.options.mounts {
                if access(user, &mount.seen) == AllowedAccess::Change {
                    changed.push(("the mount", &*mount.directory));
                }
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::cli::golden::settings;

    /// What is wrong with a program in `/srv/bin` of a directory, for a user with this line.
    fn check(line: &str, expected: Option<&str>) {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().canonicalize().unwrap();
        let shown = directory.display().to_string();
        fs::create_dir_all(directory.join("srv/bin")).unwrap();
        fs::copy("/bin/true", directory.join("srv/bin/hook")).unwrap();
        let users = directory.join("users");
        fs::write(&users, "anonymous::/usr:read").unwrap();
        let users = users.display();
        let hook = format!("{shown}/srv/bin/hook");
        let mut settings = settings(&format!("--users {users} --on-event {hook}"));
        let line = line.replace('@', &shown);
        let file = crate::settings::users_file::parse(line.as_bytes()).unwrap();
        settings.users = settings.users.clone().with_file(file).unwrap();
        let problem = settings.replaceable_hook().map(|(_, problem)| problem);
        let expected = expected.map(|place| {
            let place = place.replace('@', &shown);
            format!("is in {place}, where clients could replace it; move it elsewhere")
        });
        assert_eq!(problem, expected, "{line}");
    }

    #[test]
    fn a_program_that_clients_could_replace() {
        check("anonymous::@/srv:all", Some("the home @/srv"));
        check("anonymous::@:read:dir=/srv,upload", Some("the home @"));
        check(
            "anonymous::/usr:read:mount=/m,@/srv/bin,all",
            Some("the mount @/srv/bin"),
        );
        check("anonymous::@/srv:read", None);
        check("anonymous::/usr:all:mount=/m,@/srv,read", None);
    }

    /// The tests have no users of the system: this is about the homes that it would name.
    #[test]
    fn a_program_in_the_home_of_a_user_of_the_system() {
        let place = tempfile::tempdir().unwrap();
        let hook = place.path().join("bob/bin/hook");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::copy("/bin/true", &hook).unwrap();
        let settings = settings(&format!("-d /usr --on-event {}", hook.display()));
        let home = |name: &str| [("the home", place.path().join(name))].into_iter();
        let (_, problem) = settings.replaceable_in(home("bob")).unwrap();
        assert!(
            problem.contains("/bob, where clients could replace it"),
            "{problem}"
        );
        assert_eq!(settings.replaceable_in(home("anna")), None);
    }
}
