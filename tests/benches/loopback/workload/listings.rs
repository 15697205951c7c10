//! Listings of a large directory.

use std::io;

use crate::meter::{Measurement, Units};
use crate::share::LISTED;
use crate::target::Target;

pub(super) fn list(target: &Target<'_>) -> io::Result<Measurement> {
    listing(target, "LIST")
}

pub(super) fn nlst(target: &Target<'_>) -> io::Result<Measurement> {
    listing(target, "NLST")
}

pub(super) fn mlsd(target: &Target<'_>) -> io::Result<Measurement> {
    listing(target, "MLSD")
}

fn listing(target: &Target<'_>, command: &str) -> io::Result<Measurement> {
    let (count, entries) = (target.scale.listings, target.scale.entries);
    let mut client = target.prepared()?;
    client.command(&format!("CWD {LISTED}"), 250)?;
    let mut received = Vec::new();
    target.measure(Units::Milliseconds(count), || {
        for _ in 0..count {
            let data = client.extended_passive()?;
            client.fetch(data, command, &mut received)?;
            let lines = received.iter().filter(|&&byte| byte == b'\n').count();
            // MLSD may show the directory itself, and the one above it.
            if !(entries..=entries + 2).contains(&lines) {
                return Err(io::Error::other(format!("{command}: {lines} lines")));
            }
        }
        Ok(())
    })
}
