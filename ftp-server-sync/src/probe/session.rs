//! One login at the server, and what is asked for there.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ftp_proto::client::{ReceivedReply, parse_epsv, parse_pasv};

use super::control::{Control, ControlError, REPLY_MAX, answer};
use super::reach::not_tried;
use super::request::ProbeRequest;
use super::secure::{ClientTls, TlsFacts};
use super::seen::{Answer, Attempt, Failure, Listing, Status, Way};
use super::shown::shown;
use super::socket::{connect, problem};
use super::stream::Stream;

/// A server that is being probed. The session is opened anew where it was lost.
pub(super) struct Session<'a> {
    request: &'a ProbeRequest,
    address: SocketAddr,
    /// When the whole probe ends.
    end: Instant,
    open: Option<Opened>,
}

/// A session that has logged in.
pub(super) struct Opened {
    control: Control,
    tls: Option<ClientTls>,
    /// For the report.
    pub(super) greeting: Answer,
    pub(super) tls_facts: Option<TlsFacts>,
    pub(super) local: SocketAddr,
    pub(super) dialled: SocketAddr,
}

impl<'a> Session<'a> {
    pub(super) fn new(request: &'a ProbeRequest, address: SocketAddr, end: Instant) -> Self {
        Self {
            request,
            address,
            end,
            open: None,
        }
    }

    /// The session, opened now if it is not. The error says why that is impossible.
    pub(super) fn opened(&mut self) -> Result<&mut Opened, String> {
        let is_used_up = |open: &Opened| open.tls.as_ref().is_some_and(ClientTls::is_used_up);
        if self.open.as_ref().is_some_and(is_used_up) {
            self.close();
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => open(self.request, self.address, self.end)?,
        };
        Ok(self.open.insert(open))
    }

    /// Ends the session, if there is one.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.control.quit();
        }
    }

    /// Opens a data connection, and lists the directory over it.
    pub(super) fn attempt(&mut self, way: Way) -> Attempt {
        let mut attempt = Attempt::new(way);
        attempt.result = self.list(&mut attempt);
        // After such a failure, more replies may follow than were asked for.
        let keeps_order = match &attempt.result {
            Ok(_) | Err(Failure::NotOffered(_) | Failure::NoAddress | Failure::NotTried(_)) => true,
            Err(failure) => failure.is_unreached(),
        };
        if !keeps_order {
            self.close();
        }
        attempt
    }

    fn list(&mut self, attempt: &mut Attempt) -> Result<Listing, Failure> {
        let end = self.end;
        let open = self.opened().map_err(Failure::Control)?;
        let data = open.connect(attempt, end)?;
        let (mut data, first, resumed) = open.begin(data, b"LIST", end)?;
        data.set_deadline(end.min(Instant::now() + LISTING_MAX));
        let (lines, cut) = read_lines(&mut data)?;
        // The end is the server's, or it is cut short here.
        let _ = data.finish();
        drop(data);
        open.end(&first, cut)?;
        Ok(Listing {
            lines,
            cut,
            resumed,
        })
    }

    /// Stores a small file under a name that cannot exist yet, and removes it.
    pub(super) fn store_and_remove(&mut self, way: Way, name: &str) -> Result<(), String> {
        let stored = self.store(way, name);
        if let Err(failure) = &stored {
            self.close();
            if !matches!(failure, Failure::Broken(_)) {
                return Err(format!("STOR {name}: {failure}"));
            }
        }
        let removed = self.remove(name);
        match (stored, removed) {
            (Ok(()), Ok(())) => Ok(()),
            (Ok(()), Err(reason)) => Err(format!(
                "stored, but DELE failed: {reason}; remove {name} on the server"
            )),
            (Err(failure), Ok(())) => Err(format!("STOR {name}: {failure}")),
            (Err(failure), Err(_)) => Err(format!(
                "STOR {name}: {failure}; if the file exists, remove it on the server"
            )),
        }
    }

    fn store(&mut self, way: Way, name: &str) -> Result<(), Failure> {
        let end = self.end;
        let open = self.opened().map_err(Failure::Control)?;
        open.ask_for_success("TYPE I")?;
        let data = open.connect(&mut Attempt::new(way), end)?;
        let line = format!("STOR {name}");
        let (mut data, first, _) =
            open.begin(data, line.as_bytes(), end)
                .map_err(|failure| match failure {
                    Failure::TransferRefused(answer) if REFUSALS.contains(&answer.code) => {
                        Failure::MayNotWrite(answer)
                    }
                    other => other,
                })?;
        data.set_deadline(end.min(Instant::now() + LISTING_MAX));
        let sent = data.write_all(CONTENT).and_then(|()| data.finish());
        sent.map_err(|error| broken(&error))?;
        // Some clients close at once; this one waits until the server has read the end.
        let mut rest = [0; 1];
        let _ = data.read(&mut rest);
        drop(data);
        open.end(&first, false)?;
        let size = open.control.ask(format!("SIZE {name}")).map_err(control)?;
        if size.code() == 213 && size.text() != CONTENT.len().to_string().as_bytes() {
            let reason = format!("SIZE says {}, not {}", shown(size.text()), CONTENT.len());
            return Err(Failure::Broken(reason));
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), String> {
        let reply = self.opened()?.control.ask(format!("DELE {name}"));
        let reply = reply.map_err(|error| error.to_string())?;
        match reply.code() / 100 {
            2 => Ok(()),
            _ => Err(answer(&reply).to_string()),
        }
    }

    /// What STAT says, if the server is one of ours.
    pub(super) fn status(&mut self) -> Option<Status> {
        let open = self.opened().ok()?;
        match open.control.ask("STAT") {
            Ok(reply) => Status::parse(reply.lines()),
            Err(_) => {
                self.close();
                None
            }
        }
    }
}

impl Opened {
    /// Asks for a port, and connects to it as this way does. What is seen goes into `attempt`.
    fn connect(&mut self, attempt: &mut Attempt, end: Instant) -> Result<Stream, Failure> {
        let reply = self.control.ask(attempt.way.command()).map_err(control)?;
        let reply = attempt.reply.insert(answer(&reply));
        let server = self.dialled.ip();
        // Some servers answer EPSV with 227.
        let announced = match reply.code {
            227 => parse_pasv(&reply.text).map(SocketAddr::from),
            229 => parse_epsv(&reply.text).map(|port| SocketAddr::new(server, port.get())),
            200..300 => None,
            _ => return Err(Failure::NotOffered(reply.clone())),
        };
        let announced = announced.ok_or(Failure::NoAddress)?;
        attempt.announced = Some(announced);
        let target = match attempt.way {
            Way::PasvAsAnnounced => announced,
            Way::Epsv | Way::PasvToServer => SocketAddr::new(server, announced.port()),
        };
        attempt.target = Some(target);
        if let Some(reason) = not_tried(target, server) {
            return Err(Failure::NotTried(reason));
        }
        connect(target, end).map(Stream::Plain)
    }

    /// Sends the command of a transfer, and begins TLS on the data connection. Returns the first
    /// reply, and whether the TLS session was resumed.
    fn begin(
        &mut self,
        data: Stream,
        command: &[u8],
        end: Instant,
    ) -> Result<(Stream, ReceivedReply, bool), Failure> {
        self.control.send(command).map_err(control)?;
        let reply = self.control.reply().map_err(no_reply)?;
        if !matches!(reply.code() / 100, 1 | 2) {
            return Err(Failure::TransferRefused(answer(&reply)));
        }
        let Some(tls) = &self.tls else {
            return Ok((data, reply, false));
        };
        let secured = data.secure(tls, end.min(Instant::now() + REPLY_MAX));
        match secured {
            Ok((data, facts)) => Ok((data, reply, facts.resumed)),
            // The reply says more than the end of the data connection.
            Err(error) => match self.control.final_reply() {
                Ok(reply) if reply.code() >= 400 => Err(Failure::TransferRefused(answer(&reply))),
                _ => Err(broken(&error)),
            },
        }
    }

    /// Reads the final reply to a transfer. A transfer that was cut short may fail.
    fn end(&mut self, first: &ReceivedReply, is_cut: bool) -> Result<(), Failure> {
        if !first.is_preliminary() {
            return Ok(());
        }
        let reply = self.control.final_reply().map_err(no_reply)?;
        if reply.code() / 100 == 2 || is_cut {
            return Ok(());
        }
        Err(Failure::TransferRefused(answer(&reply)))
    }

    fn ask_for_success(&mut self, line: &str) -> Result<(), Failure> {
        let reply = self.control.ask(line).map_err(control)?;
        match reply.code() / 100 {
            2 => Ok(()),
            _ => Err(Failure::NotOffered(answer(&reply))),
        }
    }
}

/// Connects and logs in.
fn open(request: &ProbeRequest, address: SocketAddr, end: Instant) -> Result<Opened, String> {
    let place = format!("{} port {}", address.ip(), address.port());
    let socket = connect(address, end).map_err(|failure| {
        let remedy = match failure {
            Failure::NoAnswer(_) | Failure::Refused => UNREACHED,
            _ => "",
        };
        format!("{place}: {failure}{remedy}")
    })?;
    let mut control = Control::new(socket, end).map_err(|error| format!("{place}: {error}"))?;
    let refuse = |error: ControlError| format!("{place}: {error}");
    let tls = request
        .tls
        .then(|| ClientTls::new(&request.target.host, address.ip()))
        .transpose()?;
    let mut facts = None;
    let is_implicit = address.port() == IMPLICIT_TLS_PORT;
    if let (Some(tls), true) = (&tls, is_implicit) {
        facts = Some(control.secure(tls).map_err(refuse)?);
    }
    let greeting = control.final_reply().map_err(refuse)?;
    let expect = |reply: &ReceivedReply, what: &str| match reply.code() {
        200..400 => Ok(()),
        _ => Err(format!("{place}: {what}: {}", answer(reply))),
    };
    expect(&greeting, "the server does not serve this client")?;
    if let (Some(tls), false) = (&tls, is_implicit) {
        let reply = control.ask("AUTH TLS").map_err(refuse)?;
        let problem = "the server offers no TLS; leave --tls out, or switch it on there";
        expect(&reply, problem)?;
        facts = Some(control.secure(tls).map_err(refuse)?);
    }
    log_in(request, &mut control)
        .map_err(refuse)?
        .map_err(|reply| {
            let text = reply.to_string();
            let wants_tls = ["TLS", "SSL", "AUTH"]
                .iter()
                .any(|word| text.contains(word));
            let remedy = match (request.tls, &request.login) {
                (false, _) if wants_tls => " Add --tls",
                (false, None) => {
                    " Log in with --username NAME --password-file FILE; some servers want --tls"
                }
                _ => "",
            };
            format!("{place}: the login is refused: {text}{remedy}")
        })?;
    if tls.is_some() {
        for line in ["PBSZ 0", "PROT P"] {
            let reply = control.ask(line).map_err(refuse)?;
            expect(&reply, "the server does not protect data connections")?;
        }
    }
    Ok(Opened {
        local: control.local,
        dialled: control.peer,
        control,
        tls,
        greeting: answer(&greeting),
        tls_facts: facts,
    })
}

/// USER and PASS; a server may log in without a password.
fn log_in(
    request: &ProbeRequest,
    control: &mut Control,
) -> Result<Result<(), Answer>, ControlError> {
    let (name, password) = match &request.login {
        Some(login) => (login.name.as_bytes(), &login.password[..]),
        None => (&b"anonymous"[..], &b"probe@"[..]),
    };
    let mut reply = control.ask([b"USER ", name].concat())?;
    if reply.code() / 100 == 3 {
        reply = control.ask([b"PASS ", password].concat())?;
    }
    match reply.code() / 100 {
        2 => Ok(Ok(())),
        _ => Ok(Err(answer(&reply))),
    }
}

/// Counts the lines of a listing, up to [`LISTING_BYTES_MAX`]; the second value says whether there
/// were more.
fn read_lines(data: &mut Stream) -> Result<(usize, bool), Failure> {
    let (mut lines, mut bytes) = (0, 0);
    let mut buffer = [0; 4096];
    loop {
        let count = data.read(&mut buffer).map_err(|error| broken(&error))?;
        if count == 0 {
            return Ok((lines, false));
        }
        bytes += count;
        lines += buffer[..count]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        if bytes >= LISTING_BYTES_MAX {
            return Ok((lines, true));
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::Broken(problem(error, LISTING_MAX.as_secs()))
}

fn control(error: ControlError) -> Failure {
    Failure::Control(error.to_string())
}

fn no_reply(error: ControlError) -> Failure {
    Failure::Broken(format!("there is no reply: {error}"))
}

/// What to do if nothing is reached at the control port.
const UNREACHED: &str = "; check that the router forwards this port to the server, that no firewall \
    blocks it, and that the server runs: on its machine, --check shows what is wrong";

/// Where TLS begins with the connection, by convention.
const IMPLICIT_TLS_PORT: u16 = 990;

/// The time limit for the bytes of one transfer.
const LISTING_MAX: Duration = Duration::from_secs(10);

/// The replies to STOR where the user, or everyone, may not write.
const REFUSALS: [u16; 4] = [502, 532, 550, 553];

const LISTING_BYTES_MAX: usize = 256 * 1024;

/// What is stored by a test of writing.
const CONTENT: &[u8] = b"A test of ftp-server-sync --probe; it may be removed.\n";
