//! The bodies of the fuzz targets. They are ordinary functions, so that every build compiles them.

mod charset;
mod client;
mod foreign;
mod hash_text;
mod listing;
mod loopback;
mod nat_pmp;
mod pcp;
mod proxy_header;
mod stun;
mod upnp;
mod users;

use arbitrary::{Arbitrary, Unstructured};
use ftp_proto::listing::{Entry, EntryBatch, EntryKind};
use ftp_proto::{Account, Config, Endpoints, FileAnswer, ForeignProtocol, Opened, Outcome, Rights};

use crate::model::{self, Step};
use crate::operations::{self, Operation, Setup};
use crate::sim::{Question, Sim};

pub use charset::charset;
pub use client::{client, read_back};
pub use foreign::foreign;
pub use hash_text::hash_text;
pub use listing::{AnyEntry, argument, entry, listing, matching};
pub use loopback::loopback;
pub use nat_pmp::nat_pmp;
pub use pcp::pcp;
pub use proxy_header::proxy_header;
pub use stun::stun;
pub use upnp::upnp;
pub use users::users;

/// Command lines in pieces and as a whole: the outputs are the same, whatever the client sends.
///
/// The first bytes choose the variant; the rest is what the client sends, unchanged or mapped to
/// words of FTP.
pub fn command(data: &[u8]) {
    let Some(([style, cut], rest)) = data.split_first_chunk() else {
        return;
    };
    let words;
    let input = if style & 1 != 0 {
        words = to_words(rest);
        &words
    } else {
        rest
    };
    pieces(*style, input, &[usize::from(*cut) + 1]);
}

/// The same for pieces of these sizes, which repeat.
pub fn pieces(style: u8, input: &[u8], sizes: &[usize]) {
    let input = &input[..input.len().min(COMMAND_BYTES_MAX)];
    let whole = outputs_of(style, input, &[usize::MAX]);
    assert_eq!(whole, outputs_of(style, input, sizes));
    assert_eq!(whole, outputs_of(style, input, &[1]));
}

/// Long enough for an overlong line and some more; byte by byte, the time grows with the square of
/// the length.
const COMMAND_BYTES_MAX: usize = 6000;

/// Any bytes as banner, names and file names: every reply can be parsed.
pub fn reply(data: &[u8]) {
    let mut config = Config::default();
    config.banner = String::from_utf8_lossy(data).into_owned();
    let mut sim = Sim::new(config, endpoints());
    let line: Vec<u8> = data.iter().copied().filter(|&byte| byte != b'\n').collect();
    let command = |verb: &str| [verb.as_bytes(), b" ", &line, b"\n"].concat();

    sim.send(&command("USER"));
    sim.send(b"PASS \n");
    sim.settle(|_| Outcome::Authenticated(Some(Account::new(Rights::READ_WRITE))));
    if sim.session().is_closed() {
        return;
    }
    for verb in ["HELP", "OPTS", "SITE", "TYPE", "REST", "EPSV", "EPRT"] {
        sim.send(&command(verb));
        sim.settle(|question| operations::good(question, 0));
    }
    for verb in ["MKD", "CWD", "MLST", "STAT", "STOU", "PWD"] {
        sim.send(b"PASV\n");
        sim.settle(|question| operations::good(question, 0));
        sim.send(&command(verb));
        sim.settle(|question| answer_with(question, data));
    }
    sim.send(b"STAT\n");
    sim.assert_alive(|question| operations::good(question, 0));
    sim.assert_replies_counted();
    read_back(&sim);
}

/// Any operations in any order, decoded from the bytes.
pub fn session(data: &[u8]) {
    if let Ok((setup, operations)) = Arbitrary::arbitrary_take_rest(Unstructured::new(data)) {
        run(&setup, operations);
    }
}

/// Any operations in any order, also after the session has closed.
pub fn run(setup: &Setup, operations: Vec<Operation>) {
    let mut sim = setup.begin();
    for operation in &operations {
        operations::apply(&mut sim, operation);
    }
    sim.assert_alive(|question| operations::good(question, 0));
    sim.assert_replies_counted();
    read_back(&sim);
}

/// Any steps, compared with the reference model after each step.
pub fn model(data: &[u8]) {
    if let Ok(steps) = Vec::<Step>::arbitrary_take_rest(Unstructured::new(data)) {
        model::run(&steps);
    }
}

/// Maps each byte to a word of FTP.
pub fn to_words(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &byte in data {
        let index = usize::from(byte);
        let verbs = operations::VERBS.len();
        if let Some(verb) = operations::VERBS.get(index) {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(verb.as_bytes());
            bytes.push(b' ');
        } else if let Some(word) = operations::WORDS.get(index - verbs) {
            bytes.extend_from_slice(word.as_bytes());
        } else if let Some(name) =
            operations::COMPONENTS.get(index - verbs - operations::WORDS.len())
        {
            bytes.push(b'/');
            bytes.extend_from_slice(name);
        } else {
            bytes.extend_from_slice(match byte % 8 {
                0 => b"\r\n",
                1 => b"\n",
                2 => b"\xff\xf4\xff\xf2",
                3 => b"\xff",
                4 => &[b'A'; 1000],
                5 => b"7",
                6 => b"\r\0",
                _ => b" ",
            });
        }
    }
    bytes
}

/// All outputs of a session for `input` in pieces of these sizes. The driver's answers depend only
/// on the actions, so that the pieces make no difference.
fn outputs_of(style: u8, input: &[u8], sizes: &[usize]) -> Vec<String> {
    let mut sim = Sim::new(Config::default(), endpoints());
    if style & 2 != 0 {
        sim.log_in(Rights::READ_WRITE);
    }
    let mut rest = input;
    for size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len().max(1)).min(rest.len()));
        sim.send_with(piece, |sim| answer_eagerly(sim, style));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    sim.assert_alive(|question| operations::good(question, 0));
    sim.assert_replies_counted();
    let mut log = sim.log().to_vec();
    if sim.session().foreign_protocol() == Some(ForeignProtocol::Proxy) {
        // The binary header begins with empty lines, which get replies only if they arrive alone.
        log.retain(|line| !line.starts_with("S: 500"));
    }
    log
}

/// Answers only the actions that block the session, or all at once, depending on `style`.
fn answer_eagerly(sim: &mut Sim, style: u8) -> bool {
    let stuck = !sim.session().wants_input() && !sim.session().is_closed();
    let at_once = style & 4 != 0 || stuck;
    match sim.question().cloned() {
        // The session takes commands meanwhile.
        Some(_) if !at_once && sim.is_hashing() => return false,
        Some(question) if at_once || !matches!(question, Question::Passive) => {
            // The last batch of a reply to STAT, or this would not end.
            sim.answer_only(operations::good(&question, style % 128));
        }
        None if sim.is_aborting() || (sim.is_running() && stuck) => sim.end_only(Ok(())),
        _ => return false,
    }
    true
}

/// Answers with names and lines that a file system may contain.
fn answer_with(question: &Question, data: &[u8]) -> Outcome {
    match operations::good(question, 0) {
        Outcome::File(Ok(FileAnswer::Entry(mut entry))) => {
            entry.name = data.to_vec();
            Outcome::File(Ok(FileAnswer::Entry(entry)))
        }
        Outcome::File(Ok(FileAnswer::Entries(_))) => {
            let names = data.split(|&byte| byte == b'\n');
            let entries = names.map(|name| Entry::new(name, EntryKind::File, 0, 0));
            let mut batch = EntryBatch::new(entries.collect(), 0, true);
            batch.directory = data.first().map(|_| data.to_vec());
            Outcome::File(Ok(FileAnswer::Entries(batch)))
        }
        Outcome::TransferOpened(Ok(_)) => {
            let opened = Opened::default().with_name(data.to_vec());
            Outcome::TransferOpened(Ok(opened))
        }
        other => other,
    }
}

pub(crate) fn endpoints() -> Endpoints {
    let address = |text: &str| text.parse().expect("an address and a port");
    Endpoints::new(address("192.168.77.2:21"), address("192.0.2.7:40000"))
}
