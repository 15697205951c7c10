//! What the kernel still has to send of downloads: it takes bytes long before the client has them.
//!
//! `/proc/net/tcp` and `/proc/net/tcp6` have that number for every socket. Where they cannot be
//! read, nothing is known, and the bytes count as sent.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The two ends of a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DataEnds {
    /// The port on this machine; `None` in active mode, where it may be any.
    pub(crate) local_port: Option<u16>,
    /// The client's end.
    pub(crate) peer: SocketAddr,
}

/// The bytes that wait in the kernel, by connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UnsentBytes {
    /// By the client's end: the ports on this machine, and the bytes.
    connections: HashMap<SocketAddr, Vec<(u16, u64)>>,
}

impl UnsentBytes {
    /// Asks the kernel about connections to these clients. Without any, nothing is read.
    pub(super) fn read(peers: &HashSet<SocketAddr>) -> Self {
        let mut unsent = Self::default();
        if !peers.is_empty() {
            for path in TABLES {
                if let Ok(file) = File::open(path) {
                    unsent.add(BufReader::new(file), peers);
                }
            }
        }
        unsent
    }

    /// The bytes of this connection; none where it is not known which one it is.
    pub(super) fn of(&self, ends: DataEnds) -> u64 {
        let found = self.connections.get(&ends.peer);
        let found = found.map(Vec::as_slice).unwrap_or_default();
        match ends.local_port {
            Some(port) => {
                let own = found.iter().find(|(local, _)| *local == port);
                own.map_or(0, |(_, bytes)| *bytes)
            }
            None => match found {
                [(_, bytes)] => *bytes,
                _ => 0,
            },
        }
    }

    fn add(&mut self, mut table: impl BufRead, peers: &HashSet<SocketAddr>) {
        let mut line = String::new();
        while table.read_line(&mut line).is_ok_and(|count| count > 0) {
            if let Some((port, peer, bytes)) = parse(&line)
                && peers.contains(&peer)
            {
                let of_peer = self.connections.entry(peer).or_default();
                of_peer.push((port, bytes));
            }
            line.clear();
        }
    }
}

/// The local port, the other end, and the bytes to send.
fn parse(line: &str) -> Option<(u16, SocketAddr, u64)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, peer, state, queues) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if WITHOUT_DATA.contains(&state) {
        return None;
    }
    let (_, port) = local.split_once(':')?;
    let (unsent, _) = queues.split_once(':')?;
    Some((
        u16::from_str_radix(port, 16).ok()?,
        address(peer)?,
        u64::from_str_radix(unsent, 16).ok()?,
    ))
}

/// An address as the kernel prints it: each group of 32 bits in this machine's order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let group = |at: usize| {
        let digits = ip.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::from(group(0)?),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&group(index)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// The states TIME_WAIT, CLOSE and LISTEN. One of an earlier connection may have the same ends.
const WITHOUT_DATA: [&str; 3] = ["06", "07", "0A"];

/// Of this process's network.
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_the_kernel_holds_is_known() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut server, peer) = listener.accept().unwrap();
            server.set_nonblocking(true).unwrap();
            let mut written = 0;
            while let Ok(count) = server.write(&[0; 65536]) {
                written += count as u64;
            }
            let local_port = Some(listener.local_addr().unwrap().port());
            let peers = HashSet::from([peer]);
            let unsent = UnsentBytes::read(&peers);
            let bytes = unsent.of(DataEnds { local_port, peer });
            assert!(bytes > 0 && bytes < written, "{bytes} of {written}");
            let of_any = DataEnds {
                local_port: None,
                peer,
            };
            assert_eq!(unsent.of(of_any), bytes);
            let other = DataEnds {
                local_port: Some(1),
                peer,
            };
            assert_eq!(unsent.of(other), 0);
            assert_eq!(UnsentBytes::read(&HashSet::new()), UnsentBytes::default());
            drop(client);
        }
    }

    #[test]
    fn two_connections_of_one_end_are_not_guessed_between() {
        let peer = "198.51.100.7:4711".parse().unwrap();
        let mut unsent = UnsentBytes::default();
        unsent
            .connections
            .insert(peer, vec![(60000, 7), (60001, 8)]);
        let of = |local_port| unsent.of(DataEnds { local_port, peer });
        assert_eq!(of(Some(60001)), 8);
        assert_eq!(of(None), 0);
    }

    #[test]
    fn other_lines_are_left_out() {
        for line in [
            "",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt",
            "   0: 0100007F:1F90 00000000:0000",
            "   0: 0100007F:1F90 0100007F:1234 06 00000005:00000000 00:00000000",
            "   0: 0100007F:1F90 0000:0000 0A 00000000:00000000 00:00000000",
            "   0: 0100007F:1F90 \u{e9}000000\u{e9}:0000 0A 00000000:00000000 00:00000000",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
