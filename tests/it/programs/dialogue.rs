//! The commands and replies of a client and the server, read from the server's log.

use crate::support::server::{Program, TestServer};

/// The commands and replies of all sessions, in the log's order.
pub(super) struct Dialogue {
    log: String,
}

/// How a client opens its data connections: by one of four commands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Pasv,
    Epsv,
    Port,
    Eprt,
}

impl Dialogue {
    /// Ends the server; what it wrote down is the evidence of what the client did.
    #[track_caller]
    pub(super) fn finish(server: TestServer<Program>) -> Self {
        Self {
            log: server.finish(),
        }
    }

    /// The whole log.
    pub(super) fn log(&self) -> &str {
        &self.log
    }

    /// The command lines of clients, `PASS (hidden)` among them.
    pub(super) fn commands(&self) -> impl Iterator<Item = &str> {
        // Lines like `… DEBUG #3 bob@127.0.0.1 > PASV`.
        self.log.lines().filter_map(|line| {
            let (_, said) = line.split_once(" DEBUG #")?;
            let (session, command) = said.split_once(" > ")?;
            let (number, user) = session.split_once(' ')?;
            let is_one = number.parse::<u32>().is_ok() && !user.contains(' ');
            is_one.then_some(command)
        })
    }

    /// The first lines of replies that refuse something.
    fn refusals(&self) -> impl Iterator<Item = &str> {
        self.log
            .lines()
            .filter_map(|line| Some(line.split_once(" refused: ")?.1))
    }

    /// The paths of the complete transfers that a command has begun, in the log's order.
    pub(super) fn transfers(&self, verb: &str) -> Vec<&str> {
        // Lines like `… INFO  #3 bob@127.0.0.1 RETR /name: 17 bytes in 0.001 s, …`.
        let middle = format!(" {verb} ");
        self.log
            .lines()
            .filter_map(|line| {
                let (before, after) = line.split_once(&middle)?;
                let (path, result) = after.rsplit_once(": ")?;
                let is_one = before.contains(" INFO  #") && result.contains(" bytes in ");
                is_one.then_some(path)
            })
            .collect()
    }

    pub(super) fn sessions(&self) -> usize {
        self.commands()
            .filter(|command| *command == "PASS (hidden)")
            .count()
    }

    /// A client sent this line.
    #[track_caller]
    pub(super) fn assert_sent(&self, line: &str) -> &Self {
        assert!(
            self.commands().any(|command| command == line),
            "no client sent {line:?}:\n{}",
            self.log
        );
        self
    }

    /// The client used each of these commands.
    #[track_caller]
    pub(super) fn assert_used(&self, verbs: &[&str]) -> &Self {
        for verb in verbs {
            assert!(self.uses(verb), "no client used {verb}:\n{}", self.log);
        }
        self
    }

    #[track_caller]
    pub(super) fn assert_unused(&self, verbs: &[&str]) -> &Self {
        for verb in verbs {
            assert!(!self.uses(verb), "a client used {verb}:\n{}", self.log);
        }
        self
    }

    /// All data connections were made this way, and no other one was even tried.
    #[track_caller]
    pub(super) fn assert_mode(&self, mode: Mode) -> &Self {
        self.assert_used(&[mode.verb()]);
        for other in [Mode::Pasv, Mode::Epsv, Mode::Port, Mode::Eprt] {
            if other != mode {
                self.assert_unused(&[other.verb()]);
            }
        }
        self
    }

    /// Nothing was refused but what these begin with.
    #[track_caller]
    pub(super) fn assert_smooth_but(&self, expected: &[&str]) -> &Self {
        let rough = |reply: &&str| !expected.iter().any(|start| reply.starts_with(start));
        let rough: Vec<_> = self.refusals().filter(rough).collect();
        assert!(rough.is_empty(), "{rough:?} in:\n{}", self.log);
        self
    }

    fn uses(&self, verb: &str) -> bool {
        self.commands().any(|command| {
            let word = command.split(' ').next().unwrap_or_default();
            word.eq_ignore_ascii_case(verb)
        })
    }
}

impl Mode {
    fn verb(self) -> &'static str {
        match self {
            Self::Pasv => "PASV",
            Self::Epsv => "EPSV",
            Self::Port => "PORT",
            Self::Eprt => "EPRT",
        }
    }
}
