//! The same over TLS, which has buffers between the socket and the input.

use std::io::Write;
use std::time::Instant;

use rustls::ClientConnection;

use super::*;
use crate::tls::test_peers;

/// A control connection after its handshake.
struct ProtectedPair {
    pair: Pair,
    client: ClientConnection,
    received: Vec<u8>,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    /// It only says so, and does not close its side.
    CloseNotify,
    Close,
    Both,
    /// What comes at the end has not been encrypted with its keys.
    Garbage,
}

impl ProtectedPair {
    fn new(version: usize) -> Self {
        let mut pair = Pair::new();
        pair.client.set_nonblocking(true).unwrap();
        pair.control.start_tls(test_peers::server()).unwrap();
        let mut this = Self {
            pair,
            client: test_peers::client(version),
            received: Vec::new(),
        };
        let mut is_over = false;
        let deadline = Instant::now() + Duration::from_secs(15);
        while !is_over || this.client.is_handshaking() {
            assert!(Instant::now() < deadline, "the handshake does not end");
            this.send();
            this.pair.wait(Duration::from_millis(20));
            if let Some(result) = this.pair.control.handshake() {
                result.unwrap();
                is_over = true;
            }
            while let Ok(1..) = this.client.read_tls(&mut this.pair.client) {
                this.client.process_new_packets().unwrap();
            }
        }
        this.turn(usize::MAX);
        this
    }

    fn send(&mut self) {
        let flight = test_peers::flight(&mut self.client);
        self.pair.client.write_all(&flight).unwrap();
    }

    /// A turn of the session: it fills the input, and uses this much of it at most. Whether it has
    /// used any.
    fn turn(&mut self, most: usize) -> bool {
        let control = &mut self.pair.control;
        control.fill();
        let count = control.input().len().min(most);
        self.received.extend(&control.input()[..count]);
        control.use_input(count);
        control.flush();
        count > 0
    }

    /// Takes a turn. If there was nothing to be done, it waits for events: false if none comes.
    fn go_on(&mut self) -> bool {
        self.turn(usize::MAX)
            || self.pair.control.end().is_some()
            || self.pair.wait(Duration::from_secs(5))
    }

    fn leave(&mut self, farewell: Farewell) {
        if let Farewell::CloseNotify | Farewell::Both = farewell {
            self.client.send_close_notify();
        }
        self.send();
        if farewell == Farewell::Garbage {
            let header = [23, 3, 3, 0, 30];
            self.pair.client.write_all(&header).unwrap();
            self.pair.client.write_all(&[7; 30]).unwrap();
        }
        if let Farewell::Close | Farewell::Both = farewell {
            self.pair
                .client
                .shutdown(std::net::Shutdown::Write)
                .unwrap();
        }
    }
}

fn farewell() -> impl Strategy<Value = Farewell> {
    prop_oneof![
        Just(Farewell::CloseNotify),
        Just(Farewell::Close),
        Just(Farewell::Both),
        Just(Farewell::Garbage),
    ]
}

/// What a client sends at once, whether the poll reports it before the next, and how much of its
/// input the session uses then.
type Piece = (usize, bool, Option<usize>);

/// The session never waits for an event that does not come.
fn check(
    version: usize,
    pieces: &[Piece],
    farewell: Farewell,
    leaves_at_once: bool,
) -> Result<(), TestCaseError> {
    let mut pair = ProtectedPair::new(version);
    let mut sent: Vec<u8> = Vec::new();
    for &(length, is_polled, turn) in pieces {
        let piece: Vec<u8> = (sent.len()..sent.len() + length)
            .map(|at| at as u8)
            .collect();
        pair.client.writer().write_all(&piece).unwrap();
        sent.extend(piece);
        if !leaves_at_once {
            pair.send();
        }
        if is_polled && !leaves_at_once {
            prop_assert!(pair.pair.wait(Duration::from_secs(5)), "no event");
        }
        if let Some(most) = turn {
            pair.turn(most);
        }
    }
    if !leaves_at_once {
        while pair.received.len() < sent.len() {
            prop_assert!(pair.go_on(), "bytes are left");
        }
    }
    pair.leave(farewell);
    while pair.pair.control.end().is_none() {
        prop_assert!(pair.go_on(), "the end is left");
    }
    prop_assert!(pair.received == sent);
    let end = pair.pair.control.end();
    let is_lost = matches!(end, Some(End::Lost(ErrorKind::InvalidData)));
    prop_assert_eq!(is_lost, farewell == Farewell::Garbage);
    Ok(())
}

proptest! {
    /// However much comes at once, whatever a turn leaves, and whenever the end comes.
    #[test]
    fn nothing_stays_anywhere(
        version in 0..2_usize,
        pieces in prop::collection::vec(
            (1_usize..9000, any::<bool>(), prop::option::of(0..5000_usize)),
            1..6,
        ),
        farewell in farewell(),
        leaves_at_once in any::<bool>(),
    ) {
        check(version, &pieces, farewell, leaves_at_once)?;
    }
}

/// A turn leaves a part of what was decrypted; meanwhile more comes, and its event is spent.
#[test]
fn what_comes_while_input_is_left_is_read() {
    let pieces = [(6000, true, Some(4000)), (1000, true, None)];
    check(1, &pieces, Farewell::Both, false).unwrap();
}

/// What it has sent is read to the end: otherwise its connection would be reset, and the alert that
/// says what is wrong might be lost.
#[test]
fn a_client_that_speaks_no_tls_gets_an_alert_and_no_reset() {
    for length in [100, 4500, 6000, 20_000] {
        let mut pair = Pair::new();
        pair.control.start_tls(test_peers::server()).unwrap();
        pair.client.write_all(&vec![b'x'; length]).unwrap();
        assert!(pair.wait(Duration::from_secs(5)));
        let result = pair.control.handshake().expect("it is over");
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(pair.control.flush_and_end());
        pair.control.discard();
        drop(pair.control);
        let mut alert = Vec::new();
        pair.client.read_to_end(&mut alert).unwrap();
        assert_eq!((alert.len(), alert[0]), (7, 21), "{length}");
    }
}
