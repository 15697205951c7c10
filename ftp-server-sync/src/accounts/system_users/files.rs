//! The files of the system that say who may log in, besides the user database itself.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::unfit::Unfit;
use crate::logging::system_text::SystemText;

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) struct SystemFiles {
    pub(super) passwd: PathBuf,
    pub(super) shadow: PathBuf,
    pub(super) shells: PathBuf,
    pub(super) ftpusers: PathBuf,
    pub(super) login_defs: PathBuf,
}

/// The text of /etc/shadow; `None`: there is none.
pub(super) type ShadowText = Result<Option<Zeroizing<Vec<u8>>>, Unfit>;

impl Default for SystemFiles {
    fn default() -> Self {
        Self {
            passwd: "/etc/passwd".into(),
            shadow: "/etc/shadow".into(),
            shells: "/etc/shells".into(),
            ftpusers: "/etc/ftpusers".into(),
            login_defs: "/etc/login.defs".into(),
        }
    }
}

impl SystemFiles {
    /// Those of the files without which no user can log in that are not there, for the operator.
    pub(crate) fn missing(&self) -> Option<String> {
        let needed = [&self.passwd, &self.shadow].into_iter();
        let missing = needed.filter(|file| matches!(file.try_exists(), Ok(false)));
        let missing: Vec<String> = missing.map(|file| file.display().to_string()).collect();
        let verb = if missing.len() == 1 { "does" } else { "do" };
        (!missing.is_empty()).then(|| {
            format!(
                "{} {verb} not exist: users whose passwords are there cannot log in; in a \
                 container, mount the files of the host",
                missing.join(" and ")
            )
        })
    }

    /// The lines with hashes, which nothing keeps.
    pub(super) fn shadow(&self) -> ShadowText {
        read(&self.shadow)
    }

    /// The least number of a user who is a person.
    pub(super) fn uid_min(&self) -> Result<u32, Unfit> {
        let text = read(&self.login_defs)?.unwrap_or_default();
        let values = lines(&text).filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next()? == "UID_MIN").then(|| words.next())?
        });
        // The last one counts, as for the programs that make users.
        let given = values.last().and_then(|value| value.parse().ok());
        // Never root.
        Ok(given.unwrap_or(UID_MIN).max(1))
    }

    /// Whether this is a shell of users who may log in.
    pub(super) fn has_shell(&self, shell: &str) -> Result<bool, Unfit> {
        Ok(match read(&self.shells)? {
            _ if shell.is_empty() => false,
            Some(text) => lines(&text).any(|line| line.trim() == shell),
            None => SHELLS.contains(&shell),
        })
    }

    /// Whether this name may not use FTP.
    pub(super) fn denies(&self, name: &str) -> Result<bool, Unfit> {
        let text = read(&self.ftpusers)?.unwrap_or_default();
        let mut names = lines(&text).filter_map(|line| line.split_ascii_whitespace().next());
        Ok(names.any(|denied| denied == name))
    }

    /// Whether the line of this name in the file of users has a hash itself, as on old systems.
    pub(super) fn has_hash_in_passwd(&self, name: &[u8]) -> Result<bool, Unfit> {
        let text = read(&self.passwd)?.unwrap_or_default();
        let mut lines = text.split(|&byte| byte == b'\n');
        Ok(lines.any(|line| {
            let mut fields = line.split(|&byte| byte == b':');
            fields.next() == Some(name) && fields.next().is_some_and(|hash| hash != b"x")
        }))
    }

    /// The names in the file of users.
    pub(super) fn names(&self) -> Result<Vec<String>, Unfit> {
        let text = read(&self.passwd)?.unwrap_or_default();
        let names = lines(&text).filter_map(|line| line.split_once(':'));
        let names = names.map(|(name, _)| name.to_owned());
        Ok(names.filter(|name| !name.is_empty()).collect())
    }
}

/// The lines that are text, without comments.
fn lines(text: &[u8]) -> impl Iterator<Item = &str> {
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter_map(|line| str::from_utf8(line).ok());
    lines.filter(|line| !line.trim_start().starts_with('#'))
}

/// A file as a whole; `None`: there is none. One that cannot be read lets no one in: what it denies
/// is not known.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Unfit> {
    let unreadable = |reason: &str| {
        let path = path.display();
        Unfit::Unreadable(format!("{path} cannot be read: {reason}"))
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&SystemText(&error).to_string())),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = file.take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(&SystemText(&error).to_string()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(unreadable("it is longer than 4 MiB"));
    }
    Ok(Some(bytes))
}

/// What the programs that make users take where nothing says otherwise.
const UID_MIN: u32 = 1000;

/// The shells of a system without /etc/shells (getusershell(3)).
const SHELLS: [&str; 2] = ["/bin/sh", "/bin/csh"];

/// Enough for tens of thousands of users.
const BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn files(directory: &Path) -> SystemFiles {
        let path = |name: &str| directory.join(name);
        SystemFiles {
            passwd: path("passwd"),
            shadow: path("shadow"),
            shells: path("shells"),
            ftpusers: path("ftpusers"),
            login_defs: path("login.defs"),
        }
    }

    #[test]
    fn missing_files_have_usual_answers() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        assert_eq!(files.uid_min(), Ok(1000));
        assert_eq!(files.has_shell("/bin/sh"), Ok(true));
        assert_eq!(files.has_shell("/bin/bash"), Ok(false));
        assert_eq!(files.denies("root"), Ok(false));
        assert_eq!(files.names(), Ok(Vec::new()));
        assert!(files.shadow().unwrap().is_none());
    }

    #[test]
    fn missing_files_of_users_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let names = |text: &str| [text.contains("/passwd"), text.contains("/shadow ")];
        assert_eq!(names(&files.missing().unwrap()), [true, true]);
        fs::write(&files.passwd, "").unwrap();
        assert_eq!(names(&files.missing().unwrap()), [false, true]);
        fs::write(&files.shadow, "").unwrap();
        assert_eq!(files.missing(), None);
    }

    #[test]
    fn lines_are_read_as_the_system_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let text =
            "# UID_MIN 1\nUID_MIN 500\nXUID_MIN 1\nUID_MIN\t\t 700 # more\nSYS_UID_MIN 100\n";
        fs::write(&files.login_defs, text).unwrap();
        assert_eq!(files.uid_min(), Ok(700));
        for (text, expected) in [
            ("UID_MIN 0\n", 1),
            ("UID_MIN many\n", 1000),
            ("UID_MIN", 1000),
        ] {
            fs::write(&files.login_defs, text).unwrap();
            assert_eq!(files.uid_min(), Ok(expected), "{text}");
        }
        fs::write(&files.shells, b"# /bin/no\n/bin/sh\n  /bin/zsh \n\xff\n").unwrap();
        for (shell, expected) in [("/bin/sh", true), ("/bin/zsh", true), ("/bin/no", false)] {
            assert_eq!(files.has_shell(shell), Ok(expected), "{shell}");
        }
        assert_eq!(files.has_shell(""), Ok(false));
        fs::write(&files.ftpusers, "#anna\n root\nbob # why\n").unwrap();
        for (name, expected) in [
            ("root", true),
            ("bob", true),
            ("anna", false),
            ("ro", false),
        ] {
            assert_eq!(files.denies(name), Ok(expected), "{name}");
        }
        fs::write(&files.passwd, "anna:x:1\nbad\n\n:x:2\nbob:x:2").unwrap();
        assert_eq!(files.names().unwrap(), ["anna", "bob"]);
    }

    /// What they deny is not known then.
    #[test]
    fn a_file_that_cannot_be_read_lets_no_one_in() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        for path in [&files.shells, &files.ftpusers, &files.login_defs] {
            fs::create_dir(path).unwrap();
        }
        let is_unreadable = |unfit: &Unfit| matches!(unfit, Unfit::Unreadable(_));
        assert!(is_unreadable(&files.has_shell("/bin/sh").unwrap_err()));
        assert!(is_unreadable(&files.denies("anna").unwrap_err()));
        assert!(is_unreadable(&files.uid_min().unwrap_err()));
        let long = vec![b'#'; usize::try_from(BYTES_MAX).unwrap() + 1];
        fs::write(&files.shadow, long).unwrap();
        assert!(is_unreadable(&files.shadow().unwrap_err()));
    }
}
