//! Clients of the real server, over loopback: whatever they do with their control and data
//! connections, it serves the next client, reveals nothing outside its directory, and ends well.
//!
//! The order in which the server's threads run is not part of the input: a finding may need several
//! runs of the same bytes.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use ftp_proto_testkit::StrictReader;
use ftp_server_sync::cli::{self, Invocation};
use ftp_server_sync::{Handle, Server};
use tempfile::TempDir;

use super::to_words;

/// What one of the clients does.
#[derive(Arbitrary, Clone, Debug)]
enum Action {
    /// Bytes on the control connection, as they are.
    Raw(Vec<u8>),
    /// The same as words of FTP, with a line end behind them.
    Line(Vec<u8>),
    LogIn,
    /// A transfer that works if the data connection does. The name is one of three.
    Transfer(u8, u8),
    /// EPSV, PASV, or a listener of the client's and PORT.
    Passive {
        extended: bool,
    },
    Active,
    Connect,
    /// 64 bytes this many times, on the last data connection.
    Send(u8),
    Receive,
    /// How the last data connection ends.
    EndData(End),
    EndControl(End),
    Urgent(u8),
    Reload,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
    HalfClose,
}

/// Actions of two clients at the same time.
pub fn loopback(data: &[u8]) {
    let steps = Vec::<(bool, Action)>::arbitrary_take_rest(Unstructured::new(data));
    let Ok(steps) = steps else {
        return;
    };
    let server = Running::start();
    let mut clients = [Client::new(server.address), Client::new(server.address)];
    for (second, action) in steps.into_iter().take(STEPS_MAX) {
        clients[usize::from(second)].perform(action, &server);
    }
    for client in &mut clients {
        client.receive_replies(ANSWER_MAX);
    }
    server.assert_alive();
    drop(clients);
    server.finish();
}

/// The server, in this process.
struct Running {
    address: SocketAddr,
    handle: Handle,
    ended: Receiver<std::io::Result<()>>,
    directory: TempDir,
}

/// A client, and its data connections.
struct Client {
    server: SocketAddr,
    control: Option<TcpStream>,
    replies: StrictReader,
    /// From the last reply that names one.
    port: Option<u16>,
    listener: Option<TcpListener>,
    data: Option<TcpStream>,
}

impl Running {
    fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("sub")).expect("directories");
        fs::write(root.join("file"), noise()).expect("a file");
        fs::write(root.join("sub/text"), "one\r\ntwo\n").expect("a file");
        fs::write(directory.path().join("secret"), SECRET).expect("a file");
        let link = std::os::unix::fs::symlink("../secret", root.join("out"));
        link.expect("a link");

        let address = "127.0.0.1";
        let root = root.to_str().expect("UTF-8");
        let flags = [
            "-i", address, "-p", "0", "-d", root, "-u", USER, "-P", PASSWORD, "-w",
        ];
        let flags: Vec<_> = flags
            .iter()
            .chain(LIMITS)
            .map(|flag| (*flag).into())
            .collect();
        let settings = move || match cli::parse(flags.clone(), |_| None) {
            Ok(Invocation::Serve(settings)) => Ok(*settings),
            other => Err(format!("{other:?}")),
        };
        let server = Server::bind(settings().expect("flags that are right"));
        let server = server.expect("a server").with_reload(settings);
        let (address, handle) = (server.addresses()[0], server.handle());
        let (end, ended) = channel();
        thread::spawn(move || end.send(server.run()));
        Self {
            address,
            handle,
            ended,
            directory,
        }
    }

    /// A new client is served, whatever the others have done.
    fn assert_alive(&self) {
        let mut client = Client::new(self.address);
        assert_eq!(client.reply_within(ALIVE_MAX), Some(220));
        for (line, code) in [
            (format!("USER {USER}"), 331),
            (format!("PASS {PASSWORD}"), 230),
            ("EPSV".into(), 229),
        ] {
            client.send(format!("{line}\r\n").as_bytes());
            assert_eq!(client.reply_within(ALIVE_MAX), Some(code), "{line}");
        }
        client.connect();
        client.send(b"MLSD\r\n");
        assert_eq!(client.reply_within(ALIVE_MAX), Some(150));
        assert!(client.receive_data(ALIVE_MAX) > 0, "an empty listing");
        assert_eq!(client.reply_within(ALIVE_MAX), Some(226));
    }

    /// It ends without an error, and nothing outside the directory has changed.
    fn finish(self) {
        self.handle.shutdown();
        let ended = self.ended.recv_timeout(END_MAX);
        ended.expect("an end").expect("no error");
        let secret = fs::read(self.directory.path().join("secret"));
        assert_eq!(secret.expect("the secret"), SECRET);
        let outside = names(self.directory.path());
        assert_eq!(outside, ["root", "secret"], "outside the directory");
    }
}

impl Client {
    fn new(server: SocketAddr) -> Self {
        let control = TcpStream::connect(server).ok();
        Self {
            server,
            control,
            replies: StrictReader::new(),
            port: None,
            listener: None,
            data: None,
        }
    }

    fn perform(&mut self, action: Action, server: &Running) {
        match action {
            Action::Raw(bytes) => self.send(&bytes),
            Action::Line(bytes) => {
                let mut line = to_words(&bytes[..bytes.len().min(WORDS_MAX)]);
                line.extend_from_slice(b"\r\n");
                self.send(&line);
            }
            Action::LogIn => {
                let lines = format!("USER {USER}\r\nPASS {PASSWORD}\r\nTYPE I\r\n");
                self.send(lines.as_bytes());
            }
            Action::Transfer(verb, name) => {
                let verb = VERBS[usize::from(verb) % VERBS.len()];
                let name = NAMES[usize::from(name) % NAMES.len()];
                self.send(format!("{verb} {name}\r\n").as_bytes());
            }
            Action::Passive { extended } => {
                self.send(if extended { b"EPSV\r\n" } else { b"PASV\r\n" });
                self.receive_replies(ANSWER_MAX);
            }
            Action::Active => self.listen(),
            Action::Connect => self.connect(),
            Action::Send(count) => {
                if let Some(data) = &mut self.data {
                    let _ = data.write_all(&noise()[..usize::from(count) * 64]);
                }
            }
            Action::Receive => {
                self.receive_data(ANSWER_MAX);
                self.receive_replies(ANSWER_MAX);
            }
            Action::EndData(end) => {
                self.accept();
                end.perform(&mut self.data);
            }
            Action::EndControl(end) => end.perform(&mut self.control),
            Action::Urgent(byte) => {
                if let Some(control) = &self.control {
                    let _ = socket2::SockRef::from(control).send_out_of_band(&[byte]);
                }
            }
            Action::Reload => server.handle.reload(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if let Some(control) = &mut self.control {
            // The server may have closed it.
            let _ = control.set_write_timeout(Some(ANSWER_MAX));
            let _ = control.write_all(bytes);
        }
    }

    fn listen(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let [high, low] = port.to_be_bytes();
        self.listener = Some(listener);
        self.send(format!("PORT 127,0,0,1,{high},{low}\r\n").as_bytes());
    }

    fn connect(&mut self) {
        if let Some(port) = self.port {
            self.data = TcpStream::connect((self.server.ip(), port)).ok();
        }
    }

    /// The server's connection, if it has come.
    fn accept(&mut self) {
        if let Some(listener) = &self.listener
            && let Ok((data, _)) = listener.accept()
        {
            data.set_nonblocking(false).expect("a data connection");
            self.data = Some(data);
        }
    }

    /// Reads until the end, or until nothing came for this long. Returns how many bytes came.
    fn receive_data(&mut self, at_most: Duration) -> usize {
        self.accept();
        let mut received = Vec::new();
        if let Some(data) = &mut self.data {
            read(data, &mut received, at_most);
        }
        let is_secret = received.windows(SECRET.len()).any(|part| part == SECRET);
        assert!(!is_secret, "a file outside the directory");
        received.len()
    }

    /// Checks all replies that come until nothing came for this long.
    fn receive_replies(&mut self, at_most: Duration) {
        while self.reply_within(at_most).is_some() {}
    }

    /// The code of the next reply, if it comes in time.
    fn reply_within(&mut self, at_most: Duration) -> Option<u16> {
        let deadline = Instant::now() + at_most;
        loop {
            let reply = self
                .replies
                .next_reply()
                .expect("a reply as RFC 959 has it");
            if let Some(reply) = reply {
                self.port = port_of(&reply.lines).or(self.port);
                return Some(reply.code);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let control = self.control.as_mut()?;
            let mut buffer = [0; 4096];
            if left.is_zero() || control.set_read_timeout(Some(left)).is_err() {
                return None;
            }
            match control.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.replies.push(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

impl End {
    fn perform(self, connection: &mut Option<TcpStream>) {
        match (self, connection.take()) {
            (Self::HalfClose, Some(stream)) => {
                let _ = stream.shutdown(Shutdown::Write);
                *connection = Some(stream);
            }
            (Self::Reset, Some(stream)) => {
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
            (Self::Close, _) | (_, None) => {}
        }
    }
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>, at_most: Duration) {
    let mut buffer = vec![0; 1 << 16];
    let _ = stream.set_read_timeout(Some(at_most));
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        received.extend_from_slice(&buffer[..count]);
    }
}

/// The port in a 227 or 229.
fn port_of(lines: &[Vec<u8>]) -> Option<u16> {
    let text = std::str::from_utf8(lines.last()?).ok()?;
    let inner = text.split_once('(')?.1.split_once(')')?.0;
    if let Some(port) = inner.strip_prefix("|||") {
        return port.strip_suffix('|')?.parse().ok();
    }
    let numbers: Vec<u8> = inner
        .split(',')
        .filter_map(|part| part.parse().ok())
        .collect();
    match numbers[..] {
        [_, _, _, _, high, low] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// More than one buffer of the server's.
fn noise() -> Vec<u8> {
    (0..200_000_u32)
        .map(|number| (number.wrapping_mul(number) >> 7) as u8)
        .collect()
}

const USER: &str = "fuzz";
const PASSWORD: &str = "the password of the target";
const SECRET: &[u8] = b"what no client may see";

/// Short, so that none is waited for.
const LIMITS: &[&str] = &[
    "--login-delay",
    "0",
    "--timeout",
    "30",
    "--data-timeout",
    "1",
];

const VERBS: [&str; 8] = [
    "RETR", "STOR", "APPE", "LIST -R", "NLST", "MLSD", "HASH", "STAT",
];
const NAMES: [&str; 5] = ["file", "sub/text", "new", "out", "*"];

const STEPS_MAX: usize = 60;
const WORDS_MAX: usize = 40;

/// For what may come, or not.
const ANSWER_MAX: Duration = Duration::from_millis(3);

/// For what must come.
const ALIVE_MAX: Duration = Duration::from_secs(10);

/// The server leaves sessions behind that do not end within 8 seconds.
const END_MAX: Duration = Duration::from_secs(7);
