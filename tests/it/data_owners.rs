//! Whose data connection is it? Sessions of neighbours and of clients far apart, on two ports, with
//! looks, slow clients and strangers in between: no one ever receives or stores bytes of another.
//!
//! What each session does is random; its seed is in the message of a failure.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::data::{connect_from, guarded, is_gone, reset};
use crate::support::figures;
use crate::support::random::Random;
use crate::support::server::Setup;
use crate::support::wait::pass_time;

#[test]
fn no_file_goes_to_another_session() {
    // Clients that do not come are given up soon, so that this ends soon.
    run(Duration::from_secs(4), &["--passive-timeout", "12"]);
}

#[test]
fn long_no_file_goes_to_another_session() {
    run(Duration::from_secs(600), &[]);
}

fn run(time: Duration, flags: &[&str]) {
    let flags = [&["-r", "20000-20001"], flags].concat();
    let server = Setup::new().on_own_address().flags(&flags).in_process();
    let totals = Totals::default();
    let seed = u64::from(std::process::id());
    let end = Instant::now() + time;
    thread::scope(|scope| {
        for (number, address) in CLIENTS.into_iter().enumerate() {
            let contents = format!("({number:06})").into_bytes().repeat(FILE_BYTES / 8);
            server.write(&format!("out{number}"), &contents);
            let mut worker = Worker {
                server: server.address,
                stored: server.path(&format!("in{number}")),
                totals: &totals,
                number,
                address,
                random: Random::new(seed << 8 | (number as u64 + 1)),
                contents,
            };
            scope.spawn(move || worker.run(end));
        }
        for address in STRANGERS {
            let random = Random::new(seed << 8 | u64::from(address.octets()[3]) << 4);
            let port = server.address;
            scope.spawn(move || intrude(address, port, random, end));
        }
    });
    let [received, stored] = [&totals.received, &totals.stored].map(|n| n.load(Ordering::Relaxed));
    assert!(received > 0 && stored > 0, "{received} and {stored}");
    figures::show(format_args!(
        "{received} files received, {stored} stored (seed {seed})"
    ));
}

/// What all workers have done.
#[derive(Default)]
struct Totals {
    received: AtomicU32,
    stored: AtomicU32,
    /// A client is late, or what it connects with is refused: of two ports, one is kept from others
    /// until its connection has come.
    is_one_late: AtomicBool,
}

/// Why the connection that the server waits for comes late, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lateness {
    None,
    Slow,
    /// The server refuses it: none comes.
    FromNeighbour,
}

/// A client with a file of its own to receive, and one to store.
struct Worker<'a> {
    server: SocketAddr,
    /// What it has stored.
    stored: PathBuf,
    totals: &'a Totals,
    number: usize,
    address: Ipv4Addr,
    random: Random,
    contents: Vec<u8>,
}

impl Worker<'_> {
    fn run(&mut self, end: Instant) {
        while Instant::now() < end {
            let mut client = Client::connect_from(self.address, self.server);
            client.expect(220);
            client.log_in();
            // A session may have to wait for a port as long as a client may take to connect.
            let timeout = client.stream.set_read_timeout(Some(PASSIVE_TIMEOUT_MAX));
            timeout.expect("a timeout");
            for _ in 0..self.random.below(6) + 1 {
                if Instant::now() >= end || !self.transfer(&mut client) {
                    break;
                }
            }
            if self.random.one_in(2) {
                client.send("QUIT");
            }
        }
    }

    /// One transfer. False if the session must end.
    fn transfer(&mut self, client: &mut Client) -> bool {
        client.send("EPSV");
        let reply = client.reply();
        if reply.code != 229 {
            assert_eq!(reply.code, 425, "{}", reply.text());
            return true;
        }
        let port = client.announced(&reply);
        let announced = Instant::now();
        match self.random.below(12) {
            // It changes its mind.
            0 => return true,
            1 => return false,
            _ => {}
        }
        let lateness = self.lateness();
        let is_done = self.transfer_to(client, port, announced, lateness);
        if lateness != Lateness::None {
            self.totals.is_one_late.store(false, Ordering::SeqCst);
        }
        is_done
    }

    /// Most are quick; now and then, one is sent to a port and comes when others have needed it, or
    /// comes from another address first.
    fn lateness(&mut self) -> Lateness {
        let wanted = if self.random.one_in(8) {
            Lateness::Slow
        } else if self.number < NEIGHBOURS && self.random.one_in(10) {
            Lateness::FromNeighbour
        } else {
            return Lateness::None;
        };
        if self.totals.is_one_late.swap(true, Ordering::SeqCst) {
            Lateness::None
        } else {
            wanted
        }
    }

    /// One transfer over a port that was announced then. False if the session must end.
    fn transfer_to(
        &mut self,
        client: &mut Client,
        port: SocketAddr,
        announced: Instant,
        lateness: Lateness,
    ) -> bool {
        let slow = lateness == Lateness::Slow;
        let origin = self.origin(lateness);
        let is_first = self.random.one_in(2);
        let stores = self.random.one_in(2);
        let looks = if slow { Vec::new() } else { self.looks(port) };
        let must_reset = self.random.one_in(2);
        let has_looked = !looks.is_empty();
        let mut after = self.end_looks(looks, stores);
        // On a machine that stands still for a while, a client does not come later than it would:
        // it looks at the clock again when it has connected.
        let late = if slow { SLOW_MAX } else { QUICK_MAX };
        let connect = || connect_from(Some(origin), port).ok();
        let mut data = None;
        if is_first && !slow {
            if announced.elapsed() > late {
                return false;
            }
            data = connect();
        }
        let (verb, name) = if stores {
            ("STOR", "in")
        } else {
            ("RETR", "out")
        };
        // The server may have the command before this thread goes on.
        let asked = Instant::now();
        client.send(format!("{verb} {name}{}", self.number));
        if must_reset {
            after.drain(..).for_each(reset);
        }
        if slow {
            let time = Duration::from_millis(4500 + self.random.below(4500));
            pass_time(time, "it is slower than the others wait");
        }
        let is_late =
            || announced.elapsed() > late || has_looked && asked.elapsed() > AFTER_LOOK_MAX;
        if data.is_none() {
            if is_late() {
                return false;
            }
            data = connect();
            if is_late() {
                return false;
            }
        }
        let bytes = data.map_or(0, |data| {
            if stores {
                self.send(data)
            } else {
                self.receive(data)
            }
        });
        drop(after);
        self.finish(client, stores, bytes);
        true
    }

    /// Connections that carry nothing.
    fn looks(&mut self, port: SocketAddr) -> Vec<TcpStream> {
        let mut looks = Vec::new();
        while self.random.one_in(4) {
            looks.extend(connect_from(Some(self.address), port));
        }
        looks
    }

    /// Ends these looks, but for some that stay open during an upload.
    fn end_looks(&mut self, looks: Vec<TcpStream>, stores: bool) -> Vec<TcpStream> {
        let mut open = Vec::new();
        for look in looks {
            match self.random.below(3) {
                0 => drop(look),
                // A small download is complete before it can be seen that a look has received it.
                2 if stores => open.push(look),
                _ => reset(look),
            }
        }
        open
    }

    /// Where its data connection comes from: now and then, from the address of a neighbour, as a
    /// pool of addresses of a provider does it.
    fn origin(&mut self, lateness: Lateness) -> IpAddr {
        let may_change = lateness == Lateness::Slow && self.number < NEIGHBOURS;
        if lateness == Lateness::FromNeighbour || may_change && self.random.one_in(10) {
            CLIENTS[1 - self.number % 2].into()
        } else {
            self.address.into()
        }
    }

    /// Sends its own bytes; returns how many were not refused.
    fn send(&mut self, mut data: TcpStream) -> usize {
        let most = self.contents.len() as u64;
        let count = usize::try_from(self.random.below(most)).expect("a size") + 1;
        match data.write_all(&self.contents[..count]) {
            Ok(()) => count,
            Err(_) => 0,
        }
    }

    /// Receives bytes that must be its own; returns how many.
    fn receive(&self, data: TcpStream) -> usize {
        let received = read(data);
        self.check(&received, "received");
        received.len()
    }

    fn finish(&self, client: &mut Client, stores: bool, bytes: usize) {
        let reply = client.reply();
        let mut code = reply.code;
        if code == 150 {
            code = client.reply().code;
        }
        assert!(
            matches!(code, 226 | 425 | 426 | 450 | 451),
            "{}",
            reply.text()
        );
        if stores {
            let stored = std::fs::read(&self.stored).unwrap_or_default();
            self.check(&stored, "stored");
        }
        if code == 226 && bytes > 0 {
            let count = if stores {
                &self.totals.stored
            } else {
                &self.totals.received
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[track_caller]
    fn check(&self, bytes: &[u8], what: &str) {
        assert!(
            self.contents.starts_with(bytes),
            "client {} at {}: {what} bytes of another: {}",
            self.number,
            self.address,
            bytes[..bytes.len().min(64)].escape_ascii()
        );
    }
}

/// Connects to both ports from an address that no client has: it must not get, nor store, a byte.
fn intrude(address: Ipv4Addr, server: SocketAddr, mut random: Random, end: Instant) {
    while Instant::now() < end {
        let port = SocketAddr::new(server.ip(), 20_000 + u16::from(random.one_in(2)));
        if let Ok(mut data) = connect_from(Some(address), port) {
            let _ = data.write_all(b"what a stranger sends");
            if random.one_in(2) {
                reset(data);
            } else {
                let received = read(data);
                assert!(received.is_empty(), "{}", received.escape_ascii());
            }
        }
        pass_time(Duration::from_millis(random.below(50)), "a stranger rests");
    }
}

/// What comes until the end, or until a reset.
fn read(data: TcpStream) -> Vec<u8> {
    let mut data = guarded(data);
    let mut received = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => return received,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_gone(&error) => return received,
            Err(error) => panic!("the data connection stays open: {error}"),
        }
    }
}

/// Two neighbours, each with two sessions, and two clients that are far from all others.
const CLIENTS: [Ipv4Addr; 6] = [
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 3),
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 3),
    Ipv4Addr::new(127, 1, 0, 2),
    Ipv4Addr::new(127, 2, 0, 2),
];

/// How many of the clients are neighbours.
const NEIGHBOURS: usize = 4;

/// A neighbour of the first clients, and one from elsewhere.
const STRANGERS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 4), Ipv4Addr::new(127, 9, 0, 5)];

/// Sooner than a port is given to others that wait for it.
const QUICK_MAX: Duration = Duration::from_secs(3);

/// Sooner than a look is taken for the connection of a client that only reads.
const AFTER_LOOK_MAX: Duration = Duration::from_millis(150);

/// Sooner than a port that was given up is given to a neighbour.
const SLOW_MAX: Duration = Duration::from_secs(15);

const PASSIVE_TIMEOUT_MAX: Duration = Duration::from_secs(45);

const FILE_BYTES: usize = 256 << 10;
