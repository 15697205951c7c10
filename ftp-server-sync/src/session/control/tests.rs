//! What comes and goes on a control connection, with the events of a real poll.

#[cfg(feature = "tls")]
mod protected;

use std::io::Read;
use std::net::{TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::time::Duration;

use mio::{Events, Poll};
use proptest::prelude::*;
use socket2::SockRef;

use super::*;
use crate::net::socket::set_control_options;

/// A control connection, and its client's end.
struct Pair {
    control: Control,
    client: StdTcpStream,
    poll: Poll,
    events: Events,
}

impl Pair {
    fn new() -> Self {
        let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
        set_control_options(&listener).unwrap();
        let client = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let poll = Poll::new().unwrap();
        let stream = TcpStream::from_std(stream);
        Self {
            control: Control::new(stream, poll.registry()).unwrap(),
            client,
            poll,
            events: Events::with_capacity(4),
        }
    }

    /// Waits for events as a session does. False if there was none.
    fn wait(&mut self, timeout: Duration) -> bool {
        self.poll.poll(&mut self.events, Some(timeout)).unwrap();
        for event in &self.events {
            self.control.on_event(event);
        }
        !self.events.is_empty()
    }

    /// The same, and reads after them.
    fn receive(&mut self, received: &mut Vec<u8>, timeout: Duration) -> bool {
        let has_event = self.wait(timeout);
        loop {
            self.control.fill();
            let count = self.control.input().len();
            if count == 0 {
                return has_event;
            }
            received.extend_from_slice(self.control.input());
            self.control.use_input(count);
        }
    }
}

proptest! {
    /// However a client cuts its bytes, and whichever it marks as urgent: all are read after
    /// the events that come, and so is the end.
    #[test]
    fn nothing_stays_in_the_socket(
        pieces in prop::collection::vec((1_usize..400, any::<bool>(), any::<bool>()), 1..12),
        ends_at_once in any::<bool>(),
    ) {
        let mut pair = Pair::new();
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for (length, is_urgent, is_read) in pieces {
            let piece: Vec<u8> = (sent.len()..sent.len() + length).map(|at| at as u8).collect();
            let client = SockRef::from(&pair.client);
            let count = if is_urgent {
                client.send_out_of_band(&piece)
            } else {
                client.send(&piece)
            };
            prop_assert_eq!(count.unwrap(), length);
            sent.extend(piece);
            if is_read {
                prop_assert!(pair.receive(&mut received, Duration::from_secs(5)), "no event");
            }
        }
        if !ends_at_once {
            while received.len() < sent.len() {
                prop_assert!(pair.receive(&mut received, Duration::from_secs(5)), "bytes are left");
            }
        }
        pair.client.shutdown(std::net::Shutdown::Write).unwrap();
        while pair.control.end().is_none() {
            prop_assert!(pair.receive(&mut received, Duration::from_secs(5)), "the end is left");
        }
        prop_assert_eq!(pair.control.end(), Some(End::Closed));
        prop_assert!(received == sent);
    }
}

/// What a client does not read is sent when it reads: the poll has to say so.
#[test]
fn unsent_replies_follow_when_the_client_reads() {
    let mut pair = Pair::new();
    pair.control.output = vec![b'x'; 8 << 20];
    let mut left = pair.control.output.len();
    assert!(!pair.control.flush());
    assert!(pair.control.await_writable(pair.poll.registry()));
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        left -= pair.client.read(&mut buffer).unwrap();
        while !pair.control.writable {
            let timeout = Duration::from_millis(1);
            if !pair.receive(&mut Vec::new(), timeout) {
                break;
            }
        }
        pair.control.flush();
    }
    assert!(pair.control.flush());
}
