//! What the example servers share: their flags, and the files that they serve. The order of
//! actions, the data connections and the timers are what each example shows itself.
//!
//! Files are read and written through `std::fs`, which blocks for as long as the disk takes. A
//! server whose directories other programs may change at the same moment should use `openat2` or
//! cap-std instead of paths, as `ftp-server-sync` does: between a look at a path and its use, a
//! link may appear in it.

#![allow(dead_code, unused_imports, reason = "no example uses everything")]

mod connect;
mod list;
mod pump;
mod root;
mod storage;
mod transfer;

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use ftp_proto::{Config, Refusal, Rights, ports};
use socket2::{Domain, Socket, Type};

pub(crate) use connect::begin_connecting;
pub(crate) use pump::{Pump, Step};
use root::Root;
pub(crate) use storage::Storage;
pub(crate) use transfer::{Download, Transfer, Upload};

const USAGE: &str = "\
usage: EXAMPLE -p PORT -d DIRECTORY -u USER -P PASSWORD [-w] [--tls]
       [--masquerade-address ADDRESS] [--passive-ports FIRST-LAST]
-p 0 listens on any free port; -w permits the user to write; --tls offers AUTH TLS.";

/// The command line.
pub(crate) struct Flags {
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) storage: Storage,
    masquerade: Option<Ipv4Addr>,
    passive_ports: Option<RangeInclusive<u16>>,
}

impl Flags {
    /// Ends the process if the command line is wrong.
    pub(crate) fn parse() -> Self {
        Self::from(std::env::args_os().skip(1)).unwrap_or_else(|| {
            eprintln!("{USAGE}");
            process::exit(2)
        })
    }

    fn from(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let (mut port, mut tls, mut masquerade, mut passive_ports) = (0, false, None, None);
        let (mut root, mut user, mut password) = (PathBuf::new(), None, None);
        let mut rights = Rights::READ_ONLY;
        while let Some(flag) = words.next() {
            match flag.to_str()? {
                "-w" => rights = Rights::READ_WRITE,
                "--tls" => tls = true,
                flag => {
                    let value = words.next()?;
                    match (flag, value.to_str()) {
                        ("-d", _) => root = value.into(),
                        ("-u", _) => user = Some(value.into_vec()),
                        ("-P", _) => password = Some(value.into_vec()),
                        ("-p", text) => port = text?.parse().ok()?,
                        ("--masquerade-address", text) => masquerade = Some(text?.parse().ok()?),
                        ("--passive-ports", text) => {
                            let (first, last) = text?.split_once('-')?;
                            passive_ports = Some(first.parse().ok()?..=last.parse().ok()?);
                        }
                        _ => return None,
                    }
                }
            }
        }
        Some(Self {
            port,
            tls,
            storage: Storage {
                root: Root::new(root.canonicalize().ok()?),
                user: user?,
                password: password?,
                rights,
            },
            masquerade,
            passive_ports,
        })
    }

    /// Listens on all addresses, for IPv4 and IPv6 where the system has both.
    pub(crate) fn control_listener(&self) -> io::Result<TcpListener> {
        let all = [
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port)),
        ];
        let listener = TcpListener::bind(&all[..])?;
        eprintln!("listening on {}", listener.local_addr()?);
        Ok(listener)
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.tls = self.tls;
        config.masquerade.address = self.masquerade.map(Into::into);
        config
    }

    /// Listens on a free port of the range, in an order that strangers cannot guess, or on one that
    /// the system chooses. `local`: the address to which the client has connected, with the
    /// scope of a link-local one.
    pub(crate) fn passive_listener(&self, local: SocketAddr) -> Result<TcpListener, Refusal> {
        let mut candidates: Vec<u16> = self.passive_ports.clone().unwrap_or(0..=0).collect();
        ports::shuffle(&mut candidates, || RandomState::new().hash_one(()));
        let mut candidates = candidates.into_iter();
        let bound = candidates.find_map(|port| {
            let mut address = local;
            address.set_port(port);
            TcpListener::bind(address).ok()
        });
        bound.ok_or(Refusal::Busy)
    }
}

/// Connects from the address that the client knows, and waits for it.
pub(crate) fn connect_from(mut local: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    local.set_port(0);
    socket.bind(&local.into())?;
    // The session's timer ends the transfer earlier.
    socket.connect_timeout(&to.into(), Duration::from_secs(60))?;
    Ok(socket.into())
}
