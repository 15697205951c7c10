//! Each user of the file: home, rights and limits.

use std::os::unix::ffi::OsStrExt;

use ftp_proto::date;
use ftp_proto::listing::Pattern;
use ftp_proto::text::{printable, printable_word};
use ipnet::IpNet;

use crate::accounts::users_file::{FileUser, UserOptions, UserPassword, describe_rights};
use crate::logging::counted::counted;
use crate::logging::wrap::wrap;
use crate::nat::summary::names;
use crate::settings::Settings;

/// The lines, each at most `width` columns long; none without a file.
pub(super) fn users(settings: &Settings, column: usize, width: usize) -> String {
    let Some(file) = &settings.users_file else {
        return String::new();
    };
    let file = printable_word(file.as_os_str().as_bytes());
    let mut text = wrap(
        "",
        0,
        width,
        &format!("Users of {file} (--users), by home and rights:"),
    );
    for user in settings.users.of_file() {
        let name = printable_word(user.name.as_bytes());
        text += &wrap(&format!("  {name}"), column, width, &description(user));
    }
    text
}

fn description(user: &FileUser) -> String {
    let home = printable_word(user.home.as_os_str().as_bytes());
    let options = &user.options;
    let mut parts = vec![format!("{home}: {}", describe_rights(user.rights))];
    let directories = options.directories.iter();
    parts.extend(directories.map(|(path, rights)| {
        let path = printable(path.as_bytes());
        format!("below {path}: {}", describe_rights(*rights))
    }));
    parts.extend(options.mounts.iter().map(|mount| {
        let seen = printable(mount.seen.as_bytes());
        let directory = printable_word(mount.directory.as_os_str().as_bytes());
        let rights = describe_rights(user.account_in(&mount.seen).rights());
        format!("{seen} is {directory}: {rights}")
    }));
    match user.password {
        UserPassword::Any => parts.push("any password".to_owned()),
        UserPassword::Locked => parts.push("cannot log in (locked)".to_owned()),
        UserPassword::Stored(_) => {}
    }
    if options.tls_required {
        parts.push("with TLS only".to_owned());
    }
    let sessions = options.sessions_max;
    parts.extend(sessions.map(|max| format!("at most {}", counted(max.into(), "session"))));
    parts.extend(limits(options));
    parts.extend(hidden_names(&options.hidden));
    parts.extend(
        options
            .charset
            .map(|charset| names(charset).unwrap_or("names are in UTF-8".to_owned())),
    );
    parts.extend(options.umask.map(|umask| format!("umask {umask:03o}")));
    parts.extend(
        options
            .expires
            .map(|end| format!("until {}", last_day(end))),
    );
    parts.extend(networks("from", &options.access.allowed));
    parts.extend(networks("not from", &options.access.denied));
    parts.join("; ")
}

/// The limits on speeds and sizes.
fn limits(options: &UserOptions) -> Vec<String> {
    let mut parts = Vec::new();
    let rates = options.rates;
    parts.extend(
        rates
            .inward
            .map(|rate| format!("uploads {} a second at most", counted(rate.get(), "byte"))),
    );
    parts.extend(
        rates
            .outward
            .map(|rate| format!("downloads {} a second at most", counted(rate.get(), "byte"))),
    );
    match options.upload_bytes_max {
        Some(Some(max)) => parts.push(format!("files have at most {}", counted(max, "byte"))),
        Some(None) => parts.push("files of any size".to_owned()),
        None => {}
    }
    let quota = options.quota;
    parts.extend(
        quota
            .bytes_max
            .map(|max| format!("the home has at most {} (quota)", counted(max, "byte"))),
    );
    parts.extend(
        quota
            .files_max
            .map(|max| format!("the home has at most {} (quota)", counted(max, "file"))),
    );
    parts
}

fn hidden_names(patterns: &[Pattern]) -> Option<String> {
    let shown = patterns
        .iter()
        .map(|pattern| printable_word(pattern.text()));
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| format!("hides {} (hide)", shown.join(", ")))
}

/// The day that ends with this second.
fn last_day(end: i64) -> String {
    let time = date::time_val(end - 1);
    let digits = String::from_utf8_lossy(&time[..8]).into_owned();
    format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..])
}

fn networks(word: &str, networks: &[IpNet]) -> Option<String> {
    let shown: Vec<String> = networks.iter().map(IpNet::to_string).collect();
    (!shown.is_empty()).then(|| format!("{word} {}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::settings;
    use crate::nat::finding::Severity;
    use crate::nat::user_problems::{no_login, user_findings};

    /// Of some password.
    const HASH: &str = "$argon2id$v=19$m=8192,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$\
                        9zXZiMFJyR3Jp0WcSGuZtrSEoHBZHgfCIJx8EI0mQ0o";
    const WEAK: &str = "$2b$04$abcdefghijklmnopqrstuu...............................";

    fn file(lines: &[&str]) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        let home = directory.path().to_str().unwrap();
        let text = lines.join("\n").replace("HOME", home);
        let text = text.replace("HASH", HASH).replace("WEAK", WEAK);
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        (directory, file)
    }

    #[test]
    fn each_user_is_shown_with_home_rights_and_limits() {
        let (directory, file) = file(&[
            "scan:HASH:HOME:dropbox:dir=/old,read;max-sessions=2;rate-in=1K;rate-out=2K;umask=027;\
             max-upload-size=0;hide=x;encoding=gbk;allow=10.0.0.0/8;deny=10.1.0.0/16;expires=2999-12-31;tls",
            "locked:*:HOME:elw:encoding=utf-8",
            "anonymous::HOME:read",
        ]);
        let home = directory.path().to_str().unwrap();
        let expected = format!(
            "Users of {file} (--users), by home and rights:\n\
             \x20 anonymous   {home}: read; any password\n\
             \x20 locked      {home}: elw; cannot log in (locked); names are in UTF-8\n\
             \x20 scan        {home}: dropbox; below /old: read; with TLS only; at most 2 sessions; \
             uploads 1024 bytes a second at most; downloads 2048 bytes a second at most; files of any \
             size; hides x (hide); names are in GBK until a client asks for UTF-8; umask \
             027; until 2999-12-31; from 10.0.0.0/8; not \
             from 10.1.0.0/16\n"
        );
        assert_eq!(
            users(&settings(&format!("--users {file}")), 14, 1000),
            expected
        );
        assert_eq!(users(&settings("-d /"), 14, 1000), "");
    }

    #[test]
    fn what_is_wrong_with_users() {
        let (directory, file) = file(&[
            "fine:HASH:HOME:all",
            "homeless:HASH:HOME/missing:read",
            "weak:WEAK:HOME:read",
            "secure:HASH:HOME:read:tls",
            "old:HASH:HOME:read:expires=2020-01-01",
            "locked:!:HOME:read",
            "anonymous::HOME:read:dir=/x,write",
            "mistyped:HASH:HOME:raed:dir=/here,reda;mount=/m,HOME/here,red",
            "elsewhere:HASH:HOME:read:dir=/Here,none;dir=/here,none;dir=/a,read;dir=/a/b,read;\
             dir=/a/b/x,read;dir=/users,all;mount=/a/b,HOME/here",
        ]);
        std::fs::create_dir(directory.path().join("here")).unwrap();
        let findings = user_findings(&settings(&format!("--users {file}")));
        let found: Vec<String> = findings
            .iter()
            .map(|finding| format!("{:?} {}", finding.severity, finding.text))
            .collect();
        let home = directory.path().to_str().unwrap();
        let expected = [
            "Note --users: anonymous: dir=/x: HOME/x does not exist: these rights hold for nothing",
            "Risk --users: anonymous: may change and delete",
            "Note --users: elsewhere: mount=/a/b: the directory HOME/here is also seen in the home",
            "Risk --users: elsewhere: dir=/Here: HOME/Here does not exist",
            "Note --users: elsewhere: dir=/a/b/x: HOME/here/x does not exist",
            "Note --users: elsewhere: dir=/users: HOME/users is not a directory",
            "Failure --users: homeless: the home ",
            "Note --users: locked: cannot log in: the password is locked",
            "Note --users: mistyped: mount=/m: the directory HOME/here is also seen in the home",
            "Risk --users: mistyped: the rights raed are taken as the letters erad; did you mean read?",
            "Risk --users: mistyped: dir=/here: the rights reda are taken as the letters erad",
            "Risk --users: mistyped: mount=/m: the rights red are taken as the letters erd",
            "Note --users: old: cannot log in: the account has expired",
            "Failure --users: secure: cannot log in: the option tls needs TLS",
            "Risk --users: weak: the bcrypt hash is weak",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, start) in found.iter().zip(expected) {
            let start = start.replace("HOME", home);
            assert!(found.starts_with(&start), "{found}");
        }
    }

    #[test]
    fn no_user_can_log_in() {
        let (_directory, users) = file(&[
            "old:HASH:HOME:read:expires=2020-01-01",
            "locked:!:HOME:read",
        ]);
        let all_out = settings(&format!("--users {users}"));
        let finding = no_login(&all_out, false).expect("a finding");
        assert_eq!(
            finding.text,
            "no user can log in: all users of --users are locked or have expired"
        );
        assert_eq!(finding.severity, Severity::Failure);
        assert_eq!(no_login(&all_out, true), None);
        assert_eq!(no_login(&settings("-d /usr"), false), None);
        let (_directory, users) = file(&["new:HASH:HOME:read:expires=2999-01-01"]);
        assert_eq!(
            no_login(&settings(&format!("--users {users}")), false),
            None
        );
    }
}
