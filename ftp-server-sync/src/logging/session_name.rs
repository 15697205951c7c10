//! How each log line of a session begins: `#17 bob@198.51.100.7`.
//!
//! Programs read these two words, so they have this form in every line, and no name of a user can
//! look like something else: it has no spaces, and its end is the last `@`. Before the login, and
//! after a logout, `-` stands for the user.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::fields::Word;
use super::repeated::RepeatedEvents;

/// This thread serves the session with this number from now on.
pub(crate) fn set_thread_session(number: u64) {
    THREAD_SESSION.set(Some(number));
}

/// The session that this thread serves, or has served last.
pub(super) fn thread_session() -> Option<u64> {
    THREAD_SESSION.get()
}

thread_local! {
    static THREAD_SESSION: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A session as log lines name it. Clones have the same user.
#[derive(Clone, Debug)]
pub(crate) struct SessionName(Rc<Parts>);

#[derive(Debug)]
struct Parts {
    number: u64,
    client: IpAddr,
    /// As the client sent it.
    user: RefCell<Option<Box<[u8]>>>,
}

impl SessionName {
    /// The name of a session before its login.
    pub(crate) fn new(number: u64, client: IpAddr) -> Self {
        Self(Rc::new(Parts {
            number,
            client: client.to_canonical(),
            user: RefCell::default(),
        }))
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    pub(crate) fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The user who has logged in.
    pub(crate) fn user(&self) -> Option<Box<[u8]>> {
        self.0.user.borrow().clone()
    }

    /// This user has logged in; `None`: the user has logged out.
    pub(crate) fn set_user(&self, user: Option<&[u8]>) {
        let mut current = self.0.user.borrow_mut();
        if current.as_deref() != user {
            *current = user.map(Box::from);
        }
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            number,
            client,
            user,
        } = &*self.0;
        match user.borrow().as_deref() {
            Some(user) => write!(f, "#{number} {}@{client}", Word(user)),
            None => write!(f, "#{number} -@{client}"),
        }
    }
}

/// A line of a session, split at its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SessionLine<'a> {
    pub(super) number: u64,
    /// As in the line; `None` before the login, and after a logout.
    pub(super) user: Option<&'a str>,
    pub(super) client: IpAddr,
    pub(super) text: &'a str,
}

impl<'a> SessionLine<'a> {
    /// `None` for a line that is no session's. Those begin with a text of ours.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
        let (name, text) = rest.split_once(' ')?;
        let (user, client) = name.rsplit_once('@')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self {
            number: number.parse().ok().filter(|_| is_number)?,
            user: (user != "-").then_some(user),
            client: client.parse().ok()?,
            text,
        })
    }
}

/// What the parts of a session need for their log lines.
#[derive(Clone, Debug)]
pub(crate) struct LogContext {
    pub(crate) name: SessionName,
    pub(crate) events: Arc<RepeatedEvents>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(client: &str, user: Option<&[u8]>, expected: &str) {
        let name = SessionName::new(17, client.parse().expect("an address"));
        let clone = name.clone();
        name.set_user(user);
        assert_eq!(clone.to_string(), expected);
    }

    #[test]
    fn two_words_name_a_session() {
        check("198.51.100.7", None, "#17 -@198.51.100.7");
        check("198.51.100.7", Some(b"bob"), "#17 bob@198.51.100.7");
        check("2001:db8::9", Some(b"bob"), "#17 bob@2001:db8::9");
        check("::ffff:198.51.100.7", None, "#17 -@198.51.100.7");
    }

    #[test]
    fn a_line_is_split_at_its_name() {
        let line = SessionLine::parse("#17 b@c@::1 logged in").unwrap();
        assert_eq!((line.number, line.user), (17, Some("b@c")));
        assert_eq!(
            (line.client.to_string(), line.text),
            ("::1".to_owned(), "logged in")
        );
        let line = SessionLine::parse("#1 -@10.0.0.1 closed").unwrap();
        assert_eq!(line.user, None);
        for other in [
            "ended",
            "#1",
            "#1 closed",
            "#x a@::1 b",
            "#+1 a@::1 b",
            "#1 a@b c",
        ] {
            assert_eq!(SessionLine::parse(other), None, "{other}");
        }
    }

    #[test]
    fn no_user_can_forge_a_word() {
        for (user, shown) in [
            (&b""[..], "#17 @::1"),
            (b"-", "#17 \\x2d@::1"),
            (b"bob@example.com", "#17 bob@example.com@::1"),
            (
                b"bob@10.0.0.1 STOR /x",
                "#17 bob@10.0.0.1\\x20STOR\\x20/x@::1",
            ),
            (b"a\r\n#18 \xff", "#17 a\\r\\n#18\\x20\\xff@::1"),
            ("\u{202e}\u{2028}".as_bytes(), "#17 \\u{202e}\\u{2028}@::1"),
        ] {
            check("::1", Some(user), shown);
        }
    }
}
