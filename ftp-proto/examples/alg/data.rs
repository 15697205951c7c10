//! Sockets of the forwarder: the ports of the range, the wait for a data connection, and moving
//! bytes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::canonical;

/// The ports of the range, the one that was leased last at the end. A port is leased, and open,
/// while its listener exists; otherwise no one can connect to it.
pub(crate) struct Ports {
    ip: IpAddr,
    listeners: Mutex<VecDeque<(u16, Weak<TcpListener>)>>,
}

impl Ports {
    pub(crate) fn new(ip: IpAddr, range: &str) -> Result<Self, String> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let numbers = first.parse().ok().zip(last.parse().ok());
        let (first, last) = numbers
            .filter(|(first, last)| (1..=*last).contains(first))
            .ok_or_else(|| format!("--passive-ports {range}: not a range such as 60000-60009"))?;
        for port in first..=last {
            bind("--passive-ports", SocketAddr::new(ip, port))?;
        }
        let listeners = (first..=last).map(|port| (port, Weak::new())).collect();
        Ok(Self {
            ip,
            listeners: Mutex::new(listeners),
        })
    }

    /// The port that has been free for the longest time; `None` if none becomes free in time.
    pub(crate) fn lease(&self) -> Option<Arc<TcpListener>> {
        let deadline = Instant::now() + LEASE_MAX;
        while Instant::now() < deadline {
            match self.open() {
                Some(listener) => return Some(listener),
                None => thread::sleep(PAUSE),
            }
        }
        None
    }

    fn open(&self) -> Option<Arc<TcpListener>> {
        let mut listeners = self.listeners.lock().expect("the ports");
        let mut free = (0..listeners.len()).filter(|&at| listeners[at].1.strong_count() == 0);
        let (place, listener) = free.find_map(|at| {
            let listener = TcpListener::bind((self.ip, listeners[at].0)).ok()?;
            listener.set_nonblocking(true).ok()?;
            Some((at, Arc::new(listener)))
        })?;
        let (port, _) = listeners.remove(place)?;
        listeners.push_back((port, Arc::downgrade(&listener)));
        Some(listener)
    }
}

pub(crate) fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address);
    listener.map_err(|error| format!("{flag}: cannot listen on {address}: {error}"))
}

/// The data connection, which only this address may make. std cannot wait for one with a deadline,
/// so this looks again and again.
pub(crate) fn accept(listener: &TcpListener, offer: &Weak<()>, from: IpAddr) -> Option<TcpStream> {
    let deadline = Instant::now() + ACCEPT_MAX;
    while offer.strong_count() > 0 && Instant::now() < deadline {
        match listener.accept() {
            Ok((stream, peer)) if canonical(peer).ip() == from => {
                return stream.set_nonblocking(false).ok().map(|()| stream);
            }
            Ok((_, peer)) => eprintln!("{peer}: closed; a data connection from {from} is expected"),
            Err(_) => thread::sleep(PAUSE),
        }
    }
    None
}

/// The client of active mode cannot be reached. The server must not see an orderly end, which would
/// make an empty file of an upload: so the connection stays open until the server ends it, or has
/// sent data that is lost with a reset.
pub(crate) fn abandon(server: &TcpStream) {
    let _ = server.peek(&mut [0]);
}

pub(crate) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, CONNECT_MAX);
    stream.inspect_err(|error| eprintln!("cannot connect to {to}: {error}"))
}

pub(crate) fn couple_data(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_write_timeout(Some(WRITE_MAX))?;
    couple(client, server, false, <[u8]>::to_vec, <[u8]>::to_vec)
}

/// Moves bytes in both directions until both have ended.
pub(crate) fn couple(
    client: &TcpStream,
    server: &TcpStream,
    reset_is_end: bool,
    up: impl FnMut(&[u8]) -> Vec<u8> + Send,
    down: impl FnMut(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    server.set_write_timeout(Some(WRITE_MAX))?;
    // Nothing is sent through it; it ends with the direction.
    let (up_runs, up_end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            pump(client, server, reset_is_end, up);
            drop(up_runs);
        });
        pump(server, client, reset_is_end, down);
        let _ = up_end.recv_timeout(LINGER);
        close(client, server);
    });
    Ok(())
}

fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    reset_is_end: bool,
    mut change: impl FnMut(&[u8]) -> Vec<u8>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) if reset_is_end => 0,
            Err(_) => return,
        };
        // At the end, `change` returns what it held back.
        if to.write_all(&change(&buffer[..count])).is_err() {
            return close(from, to);
        }
        if count == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}

/// Wakes the threads that read from them or write to them. It fails where the connection is gone
/// already.
fn close(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

pub(crate) const PAUSE: Duration = Duration::from_millis(10);
pub(crate) const WRITE_MAX: Duration = Duration::from_secs(300);
const CONNECT_MAX: Duration = Duration::from_secs(10);
const LEASE_MAX: Duration = Duration::from_secs(5);
const ACCEPT_MAX: Duration = Duration::from_secs(60);
const LINGER: Duration = Duration::from_secs(5);
