//! A forwarder (application-level gateway) before an FTP server behind NAT that cannot be changed.
//! `USAGE` shows how to start it. Clients connect to it; it passes on what they and the server
//! send, and corrects where data goes:
//!
//! - With `--passive-ports`, data passes the forwarder. It listens on a port of the range, which
//!   227 and 229 then name, and connects on to the port that the server announced; for PORT and
//!   EPRT it does the reverse. The router forwards the control port and the range to the forwarder.
//!   The server needs no forwarding, and sees one client: this.
//! - Without, only the address in a 227 changes. The router forwards the server's passive ports to
//!   the server, which must accept data from another address than the control connection has
//!   (vsftpd: `pasv_promiscuous=YES`).
//!
//! Every client is given the public address; those in the server's own network connect to the
//! server itself.
//!
//! **Encryption.** After the 234 to AUTH TLS the forwarder can read nothing and correct nothing.
//! Such a server must announce the public address itself.
//!
//! **Urgent data.** std cannot receive the urgent byte: the kernel takes it out of what the client
//! sends. It is an IAC or a data mark before the verb, or the LF behind ABOR. So Telnet's codes
//! before a verb are left out, which mean nothing without the urgent mark, and ABOR, STAT and QUIT
//! end with their CR. A server that looks for ABOR only when data is urgent finds it after the
//! transfer (vsftpd with `async_abor_enable`; by default it never looks earlier).
//!
//! **Ends.** The end of one direction is passed on, and the other direction goes on. When the
//! server has ended, the client has 5 s more. Who takes nothing for 5 minutes is cut off; who sends
//! nothing has as long as the server permits. std cannot pass on a reset, and an orderly end would
//! make half a file look whole: after a reset of a data connection, or when the client of active
//! mode cannot be reached, the server is left to its own timeout.
//!
//! **Strangers.** A data connection is accepted from the client's address alone, and made to it
//! alone: the server sees the forwarder as its client, so PORT and EPRT to another address are
//! refused here.

mod data;
mod rewrite;

use std::env;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use data::{Ports, abandon, accept, bind, connect, couple, couple_data};
use ftp_proto::canonical;
use rewrite::{Commands, Replies};

struct Settings {
    server: SocketAddr,
    masquerade: Ipv4Addr,
    ports: Option<Ports>,
}

/// One client, with a control connection of its own to the server.
struct Session {
    settings: &'static Settings,
    client: SocketAddr,
    /// This end of the connection to the server.
    local: SocketAddr,
    /// A wait for a data connection goes on while this value lives.
    offer: Mutex<Arc<()>>,
}

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1);
    let result = run(arguments.map(|argument| argument.to_string_lossy().into_owned()));
    if let Err(message) = &result {
        eprintln!("alg: {message}");
    }
    ExitCode::from(u8::from(result.is_err()))
}

fn run(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (listener, settings) = open(arguments)?;
    // It lives as long as the program, so that each thread can have it.
    let settings: &'static Settings = Box::leak(Box::new(settings));
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    eprintln!("listening on {address}");
    let sessions = Arc::new(());
    for client in listener.incoming() {
        let session = Arc::clone(&sessions);
        match client {
            Ok(mut client) if Arc::strong_count(&sessions) > SESSIONS_MAX + 1 => {
                eprintln!("a client is refused: {SESSIONS_MAX} sessions are open");
                let _ = client.write_all(TOO_MANY);
            }
            Ok(client) => start(move || {
                let result = serve(settings, &client);
                result.unwrap_or_else(|error| eprintln!("a session failed: {error}"));
                drop(session);
            }),
            Err(error) => {
                eprintln!("cannot accept a client: {error}");
                thread::sleep(data::PAUSE);
            }
        }
    }
    Ok(())
}

/// Reads the flags, and opens the ports that they name.
fn open(mut arguments: impl Iterator<Item = String>) -> Result<(TcpListener, Settings), String> {
    let (mut listen, mut server, mut masquerade, mut range) = (None, None, None, None);
    while let Some(flag) = arguments.next() {
        let place = match &*flag {
            "--listen" => &mut listen,
            "--server" => &mut server,
            "--masquerade-address" => &mut masquerade,
            "--passive-ports" => &mut range,
            _ => return Err(format!("unknown flag {flag}\n{USAGE}")),
        };
        let value = arguments.next();
        *place = Some(value.ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?);
    }
    let listen: SocketAddr = value("--listen", listen, "192.168.77.2:2121")?;
    let ports = |range: String| Ports::new(listen.ip(), &range);
    let settings = Settings {
        server: canonical(value("--server", server, "192.168.77.3:21")?),
        masquerade: value("--masquerade-address", masquerade, "203.0.113.1")?,
        ports: range.map(ports).transpose()?,
    };
    Ok((bind("--listen", listen)?, settings))
}

fn value<T: FromStr>(flag: &str, text: Option<String>, example: &str) -> Result<T, String> {
    let text = text.ok_or_else(|| format!("{flag} is missing\n{USAGE}"))?;
    let value = text.parse();
    value.map_err(|_| format!("{flag} {text}: not a value such as {example}"))
}

fn start(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().spawn(work) {
        eprintln!("cannot start a thread: {error}");
    }
}

fn serve(settings: &'static Settings, mut client: &TcpStream) -> io::Result<()> {
    let address = canonical(client.peer_addr()?);
    client.set_write_timeout(Some(data::WRITE_MAX))?;
    client.set_nodelay(true)?;
    let server = connect(settings.server);
    let server = server.or_else(|error| client.write_all(NO_SERVER).and(Err(error)))?;
    server.set_nodelay(true)?;
    let session = Session {
        settings,
        client: address,
        local: canonical(server.local_addr()?),
        offer: Mutex::default(),
    };
    eprintln!("{address}: connected to {}", settings.server);
    let is_opaque = AtomicBool::new(false);
    let (mut commands, mut replies) = (Commands::default(), Replies::new(settings.masquerade));
    let up = |bytes: &[u8]| {
        if bytes.is_empty() {
            // A data connection that the client made before it left is to arrive before its end.
            thread::sleep(data::PAUSE * 10);
        }
        if is_opaque.load(SeqCst) {
            commands.forward_opaque(bytes)
        } else {
            commands.forward(bytes, |theirs| session.active(theirs))
        }
    };
    let down = |bytes: &[u8]| {
        let log = |line| eprintln!("{address}: {line}");
        let out = replies.forward(bytes, |theirs| session.passive(theirs), log);
        // The client sends its first byte of TLS after it has read the 234.
        is_opaque.store(replies.is_opaque(), SeqCst);
        if bytes.is_empty() {
            // The server has ended the session: its port becomes free, however long the client
            // stays.
            session.new_offer();
        }
        out
    };
    couple(client, &server, true, up, down)?;
    eprintln!("{address}: ended");
    Ok(())
}

impl Session {
    /// The port that clients are given in place of the server's.
    fn passive(&self, theirs: u16) -> Option<u16> {
        let Some(ports) = &self.settings.ports else {
            return Some(theirs);
        };
        let (offer, client) = (self.new_offer(), self.client.ip());
        let server = SocketAddr::new(self.settings.server.ip(), theirs);
        let listener = ports.lease()?;
        let own = listener.local_addr().ok()?.port();
        start(move || {
            let client = accept(&listener, &offer, client);
            // The lease ends here.
            drop(listener);
            if let Some(client) = client {
                let _ = connect(server).and_then(|server| couple_data(&client, &server));
            }
        });
        Some(own)
    }

    /// Where the server connects to in place of the client; `None` for an address that is not the
    /// client's. The server could not judge it: to the server, this is the client.
    fn active(&self, theirs: SocketAddr) -> Option<SocketAddr> {
        if theirs.ip() != self.client.ip() || theirs.port() < 1024 {
            eprintln!("{}: active mode to {theirs} is refused", self.client);
            return None;
        }
        if self.settings.ports.is_none() {
            return Some(theirs);
        }
        let (offer, server) = (self.new_offer(), self.settings.server.ip());
        let listener = TcpListener::bind((self.local.ip(), 0)).ok()?;
        listener.set_nonblocking(true).ok()?;
        let own = listener.local_addr().ok()?;
        start(move || {
            let Some(server) = accept(&listener, &offer, server) else {
                return;
            };
            let coupled = connect(theirs).and_then(|client| couple_data(&client, &server));
            coupled.unwrap_or_else(|_| abandon(&server));
        });
        Some(own)
    }

    /// Ends the wait before.
    fn new_offer(&self) -> Weak<()> {
        let offer = Arc::new(());
        let waiting = Arc::downgrade(&offer);
        *self.offer.lock().expect("the offer") = offer;
        waiting
    }
}

const USAGE: &str = "usage: alg --listen ADDRESS:PORT --server ADDRESS:PORT \
                     --masquerade-address ADDRESS [--passive-ports FIRST-LAST]";
const NO_SERVER: &[u8] = b"421 The server cannot be reached.\r\n";
const TOO_MANY: &[u8] = b"421 Too many clients; try again later.\r\n";
const SESSIONS_MAX: usize = 100;
