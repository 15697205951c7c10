//! One lookup: a host name is resolved, a file is read, or a STUN server is asked.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use super::answer::{Answer, LookupResult};
use super::choice::{UNRESOLVED, WITHOUT_IPV4};
use super::file;
use crate::nat::stun;
use crate::sandbox::log_replaced;
use crate::settings::AddressSource;

/// Looks an address up in a thread of its own, and passes the result to `on_result` there. No
/// thread waits for it, because the system's resolver cannot be interrupted.
///
/// # Errors
///
/// If the thread cannot be started. Then `on_result` is never called.
pub(crate) fn look_up(
    source: AddressSource,
    on_result: impl FnOnce(LookupResult) + Send + 'static,
) -> io::Result<()> {
    let work = move || {
        let answer = answer(&source);
        on_result(LookupResult { source, answer });
    };
    thread::Builder::new()
        .name(THREAD.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map(drop)
}

fn answer(source: &AddressSource) -> Result<Answer, String> {
    let now = |addresses| Answer {
        addresses,
        ..Answer::default()
    };
    match source {
        AddressSource::Address(address) => Ok(now(vec![(*address).into()])),
        AddressSource::Name(name) => {
            let addresses = resolve(name, 0)?;
            Ok(now(addresses
                .map(|address| address.ip().to_canonical())
                .collect()))
        }
        AddressSource::File(file) => file::read(file),
        AddressSource::Stun { host, port } => {
            // Only over IPv4 does the server see the address that PASV replies need.
            let mut servers =
                resolve(host, *port).map_err(|reason| format!("{host}{UNRESOLVED}{reason}"))?;
            let server = servers.find(SocketAddr::is_ipv4);
            let server = server.ok_or_else(|| format!("{host}{WITHOUT_IPV4}"))?;
            Ok(now(vec![stun::ask(server)?]))
        }
    }
}

/// Asks the system's resolver.
fn resolve(name: &str, port: u16) -> Result<impl Iterator<Item = SocketAddr>, String> {
    (name, port).to_socket_addrs().map_err(|error| {
        log_replaced();
        // The resolver's text, without the prefix of the standard library.
        let text = error.to_string();
        let reason = text.strip_prefix("failed to lookup address information: ");
        reason.unwrap_or(&text).to_owned()
    })
}

/// The thread's name in `ps` and `top`.
const THREAD: &str = "lookup";
/// Modules of the system's resolver put answers on the stack. Only pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;
