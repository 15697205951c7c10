//! Logins, and commands without a transfer.

use std::io;
use std::thread;

use crate::meter::{Measurement, Units};
use crate::target::Target;

pub(super) fn login(target: &Target<'_>) -> io::Result<Measurement> {
    let count = target.scale.logins;
    target.measure(Units::Microseconds(count), || sessions(target, count))
}

/// Eight clients, each with its part of the sessions.
pub(super) fn logins(target: &Target<'_>) -> io::Result<Measurement> {
    let each = target.scale.logins.div_ceil(CLIENTS);
    target.measure(Units::Microseconds(each * CLIENTS), || {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(|| sessions(target, each)))
                .collect();
            let mut results = clients.into_iter().map(|client| client.join());
            results
                .try_for_each(|result| result.map_err(|_| io::Error::other("a client failed"))?)
        })
    })
}

fn sessions(target: &Target<'_>, count: usize) -> io::Result<()> {
    for _ in 0..count {
        target.log_in()?.quit()?;
    }
    Ok(())
}

pub(super) fn noop(target: &Target<'_>) -> io::Result<Measurement> {
    let count = target.scale.commands;
    let mut client = target.log_in()?;
    target.measure(Units::Microseconds(count), || {
        (0..count).try_for_each(|_| client.command("NOOP", 200))
    })
}

pub(super) fn pipelined(target: &Target<'_>) -> io::Result<Measurement> {
    let pipelines = target.scale.pipelines;
    let mut client = target.log_in()?;
    let commands = "NOOP\r\n".repeat(PIPELINED);
    target.measure(Units::Microseconds(pipelines * PIPELINED), || {
        for _ in 0..pipelines {
            client.send(commands.as_bytes())?;
            for _ in 0..PIPELINED {
                client.expect(200)?;
            }
        }
        Ok(())
    })
}

const CLIENTS: usize = 8;
const PIPELINED: usize = 1000;
