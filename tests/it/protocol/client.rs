//! The client's side reads back what the core writes, whatever was put in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU16;

use arbitrary::{Arbitrary, Unstructured};
use ftp_proto::argument::{EpsvArgument, parse_eprt, parse_epsv, parse_port};
use ftp_proto::client::{self, Facts, ReceivedReply, ReplyReader, parse_facts, parse_mlst};
use ftp_proto::date::parse_time_val;
use ftp_proto::limits::PATH_BYTES_MAX;
use ftp_proto::listing::{self, Entry, EntryKind, FactSet};
use ftp_proto::{Config, Endpoints, FileAnswer, Outcome, Rights, canonical};
use ftp_tests::fuzz::{self, AnyEntry};
use ftp_tests::operations;
use ftp_tests::sim::Sim;
use ftp_tests::text;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..200)) {
        fuzz::client(&bytes);
    }

    #[test]
    fn anything_like_replies_is_read(size: u8, text in "([1-5][0-9]{2}[ -]?|[,|\"(); =.a0-9-]|\r|\n){0,40}") {
        fuzz::client(&[&[size], text.as_bytes()].concat());
    }

    #[test]
    fn addresses_of_pasv(ip in 1..=u32::MAX, port in 1..=u16::MAX) {
        let address = SocketAddrV4::new(Ipv4Addr::from(ip), port);
        let mut sim = logged_in(IpAddr::from(*address.ip()));
        sim.send(b"PASV\r\n");
        sim.open_port(port);
        prop_assert_eq!(client::parse_pasv(last_reply(&sim).text()), Some(address));
    }

    #[test]
    fn ports_of_epsv(ip: IpAddr, port in 1..=u16::MAX) {
        let mut sim = logged_in(ip);
        sim.send(b"EPSV\r\n");
        sim.open_port(port);
        prop_assert_eq!(client::parse_epsv(last_reply(&sim).text()), NonZeroU16::new(port));
    }

    #[test]
    fn paths_of_mkd_and_pwd(names in vec(vec(file_name_byte(), 1..20), 1..4)) {
        let path = [b"/", &names.join(&b'/')[..]].concat();
        prop_assume!(names.iter().all(|name| !matches!(&name[..], b"." | b"..")));
        for verb in ["MKD", "CWD"] {
            prop_assert_eq!(path_after(verb, &path), Some(shown(&path)));
        }
    }

    #[test]
    fn entries_of_mlst_and_mlsd(bytes in vec(any::<u8>(), 100..300)) {
        let any = AnyEntry::arbitrary_take_rest(Unstructured::new(&bytes)).expect("enough bytes");
        let entry = any.into_entry();
        check_mlsd(&entry);
        check_mlst(&entry);
    }

    #[test]
    fn arguments_of_port_and_eprt(address: SocketAddr) {
        let (ip, port) = (address.ip(), address.port());
        let family = if ip.is_ipv4() { 1 } else { 2 };
        for delimiter in ['|', '!', '~'] {
            let fields = [String::new(), family.to_string(), ip.to_string(), port.to_string(), String::new()];
            let argument = fields.join(&delimiter.to_string());
            let address = canonical(SocketAddr::new(ip, port));
            prop_assert_eq!(parse_eprt(argument.as_bytes()), Ok(address));
        }
        if let IpAddr::V4(ip) = ip {
            let [a, b, c, d] = ip.octets();
            let [high, low] = port.to_be_bytes();
            let argument = format!("{a},{b},{c},{d},{high},{low}");
            prop_assert_eq!(parse_port(argument.as_bytes()), Ok(address));
        }
    }
}

/// Quotes are doubled, and so is FF. The line of the longest path is still one that a client reads.
#[test]
fn the_longest_paths() {
    for byte in [b'"', 0xff, b'a'] {
        let mut sim = logged_in(IpAddr::from([192, 0, 2, 2]));
        let name = [byte; 194];
        let path = [b"/", &name[..]]
            .concat()
            .repeat(PATH_BYTES_MAX / (name.len() + 1));
        assert_eq!(path.len(), PATH_BYTES_MAX);
        for _ in 0..path.len() / (name.len() + 1) {
            command(&mut sim, "CWD", &name);
        }
        sim.send(b"PWD\r\n");
        assert!(client::parse_pwd(last_reply(&sim).text()) == Some(path));
    }
}

#[test]
fn families_of_epsv() {
    for ip in ["192.0.2.2", "2001:db8::2"] {
        let endpoints = endpoints(ip.parse().expect("an address"));
        let family = endpoints.family();
        assert_eq!(
            parse_epsv(family.number().to_string().as_bytes()),
            Ok(EpsvArgument::Family(family))
        );
    }
}

fn check_mlsd(entry: &Entry) {
    let set = FactSet::parse(ALL_FACTS.as_bytes()).expect("a list of facts");
    let mut line = Vec::new();
    listing::facts_line(&entry.name, entry, set, Rights::READ_WRITE, &mut line);
    let line = line.strip_suffix(b"\r\n").expect("a whole line");
    let facts = parse_facts(line).expect("a line of MLSD");
    check_facts(entry, facts);
    assert_eq!(facts.name(), sent(&entry.name));
    for (fact, name, number) in [
        ("unix.owner", &entry.owner, entry.uid),
        ("unix.group", &entry.group, entry.gid),
    ] {
        let value = facts.get(fact);
        let number = number.to_string();
        assert!(value == name.as_deref() || value == Some(number.as_bytes()));
    }
    let mut line = Vec::new();
    let no_facts = FactSet::parse(b"").expect("no facts");
    listing::facts_line(&entry.name, entry, no_facts, Rights::READ_WRITE, &mut line);
    let line = line.strip_suffix(b"\r\n").expect("a whole line");
    let facts = parse_facts(line).expect("a line of MLSD");
    assert_eq!(facts.iter().count(), 0);
    assert_eq!(facts.name(), sent(&entry.name));
}

fn check_mlst(entry: &Entry) {
    let mut sim = logged_in(IpAddr::from([192, 0, 2, 2]));
    for options in [ALL_FACTS, ""] {
        sim.send(format!("OPTS MLST {options}\r\nMLST two words\r\n").as_bytes());
        sim.answer(Outcome::File(Ok(FileAnswer::Entry(entry.clone()))));
        let reply = last_reply(&sim);
        assert_eq!(reply.code(), 250);
        let line = reply.lines().nth(1).expect("a line within");
        let facts = parse_mlst(line).expect("a line of MLST");
        assert_eq!(facts.name(), b"/two words");
        match options {
            "" => assert_eq!(facts.iter().count(), 0),
            _ => check_facts(entry, facts),
        }
    }
}

fn check_facts(entry: &Entry, facts: Facts<'_>) {
    let text = |fact| {
        facts
            .get(fact)
            .map(|value| str::from_utf8(value).expect("ASCII"))
    };
    let number = |fact, radix| text(fact).map(|text| u64::from_str_radix(text, radix));
    let size = (entry.kind == EntryKind::File).then_some(Ok(entry.size));
    assert_eq!(number("Size", 10), size);
    assert_eq!(number("unix.uid", 10), Some(Ok(entry.uid.into())));
    assert_eq!(number("unix.gid", 10), Some(Ok(entry.gid.into())));
    assert_eq!(
        number("unix.mode", 8),
        Some(Ok(u64::from(entry.mode & 0o7777)))
    );
    let unique = text("unique").and_then(|text| text.split_once('-'));
    let (device, inode) = unique.expect("two numbers");
    assert_eq!(u64::from_str_radix(device, 16), Ok(entry.device));
    assert_eq!(u64::from_str_radix(inode, 16), Ok(entry.inode));
    let modified = facts.get("modify").and_then(parse_time_val);
    // Years have four digits.
    let expected = entry.modified.clamp(FIRST_SECOND, LAST_SECOND);
    assert_eq!(modified, Some(expected));
    assert!(facts.get("type").is_some() && facts.get("perm").is_some());
}

/// The path in the reply to MKD, or to PWD after CWD.
fn path_after(verb: &str, path: &[u8]) -> Option<Vec<u8>> {
    let mut sim = logged_in(IpAddr::from([192, 0, 2, 2]));
    command(&mut sim, verb, path);
    if verb == "CWD" {
        sim.send(b"PWD\r\n");
    }
    let reply = last_reply(&sim);
    assert_eq!(reply.code(), 257, "{}", reply.text().escape_ascii());
    client::parse_pwd(reply.text())
}

/// Sends a command that succeeds. FF is doubled, as Telnet asks.
fn command(sim: &mut Sim, verb: &str, argument: &[u8]) {
    let doubled = argument.iter().flat_map(|&byte| match byte {
        0xff => vec![byte; 2],
        _ => vec![byte],
    });
    let doubled: Vec<u8> = doubled.collect();
    sim.send(&[verb.as_bytes(), b" ", &doubled, b"\n"].concat());
    sim.settle(|question| operations::good(question, 0));
}

/// The last reply, read as a client reads it; all replies before it are read as well.
fn last_reply(sim: &Sim) -> ReceivedReply {
    fuzz::read_back(sim);
    let mut reader = ReplyReader::new();
    let lines = sim.log().iter().filter_map(|line| line.strip_prefix("S: "));
    let replies = lines.filter_map(|line| {
        let line = [text::read(line).expect("a shown line"), b"\r\n".to_vec()].concat();
        reader.read(&line).expect("a line of a reply").1
    });
    replies.last().expect("a reply")
}

fn logged_in(local: IpAddr) -> Sim {
    let mut sim = Sim::new(Config::default(), endpoints(local));
    sim.log_in(Rights::READ_WRITE);
    sim
}

fn endpoints(local: IpAddr) -> Endpoints {
    let peer = match canonical(SocketAddr::new(local, 21)).ip() {
        IpAddr::V4(_) => "192.0.2.7:40000",
        IpAddr::V6(_) => "[2001:db8::7]:40000",
    };
    Endpoints::new(
        SocketAddr::new(local, 21),
        peer.parse().expect("an address"),
    )
}

/// Bytes that a name can hold and a command can carry.
fn file_name_byte() -> impl Strategy<Value = u8> {
    let any = any::<u8>().prop_filter("in no name", |byte| !b"\0\n\r/".contains(byte));
    prop_oneof![3 => any, 1 => Just(b'"'), 1 => Just(0xff), 1 => Just(b' ')]
}

/// As replies have it: control bytes but TAB become question marks.
fn shown(path: &[u8]) -> Vec<u8> {
    let is_replaced = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    let show = |&byte: &u8| if is_replaced(byte) { b'?' } else { byte };
    path.iter().map(show).collect()
}

/// As MLSD has it.
fn sent(name: &[u8]) -> Vec<u8> {
    let show = |&byte: &u8| if b"\n\0".contains(&byte) { b'?' } else { byte };
    name.iter().map(show).collect()
}

const ALL_FACTS: &str =
    "type;size;modify;perm;unique;unix.mode;unix.uid;unix.gid;unix.owner;unix.group;";
/// The seconds of the years 0 and 9999.
const FIRST_SECOND: i64 = -62_167_219_200;
const LAST_SECOND: i64 = 253_402_300_799;
