//! TLS over a real socket, with a client that rustls buffers: whatever the pieces are in which
//! bytes come, and when they are not those that the client meant.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream as StdTcpStream};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustls::ClientConnection;

use super::*;
use crate::tls::test_peers;

/// A connection and its client, which sends only what a test passes on.
struct Pair {
    tls: Box<TlsStream>,
    socket: TcpStream,
    client: ClientConnection,
    end: StdTcpStream,
    /// What the server has decrypted.
    read: Vec<u8>,
}

impl Pair {
    fn new(version: usize) -> Self {
        Self::with(test_peers::client(version), Traffic::Data)
    }

    fn with(client: ClientConnection, traffic: Traffic) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let end = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        end.set_nonblocking(true).unwrap();
        end.set_nodelay(true).unwrap();
        Self {
            tls: TlsStream::boxed(test_peers::server(), traffic).unwrap(),
            socket: TcpStream::from_std(socket),
            client,
            end,
            read: Vec::new(),
        }
    }

    /// What the client has to send now.
    fn flight(&mut self) -> Vec<u8> {
        test_peers::flight(&mut self.client)
    }

    /// The server handles what has come: an error, or whether it has seen the end.
    fn serve(&mut self) -> io::Result<bool> {
        let (tls, socket) = (&mut self.tls, &mut self.socket);
        match tls.handshake(socket) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        loop {
            let mut buffer = [0; 7000];
            match tls.read(socket, &mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) => self.read.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// The client takes what the server has sent; returns what it has decrypted.
    fn take(&mut self) -> Vec<u8> {
        while let Ok(count) = self.client.read_tls(&mut self.end) {
            self.client.process_new_packets().unwrap();
            if count == 0 {
                break;
            }
        }
        let mut text = Vec::new();
        let _ = self.client.reader().read_to_end(&mut text);
        text
    }

    /// The client sends its bytes in pieces of these lengths, again and again, and the server
    /// serves each.
    fn send(&mut self, bytes: &[u8], pieces: &[usize]) -> io::Result<bool> {
        let mut is_ended = false;
        let mut rest = bytes;
        for &length in pieces.iter().cycle() {
            let piece = &rest[..length.min(rest.len())];
            match self.end.write(piece) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            is_ended |= self.serve()?;
            if rest.is_empty() {
                break;
            }
        }
        Ok(is_ended)
    }

    /// The client has closed its side: the server serves it until it sees that.
    fn end(&mut self) -> io::Result<()> {
        self.end.shutdown(Shutdown::Write)?;
        let deadline = Instant::now() + GUARD;
        while !self.serve()? {
            assert!(Instant::now() < deadline, "the server does not see the end");
            thread::yield_now();
        }
        Ok(())
    }

    fn shake_hands(&mut self, pieces: &[usize]) {
        while self.client.is_handshaking() || self.client.wants_write() {
            let flight = self.flight();
            self.send(&flight, pieces).unwrap();
            self.take();
        }
    }
}

/// What takes longer does not happen.
const GUARD: Duration = Duration::from_secs(15);

/// Lengths of which none lets a test last long, and some are beyond every buffer.
fn pieces() -> impl Strategy<Value = Vec<usize>> {
    let piece = prop_oneof![60..2000_usize, 2000..40_000_usize, Just(100_000)];
    prop::collection::vec(piece, 1..8)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|number| (number % 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Also when the server writes in between, so that what was received has to wait.
    #[test]
    fn bytes_arrive_in_whatever_pieces_they_are_sent(
        version in 0..2_usize,
        pieces in pieces(),
        lengths in prop::collection::vec(1..90_000_usize, 1..4),
        has_notify in any::<bool>(),
        releases in any::<bool>(),
        changes_keys in any::<bool>(),
    ) {
        let mut pair = Pair::new(version);
        pair.shake_hands(&pieces);
        let mut sent: Vec<u8> = Vec::new();
        for length in lengths {
            let text = bytes(length);
            pair.client.set_buffer_limit(None);
            if changes_keys && version == 1 {
                pair.client.refresh_traffic_keys().unwrap();
            }
            pair.client.writer().write_all(&text).unwrap();
            sent.extend(&text);
            let flight = pair.flight();
            pair.send(&flight, &pieces).unwrap();
            if releases {
                pair.tls.release_buffers();
            }
            let mut received = Vec::new();
            let mut rest = &text[..];
            while !rest.is_empty() || pair.tls.has_unsent() {
                match pair.tls.write(&mut pair.socket, rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) => prop_assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                received.extend(pair.take());
            }
            let deadline = Instant::now() + GUARD;
            while received.len() < text.len() {
                prop_assert!(Instant::now() < deadline, "{} bytes came", received.len());
                received.extend(pair.take());
            }
            prop_assert!(received == text);
        }
        if has_notify {
            pair.client.send_close_notify();
        }
        let flight = pair.flight();
        pair.send(&flight, &pieces).unwrap();
        pair.end().unwrap();
        prop_assert!(pair.read == sent);
        prop_assert_eq!(pair.tls.has_bare_end(), !has_notify);
        // It stays the end.
        prop_assert!(pair.serve().unwrap());
    }

    /// What is read is what the client has sent, or nothing more is read.
    #[test]
    fn a_spoilt_byte_ends_the_stream(
        version in 0..2_usize,
        pieces in pieces(),
        at in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        let mut pair = Pair::new(version);
        pair.shake_hands(&pieces);
        let text = bytes(30_000);
        pair.client.writer().write_all(&text).unwrap();
        let mut flight = pair.flight();
        flight[at.index(text.len())] ^= bits;
        let result = pair.send(&flight, &pieces).and_then(|_| pair.end());
        prop_assert!(text.starts_with(&pair.read));
        let Err(error) = result else {
            // The version in a record's header means nothing in TLS 1.3.
            prop_assert!(pair.read == text && version == 1);
            return Ok(());
        };
        // Of a length that was too long, the rest of the record may be awaited.
        let kind = error.kind();
        prop_assert!(
            matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
            "{kind:?}"
        );
        if kind == ErrorKind::InvalidData {
            // It stays the same error, and nothing more is read.
            prop_assert_eq!(pair.serve().unwrap_err().kind(), kind);
        }
    }

    /// The same before anything is protected.
    #[test]
    fn a_spoilt_handshake_does_no_harm(
        version in 0..2_usize,
        pieces in pieces(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        flight_number in 0..2_usize,
    ) {
        let mut pair = Pair::new(version);
        for number in 0..=flight_number {
            let mut flight = pair.flight();
            if number == flight_number {
                for (at, bits) in &flips {
                    let at = at.index(flight.len());
                    flight[at] ^= bits;
                }
            }
            let _ = pair.send(&flight, &pieces);
            if number < flight_number {
                pair.take();
            }
        }
        let _ = pair.end();
        prop_assert!(pair.read.is_empty());
    }

    /// A client may cut a message of the handshake into records as it likes.
    #[test]
    fn a_hello_may_come_in_many_records(length in 1..400_usize, pieces in pieces()) {
        let mut pair = Pair::new(1);
        let hello = pair.flight();
        let (header, message) = hello.split_at(5);
        let mut flight = Vec::new();
        for part in message.chunks(length) {
            flight.extend(&header[..3]);
            flight.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            flight.extend(part);
        }
        pair.send(&flight, &pieces).unwrap();
        pair.take();
        pair.shake_hands(&pieces);
        pair.client.writer().write_all(b"text").unwrap();
        let flight = pair.flight();
        pair.send(&flight, &pieces).unwrap();
        pair.end().unwrap();
        prop_assert_eq!(&*pair.read, b"text");
    }
}

/// It is not buffered without end.
#[test]
fn an_endless_hello_is_refused() {
    let mut pair = Pair::new(1);
    // A message of 65,535 bytes in records of one byte each.
    let mut flight = vec![22, 3, 1, 0, 4, 1, 0, 0xff, 0xff];
    for _ in 0..65_534 {
        flight.extend([22, 3, 1, 0, 1, 0]);
    }
    let error = pair.send(&flight, &[4000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(pair.tls.received.len() <= RECEIVED_BYTES_MAX);
}

/// So that a large upload takes few system calls, and a command little memory.
#[test]
fn what_is_received_at_once_grows_with_what_comes() {
    let mut pair = Pair::new(1);
    pair.shake_hands(&[5000]);
    assert_eq!(pair.tls.receive_bytes, RECEIVED_BYTES_MIN);
    pair.client.set_buffer_limit(None);
    pair.client.writer().write_all(&bytes(300_000)).unwrap();
    let flight = pair.flight();
    pair.send(&flight, &[200_000]).unwrap();
    assert_eq!(pair.tls.receive_bytes, RECEIVED_BYTES_MAX);
    pair.end().unwrap();
    assert_eq!(pair.read.len(), 300_000);
    pair.tls.release_buffers();
    assert_eq!(pair.tls.receive_bytes, RECEIVED_BYTES_MIN);
}

/// A client without a login cannot have much of its commands buffered, whatever its handshake took.
#[test]
fn commands_are_buffered_less() {
    let mut pair = Pair::with(test_peers::client_with_long_hello(), Traffic::Commands);
    let hello = pair.flight();
    assert!(hello.len() > 60_000);
    pair.send(&hello, &[100_000]).unwrap();
    pair.take();
    assert!(!pair.client.is_handshaking());
    // What follows comes at once, so that the end of the handshake is read together with it.
    pair.client.set_buffer_limit(None);
    pair.client.writer().write_all(&bytes(60_000)).unwrap();
    let flight = pair.flight();
    let sent = pair.end.write(&flight).unwrap();
    assert!(sent > 30_000);
    pair.tls.handshake(&mut pair.socket).unwrap();
    let count = pair.tls.read(&mut pair.socket, &mut [0; 10]).unwrap();
    assert_eq!(count, 10);
    pair.tls.release_buffers();
    let left = pair.tls.received.capacity() + pair.tls.decrypted.capacity();
    assert!(left <= 2 * RECEIVED_COMMANDS_MAX, "{left}");
}

/// A connection that waits for its client has no memory but its own.
#[test]
fn an_idle_connection_has_no_buffers() {
    for version in [0, 1] {
        let mut pair = Pair::new(version);
        pair.shake_hands(&[5000]);
        pair.client.writer().write_all(b"NOOP\r\n").unwrap();
        let flight = pair.flight();
        pair.send(&flight, &[5000]).unwrap();
        pair.tls.write(&mut pair.socket, b"200 ok\r\n").unwrap();
        pair.tls.release_buffers();
        for queue in [&pair.tls.received, &pair.tls.decrypted, &pair.tls.unsent] {
            assert_eq!(queue.capacity(), 0);
        }
        assert_eq!(pair.take(), b"200 ok\r\n");
    }
}
