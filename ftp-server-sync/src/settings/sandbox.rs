//! What the settings need within `--sandbox`.

use std::path::{self, Path};

use ftp_proto::Rights;

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
        let addresses = self.address_files();
        needed.extend(addresses.map(|file| file_needed("@FILE of a public address", file)));
        if self.port_mapping.is_on() || self.has_quotas() {
            needed.push(NeededPath {
                name: "the state directory",
                path: self.state_directory.clone(),
                access: AllowedAccess::Change,
                with_parent: false,
            });
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
        SandboxRules::new(&self.sandbox_needs(), &WidePlaces::read())
    }

    fn home_needed(&self, user: &FileUser) -> NeededPath {
        let only_reads = user.all_rights().all(|rights| rights == Rights::READ_ONLY);
        let is_made = self.create_homes && !user.home.exists();
        let access = if only_reads && !is_made {
            AllowedAccess::Read
        } else {
            AllowedAccess::Change
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
    fn changes_files(&self) -> bool {
        let user = self.users.user().map(|(_, rights)| rights);
        let mut logins = self.users.anonymous().into_iter().chain(user);
        logins.any(|rights| rights != Rights::READ_ONLY)
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
