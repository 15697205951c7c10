//! What is not FTP, or only seems so, as the first bytes of a client.

use ftp_proto::limits::LINE_BYTES_MAX;
use ftp_proto::{Action, Config, ForeignProtocol, Outcome, Output, Session};

use super::{endpoints, outputs_of};
use crate::reply_codes::NOT_IMPLEMENTED;

/// Lines of a client that has not logged in: the session recognizes other protocols as this file
/// does, closes without a reply and executes nothing after that, and it makes no difference how the
/// bytes arrive.
///
/// The first bytes choose the variant; the rest is what the client sends, unchanged or mapped to
/// words of several protocols.
pub fn foreign(data: &[u8]) {
    let Some(([style, cut], rest)) = data.split_first_chunk() else {
        return;
    };
    let words: Vec<u8>;
    let input = if style & 1 != 0 {
        let word = |byte: &u8| WORDS[usize::from(*byte) % WORDS.len()];
        words = rest.iter().flat_map(word).copied().collect();
        &words[..words.len().min(INPUT_BYTES_MAX)]
    } else {
        &rest[..rest.len().min(INPUT_BYTES_MAX)]
    };
    check(input);
    // The bit for a login is not set.
    let style = style & 4;
    let whole = outputs_of(style, input, &[usize::MAX]);
    let size = (usize::from(*cut) + 1).max(input.len() / PIECES_MAX);
    assert_eq!(whole, outputs_of(style, input, &[size]));
    if input.len() <= BYTEWISE_MAX {
        assert_eq!(whole, outputs_of(style, input, &[1]));
    }
}

/// Follows a session line by line, as if all bytes had arrived.
pub(crate) fn check(input: &[u8]) {
    let mut session = Session::new(Config::default().into(), endpoints());
    assert_eq!(
        outputs(&mut session),
        Seen {
            replies: 1,
            closes: false
        }
    );
    let (mut rest, mut is_line_start) = (input, true);
    while !session.is_closed() {
        let is_first = rest.len() == input.len();
        let expected = if is_line_start {
            recognize(rest, is_first)
        } else {
            None
        };
        let used = session.handle_input(rest);
        let seen = outputs(&mut session);
        let shown = || rest.escape_ascii().to_string();
        assert_eq!(session.foreign_protocol(), expected, "{}", shown());
        if expected.is_some() {
            let silent = Seen {
                replies: 0,
                closes: true,
            };
            assert_eq!(seen, silent, "{}", shown());
            assert!(session.is_closed() && used > 0, "{}", shown());
        }
        if used == 0 {
            return;
        }
        is_line_start = rest[used - 1] == b'\n';
        rest = &rest[used..];
    }
    assert_eq!(session.handle_input(rest), 0);
    assert_eq!(outputs(&mut session), Seen::default());
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    replies: usize,
    closes: bool,
}

/// The outputs until none is left. No password is right.
fn outputs(session: &mut Session) -> Seen {
    let mut seen = Seen::default();
    while let Some(output) = session.poll_output() {
        match output {
            Output::Reply(_) => seen.replies += 1,
            Output::Action(Action::Authenticate { .. }) => {
                let answered = session.handle_outcome(Outcome::Authenticated(None));
                answered.expect("the open action");
            }
            Output::Action(Action::Close) => seen.closes = true,
            Output::Action(action) => panic!("{action:?} without a login"),
        }
    }
    seen
}

/// The same as the core, in another way.
fn recognize(bytes: &[u8], is_first: bool) -> Option<ForeignProtocol> {
    if is_first && bytes.starts_with(b"\r\n\r\n\0") {
        return Some(ForeignProtocol::Proxy);
    }
    if bytes.starts_with(b"\x16\x03") {
        return Some(ForeignProtocol::Tls);
    }
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    let text = String::from_utf8_lossy(&line[..line.len().min(LINE_BYTES_MAX)]);
    if text.starts_with("SSH-") {
        return Some(ForeignProtocol::Ssh);
    }
    match text.split_once(' ') {
        Some(("PROXY", _)) => return Some(ForeignProtocol::Proxy),
        Some((method, _)) if METHODS.contains(&method) => return Some(ForeignProtocol::Http),
        _ => {}
    }
    let (name, _) = text.split_once(':')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_header = (1..=64).contains(&name.len()) && name.bytes().all(is_name);
    (is_header && !is_command(name)).then_some(ForeignProtocol::Http)
}

/// HOST is a command too, but `Host:` is the most frequent header.
fn is_command(name: &str) -> bool {
    let mut commands = ftp_proto::commands().map(|command| command.name);
    let is_same = |known: &str| known.eq_ignore_ascii_case(name) && known != "HOST";
    commands.any(is_same) || NOT_IMPLEMENTED.iter().any(|known| is_same(known))
}

const METHODS: [&str; 11] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PROPFIND", "PUT",
    "TRACE",
];

const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b"\x16",
    b"\x03",
    b"\xff",
    b"/",
    b"GET",
    b"get",
    b"POST",
    b"HEAD",
    b"OPTIONS",
    b"OPTS",
    b"PUT",
    b"PRI",
    b"PROPFIND",
    b" HTTP/1.1\r\n",
    b"Host: x\r\n",
    b"Host",
    b"HOST",
    b"Content-Length: 7\r\n",
    b"SSH-",
    b"SSH",
    b"2.0-x\r\n",
    b"PROXY",
    b" TCP4 192.0.2.7 192.0.2.1 40000 21\r\n",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"QUIT\r\n",
    b"USER",
    b"joe",
    b"PASS",
    b"HELP",
    b"PASV\r\n",
    b"STAT\r\n",
    b"\r\n\r\n",
    b"\xff\xf4\xff\xf2",
    &[b'A'; 60],
    &[b'A'; 4000],
    b"-",
    b"_",
    b"SMNT",
];

/// Long enough for an overlong line and some more.
const INPUT_BYTES_MAX: usize = 6000;

/// Many pieces of a long input take long.
const PIECES_MAX: usize = 64;

/// Byte by byte, the time grows with the square of the length.
const BYTEWISE_MAX: usize = 128;
