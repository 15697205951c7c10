//! Rules that hold for every session. Most are checked by the simulated driver while anything at
//! all is put through it; see [`ftp_tests::sim`].

use std::net::SocketAddr;

use ftp_proto::limits::LINE_BYTES_MAX;
use ftp_proto::{Config, Endpoints, Outcome, Rights, Timeout, TimeoutKind};
use ftp_tests::fuzz;
use ftp_tests::model::{self, ModelCommand, Step};
use ftp_tests::operations::{self, Line, VERBS};
use ftp_tests::sim::Sim;
use ftp_tests::text::show;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::support::strategies::{line, operation, setup, step};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn anything_may_come_in_any_order(setup in setup(), operations in vec(operation(), 0..80)) {
        fuzz::run(&setup, operations);
    }

    #[test]
    fn sessions_agree_with_the_model(logged_in: bool, steps in vec(step(), 0..60)) {
        let login = [Step::Send(ModelCommand::User), Step::Send(ModelCommand::Password(true))];
        let before = if logged_in { &login[..] } else { &[] };
        model::run(&[before, &steps].concat());
    }

    #[test]
    fn sessions_without_some_commands_agree_with_the_model(
        denied in subsequence(&DENIABLE[..], 1..8),
        steps in vec(step(), 0..60),
    ) {
        let login = [Step::Send(ModelCommand::User), Step::Send(ModelCommand::Password(true))];
        model::run_without(&denied, &[&login[..], &steps].concat());
    }

    #[test]
    fn replies_take_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        fuzz::reply(&bytes);
    }

    #[test]
    fn names_in_charsets_are_found_by_what_is_shown(
        charset: u8,
        bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(&b"%E45c/\xff\x5c"[..])], 0..40),
    ) {
        fuzz::charset(&[&[charset][..], &bytes].concat());
    }

    #[test]
    fn other_protocols_are_recognized_in_any_pieces(bytes in vec(any::<u8>(), 2..60)) {
        fuzz::foreign(&bytes);
        // Words of several protocols.
        fuzz::foreign(&[&[bytes[0] | 1], &bytes[1..]].concat());
    }

    #[test]
    fn answers_of_stun_servers_are_read_as_by_hand(
        style: u8,
        id: [u8; 12],
        attributes in vec(
            (prop::sample::select(&STUN_ATTRIBUTES[..]), any::<bool>(), vec(any::<u8>(), 0..24)),
            0..6,
        ),
    ) {
        let mut data = [&[style][..], &id].concat();
        for (kind, is_address, mut value) in attributes {
            if is_address {
                // A family, and the length that it has.
                let size = if value.len().is_multiple_of(2) { 8 } else { 20 };
                value.resize(size, 7);
                value[1] = if size == 8 { 1 } else { 2 };
            }
            data.extend(u16::to_be_bytes(kind));
            data.extend((value.len() as u16).to_be_bytes());
            value.resize(value.len().next_multiple_of(4), 0);
            data.extend(value);
        }
        fuzz::stun(&data);
    }

    #[test]
    fn answers_of_routers_are_read_as_by_hand(bytes in vec(any::<u8>(), 15..100)) {
        fuzz::nat_pmp(&bytes);
        fuzz::pcp(&bytes);
        // With the header of a response, of the length of one.
        fuzz::nat_pmp(&[&[bytes[0] | 4], &bytes[1..11]].concat());
        let style = bytes[0] | 6;
        let rest = bytes.len() / 4 * 4;
        fuzz::pcp(&[&[style & 0xf7], &bytes[1..15], &bytes[..rest], &[1, 2]].concat());
    }

    #[test]
    fn proxy_headers_are_read_as_by_hand(bytes in vec(any::<u8>(), 1..300), local in any::<bool>()) {
        fuzz::proxy_header(&bytes);
        // A header of version 2, of the length of what follows.
        let family = if bytes[0] & 4 == 0 { 0x11 } else { 0x21 };
        let length = u16::to_be_bytes(bytes.len() as u16);
        let start = [3, 0x21 - u8::from(local), family, length[0], length[1]];
        fuzz::proxy_header(&[&start, &bytes[..]].concat());
    }

    #[test]
    fn each_entry_is_one_line(bytes in vec(any::<u8>(), 0..300)) {
        fuzz::listing(&[&[0], &bytes[..]].concat());
    }

    #[test]
    fn patterns_match_as_by_trial(
        pattern in "[ab.ä\\[\\]*?!^-]{0,12}",
        name in "[ab.ä\\[*-]{0,12}",
    ) {
        fuzz::matching(pattern.as_bytes(), name.as_bytes());
    }

    #[test]
    fn arguments_split_into_flags_and_paths(argument in "[- a/Rt.*\\[\\]]{0,12}") {
        fuzz::argument(argument.as_bytes());
    }

    #[test]
    fn pieces_of_input_make_no_difference(
        style: u8,
        lines in vec(line(), 0..30),
        sizes in vec(1..50usize, 1..8),
    ) {
        let input: Vec<u8> = lines.iter().flat_map(Line::bytes).collect();
        fuzz::pieces(style, &input, &sizes);
    }

    #[test]
    fn paths_resolve_as_by_hand(
        directory in vec(0..operations::COMPONENTS.len(), 0..5),
        argument in vec(0..operations::COMPONENTS.len(), 1..8),
    ) {
        let spell = |choices: &[usize]| {
            let names = choices.iter().map(|&choice| operations::COMPONENTS[choice]);
            names.filter(|name| !name.contains(&0)).collect::<Vec<_>>().join(&b'/')
        };
        resolve(&spell(&directory), &spell(&argument));
    }

    #[test]
    fn waiting_for_a_transfer_changes_no_reply(lines in vec(line(), 0..12)) {
        // These act at once, or not at all while a transfer runs; that is in the transcripts.
        let acting = ["ABOR", "AUTH", "STAT"];
        let lines: Vec<Vec<u8>> = lines
            .iter()
            .filter(|line| !acting.contains(&VERBS[usize::from(line.verb) % VERBS.len()]))
            .map(Line::bytes)
            .collect();
        let (during, after) = (true, false);
        prop_assert_eq!(
            replies_after_transfer(&lines, during),
            replies_after_transfer(&lines, after)
        );
    }

    #[test]
    fn the_end_of_the_client_changes_no_reply_behind_an_upload(lines in vec(line(), 0..12)) {
        let lines: Vec<Vec<u8>> = lines.iter().map(Line::bytes).collect();
        prop_assert_eq!(
            replies_behind_upload(&lines, true),
            replies_behind_upload(&lines, false)
        );
    }

    #[test]
    fn nothing_gives_a_waiting_port_more_time(lines in vec(line(), 0..20)) {
        let mut sim = logged_in();
        open_port(&mut sim);
        let begun = timeout_of(&sim, TimeoutKind::DataOpen).expect("a port waits");
        for line in lines {
            let setups = sim.codes().len();
            sim.send(&line.bytes());
            sim.settle(|question| operations::good(question, 0));
            let mut codes = sim.codes()[setups..].iter();
            let begun_anew = codes.any(|code| matches!(code, 150 | 227 | 229));
            if begun_anew || sim.session().is_closed() {
                break;
            }
            if let Some(now) = timeout_of(&sim, TimeoutKind::DataOpen) {
                prop_assert_eq!(now, begun);
            }
        }
    }

    #[test]
    fn nothing_gives_a_login_more_time(lines in vec(line(), 0..20)) {
        let mut sim = Sim::new(Config::default(), endpoints());
        let begun = sim.session().poll_timeout();
        for line in lines {
            sim.send(&line.bytes());
            sim.settle(|_| Outcome::Authenticated(None));
            if !sim.session().is_closed() {
                prop_assert_eq!(sim.session().poll_timeout(), begun);
            }
        }
    }
}

#[test]
fn each_command_gives_idle_clients_time() {
    let mut sim = logged_in();
    let before = timeout_of(&sim, TimeoutKind::Idle).expect("idle");
    sim.send(b"NOOP\r\n");
    let after = timeout_of(&sim, TimeoutKind::Idle).expect("idle");
    assert_ne!(before, after);
    // The old one fires late: the simulated driver checks that it has no effect.
    sim.fire(before);
    assert!(!sim.session().is_closed());
    sim.fire(after);
    assert!(sim.session().is_closed());
}

#[test]
fn progress_gives_transfers_time() {
    let mut sim = logged_in();
    start_transfer(&mut sim);
    assert_eq!(timeout_of(&sim, TimeoutKind::DataStall), None);
    sim.data_connected();
    let first = timeout_of(&sim, TimeoutKind::DataStall).expect("moving");
    sim.progress(1);
    let second = timeout_of(&sim, TimeoutKind::DataStall).expect("moving");
    assert_ne!(first, second);
    sim.progress(1);
    assert_eq!(timeout_of(&sim, TimeoutKind::DataStall), Some(second));
    sim.fire(first);
    assert!(!sim.is_aborting());
    sim.fire(second);
    assert!(sim.is_aborting());
    assert_eq!(sim.session().poll_timeout(), None);
}

#[test]
fn an_old_transfer_cannot_end_the_new_one() {
    let mut sim = logged_in();
    start_transfer(&mut sim);
    sim.end_transfer(Ok(()));
    start_transfer(&mut sim);
    let old = Outcome::TransferEnded {
        transfer: sim.transfers()[0],
        result: Ok(()),
    };
    assert!(sim.try_answer(old).is_err());
    assert!(sim.is_running());
}

/// However much is sent during a transfer, only a limited amount is taken.
#[test]
fn held_lines_are_bounded() {
    for (line, count) in [("NOOP\r\n", 16), ("MKD aaaaaaaaaa\r\n", 16)] {
        assert_eq!(lines_held(line.as_bytes()), count, "{line}");
    }
    let long = [b"MKD ", &[b'a'; 1020][..], b"\r\n"].concat();
    assert_eq!(lines_held(&long), 4);
    let overlong = [&[b'a'; 5000][..], b"\r\n"].concat();
    assert_eq!(lines_held(&overlong), 16);
}

/// A line without an end is answered once, and no more of it than the longest line is ever held.
#[test]
fn an_endless_line_takes_no_memory() {
    let mut sim = logged_in();
    sim.send(&[b'A'; LINE_BYTES_MAX - 1]);
    let before = sim.codes().len();
    sim.send(b"A");
    assert_eq!(sim.codes()[before..], [500]);
    for _ in 0..16 * 1024 {
        sim.send(&[b'A'; LINE_BYTES_MAX]);
        assert_eq!(sim.waiting(), b"");
    }
    assert_eq!(sim.codes()[before..], [500]);
    sim.assert_alive(|question| operations::good(question, 0));
    sim.assert_replies_counted();
}

fn lines_held(line: &[u8]) -> usize {
    let mut sim = logged_in();
    start_transfer(&mut sim);
    let mut count = 0;
    while sim.session().wants_input() {
        sim.send(line);
        count += 1;
        assert!(count < 100);
    }
    sim.assert_alive(|question| operations::good(question, 0));
    sim.assert_replies_counted();
    count
}

/// MKD in a directory: the path in the action and the one in the 257 are what they should be.
fn resolve(directory: &[u8], argument: &[u8]) {
    let mut sim = logged_in();
    // FF is doubled on the wire, as Telnet asks.
    let wire = |path: &[u8]| -> Vec<u8> {
        let doubled = |&byte: &u8| {
            if byte == 0xff {
                vec![byte; 2]
            } else {
                vec![byte]
            }
        };
        path.iter().flat_map(doubled).collect()
    };
    let directory = [b"/", directory].concat();
    sim.send(&[b"CWD ", &wire(&directory)[..], b"\n"].concat());
    sim.settle(|question| operations::good(question, 0));
    sim.send(&[b"MKD ", &wire(argument)[..], b"\n"].concat());
    sim.settle(|question| operations::good(question, 0));
    if argument.is_empty() {
        assert_eq!(sim.codes().last(), Some(&501));
        return;
    }
    let whole = match argument.first() {
        Some(b'/') => argument.to_vec(),
        _ => [&directory, &b"/"[..], argument].concat(),
    };
    let mut components: Vec<&[u8]> = Vec::new();
    for component in whole.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    let path = [b"/", &components.join(&b'/')[..]].concat();
    let mut shown = Vec::new();
    for &byte in &path {
        match byte {
            b'"' | 0xff => shown.extend([byte; 2]),
            control if control.is_ascii_control() && control != b'\t' => shown.push(b'?'),
            other => shown.push(other),
        }
    }
    let expected = [b"257 \"", &shown[..], b"\" created."].concat();
    assert_eq!(sim.log().last(), Some(&format!("S: {}", show(&expected))));
}

/// The replies to lines that come while a transfer runs, or after it.
fn replies_after_transfer(lines: &[Vec<u8>], during: bool) -> Vec<u16> {
    let mut sim = logged_in();
    start_transfer(&mut sim);
    let before = sim.codes().len();
    if !during {
        sim.end_transfer(Ok(()));
    }
    for line in lines {
        sim.send(line);
        if !during {
            sim.settle(|question| operations::good(question, 0));
        }
    }
    sim.settle(|question| operations::good(question, 0));
    sim.codes()[before..].to_vec()
}

/// The replies to lines that come while an upload runs, and before its client's end if it `ends`.
fn replies_behind_upload(lines: &[Vec<u8>], ends: bool) -> Vec<u16> {
    let mut sim = logged_in();
    open_port(&mut sim);
    sim.data_connected();
    sim.send(b"STOR file\r\n");
    sim.answer(Outcome::TransferOpened(Ok(Default::default())));
    let before = sim.codes().len();
    for line in lines {
        if sim.session().wants_input() {
            sim.send(line);
        }
    }
    if ends {
        sim.eof();
    }
    sim.settle(|question| operations::good(question, 0));
    assert!(sim.session().is_closed() || !ends);
    sim.codes()[before..].to_vec()
}

fn logged_in() -> Sim {
    let mut sim = Sim::new(Config::default(), endpoints());
    sim.log_in(Rights::READ_WRITE);
    sim
}

fn open_port(sim: &mut Sim) {
    sim.send(b"PASV\r\n");
    sim.open_port(60_000);
}

fn start_transfer(sim: &mut Sim) {
    open_port(sim);
    sim.send(b"RETR file\r\n");
    sim.answer(Outcome::TransferOpened(Ok(Default::default())));
    assert!(sim.is_running());
}

fn timeout_of(sim: &Sim, kind: TimeoutKind) -> Option<Timeout> {
    sim.session()
        .poll_timeout()
        .filter(|timeout| timeout.kind == kind)
}

fn endpoints() -> Endpoints {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    Endpoints::new(address("192.168.77.2:21"), address("192.0.2.7:40000"))
}

/// The addresses, an error, one that may be left out, one that must be understood.
/// Commands of the model that can be denied.
const DENIABLE: [&str; 16] = [
    "ABOR", "APPE", "CDUP", "CWD", "EPSV", "HOST", "LIST", "NOOP", "PASV", "PORT", "REIN", "REST",
    "RETR", "RNTO", "STAT", "STOR",
];

const STUN_ATTRIBUTES: [u16; 5] = [0x01, 0x20, 0x09, 0x8022, 0x7f00];
