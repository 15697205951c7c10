//! What is wrong with the programs of hooks: others could replace them, or they cannot run.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ftp_proto::text::printable_word;

use super::finding::{Finding, Severity};
use crate::settings::Settings;

/// The user and the group that a server runs as.
#[derive(Clone, Copy)]
struct ServerUser {
    user: u32,
    group: u32,
}

/// Looks at each program, and at the directories above it.
pub(crate) fn hook_findings(settings: &Settings) -> Vec<Finding> {
    let server = match &settings.run_as {
        Some(run_as) => ServerUser {
            user: run_as.user,
            group: run_as.group,
        },
        None => ServerUser {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        },
    };
    let mut findings = Vec::new();
    for (kind, program) in settings.hooks.programs() {
        let shown = printable_word(program.as_os_str().as_bytes());
        let mut add = |severity, problem: String| {
            let text = format!("{} {shown}: {problem}", kind.flag());
            findings.push(Finding::new(severity, text));
        };
        if let Some(problem) = server.exposure(program) {
            add(Severity::Risk, problem);
        }
        if let Some(problem) = start_problem(program) {
            add(Severity::Failure, problem);
        }
    }
    findings
}

impl ServerUser {
    /// The first of the program and the directories above it that others can change. A link may
    /// lead to the program: then both ways count.
    fn exposure(self, program: &Path) -> Option<String> {
        let real = program.canonicalize().ok()?;
        let mut paths = real.ancestors().chain(program.ancestors());
        paths.find_map(|path| {
            let cure = self.cure(&fs::metadata(path).ok()?)?;
            let path = printable_word(path.as_os_str().as_bytes());
            Some(format!(
                "others than root and the server's user can change {path}, and so have their own \
                 program run with the server's rights; {cure} {path}"
            ))
        })
    }

    /// What keeps others from changing it. `None`: they cannot. In a directory with the sticky bit,
    /// they can replace only what is theirs.
    fn cure(self, metadata: &Metadata) -> Option<&'static str> {
        let mode = metadata.mode();
        let is_sticky = metadata.is_dir() && mode & 0o1000 != 0;
        let is_own_group = [0, self.group].contains(&metadata.gid());
        let of_group = if is_own_group { 0 } else { 0o020 };
        if ![0, self.user].contains(&metadata.uid()) {
            Some("chown root")
        } else if mode & (0o002 | of_group) != 0 && !is_sticky {
            Some("chmod go-w")
        } else {
            None
        }
    }
}

/// Why the kernel cannot start the program.
fn start_problem(program: &Path) -> Option<String> {
    let mut start = Vec::new();
    let file = File::open(program).ok()?;
    file.take(START_BYTES).read_to_end(&mut start).ok()?;
    let first = start.split(|&byte| byte == b'\n').next()?;
    let Some(line) = first.strip_prefix(b"#!") else {
        let is_text = !start.contains(&0) && str::from_utf8(first).is_ok();
        return is_text.then(|| {
            "cannot be started: it is text, and its first line does not name what runs it; begin \
             the file with #!/bin/sh, or another interpreter"
                .to_owned()
        });
    };
    if line.ends_with(b"\r") {
        let problem = "cannot be started: its first line ends with a carriage return, as files of \
                       Windows do; remove those, such as by sed -i 's/\\r$//'";
        return Some(problem.to_owned());
    }
    let mut words = line.split(u8::is_ascii_whitespace);
    let interpreter = words.find(|word| !word.is_empty()).unwrap_or_default();
    let path = Path::new(std::ffi::OsStr::from_bytes(interpreter));
    matches!(path.try_exists(), Ok(false)).then(|| {
        let interpreter = printable_word(interpreter);
        format!(
            "cannot be started: {interpreter}, which its first line names, does not exist; install \
             it, or correct that line"
        )
    })
}

/// As much as the kernel reads of the first line.
const START_BYTES: u64 = 256;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn a_program_without_a_usable_first_line_cannot_be_started() {
        let directory = tempfile::tempdir().unwrap();
        let hook = directory.path().join("hook");
        for (text, part) in [
            (&b"#!/bin/sh\necho"[..], None),
            (b"#! /bin/sh -e\n", None),
            (b"\x7fELF\x02\x01\0\0", None),
            (b"echo hello\n", Some("it is text")),
            (b"", Some("it is text")),
            (b"#!/bin/sh\r\necho\r\n", Some("carriage return")),
            (b"#!/no/such/sh\n", Some("/no/such/sh, which")),
            (b"#!\n", Some("does not exist")),
        ] {
            fs::write(&hook, text).unwrap();
            let problem = start_problem(&hook);
            let shown = text.escape_ascii();
            assert_eq!(problem.is_some(), part.is_some(), "{shown}: {problem:?}");
            let has_part = problem.is_none_or(|text| text.contains(part.unwrap_or_default()));
            assert!(has_part, "{shown}");
        }
    }

    #[test]
    fn what_others_can_change() {
        let directory = tempfile::tempdir().unwrap();
        let above = directory.path().canonicalize().unwrap().join("bin");
        let hook = above.join("hook");
        fs::create_dir(&above).unwrap();
        fs::write(&hook, "").unwrap();
        let (user, group) = {
            let metadata = fs::metadata(&hook).unwrap();
            (metadata.uid(), metadata.gid())
        };
        let server = ServerUser { user, group };
        let check = |server: ServerUser, modes: [u32; 2], expected: Option<(&str, &Path)>| {
            for (path, mode) in [&above, &hook].into_iter().zip(modes) {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
            let found = server.exposure(&hook);
            let end = expected.map(|(cure, path)| format!("; {cure} {}", path.display()));
            let ends = found
                .iter()
                .zip(&end)
                .all(|(found, end)| found.ends_with(end));
            assert!(
                found.is_some() == end.is_some() && ends,
                "{modes:?}: {found:?}"
            );
        };
        check(server, [0o755, 0o755], None);
        check(server, [0o775, 0o775], None);
        check(server, [0o1777, 0o755], None);
        check(server, [0o755, 0o757], Some(("chmod go-w", &hook)));
        check(server, [0o777, 0o755], Some(("chmod go-w", &above)));
        if user != 0 {
            return;
        }
        chown(&hook, Some(54_321), None).unwrap();
        check(server, [0o755, 0o755], Some(("chown root", &hook)));
        let user = 54_321;
        check(ServerUser { user, group }, [0o755, 0o755], None);
        chown(&hook, Some(0), Some(54_321)).unwrap();
        check(server, [0o755, 0o775], Some(("chmod go-w", &hook)));
    }
}
