//! `--probe`: a look at an FTP server from the client's side.
//!
//! It logs in, asks for passive mode as each kind of client does, connects, lists, and prints what
//! works and why the rest does not. The server may be of any kind, and hostile: each step has a
//! time limit, what is read is bounded, what is printed is escaped, and a data connection leads to
//! no port below 1024 of another host.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::net::order;
use crate::settings::file::reason;
use random::file_name;
use seen::{Seen, Way};
use session::Session;

mod advice;
mod clients;
mod control;
mod random;
mod reach;
mod report;
mod request;
#[cfg(feature = "tls")]
mod secure;
#[cfg(not(feature = "tls"))]
#[path = "probe/insecure.rs"]
mod secure;
mod seen;
mod session;
mod shown;
mod socket;
mod stream;

pub use request::{ProbeLogin, ProbeRequest, ProbeTarget};

/// Whether clients get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// Each of the known clients would get a listing, and a file is stored if that was asked for.
    Fine,
    /// Some of them would fail.
    ClientsFail,
}

/// Looks at a server, and hands what it finds to `print` as it comes. The whole takes two minutes
/// at most.
///
/// # Errors
///
/// If the name has no address, or the server cannot be reached, or does not let the user in. The
/// text says why.
pub fn probe(request: &ProbeRequest, print: &mut dyn FnMut(&str)) -> Result<ProbeVerdict, String> {
    let end = Instant::now() + TOTAL_MAX;
    let target = &request.target;
    let addresses = resolve(&target.host, target.port)?;
    let address = *addresses.first().ok_or("the host has no address")?;
    if addresses.len() > 1 || address.ip().to_string() != target.host {
        let all: Vec<String> = addresses.iter().map(|one| one.ip().to_string()).collect();
        let which = match all.len() {
            1 => String::new(),
            _ => format!("; this is about {}, give another one with --probe", all[0]),
        };
        print(&format!("{} is {}{which}\n", target.host, all.join(", ")));
    }
    let mut session = Session::new(request, address, end);
    let mut seen = Seen {
        host: target.host.clone(),
        dialled: address,
        tls: request.tls,
        status: None,
        attempts: Vec::new(),
        written: None,
    };
    let open = session.opened()?;
    seen.dialled = open.dialled;
    let place = format!(
        "{} port {} from {}",
        open.dialled.ip(),
        open.dialled.port(),
        open.local.ip()
    );
    let user = request.login.as_ref().map(|login| login.name.as_str());
    let user = shown::shown(user.unwrap_or("anonymous").as_bytes());
    print(&report::head(
        &place,
        &user,
        &open.greeting,
        open.tls_facts.as_ref(),
    ));
    seen.status = session.status();
    print(&report::status(&seen));
    for way in Way::ALL {
        if seen.dialled.is_ipv6() && way == Way::PasvToServer {
            continue;
        }
        let attempt = session.attempt(way);
        print(&report::attempt(&attempt, seen.dialled.ip()));
        seen.attempts.push(attempt);
    }
    if seen.status.is_some() && seen.attempts.iter().any(|attempt| attempt.result.is_err()) {
        // Now it also says what it has seen of the attempts.
        seen.status = session.status().or(seen.status);
    }
    seen.written = request.write_test.then(|| write_test(&mut session, &seen));
    session.close();
    let (text, all_work) = report::conclusion(&seen);
    print(&text);
    Ok(if all_work {
        ProbeVerdict::Fine
    } else {
        ProbeVerdict::ClientsFail
    })
}

/// Over the first way that works.
fn write_test(session: &mut Session<'_>, seen: &Seen) -> Result<(), String> {
    let way = Way::ALL.into_iter().find(|&way| seen.works(way));
    let way = way.ok_or("no data connection works")?;
    session.store_and_remove(way, &file_name())
}

/// The addresses of a host, IPv4 first: that is what NAT is about.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // No thread can interrupt the system's resolver, so none waits for it.
    let (sender, results) = mpsc::channel();
    let name = host.to_owned();
    let work = move || {
        let addresses = (name.as_str(), port).to_socket_addrs();
        let addresses = addresses.map(|all| all.take(ADDRESSES_MAX).collect::<Vec<_>>());
        // A late result has no receiver any more.
        let _ = sender.send(addresses);
    };
    let started = thread::Builder::new().spawn(work);
    started.map_err(|error| format!("{host}: {}", reason(&error)))?;
    let addresses = match results.recv_timeout(RESOLVE_MAX) {
        Ok(addresses) => addresses.map_err(|error| {
            let reason = reason(&error);
            let own = reason.rsplit(": ").next().unwrap_or_default();
            format!("{host}: the name has no address: {own}")
        })?,
        Err(_) => {
            let seconds = RESOLVE_MAX.as_secs();
            return Err(format!(
                "{host}: the name server does not answer within {seconds} s"
            ));
        }
    };
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    order::sort_by_key(&mut unique, SocketAddr::is_ipv6);
    Ok(unique)
}

const RESOLVE_MAX: Duration = Duration::from_secs(10);

/// The time limit for everything together.
const TOTAL_MAX: Duration = Duration::from_secs(120);

const ADDRESSES_MAX: usize = 16;

#[cfg(test)]
mod tests;
