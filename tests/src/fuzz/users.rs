//! The text of a users file.

use std::path::Path;

use ftp_server_sync::settings::users_file;

/// Any text is users or problems: each user has an absolute home and a name of its own, and each
/// problem is one line that a terminal can show.
pub fn users(data: &[u8]) {
    match users_file::parse(data) {
        Ok(users) => {
            let mut names: Vec<&str> = users.iter().map(|user| &*user.name).collect();
            names.sort_unstable();
            assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
            for user in &users {
                assert!(user.home.is_absolute(), "{user:?}");
                assert!(!user.home.starts_with(Path::new("/..")), "{user:?}");
                for (directory, _) in &user.options.directories {
                    assert!(!directory.is_root(), "{user:?}");
                }
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let shown = problem.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?}");
            }
        }
    }
}
