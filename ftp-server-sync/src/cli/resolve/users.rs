//! Who may log in: the user of `--username`, anonymous, and the users of `--users`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{self, Path, PathBuf};

use zeroize::Zeroizing;

use crate::accounts::passwords::Password;
use crate::accounts::system_users::{SystemGroup, SystemUsers};
use crate::accounts::users::Users;
use crate::cli::environment::{self, Environment};
use crate::cli::error::{self, FlagError};
use crate::cli::flags::{EVERY, Flags};
use crate::cli::given::GivenFlags;
use crate::cli::values;
use crate::settings::file::unreadable;
use crate::settings::load_users::load_users;

pub(super) fn users(
    flags: &Flags,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<Users, FlagError> {
    let system = system_users(flags, given)?;
    let users = match (login(flags, given, environment)?, &flags.users) {
        (None, _) if system.is_some() => Users::none().with_anonymous(flags.anonymous),
        (None, None) => Users::anonymous_only(flags.write),
        (None, Some(_)) if flags.write => {
            return Err(given.refuse(
                "--write",
                "there is no --username: the rights of each user in --users are in that file; leave \
                 it out",
            ));
        }
        (None, Some(_)) => Users::none().with_anonymous(flags.anonymous),
        (Some((name, password)), _) => {
            Users::one(name, Password::new(password), flags.write, flags.anonymous)
        }
    };
    let users = users.with_system(system);
    match &flags.users {
        Some(file) => load_users(file, users).map_err(|problem| given.refuse("--users", problem)),
        None => Ok(users),
    }
}

/// The file of `--users`. What cannot be made absolute could not be read.
pub(super) fn file(flags: &Flags) -> Option<PathBuf> {
    path::absolute(flags.users.as_ref()?).ok()
}

/// The system's users, if they may log in.
fn system_users(flags: &Flags, given: &GivenFlags) -> Result<Option<SystemUsers>, FlagError> {
    let flag = "--system-users";
    let Some(text) = &flags.system_users else {
        return Ok(None);
    };
    if flags.run_as.is_some() {
        let problem = "becomes each user who logs in, which --run-as gives up the right to; leave \
                       --run-as out";
        return Err(given.refuse_beside(flag, "--run-as", problem));
    }
    if flags.sandbox {
        let problem = "serves the homes of users who are not known at the start, which --sandbox \
                       shuts off; leave --sandbox out";
        return Err(given.refuse_beside(flag, "--sandbox", problem));
    }
    let group = (text != EVERY).then(|| SystemGroup::find(text)).transpose();
    let group = group.map_err(|problem| {
        let place = given.find(flag).and_then(|given| given.place.as_deref());
        // A variable always has a value.
        let every = match place {
            Some(place) if place.starts_with(environment::PREFIX) => EVERY,
            _ => "leave it out",
        };
        given.refuse(flag, format!("{problem}, or {every} for every user"))
    })?;
    Ok(Some(SystemUsers::new(group, flags.write)))
}

pub(super) fn creates_homes(flags: &Flags, given: &GivenFlags) -> Result<bool, FlagError> {
    if flags.create_home && flags.users.is_none() && flags.system_users.is_none() {
        let problem = "no user has a home; add --users FILE or --system-users";
        return Err(given.refuse("--create-home", problem));
    }
    Ok(flags.create_home)
}

/// Whether some login of a flag is given the shared directory.
pub(super) fn use_directory(flags: &Flags) -> bool {
    let has_homes = flags.users.is_some() || flags.system_users.is_some();
    !has_homes || flags.username.is_some() || flags.anonymous
}

/// The name and the password of the one user, if there is one.
pub(in crate::cli) fn login(
    flags: &Flags,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<Option<(String, Vec<u8>)>, FlagError> {
    let Some(name) = flags.username.clone() else {
        let passwords = ["--password", "--password-file"];
        if let Some(flag) = passwords.iter().find(|flag| given.find(flag).is_some()) {
            return Err(given.refuse(flag, "there is no user; add --username NAME"));
        }
        if environment.password.is_some() {
            let problem = "there is no user; add --username NAME, or unset the variable";
            return Err(FlagError::new(environment::PASSWORD, problem));
        }
        return Ok(None);
    };
    let password = match (&flags.password, &flags.password_file, &environment.password) {
        (Some(_), Some(_), _) => {
            let problem = error::conflict("--password");
            return Err(given.refuse_beside("--password-file", "--password", problem));
        }
        (Some(password), None, _) => values::password(password.clone().into_vec())
            .map_err(|problem| given.refuse("--password", problem)),
        (None, Some(file), _) => {
            read_password(file).map_err(|problem| given.refuse("--password-file", problem))
        }
        (None, None, Some(variable)) => values::password(variable.clone().into_vec())
            .map_err(|problem| FlagError::new(environment::PASSWORD, problem)),
        (None, None, None) => Err(given.refuse(
            "--username",
            "a password is missing; add --password-file FILE or --password TEXT, or set the \
             environment variable FTP_PASSWORD",
        )),
    }?;
    Ok(Some((name, password)))
}

/// The only line of the file. It may be a device that never ends, so only the start is read.
fn read_password(file: &Path) -> Result<Vec<u8>, String> {
    let read = || -> io::Result<Zeroizing<Vec<u8>>> {
        let enough = values::PASSWORD_BYTES_MAX + b"\r\n".len() + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(enough));
        File::open(file)?
            .take(enough as u64)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| unreadable(file, &error, "a file with the password"))?;
    let line = bytes.strip_suffix(b"\r\n").or(bytes.strip_suffix(b"\n"));
    let password = line.unwrap_or(&bytes).to_vec();
    values::password(password).map_err(|problem| format!("{problem}; give a file with one line"))
}

/// The file that has the password: the password file, or the configuration file.
pub(super) fn password_source(flags: &Flags, given: &GivenFlags) -> Option<PathBuf> {
    let file = flags.password_file.clone().or_else(|| {
        let place = given.find("--password")?.place.as_deref()?;
        // Other places are variables.
        let is_line = !place.starts_with(environment::PREFIX);
        let config = given.find("--config").filter(|_| is_line)?;
        config.value.clone().map(PathBuf::from)
    });
    path::absolute(file?).ok()
}
