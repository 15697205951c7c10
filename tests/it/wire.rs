//! The real server in this process, spoken to through raw sockets: what exactly is on the wire, and when.
//!
//! Every read has a deadline, so that no test hangs. The deadlines only guard against that: nothing here passes
//! or fails because it was fast.

mod abort;
mod active;
mod attributes;
mod control;
mod descriptors;
mod files;
mod large_listings;
mod limits;
mod listings;
mod login;
mod names;
mod never_connected;
mod pool;
mod rates;
mod reload;
mod rfc;
mod signals;
mod strangers;
mod system_calls;
mod timeouts;
mod tls;
mod transfers;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ftp_server_sync::cli::{self, Invocation};
use ftp_server_sync::settings::Settings;
use ftp_server_sync::{Handle, Server};
use socket2::{Domain, SockRef, Socket, Type};
use tempfile::TempDir;

use crate::support::server;

/// A server in a thread of its own, sharing a directory that goes away with it.
struct Site {
    address: SocketAddr,
    /// Of all its listeners; `address` is the first.
    addresses: Vec<SocketAddr>,
    directory: TempDir,
    handle: Handle,
    ended: mpsc::Receiver<io::Result<()>>,
}

/// A control connection as a client has it.
struct Client {
    stream: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
    /// Received and not yet looked at.
    received: Vec<u8>,
}

/// A whole reply.
#[derive(Debug)]
struct Reply {
    code: u16,
    /// Without the line endings.
    lines: Vec<Vec<u8>>,
}

impl Site {
    /// A user who may write, and no delay after a wrong password.
    fn new(extra: &[&str]) -> Self {
        Self::on("127.0.0.1", extra)
    }

    fn on(host: &str, extra: &[&str]) -> Self {
        let common = ["-i", host, "-w", "-u", USER, "-P", PASSWORD];
        Self::with_flags(&[&common, extra].concat())
    }

    /// An address that no other test uses, so that all its ports are ours.
    fn on_own_address(extra: &[&str]) -> Self {
        Self::on(&own_address().to_string(), extra)
    }

    fn with_flags(flags: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().join("root");
        fs::create_dir(&root).expect("the root");
        let mut arguments: Vec<OsString> = flags.iter().map(OsString::from).collect();
        if !flags.contains(&"-p") {
            arguments.extend(["-p".into(), "0".into()]);
        }
        arguments.extend(["-d".into(), root.into()]);
        if !flags.contains(&"--login-delay") {
            arguments.extend(["--login-delay".into(), "0".into()]);
        }
        let settings = parse(&arguments).unwrap_or_else(|error| panic!("{flags:?}: {error}"));
        let mut server = Server::bind(settings).expect("a server");
        server.reload_with(Box::new(move || parse(&arguments)));
        let addresses = server.addresses();
        let handle = server.handle();
        let (end, ended) = mpsc::channel();
        thread::spawn(move || end.send(server.run()));
        Self {
            address: addresses[0],
            addresses,
            directory,
            handle,
            ended,
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A file of zeros that takes no room on the disk.
    fn write_sparse(&self, name: &str, bytes: u64) {
        let file = fs::File::create(self.path(name)).expect("a file");
        file.set_len(bytes).expect("a size");
    }

    /// A client that is logged in and has set TYPE I.
    fn client(&self) -> Client {
        Client::logged_in(self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.shutdown();
        match self.ended.recv_timeout(END_MAX) {
            _ if thread::panicking() => {}
            Ok(result) => result.expect("the server's end"),
            Err(error) => panic!("the server did not end: {error}"),
        }
    }
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, GUARD).expect("a control connection"))
    }

    /// From another address of this machine.
    fn connect_from(host: Ipv4Addr, address: SocketAddr) -> Self {
        Self::over(connect_from(host, address).expect("a control connection"))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(GUARD)).expect("a timeout");
        stream.set_write_timeout(Some(GUARD)).expect("a timeout");
        Self {
            stream,
            tls: None,
            received: Vec::new(),
        }
    }

    fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.expect(220);
        client
    }

    fn logged_in(address: SocketAddr) -> Self {
        let mut client = Self::greeted(address);
        client.log_in();
        client
    }

    #[track_caller]
    fn log_in(&mut self) {
        self.command(format!("USER {USER}"), 331);
        self.command(format!("PASS {PASSWORD}"), 230);
        self.command("TYPE I", 200);
    }

    /// Sends a line.
    fn send(&mut self, line: impl AsRef<[u8]>) {
        self.send_bytes([line.as_ref(), b"\r\n"].concat());
    }

    fn send_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        match &mut self.tls {
            None => self.stream.write_all(bytes.as_ref()),
            Some(tls) => {
                rustls::Stream::new(&mut **tls, &mut self.stream).write_all(bytes.as_ref())
            }
        }
        .expect("sending");
    }

    /// Sends bytes of which the last one is marked as urgent.
    fn send_urgent(&mut self, bytes: &[u8]) {
        let sent = SockRef::from(&self.stream).send_out_of_band(bytes);
        assert_eq!(sent.expect("sending"), bytes.len());
    }

    /// The next reply, which must have this code.
    #[track_caller]
    fn expect(&mut self, code: u16) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.code, code, "{}", reply.text());
        reply
    }

    /// The next replies, which must have these codes.
    #[track_caller]
    fn expect_all(&mut self, codes: &[u16]) {
        for &code in codes {
            self.expect(code);
        }
    }

    #[track_caller]
    fn command(&mut self, line: impl AsRef<[u8]>, code: u16) -> Reply {
        let line = line.as_ref();
        self.send(line);
        let reply = self.reply();
        let text = reply.text();
        assert_eq!(reply.code, code, "{}: {text}", line.escape_ascii());
        reply
    }

    #[track_caller]
    fn reply(&mut self) -> Reply {
        let first = self.line().expect("a reply");
        let code = std::str::from_utf8(&first[..3.min(first.len())])
            .ok()
            .and_then(|digits| digits.parse().ok());
        let code: u16 = code.unwrap_or_else(|| panic!("no reply: {}", first.escape_ascii()));
        let mut lines = vec![first];
        if lines[0].get(3) == Some(&b'-') {
            let end = format!("{code} ");
            while lines.len() < 2 || !lines[lines.len() - 1].starts_with(end.as_bytes()) {
                lines.push(self.line().expect("the rest of a reply"));
            }
        }
        Reply { code, lines }
    }

    /// The next line without its ending; `None` where the server has closed the connection.
    #[track_caller]
    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.received[..end].to_vec();
                self.received.drain(..end + 2);
                return Some(line);
            }
            let mut buffer = [0; 4096];
            let read = match &mut self.tls {
                None => self.stream.read(&mut buffer),
                Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(&mut buffer),
            };
            match read {
                Ok(0) => {
                    let rest = self.received.escape_ascii();
                    assert!(self.received.is_empty(), "half a line: {rest}");
                    return None;
                }
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if is_gone(&error) => return None,
                Err(error) => panic!("no line came: {error}"),
            }
        }
    }

    /// Nothing more comes, and the end is one, not a reset.
    fn expect_orderly_close(&mut self) {
        let mut rest = Vec::new();
        let end = self.stream.read_to_end(&mut rest);
        assert!(end.is_ok() && rest.is_empty(), "{end:?} after {rest:?}");
    }

    /// Nothing more comes, and the server has closed the connection.
    #[track_caller]
    fn expect_closed(&mut self) {
        let line = self.line();
        let text = line.map(|line| line.escape_ascii().to_string());
        assert_eq!(text, None, "the connection should be closed");
    }

    /// The session works, and no reply is left over from before.
    #[track_caller]
    fn expect_in_step(&mut self) {
        let reply = self.command("PWD", 257);
        assert_eq!(reply.lines.len(), 1);
        self.command("NOOP", 200);
    }

    /// Opens a passive port with EPSV.
    #[track_caller]
    fn extended_passive(&mut self) -> SocketAddr {
        let reply = self.command("EPSV", 229);
        self.announced(&reply)
    }

    /// Where a 229 reply sends us.
    fn announced(&self, reply: &Reply) -> SocketAddr {
        let text = reply.text();
        let inner = text
            .split_once("(|||")
            .and_then(|(_, rest)| rest.split_once("|)"));
        let (port, rest) = inner.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(rest, "", "{text}");
        let mut address = self.stream.peer_addr().expect("the server's address");
        address.set_port(port.parse().expect("a port"));
        address
    }

    /// Opens a passive port with PASV.
    #[track_caller]
    fn passive(&mut self) -> SocketAddr {
        let text = self.command("PASV", 227).text();
        let inner = text
            .strip_prefix("227 Entering Passive Mode (")
            .and_then(|rest| rest.strip_suffix(")."));
        let inner = inner.unwrap_or_else(|| panic!("{text}"));
        let numbers: Vec<u8> = inner
            .split(',')
            .map(|one| one.parse().expect("a number"))
            .collect();
        let [a, b, c, d, high, low] = numbers[..] else {
            panic!("{text}");
        };
        (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()
    }

    /// A passive data connection, before its transfer begins.
    #[track_caller]
    fn data(&mut self) -> TcpStream {
        connect(self.extended_passive())
    }

    /// A whole transfer to us.
    #[track_caller]
    fn fetch(&mut self, command: impl AsRef<[u8]>) -> Vec<u8> {
        let mut data = self.data();
        self.command(command, 150);
        let bytes = read_all(&mut data);
        self.expect(226);
        bytes
    }

    /// A whole transfer from us.
    #[track_caller]
    fn store(&mut self, command: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Reply {
        let mut data = self.data();
        self.command(command, 150);
        data.write_all(bytes.as_ref()).expect("sending data");
        drop(data);
        self.expect(226)
    }
}

impl Reply {
    fn text(&self) -> String {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| line.escape_ascii().to_string())
            .collect();
        lines.join("\n").replace("\\\"", "\"")
    }
}

/// The server as a process of its own, on a port that it chooses, for a user who may write.
fn serving(root: &str, flags: &[&str]) -> process::Command {
    let common = [
        "-i",
        "127.0.0.1",
        "-p",
        "0",
        "-d",
        root,
        "-w",
        "-u",
        USER,
        "-P",
        PASSWORD,
    ];
    server::command(&[&common, flags].concat())
}

fn parse(arguments: &[OsString]) -> Result<Settings, String> {
    match cli::parse(arguments.iter().cloned(), |_| None) {
        Ok(Invocation::Serve(settings)) => Ok(*settings),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// A data connection with deadlines.
#[track_caller]
fn connect(address: SocketAddr) -> TcpStream {
    match TcpStream::connect_timeout(&address, GUARD) {
        Ok(stream) => guarded(stream),
        Err(error) => panic!("{address}: {error}"),
    }
}

fn connect_from(host: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((host, 0)).into())?;
    socket.connect_timeout(&address.into(), GUARD)?;
    Ok(guarded(socket.into()))
}

fn guarded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(GUARD)).expect("a timeout");
    stream.set_write_timeout(Some(GUARD)).expect("a timeout");
    stream
}

#[track_caller]
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("data");
    bytes
}

#[track_caller]
fn read_some(stream: &mut TcpStream, count: usize) {
    stream.read_exact(&mut vec![0; count]).expect("data");
}

/// Reads until the server ends the connection, in whatever way.
#[track_caller]
fn drain(mut stream: TcpStream) -> usize {
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(count) => bytes += count,
            Err(error) if is_gone(&error) => return bytes,
            Err(error) => panic!("the data connection stays open: {error}"),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    )
}

/// Whoever connects to it neither succeeds nor fails.
struct FullListener {
    port: u16,
    _listener: TcpListener,
    _queued: TcpStream,
}

impl FullListener {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        // One connection fits into the queue, and the kernel lets further ones wait.
        SockRef::from(&listener).listen(0).expect("a short queue");
        Self {
            port: address.port(),
            _listener: listener,
            _queued: connect(address),
        }
    }
}

/// Looks again and again until something is so that another thread must bring about.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + GUARD;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Nobody listens there any more. A stranger asks: the server would take a client's own connection.
#[track_caller]
fn wait_until_closed(address: SocketAddr) {
    wait_until(&format!("nobody listens on {address}"), || {
        matches!(connect_from(STRANGER, address), Err(error)
            if error.kind() == io::ErrorKind::ConnectionRefused)
    });
}

/// A loopback address for one server, so that its fixed ports are free.
fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    assert!(number < 256, "too many addresses");
    // Two runs of the tests at the same time differ in their process.
    let [_, _, high, low] = process::id().to_be_bytes();
    let low_number = u8::try_from(number).expect("below 256");
    Ipv4Addr::new(127, (high % 128) + 64, low, low_number)
}

/// Bytes that differ from place to place, so that lost or swapped pieces show.
fn pattern(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

const USER: &str = "tester";
const PASSWORD: &str = "let me in";

/// Clients come from 127.0.0.1; this is somebody else.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// For whatever must happen; no test waits longer for anything.
const GUARD: Duration = Duration::from_secs(15);

/// A server leaves stuck sessions behind after 8 seconds; none may be stuck.
const END_MAX: Duration = Duration::from_secs(7);
