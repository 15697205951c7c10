//! Checks that need no knowledge of the server's settings. Each names the error of a driver that it
//! finds.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::client::{Client, accept, connect, read_all};
use super::replay::BIG_FILE_BYTES;
use super::target::BlackBox;

/// A check, and whether it could run with what is known about the server.
pub(super) type Check = fn(&BlackBox) -> Result<bool, String>;

pub(super) const ALL: &[(&str, Check)] = &[
    ("every command is answered", commands_are_answered),
    (
        "commands that arrive together are answered in order",
        pipelined_commands,
    ),
    (
        "strangers on the data port are not served",
        strangers_are_not_served,
    ),
    ("the old file stays until data arrives", old_file_stays),
    (
        "an upload ends with its data connection",
        upload_ends_with_its_data,
    ),
    ("a download ends with its data", download_ends_with_its_data),
    ("active mode", active_mode),
    ("ABOR acts during a transfer", abort_acts),
    (
        "what is not FTP gets no reply",
        foreign_protocol_gets_no_reply,
    ),
];

/// Finds a driver that leaves an action without an outcome: the session waits for ever.
fn commands_are_answered(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", b"content")?;
    for line in COMMANDS {
        client
            .command(line)
            .map_err(|fault| format!("{fault} (an action without an outcome?)"))?;
    }
    client.command_expecting("NOOP", 200)?;
    Ok(true)
}

/// Finds a driver that drops what a read returned behind the first line.
fn pipelined_commands(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::log_in_to(black_box)?;
    client.send(b"MKD one\r\nCWD one\r\nPWD\r\nCDUP\r\nRMD one\r\nNOSUCH\r\nNOOP\r\n")?;
    for code in [257, 250, 257, 250, 250, 500, 200] {
        client.expect(code)?;
    }
    Ok(true)
}

/// Finds a driver that takes the first connection to its port for the client's.
fn strangers_are_not_served(black_box: &BlackBox) -> Result<bool, String> {
    let Some(address) = black_box.stranger else {
        return Ok(false);
    };
    let content = b"not for strangers";
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", content)?;
    for is_early in [true, false] {
        let port = client.extended_passive()?;
        let stranger = is_early.then(|| connect(port, Some(address))).transpose()?;
        client.send(b"RETR file\r\n")?;
        client.expect(150)?;
        let mut stranger = match stranger {
            Some(stranger) => stranger,
            None => connect(port, Some(address))?,
        };
        expect_nothing(&mut stranger)?;
        let mut data = connect(port, None)
            .map_err(|fault| format!("after a stranger, the client itself: {fault}"))?;
        let received = read_all(&mut data, black_box.reply_within)?;
        if received != content {
            return Err("after a stranger, the client itself does not get the file".into());
        }
        client.expect(226)?;
    }
    Ok(true)
}

/// A stranger's connection is closed, or nothing comes.
fn expect_nothing(stranger: &mut TcpStream) -> Result<(), String> {
    let set = stranger.set_read_timeout(Some(STRANGER_WAIT));
    set.map_err(|error| error.to_string())?;
    match stranger.read(&mut [0; 64]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("a stranger on the data port gets the file".into()),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
            _ => Err(format!("a stranger: {error}")),
        },
    }
}

/// Finds a driver that truncates the file when the transfer is opened: its data connection may
/// never come.
fn old_file_stays(black_box: &BlackBox) -> Result<bool, String> {
    let old = b"the old content";
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", old)?;
    client.extended_passive()?;
    client.command_expecting("STOR file", 150)?;
    let check = |when: &str| {
        if Client::log_in_to(black_box)?.retrieve("file")? == old {
            Ok(())
        } else {
            Err(format!(
                "{when} a STOR without a data connection, the old file is gone"
            ))
        }
    };
    check("during")?;
    abort(&mut client, black_box)?;
    check("after")?;
    Ok(true)
}

/// Finds a driver that reports the end of an upload too early.
fn upload_ends_with_its_data(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::log_in_to(black_box)?;
    let mut data = client.begin_store("file")?;
    data.write_all(b"first ")
        .map_err(|error| error.to_string())?;
    expect_no_reply(&mut client, "the data connection is open")?;
    data.write_all(b"second")
        .map_err(|error| error.to_string())?;
    drop(data);
    client.expect(226)?;
    if client.retrieve("file")? == b"first second" {
        Ok(true)
    } else {
        Err("the file is not what was sent before the 226".into())
    }
}

/// Finds a driver that reports success while bytes are still to be sent.
fn download_ends_with_its_data(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", &vec![b'x'; BIG_FILE_BYTES])?;
    let port = client.extended_passive()?;
    client.send(b"RETR file\r\n")?;
    let mut data = connect(port, None)?;
    client.expect(150)?;
    expect_no_reply(&mut client, "most bytes have not been read")?;
    let received = read_all(&mut data, black_box.reply_within)?.len();
    if received != BIG_FILE_BYTES {
        return Err(format!("{received} bytes instead of {BIG_FILE_BYTES}"));
    }
    client.expect(226)?;
    Ok(true)
}

/// Finds a driver that only listens.
fn active_mode(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", b"content")?;
    for with_port in [true, false] {
        let listener = client.listen()?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let line = match (address, with_port) {
            (SocketAddr::V4(address), true) => {
                let ([a, b, c, d], [high, low]) =
                    (address.ip().octets(), address.port().to_be_bytes());
                format!("PORT {a},{b},{c},{d},{high},{low}")
            }
            (SocketAddr::V6(_), true) => continue,
            (SocketAddr::V4(address), false) => {
                format!("EPRT |1|{}|{}|", address.ip(), address.port())
            }
            (SocketAddr::V6(address), false) => {
                format!("EPRT |2|{}|{}|", address.ip(), address.port())
            }
        };
        client.command_expecting(&line, 200)?;
        client.command_expecting("RETR file", 150)?;
        let mut data = accept(&listener, black_box.reply_within)?;
        let received = read_all(&mut data, black_box.reply_within)?;
        client.expect(226)?;
        if received != b"content" {
            return Err(format!("{line}: the file does not arrive"));
        }
    }
    Ok(true)
}

/// Finds a driver that does not read commands while it moves bytes.
fn abort_acts(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::log_in_to(black_box)?;
    let mut data = client.begin_store("file")?;
    data.write_all(b"some bytes")
        .map_err(|error| error.to_string())?;
    abort(&mut client, black_box)?;
    client.command_expecting("NOOP", 200)?;
    Ok(true)
}

/// Finds a driver that does not close the connection when the session ends without a reply.
fn foreign_protocol_gets_no_reply(black_box: &BlackBox) -> Result<bool, String> {
    let mut client = Client::connect(black_box)?;
    let (user, password) = (&black_box.user, &black_box.password);
    let body = format!("USER {user}\r\nPASS {password}\r\nMKD made-by-a-page\r\n");
    client.send(format!("POST / HTTP/1.1\r\nHost: ftp.example\r\n\r\n{body}").as_bytes())?;
    client.expect_close()?;
    let mut client = Client::log_in_to(black_box)?;
    client.command_expecting("CWD made-by-a-page", 550)?;
    Ok(true)
}

/// ABOR during a transfer: the transfer's reply comes first, then 226.
fn abort(client: &mut Client, black_box: &BlackBox) -> Result<(), String> {
    client.send(b"ABOR\r\n")?;
    // A timer must not be what ends the transfer.
    let timeouts = [black_box.data_open_timeout, black_box.data_stall_timeout];
    let shortest = timeouts.into_iter().flatten().min();
    let within = shortest.map_or(black_box.reply_within, |shortest| shortest / 2);
    let first = client.try_reply(within.min(black_box.reply_within))?;
    match first.map(|reply| reply.code) {
        Some(425 | 426) => {}
        code => return Err(format!("ABOR: {code:?} instead of the transfer's 426")),
    }
    client.expect(226).map(drop)
}

fn expect_no_reply(client: &mut Client, while_what: &str) -> Result<(), String> {
    let started = Instant::now();
    match client.try_reply(TOO_EARLY)? {
        None => Ok(()),
        Some(reply) => Err(format!(
            "{} after {} ms while {while_what}",
            reply.code,
            started.elapsed().as_millis()
        )),
    }
}

/// One for each kind of action that needs no data connection.
const COMMANDS: &[&str] = &[
    "NOOP",
    "SYST",
    "FEAT",
    "HELP",
    "STAT",
    "PWD",
    "TYPE I",
    "CWD /",
    "CDUP",
    "MKD directory",
    "RMD directory",
    "SIZE file",
    "MDTM file",
    "MLST file",
    "STAT /",
    "RNFR file",
    "RNTO other",
    "DELE other",
    "DELE missing",
    "SITE HELP",
    "REST 0",
    "ALLO 1",
    "EPSV",
    "ABOR",
    "NOSUCH",
];

/// A wrong driver serves a stranger at once.
const STRANGER_WAIT: Duration = Duration::from_millis(200);
/// A wrong driver sends its 226 at once.
const TOO_EARLY: Duration = Duration::from_millis(200);
