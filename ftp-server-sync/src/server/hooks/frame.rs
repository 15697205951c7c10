//! What the server sends to the process that starts its hooks: frames of `NAME=value` items.
//!
//! A NUL byte ends each item, and an empty item ends the frame: no value has a NUL byte.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Items with their names, in order.
pub(super) type Items = Vec<(String, OsString)>;

/// Writes one frame.
///
/// # Errors
///
/// That of the writer.
pub(super) fn write<'a>(
    mut writer: impl Write,
    items: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
) -> io::Result<()> {
    let mut frame = Vec::new();
    for (name, value) in items {
        debug_assert!(!value.as_bytes().contains(&0), "{name}");
        frame.extend_from_slice(name.as_bytes());
        frame.push(b'=');
        frame.extend_from_slice(value.as_bytes());
        frame.push(0);
    }
    frame.push(0);
    writer.write_all(&frame)?;
    writer.flush()
}

/// Reads one frame; `None` at the end.
///
/// # Errors
///
/// That of the reader, or that this is no frame.
pub(super) fn read(mut reader: impl BufRead) -> io::Result<Option<Items>> {
    let mut items = Items::new();
    loop {
        let mut item = Vec::new();
        let left = FRAME_BYTES_MAX as u64;
        (&mut reader).take(left).read_until(0, &mut item)?;
        match item.pop() {
            None if items.is_empty() => return Ok(None),
            Some(0) if item.is_empty() => return Ok(Some(items)),
            Some(0) if items.len() < ITEMS_MAX => items.push(split(item)?),
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

fn split(item: Vec<u8>) -> io::Result<(String, OsString)> {
    let invalid = || io::Error::from(ErrorKind::InvalidData);
    let end = item
        .iter()
        .position(|&byte| byte == b'=')
        .ok_or_else(invalid)?;
    let name = str::from_utf8(&item[..end]).map_err(|_| invalid())?;
    Ok((
        name.to_owned(),
        OsString::from_vec(item[end + 1..].to_vec()),
    ))
}

/// The longest item, and how many one frame has.
const FRAME_BYTES_MAX: usize = 64 * 1024;
const ITEMS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn items(pairs: &[(&str, &[u8])]) -> Items {
        let items = pairs.iter();
        let items =
            items.map(|(name, value)| ((*name).to_owned(), OsStr::from_bytes(value).to_owned()));
        items.collect()
    }

    fn written(items: &Items) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pairs = items
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_os_str()));
        write(&mut bytes, pairs).expect("a frame");
        bytes
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let frames = [
            items(&[("FTP_PATH", b"/a=b \n\xff"), ("EMPTY", b"")]),
            items(&[]),
            items(&[("LAST", b"=")]),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(written).collect();
        let mut reader = &bytes[..];
        for frame in &frames {
            assert_eq!(read(&mut reader).expect("a frame").as_ref(), Some(frame));
        }
        assert_eq!(read(&mut reader).expect("the end"), None);
    }

    #[test]
    fn a_part_is_no_frame() {
        let bytes = written(&items(&[("A", b"1"), ("B", b"2")]));
        for end in 1..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        let long = [
            b"A=".to_vec(),
            vec![b'x'; FRAME_BYTES_MAX],
            b"\0\0".to_vec(),
        ]
        .concat();
        let many = [b"A=\0".repeat(ITEMS_MAX + 1), b"\0".to_vec()].concat();
        for bad in [&b"A\0\0"[..], b"\xff=\0\0", &long, &many] {
            assert!(read(bad).is_err());
        }
    }
}
