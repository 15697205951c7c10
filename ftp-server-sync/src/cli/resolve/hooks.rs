//! The flags about the operator's programs.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::cli::error::FlagError;
use crate::cli::flags::Flags;
use crate::cli::given::GivenFlags;
use crate::settings::file::reason;
use crate::settings::{HookSettings, Settings};

/// The hooks. Each program exists, and this process may execute it.
pub(super) fn settings(flags: &Flags, given: &GivenFlags) -> Result<HookSettings, FlagError> {
    if flags.on_upload.is_none()
        && flags.on_event.is_none()
        && given.find("--hook-timeout").is_some()
    {
        let problem = "no program runs; add --on-upload FILE or --on-event FILE";
        return Err(given.refuse("--hook-timeout", problem));
    }
    let program = |flag: &str, file: &Option<PathBuf>| {
        let found = file.as_deref().map(find);
        found
            .transpose()
            .map_err(|problem| given.refuse(flag, problem))
    };
    Ok(HookSettings {
        on_upload: program("--on-upload", &flags.on_upload)?,
        on_event: program("--on-event", &flags.on_event)?,
        time_limit: Duration::from_secs(flags.hook_timeout.into()),
    })
}

/// The settings, unless clients could replace a program.
pub(super) fn checked(settings: Settings, given: &GivenFlags) -> Result<Settings, FlagError> {
    match settings.replaceable_hook() {
        Some((kind, problem)) => Err(given.refuse(kind.flag(), problem)),
        None => Ok(settings),
    }
}

/// The absolute path of a program, or what is wrong with it.
fn find(file: &Path) -> Result<PathBuf, String> {
    let metadata = fs::metadata(file).map_err(|error| {
        let has_blanks = file.as_os_str().as_bytes().contains(&b' ');
        let remedy = if has_blanks {
            "give the path of a program alone: it gets no arguments, but variables"
        } else {
            "give the path of a program"
        };
        format!("{}; {remedy}", reason(&error))
    })?;
    if !metadata.is_file() {
        return Err("not a file; give the path of a program".to_owned());
    }
    if accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).is_err() {
        return Err("cannot be executed; give it that right, such as by chmod +x".to_owned());
    }
    path::absolute(file).map_err(|error| reason(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::settings;

    #[test]
    fn programs_have_absolute_paths() {
        let hooks = settings("-d /usr --on-upload /bin/true --hook-timeout 7").hooks;
        let expected = HookSettings {
            on_upload: Some("/bin/true".into()),
            on_event: None,
            time_limit: Duration::from_secs(7),
        };
        assert_eq!(hooks, expected);
        let directory = tempfile::tempdir_in(".").expect("a directory");
        let file = directory.path().join("hook");
        fs::copy("/bin/true", &file).expect("a program");
        let name = directory.path().file_name().expect("a name").display();
        let hooks = settings(&format!("-d /usr -w --on-event {name}/hook")).hooks;
        let absolute = path::absolute(&file).expect("a path");
        assert_eq!(hooks.on_event, Some(absolute));
        assert_eq!(hooks.time_limit, Duration::from_secs(60));
    }

    #[test]
    fn there_is_none_by_default() {
        assert_eq!(settings("-d /usr").hooks.programs().count(), 0);
    }

    /// It is not shown to clients, who may read all around it.
    #[test]
    fn a_program_in_a_share_is_a_file_of_the_server() {
        let settings = settings("-d / --on-event /bin/true");
        assert_eq!(settings.own_files(), [Path::new("/bin/true")]);
    }
}
