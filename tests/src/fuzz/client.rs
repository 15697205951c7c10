//! The client's side: any bytes are read without harm, and what a session sends is read back.

use ftp_proto::argument::{self, EpsvArgument};
use ftp_proto::client::{
    Facts, ReceivedReply, ReplyError, ReplyReader, parse_epsv, parse_facts, parse_mlst, parse_pasv,
    parse_pwd,
};

use crate::reply_parser;
use crate::sim::Sim;
use crate::text;

/// The first byte is the size of the pieces, the rest is what a server sends.
pub fn client(data: &[u8]) {
    let Some((size, input)) = data.split_first() else {
        return;
    };
    check_texts(input);
    let (replies, error) = read(input, usize::MAX);
    assert_eq!(
        read(input, usize::from(*size) + 1),
        (replies.clone(), error)
    );
    assert_eq!(read(input, 1), (replies.clone(), error));
    for reply in &replies {
        check_reply(reply);
        reply.lines().for_each(check_texts);
    }
}

/// A client reads each reply in the log as the strict reader does, however the bytes arrive.
pub fn read_back(sim: &Sim) {
    let lines: Vec<Vec<u8>> = sim
        .log()
        .iter()
        .filter_map(|line| line.strip_prefix("S: "))
        .map(|line| [text::read(line).expect("a shown line"), b"\r\n".to_vec()].concat())
        .collect();
    let sent = lines.concat();
    // In pieces of one byte, one line, and one of a size that fits no line.
    let (replies, error) = read(&sent, 1);
    assert_eq!(error, None);
    assert_eq!(read(&sent, 7), (replies.clone(), None));
    assert_eq!(read(&sent, usize::MAX), (replies.clone(), None));
    let codes: Vec<u16> = replies.iter().map(ReceivedReply::code).collect();
    assert_eq!(codes, sim.codes());

    // A line within a reply begins with a space, and only the first one has a hyphen.
    let ends = lines.split_inclusive(|line| line[0] != b' ' && line[3] == b' ');
    for (reply, bytes) in replies.iter().zip(ends) {
        let expected =
            reply_parser::parse(&bytes.concat()).expect("the simulated driver has read it");
        let expected_lines: Vec<Vec<u8>> = expected.lines.iter().map(|line| halve(line)).collect();
        assert_eq!(reply.lines().collect::<Vec<_>>(), expected_lines);
        assert_eq!(
            reply.text(),
            expected_lines.last().expect("at least one line")
        );
        assert_eq!(reply.is_preliminary(), expected.is_preliminary());
        let address =
            parse_pasv(reply.text()).map(|address| (address.ip().octets(), address.port()));
        let port = parse_epsv(reply.text()).map(u16::from);
        match reply.code() {
            227 => assert_eq!(address, reply_parser::parse_227(&expected)),
            229 => assert_eq!(port, reply_parser::parse_229(&expected)),
            _ => {}
        }
    }
}

/// All replies in `input`, and the error that ended the reading.
fn read(input: &[u8], size: usize) -> (Vec<ReceivedReply>, Option<ReplyError>) {
    let mut reader = ReplyReader::new();
    let mut replies = Vec::new();
    for mut piece in input.chunks(size.min(input.len().max(1))) {
        while !piece.is_empty() {
            match reader.read(piece) {
                Ok((used, reply)) => {
                    assert!(used > 0 && (reply.is_some() || used == piece.len()));
                    replies.extend(reply);
                    piece = &piece[used..];
                }
                Err(error) => return (replies, Some(error)),
            }
        }
    }
    (replies, None)
}

fn check_reply(reply: &ReceivedReply) {
    assert!(reply.code() < 1000);
    let lines: Vec<&[u8]> = reply.lines().collect();
    assert_eq!(lines.last(), Some(&reply.text()));
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(bytes <= ReplyReader::REPLY_BYTES_MAX + 1);
    assert!(lines.iter().all(|line| !line.contains(&b'\n')));
}

/// The readers of texts and arguments: what they return is there.
fn check_texts(text: &[u8]) {
    if let Some(address) = parse_pasv(text) {
        assert_ne!(address.port(), 0);
        let [a, b, c, d] = address.ip().octets();
        let [high, low] = address.port().to_be_bytes();
        let written = format!("{a},{b},{c},{d},{high},{low}");
        assert_eq!(parse_pasv(written.as_bytes()), Some(address));
    }
    if let Some(port) = parse_epsv(text) {
        let digits = port.to_string();
        assert!(contains(text, digits.as_bytes()));
    }
    if let Some(path) = parse_pwd(text) {
        assert!(contains(text, &quote(&path)));
        assert!(!path.iter().any(|byte| b"\r\n\0".contains(byte)));
    }
    for facts in [parse_facts(text), parse_mlst(text)].into_iter().flatten() {
        check_facts(text, facts);
    }
    if let Ok(address) = argument::parse_port(text) {
        assert!(address.is_ipv4());
        assert!(address.port() == 0 || parse_pasv(text).map(Into::into) == Some(address));
    }
    if let Ok(address) = argument::parse_eprt(text) {
        let (family, ip, port) = (
            2 - u8::from(address.is_ipv4()),
            address.ip(),
            address.port(),
        );
        let written = format!("|{family}|{ip}|{port}|");
        assert_eq!(argument::parse_eprt(written.as_bytes()), Ok(address));
    }
    if let Ok(EpsvArgument::Family(family)) = argument::parse_epsv(text) {
        let number = [b'0' + family.number()];
        assert_eq!(
            argument::parse_epsv(&number),
            Ok(EpsvArgument::Family(family))
        );
    }
}

fn check_facts(line: &[u8], facts: Facts<'_>) {
    let before = line.strip_suffix(facts.name()).expect("the name is last");
    assert!(before.ends_with(b" "));
    for (name, value) in facts.iter() {
        assert!(contains(before, &[name, b"=", value, b";"].concat()));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn quote(path: &[u8]) -> Vec<u8> {
    let doubled = path.iter().flat_map(|&byte| match byte {
        b'"' => vec![byte; 2],
        _ => vec![byte],
    });
    [b'"'].into_iter().chain(doubled).chain([b'"']).collect()
}

/// Each FF FF as one FF.
fn halve(line: &[u8]) -> Vec<u8> {
    let runs = line.chunk_by(|a, b| (*a == 0xff) == (*b == 0xff));
    let halves = runs.map(|run| match run[0] {
        0xff => &run[..run.len() / 2],
        _ => run,
    });
    halves.collect::<Vec<_>>().concat()
}
