//! Checks of the end of the control connection during an upload.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::limits;

use super::checks::Check;
use super::client::{Client, reset};
use super::target::BlackBox;

pub(super) const ALL: &[(&str, Check)] = &[
    ("an upload outlives the client's end", outlives_end),
    ("an upload outlives QUIT", outlives_quit),
    (
        "an upload outlives a reset while bytes come",
        outlives_reset,
    ),
    (
        "the upload of a killed client is not complete",
        killed_clients_complete_nothing,
    ),
];

/// Finds a driver that aborts the transfer of a client that only sends no more commands.
fn outlives_end(black_box: &BlackBox) -> Result<bool, String> {
    let (mut client, mut data) = begin(black_box)?;
    client.send(b"NOOP\r\n")?;
    end_sending(&client)?;
    expect_open(&mut data, "the client has ended its side")?;
    finish(data)?;
    client.expect(226)?;
    client.expect(200)?;
    client.expect_close()?;
    expect_stored(black_box)?;

    let (client, mut data) = begin(black_box)?;
    drop(client);
    expect_open(&mut data, "the client has closed the control connection")?;
    finish(data)?;
    expect_stored(black_box)?;
    Ok(true)
}

/// Finds a driver for which a client that has sent QUIT is a lost one. Devices close the control
/// connection without having read their replies, so that it is reset.
fn outlives_quit(black_box: &BlackBox) -> Result<bool, String> {
    for is_reset in [false, true] {
        let (mut client, mut data) = begin(black_box)?;
        // STAT acts at once: its reply shows that QUIT has been read.
        client.send(b"QUIT\r\nSTAT\r\n")?;
        client.expect(211)?;
        let how = if is_reset {
            reset(client.into_stream())?;
            "QUIT, and a reset"
        } else {
            drop(client);
            "QUIT, and a closed control connection"
        };
        expect_open(&mut data, how)?;
        finish(data)?;
        expect_stored(black_box)?;
    }
    // All at once: the end must not overtake QUIT.
    let (mut client, mut data) = begin(black_box)?;
    client.send(b"NOOP\r\nNOOP\r\nQUIT\r\n")?;
    end_sending(&client)?;
    expect_open(&mut data, "QUIT, and the client's end")?;
    finish(data)?;
    for code in [226, 200, 200, 221] {
        client.expect(code)?;
    }
    client.expect_close()?;
    expect_stored(black_box)?;
    Ok(true)
}

/// Finds a driver that takes a lost control connection for the client's end, or does not look for
/// one that is lost after it. What is on its way is stored; commands that were held are dropped.
fn outlives_reset(black_box: &BlackBox) -> Result<bool, String> {
    for has_ended in [false, true] {
        Client::log_in_to(black_box)?.store("other", b"kept")?;
        let mut data = begin_and_reset(black_box, has_ended)?;
        expect_open(&mut data, "a reset")?;
        finish(data)?;
        expect_stored(black_box)?;
        let kept = Client::log_in_to(black_box)?.command("DELE other")?;
        if kept.code != 250 {
            let after = if has_ended { " after its end" } else { "" };
            return Err(format!(
                "the control connection is reset{after}, and a command that was held is executed"
            ));
        }
    }
    let mut data = begin_and_reset(black_box, false)?;
    if is_open(
        &mut data,
        limits::LOST_UPLOAD_STALL + black_box.reply_within,
    )? {
        return Err("nothing comes after a reset, and the upload goes on".into());
    }
    Ok(true)
}

/// Finds a driver for which the end of a data connection is always the end of its file. The kernel
/// ends both connections of a client that is killed; FTP has no other sign.
fn killed_clients_complete_nothing(black_box: &BlackBox) -> Result<bool, String> {
    for has_quit in [false, true] {
        let (mut client, data) = begin(black_box)?;
        if has_quit {
            client.send(b"QUIT\r\n")?;
        }
        end_sending(&client)?;
        drop(data);
        let reply = client.next_reply()?;
        match (reply.code, has_quit) {
            (426, false) | (226, true) => {}
            (code, false) => return Err(format!("{code} for the upload of a killed client")),
            (code, true) => return Err(format!("{code} for an upload that ended after QUIT")),
        }
    }
    let old = b"the old content";
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", old)?;
    let data = client.begin_store("file")?;
    end_sending(&client)?;
    drop(data);
    client.expect(426)?;
    if Client::log_in_to(black_box)?.retrieve("file")? == old {
        Ok(true)
    } else {
        Err("a client that is killed before its first byte changes the old file".into())
    }
}

/// An upload that has begun, with its first bytes.
fn begin(black_box: &BlackBox) -> Result<(Client, TcpStream), String> {
    let mut client = Client::log_in_to(black_box)?;
    let mut data = client.begin_store("file")?;
    data.write_all(b"first ")
        .map_err(|error| error.to_string())?;
    Ok((client, data))
}

/// An upload whose control connection is reset, with a command that waits behind it.
fn begin_and_reset(black_box: &BlackBox, has_ended: bool) -> Result<TcpStream, String> {
    let (mut client, mut data) = begin(black_box)?;
    // The reply to STAT shows that all lines have been read.
    client.send(b"DELE other\r\nSTAT\r\n")?;
    client.expect(211)?;
    if has_ended {
        end_sending(&client)?;
        expect_open(&mut data, "the client has ended its side")?;
    }
    reset(client.into_stream())?;
    Ok(data)
}

/// Sends the last bytes.
fn finish(mut data: TcpStream) -> Result<(), String> {
    let sent = data.write_all(b"second");
    sent.map_err(|error| format!("sending the rest: {error}"))
}

fn end_sending(client: &Client) -> Result<(), String> {
    let ended = client.stream().shutdown(Shutdown::Write);
    ended.map_err(|error| error.to_string())
}

fn expect_open(data: &mut TcpStream, after: &str) -> Result<(), String> {
    if is_open(data, LOOK)? {
        Ok(())
    } else {
        Err(format!("the upload is aborted after {after}"))
    }
}

/// Whether the server leaves the data connection open for this time.
fn is_open(data: &mut TcpStream, time: Duration) -> Result<bool, String> {
    let set = data.set_read_timeout(Some(time));
    set.map_err(|error| error.to_string())?;
    match data.read(&mut [0]) {
        Ok(0) => Ok(false),
        Ok(_) => Err("bytes come over the data connection of an upload".into()),
        Err(error) => Ok(matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        )),
    }
}

/// No reply says when the upload has ended.
fn expect_stored(black_box: &BlackBox) -> Result<(), String> {
    let deadline = Instant::now() + black_box.reply_within;
    loop {
        let found = Client::log_in_to(black_box)?.retrieve("file");
        if found.as_deref() == Ok(b"first second") {
            return Client::log_in_to(black_box)?
                .command_expecting("DELE file", 250)
                .map(drop);
        }
        if Instant::now() > deadline {
            return Err(match found {
                Ok(found) => format!("only {} bytes of the upload are stored", found.len()),
                Err(fault) => format!("the upload is not stored: {fault}"),
            });
        }
        thread::sleep(PAUSE);
    }
}

/// A wrong driver aborts at once.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
