//! Control sockets that another program has opened and passed at the start: listening ones from a
//! service manager (`LISTEN_FDS`), or the one connection that inetd has accepted.
//!
//! They are only ever closed, never shut down: a listening socket stays open in the service
//! manager, with all clients that wait in it, for the next server.

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;

use ftp_proto::text::printable_word;
use listenfd::ListenFd;
use mio::net::TcpStream;
use rustix::process::getppid;
use socket2::SockRef;

use super::inetd;
use super::listen::Listen;

/// The sockets that this process was started with.
#[derive(Debug, Default)]
pub struct PassedSockets {
    pub(crate) listeners: Vec<(Listen, TcpListener)>,
    pub(crate) connection: Option<TcpStream>,
}

/// What the clients of a passed socket begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Control,
    ImplicitTls,
}

impl PassedSockets {
    /// Takes the sockets that a service manager has passed to this process, if there are any. Each
    /// can be taken once, in a process without other threads.
    ///
    /// # Errors
    ///
    /// If one is no listening TCP socket, or has an unknown name: a text with the remedy.
    pub fn from_environment() -> Result<Self, String> {
        check_count(|name| env::var(name).ok())?;
        // It stays in the environment, and LISTEN_PID does not.
        let names = env::var("LISTEN_FDNAMES").ok();
        let mut descriptors = ListenFd::from_env();
        let count = descriptors.len();
        let names = names_of(names.as_deref(), count)?;
        let mut sockets = Self::default();
        for (index, name) in names.iter().enumerate() {
            let place = format!("LISTEN_FDS: descriptor {} of {count} ({name})", index + 1);
            let wrong = |what: &str| format!("{place} {what}; {LISTEN_REMEDY}");
            let purpose = Purpose::of(name).ok_or_else(|| {
                format!(
                    "{place}: unknown name; in the socket unit, write FileDescriptorName={CONTROL} \
                     or, for clients that begin with TLS, FileDescriptorName={IMPLICIT_TLS}"
                )
            })?;
            let socket = descriptors.take_tcp_listener(index);
            let Ok(Some(socket)) = socket else {
                return Err(wrong("is no TCP socket"));
            };
            if !SockRef::from(&socket).is_listener().unwrap_or(false) {
                return Err(wrong("does not listen"));
            }
            let listen = described(&socket, purpose)
                .map_err(|error| format!("{place} cannot be used: {error}"))?;
            sockets.listeners.push((listen, socket));
        }
        Ok(sockets)
    }

    /// For the log, if sockets were passed to the process that has started this one: a script in
    /// between. To be called before [`from_environment`](Self::from_environment).
    pub(crate) fn passed_to_parent() -> Option<String> {
        let number = |name: &str| env::var(name).ok()?.parse::<i32>().ok();
        let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
        let has_sockets = number("LISTEN_FDS").is_some_and(|count| count > 0);
        let is_for_parent = parent.is_some() && number("LISTEN_PID") == parent;
        (has_sockets && is_for_parent).then(|| PARENT_REMEDY.to_owned())
    }

    /// Takes the connection that inetd has passed as standard input. To be called before any other
    /// thread exists.
    ///
    /// # Errors
    ///
    /// If it is none: a text with the remedy.
    pub fn from_inetd() -> Result<Self, String> {
        Ok(Self {
            listeners: Vec::new(),
            connection: Some(inetd::take_connection()?),
        })
    }

    /// Where the passed sockets listen.
    pub(crate) fn listen(&self) -> Vec<Listen> {
        self.listeners.iter().map(|(listen, _)| *listen).collect()
    }
}

impl Purpose {
    fn of(name: &str) -> Option<Self> {
        match name {
            IMPLICIT_TLS => Some(Self::ImplicitTls),
            CONTROL | UNNAMED => Some(Self::Control),
            // What systemd names a socket after whose unit has no FileDescriptorName.
            _ if name.ends_with(".socket") => Some(Self::Control),
            _ => None,
        }
    }
}

/// Refuses more sockets than anyone passes: each takes memory and time before it turns out to be
/// none.
fn check_count(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    let given = variable("LISTEN_FDS").unwrap_or_default();
    let process = variable("LISTEN_PID").filter(|process| !process.is_empty());
    let is_for_another = process.is_some_and(|process| process != std::process::id().to_string());
    match given.parse::<u64>() {
        Ok(count) if count > SOCKETS_MAX && !is_for_another => Err(format!(
            "LISTEN_FDS={count}: more than {SOCKETS_MAX} sockets; give the number of those that are \
             passed"
        )),
        _ => Ok(()),
    }
}

/// The name of each socket, as it can be printed.
fn names_of(names: Option<&str>, count: usize) -> Result<Vec<String>, String> {
    let Some(names) = names.filter(|names| !names.is_empty() && count > 0) else {
        return Ok(vec![UNNAMED.to_owned(); count]);
    };
    let printable = |name: &str| match name {
        "" => UNNAMED.to_owned(),
        _ => printable_word(name.as_bytes()),
    };
    let names: Vec<String> = names.split(':').map(printable).collect();
    if names.len() == count {
        Ok(names)
    } else {
        Err(format!(
            "LISTEN_FDNAMES has {} names for {count} sockets of LISTEN_FDS; give each one a name",
            names.len()
        ))
    }
}

/// Where the socket listens.
fn described(socket: &TcpListener, purpose: Purpose) -> io::Result<Listen> {
    let address = socket.local_addr()?;
    let only_v6 = || SockRef::from(&socket.as_fd()).only_v6();
    Ok(Listen {
        address,
        dual_stack: address.is_ipv6() && address.ip().is_unspecified() && !only_v6()?,
        fallback: None,
        implicit_tls: purpose == Purpose::ImplicitTls,
    })
}

/// Each takes a descriptor, of which sessions need some.
const SOCKETS_MAX: u64 = 256;

/// The names of sockets: of clients without TLS and with explicit TLS, and with implicit TLS.
const CONTROL: &str = "control";
const IMPLICIT_TLS: &str = "implicit-tls";
/// As the service manager calls a socket without a name.
const UNNAMED: &str = "unknown";

const PARENT_REMEDY: &str = "the sockets of the service manager (LISTEN_FDS) are not used: they are \
    for the process that has started this one (LISTEN_PID); in a script, start the server with exec";

const LISTEN_REMEDY: &str = "in the socket unit, write ListenStream= with a port and Accept=no; for \
    Accept=yes, start the server with --inetd and StandardInput=socket";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_has_a_name() {
        let names =
            |names: Option<&str>, count| names_of(names, count).map(|names| names.join(" "));
        assert_eq!(names(None, 0), Ok(String::new()));
        // Inherited: they are for another process.
        assert_eq!(names(Some("a:b"), 0), Ok(String::new()));
        assert_eq!(names(None, 2), Ok("unknown unknown".to_owned()));
        assert_eq!(names(Some(""), 1), Ok("unknown".to_owned()));
        assert_eq!(names(Some("a::c"), 3), Ok("a unknown c".to_owned()));
        assert_eq!(
            names(Some("a:b"), 3),
            Err(
                "LISTEN_FDNAMES has 2 names for 3 sockets of LISTEN_FDS; give each one a name"
                    .to_owned()
            )
        );
    }

    #[test]
    fn the_number_of_sockets_has_a_bound() {
        let check = |count: &str, process: Option<&str>| {
            check_count(|name| match name {
                "LISTEN_FDS" => Some(count.to_owned()),
                _ => process.map(str::to_owned),
            })
        };
        let own = std::process::id().to_string();
        for process in [None, Some(""), Some(&*own)] {
            assert_eq!(check("256", process), Ok(()));
            for count in ["257", "2147483647"] {
                let error = check(count, process).unwrap_err();
                let expected = format!(
                    "LISTEN_FDS={count}: more than 256 sockets; give the number of those that are passed"
                );
                assert_eq!(error, expected);
            }
        }
        for count in ["-1", "", "x"] {
            assert_eq!(check(count, None), Ok(()));
        }
        // They are for another process.
        assert_eq!(check("2147483647", Some("1")), Ok(()));
    }

    #[test]
    fn a_name_says_what_clients_begin_with() {
        for name in [
            "control",
            "unknown",
            "ftp-server-sync.socket",
            "ftps.socket",
        ] {
            assert_eq!(Purpose::of(name), Some(Purpose::Control), "{name}");
        }
        assert_eq!(Purpose::of("implicit-tls"), Some(Purpose::ImplicitTls));
        for name in ["implicit_tls", "tls", "connection", ""] {
            assert_eq!(Purpose::of(name), None, "{name}");
        }
    }

    #[test]
    fn a_socket_is_described_as_it_is() {
        for (address, only_v6, dual_stack) in [
            ("127.0.0.1:0", false, false),
            ("[::1]:0", false, false),
            ("[::]:0", true, false),
            ("[::]:0", false, true),
        ] {
            let address: std::net::SocketAddr = address.parse().unwrap();
            let domain = socket2::Domain::for_address(address);
            let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
            if address.is_ipv6() {
                socket.set_only_v6(only_v6).unwrap();
            }
            socket.bind(&address.into()).unwrap();
            socket.listen(1).unwrap();
            let socket = TcpListener::from(socket);
            let found = described(&socket, Purpose::ImplicitTls).unwrap();
            assert_eq!(found.address, socket.local_addr().unwrap());
            assert_eq!(found.dual_stack, dual_stack, "{address} {only_v6}");
            assert!(found.implicit_tls && found.fallback.is_none());
        }
    }
}
