//! The server's directory, as its own commands see it: filled before a check, emptied after it.

use std::iter;

use super::client::Client;
use super::target::BlackBox;

/// Nothing is deleted that was there before.
pub(super) fn check_empty(black_box: &BlackBox) -> Result<(), String> {
    let mut client = Client::log_in_to(black_box)?;
    match names(&mut client, b"/")?.first() {
        None => Ok(()),
        Some(name) => {
            let name = name.escape_ascii();
            Err(format!("it contains \"{name}\", so nothing was tested"))
        }
    }
}

/// Deletes everything that a check has left.
pub(super) fn clear(black_box: &BlackBox) -> Result<(), String> {
    let mut client = Client::log_in_to(black_box)?;
    clear_below(&mut client, b"")
}

/// Makes a directory with its parents.
pub(super) fn make(client: &mut Client, path: &str) -> Result<(), String> {
    for (end, _) in path.match_indices('/').filter(|(index, _)| *index > 0) {
        // A parent may exist already.
        client.command(&format!("MKD {}", &path[..end]))?;
    }
    client
        .command_expecting(&format!("MKD {path}"), 257)
        .map(drop)
}

fn clear_below(client: &mut Client, directory: &[u8]) -> Result<(), String> {
    let listed = match directory {
        b"" => b"/",
        below => below,
    };
    for name in names(client, listed)? {
        let path = [directory, b"/", &name].concat();
        if command(client, "DELE", &path)? != 250 {
            clear_below(client, &path)?;
            expect(client, "RMD", &path)?;
        }
    }
    Ok(())
}

/// The last components of what NLST lists.
fn names(client: &mut Client, directory: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    // Not as an argument: it may contain what NLST takes for a pattern.
    expect(client, "CWD", directory)?;
    let lines = client.download("NLST")?;
    let lines = lines.split(|&byte| byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let names = lines.map(|line| line.rsplit(|&byte| byte == b'/').next().unwrap_or(line));
    let names = names.filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}

/// The code of the reply to a command with any bytes in its argument.
fn command(client: &mut Client, verb: &str, path: &[u8]) -> Result<u16, String> {
    // In a name, FF is doubled as Telnet demands it (RFC 959, section 5.3).
    let doubled = path.iter().flat_map(|&byte| {
        let count = if byte == 0xff { 2 } else { 1 };
        iter::repeat_n(byte, count)
    });
    let line = verb.bytes().chain(*b" ").chain(doubled).chain(*b"\r\n");
    client.send(&line.collect::<Vec<u8>>())?;
    Ok(client.next_reply()?.code)
}

fn expect(client: &mut Client, verb: &str, path: &[u8]) -> Result<(), String> {
    match command(client, verb, path)? {
        250 => Ok(()),
        code => Err(format!(
            "{verb} {}: {code} instead of 250",
            path.escape_ascii()
        )),
    }
}
