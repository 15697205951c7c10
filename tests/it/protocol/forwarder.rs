//! What the forwarder of `ftp-proto/examples/alg` changes in a control connection, and that it
//! changes nothing else.

#[path = "../../../ftp-proto/examples/alg/rewrite.rs"]
mod rewrite;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use rewrite::{Commands, Replies};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Each byte around the numbers stays, whatever the server's words are.
    #[test]
    fn only_the_numbers_change(
        address: SocketAddrV4,
        before in "[a-zA-Z=(| ]{0,30}",
        after in "[a-zA-Z)|. ]{0,30}",
        end in "\r?\n",
        sizes in vec(1..30_usize, 1..40),
    ) {
        prop_assume!(address.port() > 0);
        let replies = |numbers: &str, port: u16| {
            let others = "150 (10,0,0,1,4,1)\r\n226-a\r\n227 (10,0,0,1,4,1)\r\n229 (|||5|)\r\n226 b\r\n\r\n";
            format!("{others}227 {before}{numbers}{after}{end}{others}229 Ok (|||{port}|).{end}{others}")
        };
        let sent = replies(&numbers(address), address.port());
        let port = ours(address.port());
        let expected = replies(&numbers(SocketAddrV4::new(PUBLIC, port)), port);
        prop_assert_eq!(text(&forwarded(sent.as_bytes(), &sizes)), expected);
    }

    /// Whatever comes: how it is cut makes no difference, and neither does a forwarder before a
    /// forwarder that announces the same.
    #[test]
    fn pieces_make_no_difference(
        sent in "(227 |229 |234 x|211-|211 |[(,|)]|\\(\\|\\|\\|[0-9]{1,5}\\|\\)|1,2,3,4,5,6|[0-9]{1,3}|\r|\n|x){0,60}",
        sizes in vec(1..9_usize, 1..60),
    ) {
        let whole = forwarded(sent.as_bytes(), &[usize::MAX]);
        prop_assert_eq!(text(&forwarded(sent.as_bytes(), &sizes)), text(&whole));
    }

    #[test]
    fn other_replies_stay(code in 100..600_u16, lines in vec("[ -~]{0,40}", 1..5), sizes in vec(1..30_usize, 1..40)) {
        prop_assume!(![227, 229].contains(&code) || lines.len() > 1);
        let (last, first) = lines.split_last().expect("a line");
        let mut sent: String = first.iter().map(|line| format!("{code}-{line}\r\n")).collect();
        sent.push_str(&format!("{code} {last}\r\n"));
        prop_assert_eq!(text(&forwarded(sent.as_bytes(), &sizes)), sent);
    }

    #[test]
    fn pieces_of_commands_make_no_difference(
        sent in vec(select(COMMAND_PIECES), 0..20),
        sizes in vec(1..9_usize, 1..60),
    ) {
        let sent = sent.concat();
        prop_assert_eq!(text(&commanded(&sent, &sizes)), text(&commanded(&sent, &[usize::MAX])));
    }
}

/// The reply that is held back may only be one that could change: a banner in pieces arrives in
/// pieces.
#[test]
fn nothing_else_waits() {
    let mut replies = Replies::new(PUBLIC);
    for (sent, received) in [
        ("220-Wel", "220-Wel"),
        ("come\r\n", "come\r\n"),
        ("220 Go\r\n2", "220 Go\r\n"),
        ("27", ""),
        (" a(1,2,3,4,5,", ""),
        ("6)", ""),
        ("\r\n", "227 a(203,0,113,1,5,7)\r\n"),
        ("\r\n", "\r\n"),
        ("22", ""),
        ("6 ok", "226 ok"),
        ("\r\n211-\r\n229 (|||5|)\r\n", "\r\n211-\r\n229 (|||5|)\r\n"),
    ] {
        assert_eq!(text(&forward(&mut replies, sent.as_bytes())), received);
    }
}

#[test]
fn what_follows_auth_tls_stays() {
    let tail = b"227 (10,0,0,1,4,1)\r\n\x16\x03\x03\xff\xff\n";
    let mut replies = Replies::new(PUBLIC);
    let sent = [&b"227 (10,0,0,1,4,1)\r\n234 Go.\r\n"[..], tail].concat();
    let received = forward(&mut replies, &sent);
    assert!(replies.is_opaque());
    assert!(received.starts_with(b"227 (203,0,113,1,4,2)\r\n234 Go.\r\n"));
    assert!(received.ends_with(tail));
    assert_eq!(forward(&mut replies, tail), tail);
    let mut commands = Commands::default();
    assert_eq!(commands.forward(b"PO", |_| None), b"");
    assert_eq!(commands.forward_opaque(tail), [b"PO", &tail[..]].concat());
    assert_eq!(commands.forward_opaque(tail), tail);
}

/// A server that is none of FTP is passed on as it is.
#[test]
fn what_is_no_reply_stays() {
    let mut replies = Replies::new(PUBLIC);
    for sent in [
        &b"227 (10,0,0,1,4,1)\n"[..],
        b"22",
        b"x\n227 (10,0,0,1,4,1)\r\n",
        b"227 (10,0,0,1,4,1)\r\n",
    ] {
        let received = forward(&mut replies, sent);
        let expected = match (replies.is_opaque(), sent) {
            (false, b"22") => b"",
            (false, _) => &b"227 (203,0,113,1,4,2)\n"[..],
            (true, [b'x', ..]) => b"22x\n227 (10,0,0,1,4,1)\r\n",
            (true, _) => sent,
        };
        assert_eq!(text(&received), text(expected));
    }
    assert!(replies.is_opaque());
}

#[test]
fn replies_without_numbers_stay_and_their_end_is_not_lost() {
    for sent in [
        "227 Entering\r\n",
        "227 (1,2,3,4,0,0)\r\n",
        "229 (|||0|)\r\n",
        "227 (1,2,3,4,5,6)",
        "2",
    ] {
        assert_eq!(text(&forwarded(sent.as_bytes(), &[3])), sent);
    }
}

/// Without a port for it, the client is answered as by a server that has none.
#[test]
fn no_port_is_a_refusal() {
    let mut replies = Replies::new(PUBLIC);
    for sent in [&b"227 (10,0,0,1,4,1)\r\n"[..], b"229 (|||5|)\r\n"] {
        let received = replies.forward(sent, |_| None, |_| ());
        assert!(received.starts_with(b"425 ") && received.ends_with(b"\r\n"));
    }
}

/// Where data does not pass the forwarder, the port stays, and with it the whole 229.
#[test]
fn the_same_port_leaves_229_alone() {
    let mut replies = Replies::new(PUBLIC);
    let sent = b"229 (|||00080|)\r\n227 (10,0,0,1,4,1)\r\n227 (203,0,113,1,4,1)\r\n";
    let mut lines = Vec::new();
    let received = replies.forward(sent, Some, |line| lines.push(line));
    let expected = "229 (|||00080|)\r\n227 (203,0,113,1,4,1)\r\n227 (203,0,113,1,4,1)\r\n";
    assert_eq!(text(&received), expected);
    assert_eq!(lines, ["227 (10,0,0,1,4,1) is now 227 (203,0,113,1,4,1)"]);
}

/// As the kernel hands on what ftplib, lftp, BSD's ftp and RFC 1123 send: without the urgent byte.
#[test]
fn abor_arrives_without_the_urgent_byte() {
    for sent in [
        &b"ABOR\r\n"[..],
        b"abor\r",
        b"\xff\xf4\xff\xf2ABOR\r",
        b"\xf4\xff\xf2ABOR\r\n",
        b"\xff\xf4\xf2ABOR\r\n",
        b"\xff\xf4\xffABOR\r\n",
    ] {
        for size in 1..=sent.len() {
            let mut commands = Commands::default();
            let mut received = Vec::new();
            for piece in sent.chunks(size) {
                received.extend(commands.forward(piece, |_| None));
            }
            assert_eq!(text(&received.to_ascii_uppercase()), "ABOR\r\n");
            assert_eq!(text(&commands.forward(b"NOOP\r\n", |_| None)), "NOOP\r\n");
        }
    }
}

#[test]
fn addresses_of_active_mode_change() {
    let v4 = |command: &[u8]| {
        text(&Commands::default().forward(command, |_| Some("10.9.0.5:1025".parse().unwrap())))
    };
    let v6 = |command: &[u8]| {
        text(&Commands::default().forward(command, |_| Some("[fe80::1]:1025".parse().unwrap())))
    };
    for command in [
        "PORT 10,0,0,1,4,2\r\n",
        "eprt |1|10.0.0.1|1026|\r\n",
        "EPRT |2|2001:db8::1|1026|\n",
    ] {
        assert_eq!(v4(command.as_bytes()), "PORT 10,9,0,5,4,1\r\n");
        assert_eq!(v6(command.as_bytes()), "EPRT |2|fe80::1|1025|\r\n");
    }
    for command in ["STOR PORT 10,0,0,1,4,2\r\n", "PORTS 10,0,0,1,4,2\r\n"] {
        assert_eq!(v4(command.as_bytes()), command);
    }
}

/// The server would take what it understands for the address of its client, the forwarder.
#[test]
fn addresses_that_may_not_be_used_do_not_reach_the_server() {
    for command in [
        "PORT 10,0,0,1,4,2\r\n",
        " port\t10,0,0,1,4,2\r\n",
        "EPRT |1|10.0.0.1|1026|\n",
        "PORT\r\n",
        "PORT 10.0.0.1,4,2\r\n",
        "EPRT |3|10.0.0.1|1026|\r\n",
    ] {
        let received = Commands::default().forward(command.as_bytes(), |_| None);
        assert_eq!(text(&received), "PORT\r\n", "{command}");
    }
}

/// Neither a line without an end nor one without a limit is kept.
#[test]
fn no_command_is_lost() {
    assert_eq!(text(&commanded(b"QUIT", &[1])), "QUIT");
    let long = [b'a'; 100_000];
    let mut commands = Commands::default();
    assert!(commands.forward(&long, |_| None).len() > 90_000);
    assert_eq!(commanded(&long, &[1000]), long);
}

/// The port that clients are given in these tests.
fn ours(theirs: u16) -> u16 {
    theirs.checked_add(1).unwrap_or(1)
}

fn forward(replies: &mut Replies, piece: &[u8]) -> Vec<u8> {
    replies.forward(piece, |port| Some(ours(port)), |_| ())
}

/// All replies, cut into pieces of these sizes again and again, and the end.
fn forwarded(sent: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut replies = Replies::new(PUBLIC);
    let mut received = Vec::new();
    for piece in pieces(sent, sizes) {
        received.extend(forward(&mut replies, piece));
    }
    received.extend(forward(&mut replies, b""));
    received
}

/// The same for commands.
fn commanded(sent: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut commands = Commands::default();
    let mut received = Vec::new();
    let own = |theirs: SocketAddr| Some(SocketAddr::new(PUBLIC.into(), ours(theirs.port())));
    for piece in pieces(sent, sizes) {
        received.extend(commands.forward(piece, own));
    }
    received.extend(commands.forward(b"", own));
    received
}

fn pieces<'a>(mut rest: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = rest.len().min(*sizes.next().expect("a size"));
        let (piece, left) = rest.split_at(size);
        pieces.push(piece);
        rest = left;
    }
    pieces
}

fn numbers(address: SocketAddrV4) -> String {
    let ([a, b, c, d], [high, low]) = (address.ip().octets(), address.port().to_be_bytes());
    format!("{a},{b},{c},{d},{high},{low}")
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const COMMAND_PIECES: &[&[u8]] = &[
    b"PORT 10,0,0,1,4,1",
    b"EPRT |2|::1|80|",
    b"\xff\xf4\xff\xf2",
    b"ABOR",
    b"STOR \xff\xf2",
    b"\r\n",
    b"\r",
    b"\n",
];
