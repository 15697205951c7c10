//! Names in the charsets of clients.

use std::sync::Arc;

use ftp_proto::client::{ReplyReader, parse_pwd};
use ftp_proto::{
    Account, Action, Config, FileAnswer, FileRequest, FtpPath, NameCodec, Outcome, Output, Rights,
    Session,
};
use ftp_server_sync::settings::NameCharset;

use super::endpoints;

/// Any name on disk is found by what clients see, and what a client creates too.
///
/// The first byte chooses the charset; the rest is a name on disk, and then what a client sends.
pub fn charset(data: &[u8]) {
    let Some((index, bytes)) = data.split_first() else {
        return;
    };
    let bytes = &bytes[..bytes.len().min(NAME_BYTES_MAX)];
    let label = LABELS[usize::from(*index) % LABELS.len()];
    let charset = NameCharset::for_label(label).expect("a charset");
    let codec = charset.codec().expect("a conversion");
    is_found(&*codec, bytes);
    if let Some(name) = codec.decode(bytes) {
        assert_eq!(structure(&name), structure(bytes), "{label} {name:x?}");
        is_found(&*codec, &name);
    }
    // Its answer is no more than a hint, but it must not depend on the order of things.
    assert!(!codec.shows_utf8(bytes) || str::from_utf8(bytes).is_ok());
    created_is_entered(codec, bytes);
}

/// The bytes that delimit names are the same on both sides, and nothing breaks a line.
fn is_found(codec: &dyn NameCodec, name: &[u8]) {
    let wire = codec.encode(name);
    assert_eq!(codec.decode(&wire).as_deref(), Some(name), "{wire:x?}");
    assert_eq!(structure(&wire), structure(name), "{wire:x?}");
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, 0 | b'\t');
    assert!(!wire.iter().any(is_control), "{wire:x?}");
}

fn structure(name: &[u8]) -> Vec<u8> {
    let is_kept = |byte: &&u8| matches!(byte, 0 | b'/');
    name.iter().filter(is_kept).copied().collect()
}

/// A client makes a directory, reads its name in the reply, and enters it by that.
fn created_is_entered(codec: Arc<dyn NameCodec>, name: &[u8]) {
    let mut session = Session::new(Arc::new(Config::default()), endpoints());
    let account = Account::new(Rights::READ_WRITE).with_codec(codec);
    run(&mut session, b"USER bob", &account);
    run(&mut session, b"PASS x", &account);
    // Some names in a charset look like UTF-8; without this, the second command could switch.
    run(&mut session, b"OPTS UTF8 OFF", &account);
    let line: Vec<u8> = name.iter().copied().filter(|&byte| byte != b'\n').collect();
    let (Some(made), reply) = run(&mut session, &[b"MKD ", &line[..]].concat(), &account) else {
        return;
    };
    let (_, reply) = ReplyReader::new().read(&reply).expect("a reply");
    let shown = parse_pwd(reply.expect("a whole reply").text()).expect("a path");
    let mut command = b"CWD ".to_vec();
    for byte in shown {
        command.push(byte);
        // As Telnet requires.
        command.extend((byte == 0xff).then_some(byte));
    }
    let (entered, _) = run(&mut session, &command, &account);
    assert_eq!(entered, Some(made));
}

/// Sends a line. Returns the path of the request that follows, and the bytes of the replies.
fn run(session: &mut Session, line: &[u8], account: &Account) -> (Option<FtpPath>, Vec<u8>) {
    let (mut path, mut replies) = (None, Vec::new());
    while let Some(_greeting) = session.poll_output() {}
    session.handle_input(&[line, b"\r\n"].concat());
    while let Some(output) = session.poll_output() {
        let outcome = match output {
            Output::Reply(reply) => {
                reply.encode(&mut replies);
                continue;
            }
            Output::Action(Action::Authenticate { .. }) => {
                Outcome::Authenticated(Some(account.clone()))
            }
            Output::Action(Action::File(
                FileRequest::MakeDirectory { path: asked, .. }
                | FileRequest::ChangeDirectory(asked),
            )) => {
                path = Some(asked);
                Outcome::File(Ok(FileAnswer::Done))
            }
            Output::Action(action) => action.decline().expect("an action with an outcome"),
        };
        session.handle_outcome(outcome).expect("an open action");
    }
    (path, replies)
}

/// Three times as long in a reply, it still fits into a command line.
const NAME_BYTES_MAX: usize = 1000;

const LABELS: [&str; 12] = [
    "GBK",
    "GB18030",
    "Big5",
    "Shift_JIS",
    "EUC-JP",
    "EUC-KR",
    "windows-1251",
    "windows-1258",
    "KOI8-R",
    "ISO-8859-3",
    "auto:GBK",
    "auto:windows-1251",
];
