//! A router of the test's own that answers what no honest router does.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;

use super::{OUTER, sealed_lab};
use crate::nat::home_server::HomeServer;
use crate::nat::stun::StunServer;
use crate::support::lab::Lab;
use crate::support::wait::wait_until;

/// What a router answers to a request; nothing, or several datagrams.
pub(super) type Answer = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>> + Send>;

/// A thread on the router's host.
pub(super) struct ScriptedRouter {
    ends: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedRouter {
    /// Answers from the address `from` of the router what is asked at 192.168.77.1:5351.
    pub(super) fn start(lab: &Lab, from: &str, mut answer: Answer) -> Self {
        let bind = |address: &str| {
            let address: SocketAddr = address.parse().expect("an address and a port");
            lab.namespace_of("router")
                .enter(|| UdpSocket::bind(address).expect("a socket of the router"))
        };
        let socket = bind("192.168.77.1:5351");
        let other = (from != "192.168.77.1:5351").then(|| bind(from));
        let wait = Some(Duration::from_millis(100));
        socket.set_read_timeout(wait).expect("a timeout");
        let ends = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(AtomicUsize::new(0));
        let thread = thread::spawn({
            let (ends, requests) = (Arc::clone(&ends), Arc::clone(&requests));
            move || {
                let mut buffer = [0; 2000];
                while !ends.load(Ordering::Relaxed) {
                    let (count, client) = match socket.recv_from(&mut buffer) {
                        Ok(received) => received,
                        Err(error)
                            if matches!(
                                error.kind(),
                                ErrorKind::WouldBlock | ErrorKind::Interrupted
                            ) =>
                        {
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    };
                    for datagram in answer(&buffer[..count]) {
                        let socket = other.as_ref().unwrap_or(&socket);
                        socket.send_to(&datagram, client).expect("a datagram");
                    }
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            ends,
            requests,
            thread: Some(thread),
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for ScriptedRouter {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

/// What an honest router with NAT-PMP answers, whose public address and epoch are these.
pub(super) fn honest(request: &[u8], address: [u8; 4], epoch: u32) -> Vec<u8> {
    let operation = *request.get(1).expect("an operation");
    let mut answer = vec![0, operation | 0x80, 0, 0];
    answer.extend(epoch.to_be_bytes());
    match operation {
        0 => answer.extend(address),
        _ => {
            // The port here, the one outside, and the time.
            answer.extend(&request[4..]);
        }
    }
    answer
}

#[track_caller]
fn check_lie(from: &str, line: &str, answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) {
    check_lie_in("NAT-PMP", from, line, answer);
}

/// Checks that the server believes nothing of what such a router answers, and logs `line` once.
#[track_caller]
pub(super) fn check_lie_in(
    protocol: &str,
    from: &str,
    line: &str,
    answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) {
    let lab = sealed_lab();
    let router = ScriptedRouter::start(&lab, from, Box::new(answer));
    let flag = protocol.to_ascii_lowercase();
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", &flag]);
    home.server.log_with(&format!(
        "--port-mapping: the router 192.168.77.1 forwards nothing ({protocol}: it "
    ));
    home.server.log_with(line);
    let asked = router.requests();
    wait_until("it is asked again", || router.requests() > asked);
    // Clients are served as without the flag.
    let mut client = home.client("neighbour", "192.168.77.2:2121");
    let to = client.passive();
    assert_eq!(to, "192.168.77.2:60000".parse().expect("an address"));
    drop(client.connect_data(to));
    drop(client);
    home.finish_with(|log| {
        assert_eq!(log.matches(line).count(), 1, "{log}");
        assert!(!log.contains("forwards from"), "{log}");
    });
}

#[test]
fn garbage_is_ignored() {
    check_lie(ROUTER, "which is ignored: a message of version 103", |_| {
        vec![b"garbage".to_vec(), vec![b'g'; 1500]]
    });
}

#[test]
fn truncated_answers_are_ignored() {
    check_lie(
        ROUTER,
        "which is ignored: no message of NAT-PMP",
        |request| {
            let mut answer = honest(request, OUTER.octets(), 9);
            answer.pop();
            vec![answer]
        },
    );
}

#[test]
fn answers_to_other_requests_are_ignored() {
    let line = "which is ignored: no response to this kind of request";
    check_lie(ROUTER, line, |request| {
        let mut answer = honest(request, OUTER.octets(), 9);
        answer[1] ^= 1;
        vec![answer]
    });
}

#[test]
fn answers_of_others_are_not_heard() {
    check_lie("192.168.77.1:5352", "it does not answer", |request| {
        vec![honest(request, OUTER.octets(), 9)]
    });
}

#[test]
fn a_loopback_address_is_not_believed() {
    let line = "it answers 127.0.0.1, a loopback address, as its public address, which is ignored";
    check_lie(ROUTER, line, |request| {
        vec![honest(request, [127, 0, 0, 1], 9)]
    });
}

/// Its address is not the one that clients outside connect to: no client is given it.
#[test]
fn an_address_that_nobody_outside_reaches_is_not_announced() {
    for (address, line) in [
        (
            [10, 0, 0, 7],
            "the router 192.168.77.1 has no address on the Internet, only 10.0.0.7, a private address: it \
             is behind another router, which has to forward the same ports to it; give the public address \
             of that one with --masquerade-address\n",
        ),
        (
            [100, 64, 0, 7],
            "the router 192.168.77.1 has the address 100.64.0.7, an address behind the provider's own NAT",
        ),
        (
            [0, 0, 0, 0],
            "the router 192.168.77.1 has no address on the Internet: it is not connected\n",
        ),
    ] {
        let lab = sealed_lab();
        let answer = move |request: &[u8]| vec![honest(request, address, 9)];
        let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
        let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "nat-pmp"]);
        home.server.log_with(line);
        let mut client = home.client("neighbour", "192.168.77.2:2121");
        let to = client.passive();
        assert_eq!(to, "192.168.77.2:60000".parse().expect("an address"));
        drop(client);
        home.finish_with(|log| assert_eq!(log.matches(line).count(), 1, "{log}"));
        drop(router);
    }
}

/// A STUN server sees another router behind this one, and the log says it once.
#[test]
fn another_router_is_noticed_while_the_server_runs() {
    let lab = sealed_lab();
    let stun = StunServer::start(&lab, "11.22.33.9");
    let answer = |request: &[u8]| vec![honest(request, [11, 22, 33, 77], 9)];
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let flags = "-r 60000 --port-mapping nat-pmp -n stun:11.22.33.9 --masquerade-refresh 1";
    let flags: Vec<&str> = flags.split(' ').collect();
    let home = HomeServer::within(lab, &flags);
    let line = "stun:11.22.33.9 answers 11.22.33.1, and the router says that its public address is \
                11.22.33.77: another router is in between, which has to forward the same ports to \
                11.22.33.77; without one, leave out --masquerade-address\n";
    home.server.log_with(line);
    home.server.signal(Signal::USR1);
    wait_until("the report", || {
        home.server.log().matches(line).count() == 2
    });
    let check = home.ask(&["--check", "-p", "2122"]).expect_failure();
    let text = check.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = line.trim_end();
    assert!(words.join(" ").contains(&format!("FAILS {line}")), "{text}");
    home.finish_with(|log| assert_eq!(log.matches(line).count(), 2, "{log}"));
    drop((router, stun));
}

/// The router falls silent within a round: what it has forwarded by then is removed at the end.
#[test]
fn ports_of_a_round_without_end_are_removed() {
    let lab = sealed_lab();
    let removed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&removed);
    let answer = move |request: &[u8]| {
        let is_removal = request.len() == 12 && request[8..] == [0; 4];
        let port = request
            .get(4..6)
            .map(|port| u16::from_be_bytes([port[0], port[1]]));
        if is_removal {
            counter.fetch_add(1, Ordering::Relaxed);
        } else if port.is_some_and(|port| port > 60_000) {
            return Vec::new();
        }
        vec![honest(request, OUTER.octets(), 9)]
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let home = HomeServer::within(lab, &["-r", "60000-60003", "--port-mapping", "nat-pmp"]);
    // The address, two ports, and the silence about the third one.
    wait_until("the router is silent", || router.requests() >= 5);
    home.finish();
    // Those two, and that whose answer has not arrived.
    assert_eq!(removed.load(Ordering::Relaxed), 3);
}

/// Ports that the router refuses are left out, and a control port that it keeps to itself has
/// another number.
#[test]
fn refused_ports_are_left_out() {
    let lab = sealed_lab();
    let refuse = |request: &[u8]| {
        let mut answer = honest(request, OUTER.octets(), 9);
        let suggested = request
            .get(6..8)
            .map(|port| u16::from_be_bytes([port[0], port[1]]));
        if matches!(suggested, Some(21 | 60_003)) {
            answer[3] = 2;
        }
        vec![answer]
    };
    let _router = ScriptedRouter::start(&lab, ROUTER, Box::new(refuse));
    let home = HomeServer::within(lab, &["-r", "60000-60003", "--port-mapping", "auto"]);
    home.server
        .log_with("passive ports that the router does not forward are left out: 60003; the router");
    let log = home.server.log();
    let line = "the router does not forward its port 21: clients outside reach the control port at port \
                2121";
    assert!(log.contains(line), "{log}");
    let mut client = home.client("neighbour", "192.168.77.2:2121");
    for _ in 0..6 {
        let to = client.passive();
        assert_ne!(to.port(), 60_003);
        drop(client.connect_data(to));
    }
    drop(client);
    home.finish();
}

/// Answers that say each time that the router has just started: the ports are asked for again, and
/// no more often than that.
#[test]
fn an_epoch_that_goes_backwards_is_a_restart() {
    let lab = sealed_lab();
    let mut epoch = 1_000_000;
    let router = ScriptedRouter::start(
        &lab,
        ROUTER,
        Box::new(move |request| {
            epoch -= 1000;
            vec![honest(request, OUTER.octets(), epoch)]
        }),
    );
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "nat-pmp"]);
    let line =
        "the router 192.168.77.1 has forgotten its mappings, and is asked for all of them again";
    home.server.log_with(line);
    // The address and two ports, twice; and then nothing until the renewal.
    assert_eq!(router.requests(), 6);
    home.finish_with(|log| assert_eq!(log.matches(line).count(), 1, "{log}"));
}

pub(super) const ROUTER: &str = "192.168.77.1:5351";
