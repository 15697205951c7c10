//! Checks of timers. They wait for what the tester has stated, and run only then.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::checks::Check;
use super::client::Client;
use super::target::BlackBox;

pub(super) const ALL: &[(&str, Check)] = &[
    ("a slow upload is not cut while bytes move", slow_upload),
    ("an idle client is sent away", idle_client),
    ("a client that does not log in is sent away", no_login),
    (
        "a data connection that never comes is given up",
        data_never_opened,
    ),
    ("a data connection without bytes is given up", data_stalls),
];

/// Finds a driver that does not report progress: the session takes the transfer for a stalled one,
/// or for one whose connection never came.
fn slow_upload(black_box: &BlackBox) -> Result<bool, String> {
    let timeouts = [black_box.data_open_timeout, black_box.data_stall_timeout];
    let stated = || timeouts.into_iter().flatten();
    let (Some(longest), Some(shortest)) = (stated().max(), stated().min()) else {
        return Ok(false);
    };
    let mut client = Client::log_in_to(black_box)?;
    let mut data = client.begin_store("file")?;
    let (started, mut sent) = (Instant::now(), 0);
    while started.elapsed() < longest * 3 {
        if data.write_all(b"x").is_err() {
            return Err(cut(&mut client, started.elapsed()));
        }
        sent += 1;
        thread::sleep(shortest / 4);
    }
    drop(data);
    client
        .expect(226)
        .map_err(|fault| format!("bytes came all the time: {fault}"))?;
    if client.retrieve("file")?.len() == sent {
        Ok(true)
    } else {
        Err("the file does not have all bytes".into())
    }
}

fn cut(client: &mut Client, after: Duration) -> String {
    let reply = client.try_reply(Duration::from_millis(500));
    let code = reply.ok().flatten().map(|reply| reply.code);
    let after = after.as_millis();
    format!("the connection is closed after {after} ms, with the reply {code:?}")
}

/// Finds a driver without timers.
fn idle_client(black_box: &BlackBox) -> Result<bool, String> {
    let Some(timeout) = black_box.idle_timeout else {
        return Ok(false);
    };
    let mut client = Client::log_in_to(black_box)?;
    // A command starts the timer again.
    thread::sleep(timeout / 2);
    client.command_expecting("NOOP", 200)?;
    expect_end_after(client, timeout, black_box)
}

fn no_login(black_box: &BlackBox) -> Result<bool, String> {
    let Some(timeout) = black_box.login_timeout else {
        return Ok(false);
    };
    let client = Client::connect(black_box)?;
    expect_end_after(client, timeout, black_box)
}

/// The session ends after this time, with a reply that says so.
fn expect_end_after(
    mut client: Client,
    timeout: Duration,
    black_box: &BlackBox,
) -> Result<bool, String> {
    expect_after(&mut client, 421, timeout, black_box)?;
    client.expect_close()?;
    Ok(true)
}

fn data_never_opened(black_box: &BlackBox) -> Result<bool, String> {
    let Some(timeout) = black_box.data_open_timeout else {
        return Ok(false);
    };
    let mut client = Client::log_in_to(black_box)?;
    client.store("file", b"the old content")?;
    client.extended_passive()?;
    // The timer runs since the 229.
    client.send(b"STOR file\r\n")?;
    client.expect(150)?;
    expect_after(&mut client, 425, timeout, black_box)?;
    if client.retrieve("file")? == b"the old content" {
        Ok(true)
    } else {
        Err("after the 425 the old file is gone".into())
    }
}

fn data_stalls(black_box: &BlackBox) -> Result<bool, String> {
    let Some(timeout) = black_box.data_stall_timeout else {
        return Ok(false);
    };
    let mut client = Client::log_in_to(black_box)?;
    let mut data = client.begin_store("file")?;
    data.write_all(b"x").map_err(|error| error.to_string())?;
    expect_after(&mut client, 426, timeout, black_box)?;
    client.command_expecting("NOOP", 200)?;
    Ok(true)
}

/// The next reply comes when a timer that starts about now expires.
fn expect_after(
    client: &mut Client,
    code: u16,
    timeout: Duration,
    black_box: &BlackBox,
) -> Result<(), String> {
    let started = Instant::now();
    client.expect_within(code, timeout + black_box.margin)?;
    let after = started.elapsed();
    // It may have started when the command before it was on its way.
    if after + black_box.margin < timeout {
        Err(format!(
            "{code} after {} ms, which is too early",
            after.as_millis()
        ))
    } else {
        Ok(())
    }
}
