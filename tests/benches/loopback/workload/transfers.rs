//! Downloads and uploads.

use std::io;
use std::net::TcpStream;

use crate::meter::{Measurement, Units};
use crate::share::{LARGE, PARALLEL, SMALL, SMALL_BYTES, UPLOADS, small};
use crate::target::Target;
use crate::transfer::discard;

pub(super) fn download(target: &Target<'_>) -> io::Result<Measurement> {
    let (bytes, count) = (target.scale.large_bytes, target.scale.large_transfers);
    let mut client = target.prepared()?;
    target.measure(Units::Bytes(bytes * count as u64), || {
        (0..count).try_for_each(|_| client.download(LARGE, bytes))
    })
}

/// Each time to a new name: a file that is replaced would be freed meanwhile.
pub(super) fn upload(target: &Target<'_>) -> io::Result<Measurement> {
    let (bytes, count) = (target.scale.large_bytes, target.scale.large_transfers);
    let source = target.shares.source(LARGE)?;
    let mut client = target.prepared()?;
    target.shares.touch_memory(bytes * count as u64)?;
    let measured = target.measure(Units::Bytes(bytes * count as u64), || {
        (0..count)
            .try_for_each(|number| client.upload(&format!("{UPLOADS}/{number}"), &source, bytes))
    });
    target.shares.clear_uploads(target.place)?;
    measured
}

pub(super) fn small_downloads(target: &Target<'_>) -> io::Result<Measurement> {
    let (files, count) = (target.scale.small_files, target.scale.small_transfers);
    let mut client = target.prepared()?;
    let mut received = Vec::new();
    target.measure(Units::Microseconds(count), || {
        for number in 0..count {
            let data = client.extended_passive()?;
            client.fetch(
                data,
                &format!("RETR {}", small(number % files)),
                &mut received,
            )?;
            if received.len() != SMALL_BYTES {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    })
}

pub(super) fn small_uploads(target: &Target<'_>) -> io::Result<Measurement> {
    let count = target.scale.small_transfers;
    let source = target.shares.source(SMALL)?;
    let mut client = target.prepared()?;
    let measured = target.measure(Units::Microseconds(count), || {
        (0..count).try_for_each(|number| {
            client.upload(&format!("{UPLOADS}/{number}"), &source, SMALL_BYTES as u64)
        })
    });
    target.shares.clear_uploads(target.place)?;
    measured
}

/// All downloads begin one after the other and then run side by side.
pub(super) fn parallel(target: &Target<'_>) -> io::Result<Measurement> {
    let (count, bytes) = (target.scale.parallel, target.scale.parallel_bytes);
    let clients: io::Result<Vec<_>> = (0..count).map(|_| target.prepared()).collect();
    let mut clients = clients?;
    let all = bytes * count as u64;
    target.measure(Units::Bytes(all), || {
        let begun: io::Result<Vec<TcpStream>> = clients
            .iter_mut()
            .map(|client| client.begin_download(PARALLEL))
            .collect();
        if discard(&begun?)? != all {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        clients.iter_mut().try_for_each(|client| client.expect(226))
    })
}
