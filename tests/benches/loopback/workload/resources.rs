//! Memory, the size of the program, and system calls: what does not depend on how busy the machine
//! is.

use std::fs;
use std::io;

use crate::meter::Measurement;
use crate::server::{Kind, Server, Start};
use crate::share::{SMALL, SMALL_BYTES};
use crate::target::Target;
use crate::trace;

/// How much memory each session adds to the server.
pub(super) fn session(target: &Target<'_>) -> io::Result<Measurement> {
    let count = target.scale.idle_sessions;
    let before = target.server.memory()?;
    let clients: io::Result<Vec<_>> = (0..count).map(|_| target.log_in()).collect();
    let clients = clients?;
    target.server.settle()?;
    let added = target.server.memory()? - before;
    drop(clients);
    Ok(Measurement::amount(added / count as f64))
}

pub(super) fn server(target: &Target<'_>) -> io::Result<Measurement> {
    target.server.memory().map(Measurement::amount)
}

pub(super) fn program(target: &Target<'_>) -> io::Result<Measurement> {
    let programs = target.start.programs;
    let program = match target.start.kind {
        Kind::Ours => &programs.ours,
        Kind::Limit => &programs.limit,
    };
    let bytes = fs::metadata(program)?.len();
    Ok(Measurement::amount(bytes as f64 / 1024.0))
}

/// What many downloads add to a few, so that the calls of the start, the login and the end do not
/// count.
pub(super) fn system_calls(target: &Target<'_>) -> io::Result<Measurement> {
    let [few, many] = [FEW, MANY].map(|count| calls(target, count));
    let added = many?.saturating_sub(few?);
    Ok(Measurement::amount(added as f64 / (MANY - FEW) as f64))
}

/// All system calls of a server with one session, which downloads a small file this many times.
fn calls(target: &Target<'_>, count: usize) -> io::Result<usize> {
    let file = target.shares.trace();
    let server = Server::start(&Start {
        trace: Some(&file),
        ..target.start
    })
    .map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("strace is not installed"),
        _ => error,
    })?;
    let mut client = target.log_in_to(&server)?;
    client.prepare()?;
    let mut received = Vec::new();
    for _ in 0..count {
        client.command("TYPE I", 200)?;
        let data = client.passive()?;
        client.fetch(data, &format!("RETR {SMALL}"), &mut received)?;
        if received.len() != SMALL_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    client.quit()?;
    server.settle()?;
    drop(server);
    trace::count(&file)
}

const FEW: usize = 10;
const MANY: usize = 110;
