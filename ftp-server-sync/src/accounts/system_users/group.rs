//! The group whose members may log in.

use nix::unistd::Group;

use ftp_proto::text::printable_word;

/// A group of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemGroup {
    /// Its name, or its number, as it was written.
    pub text: String,
    /// Its number.
    pub number: u32,
}

impl SystemGroup {
    /// Looks up a group by name or number. A name that is a number counts as a name where there is
    /// one.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to give instead.
    pub fn find(text: &str) -> Result<Self, String> {
        let found = Group::from_name(text);
        let found = found.map_err(|errno| {
            let reason = errno.desc();
            format!("the group cannot be looked up: {reason}; give the flag again later")
        })?;
        let number = match found {
            Some(group) => group.gid.as_raw(),
            None => number(text).ok_or_else(|| {
                let text = printable_word(text.as_bytes());
                format!("this machine has no group {text}; give another group")
            })?,
        };
        let text = text.to_owned();
        Ok(Self { text, number })
    }
}

/// The largest number stands for "leave it as it is".
fn number(text: &str) -> Option<u32> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_decimal);
    number.filter(|&number| number < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_and_number() {
        let root = SystemGroup::find("root").unwrap();
        assert_eq!((&*root.text, root.number), ("root", 0));
        assert_eq!(
            SystemGroup::find("3999999999").unwrap().number,
            3_999_999_999
        );
        for text in ["no-such-group", "-1", "4294967295", "1x"] {
            let problem = SystemGroup::find(text).unwrap_err();
            assert!(
                problem.starts_with("this machine has no group "),
                "{problem}"
            );
        }
    }
}
