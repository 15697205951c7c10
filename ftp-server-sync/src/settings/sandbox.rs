//! What the settings need within `--sandbox`.

use std::path::{self, Path};

use ftp_proto::{FtpPath, Rights};

use super::Settings;
use crate::accounts::users_file::FileUser;
use crate::sandbox::{AllowedAccess, NeededPath, SandboxRules, WidePlaces};

impl Settings {
    /// The files and directories that have to be reachable.
    pub(crate) fn sandbox_needs(&self) -> Vec<NeededPath> {
        let share = NeededPath {
            name: "--directory",
            path: self.directory.clone(),
            access: if self.changes_files() {
                AllowedAccess::Change
            } else {
                AllowedAccess::Read
            },
            with_parent: true,
        };
        let sources = self.sources.iter();
        let sources = sources.map(|file| file_needed("--config or --password-file", file));
        let mut needed = vec![share];
        needed.extend(sources);
        needed.extend(
            self.users_file
                .iter()
                .map(|file| file_needed("--users", file)),
        );
        needed.extend(self.users.of_file().map(|user| self.home_needed(user)));
        needed.extend(self.users.of_file().flat_map(|user| mounts_needed(user)));
        let addresses = self.address_files();
        needed.extend(addresses.map(|file| file_needed("@FILE of a public address", file)));
        if self.port_mapping.is_on() || self.has_quotas() {
            needed.push(self.state_needed());
        }
        let Some(tls) = &self.tls else {
            return needed;
        };
        for files in &tls.certificates {
            needed.push(file_needed("--certfile", &files.chain));
            needed.push(file_needed("--keyfile", &files.key));
        }
        let ca = tls.client_ca.iter();
        needed.extend(ca.map(|file| file_needed("--client-ca", file)));
        if tls.certificates.is_empty() {
            needed.push(NeededPath {
                name: "the state directory",
                path: tls.state_directory.clone(),
                access: AllowedAccess::Change,
                with_parent: false,
            });
        }
        needed
    }

    /// The rules of the sandbox on this machine.
    pub(crate) fn sandbox_rules(&self) -> SandboxRules {
        let mut needed = self.sandbox_needs();
        // Only a start removes what an earlier run has had forwarded.
        if self.port_mapping.uses_state() {
            needed.push(self.state_needed());
        }
        let mut rules = SandboxRules::new(&needed, &WidePlaces::read());
        let sockets = self.status_socket.directory();
        rules.sockets.extend(sockets.map(Path::to_owned));
        rules
    }

    fn state_needed(&self) -> NeededPath {
        NeededPath {
            name: "the state directory",
            path: self.state_directory.clone(),
            access: AllowedAccess::Change,
            with_parent: false,
        }
    }

    fn home_needed(&self, user: &FileUser) -> NeededPath {
        let is_made = self.create_homes && !user.home.exists();
        let access = if is_made {
            AllowedAccess::Change
        } else {
            access(user, &FtpPath::root())
        };
        // A home that is made later gets its right from the directory above it.
        let above = user.home.parent().filter(|_| is_made);
        let path = above.unwrap_or(&user.home);
        NeededPath {
            name: "a home in --users",
            path: path.to_owned(),
            access,
            with_parent: true,
        }
    }

    /// Whether any login of a flag may change files.
    pub(super) fn changes_files(&self) -> bool {
        let user = self.users.user().map(|(_, rights)| rights);
        let mut logins = self.users.anonymous().into_iter().chain(user);
        logins.any(Rights::may_change)
    }
}

fn mounts_needed(user: &FileUser) -> impl Iterator<Item = NeededPath> {
    let mounts = user.options.mounts.iter();
    mounts.map(|mount| NeededPath {
        name: "a mount in --users",
        path: mount.directory.clone(),
        access: access(user, &mount.seen),
        with_parent: true,
    })
}

/// What the user does in the directory that is seen there.
pub(super) fn access(user: &FileUser, seen: &FtpPath) -> AllowedAccess {
    let rights = user.rights_in(seen);
    if !rights.iter().any(|rights| rights.may_change()) {
        AllowedAccess::Read
    } else {
        AllowedAccess::Change
    }
}

fn file_needed(name: &'static str, file: &Path) -> NeededPath {
    NeededPath {
        name,
        path: path::absolute(file).unwrap_or(file.to_owned()),
        access: AllowedAccess::Read,
        with_parent: true,
    }
}

#[cfg(all(test, feature = "sandbox", feature = "tls"))]
mod tests {
    use crate::cli::golden::settings;

    #[test]
    fn mounts_are_needed_as_far_as_their_rights_go() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        let line = "anonymous::/usr:all:mount=/a,/srv/a;mount=/b,/srv/b,read;mount=/c,/srv/c,read;\
                    dir=/c/new,upload";
        std::fs::write(&file, line).unwrap();
        let settings = settings(&format!("--users {}", file.display()));
        let needed = settings.sandbox_needs().into_iter();
        let needed = needed.filter(|needed| needed.name == "a mount in --users");
        let needed: Vec<String> = needed
            .map(|needed| format!("{} {:?}", needed.path.display(), needed.access))
            .collect();
        assert_eq!(needed, ["/srv/a Change", "/srv/b Read", "/srv/c Change"]);
    }

    #[test]
    fn only_rights_that_change_something_need_the_right_to_write() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        for (rights, options, expected) in [
            ("none", "", "Read"),
            ("el", "", "Read"),
            ("r", "", "Read"),
            ("read", ":dir=/a,none;dir=/b,el", "Read"),
            ("none", ":dir=/in,dropbox", "Change"),
            ("elT", "", "Change"),
            ("dropbox", "", "Change"),
        ] {
            let line = format!("anonymous::/usr:{rights}{options}");
            std::fs::write(&file, line).unwrap();
            let settings = settings(&format!("--users {}", file.display()));
            let needed = settings.sandbox_needs().into_iter();
            let mut homes = needed.filter(|needed| needed.name == "a home in --users");
            let home = homes.next().map(|home| format!("{:?}", home.access));
            assert_eq!(home.as_deref(), Some(expected), "{rights}{options}");
        }
    }

    #[test]
    fn what_the_flags_name_is_needed() {
        let check = |line: &str, expected: &str| {
            let needed = settings(line).sandbox_needs().into_iter().map(|needed| {
                let around = if needed.with_parent {
                    " and around"
                } else {
                    ""
                };
                format!(
                    "{} {} {:?}{around}",
                    needed.name,
                    needed.path.display(),
                    needed.access
                )
            });
            assert_eq!(needed.collect::<Vec<_>>().join("; "), expected, "{line}");
        };
        check("-d /usr", "--directory /usr Read and around");
        check("-d /usr --write", "--directory /usr Change and around");
        check("-d /usr -u bob -P x", "--directory /usr Read and around");
        check(
            "-d /usr -u bob -P x -w --anonymous",
            "--directory /usr Change and around",
        );
        check(
            "-d /usr --tls --certfile /a/chain --keyfile /b/key --client-ca /c/ca",
            "--directory /usr Read and around; --certfile /a/chain Read and around; --keyfile /b/key Read \
             and around; --client-ca /c/ca Read and around",
        );
        check(
            "-d /usr -n @/run/public-address",
            "--directory /usr Read and around; @FILE of a public address /run/public-address Read \
             and around",
        );
        check(
            "-d /usr --tls",
            "--directory /usr Read and around; the state directory /var/lib/ftp-server-sync Change",
        );
        check(
            "-d /usr -u bob --password-file /etc/hostname",
            "--directory /usr Read and around; --config or --password-file /etc/hostname Read and around",
        );
    }
}
