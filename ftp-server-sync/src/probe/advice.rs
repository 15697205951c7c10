//! What is wrong with the way to a server, and what cures it.
//!
//! Pure: the same observations give the same advice. For a server of ours it names one flag, with
//! its value.

use std::fmt::Write;
use std::net::IpAddr;

use ftp_proto::Reach;

use super::clients::is_private;
use super::seen::{Answer, Failure, Seen, Status, Way};

/// One thing that is wrong, or worth to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// Whether some client fails of it.
    pub(super) is_failure: bool,
    pub(super) text: String,
    /// What to add to the command line of a server of ours.
    pub(super) flag: Option<String>,
}

/// All advice about these observations, the most important first.
pub(super) fn advise(seen: &Seen) -> Vec<Advice> {
    let advice = [
        address(seen),
        ports(seen),
        replies(seen, Way::PasvAsAnnounced),
        replies(seen, Way::Epsv),
        refused(seen),
        rewritten(seen),
        reported(seen),
        read_only(seen),
    ];
    advice.into_iter().flatten().collect()
}

/// The reply to PASV names another address than the one that the client connected to.
fn address(seen: &Seen) -> Option<Advice> {
    let (server, announced) = (seen.dialled.ip(), seen.announced()?);
    if server == announced || server.is_ipv6() {
        return None;
    }
    let kind = match Reach::of(announced).kind() {
        _ if announced.is_unspecified() => " (which is no address of any host)".to_owned(),
        Some(kind) if is_private(announced) != is_private(server) => format!(" ({kind})"),
        _ => String::new(),
    };
    let works = (
        seen.works(Way::PasvAsAnnounced),
        seen.works(Way::PasvToServer),
    );
    let refuses_epsv = matches!(
        seen.attempt(Way::Epsv).map(|attempt| &attempt.result),
        Some(Err(Failure::NotOffered(_)))
    );
    let consequence = consequence(works, refuses_epsv);
    let mut text = format!(
        "the reply to PASV names {announced}{kind}, and this client connected to {server}. \
         {consequence}"
    );
    if (true, false) == works {
        // Another address would only break what works.
        let flag = without_epsv(seen);
        if flag.is_some() {
            text.push_str(". Clients whose EPSV is refused use PASV");
        }
        return Some(failure(text, flag));
    }
    // The table of clients says whether one of them refuses it.
    let advice = if works == (true, true) {
        noted
    } else {
        failure
    };
    match &seen.status {
        Some(status) if status.announced != announced => {
            let _ = write!(
                text,
                ". The server has announced {}: a router on the way has put {announced} into the \
                 reply. Switch off its helper for FTP (\"FTP ALG\"), or use TLS, which hides the \
                 reply from it",
                status.announced
            );
            Some(advice(text, None))
        }
        Some(status) => {
            let _ = write!(text, ". The server announces it by {}", status.reason);
            let flag = address_flag(seen, status, server);
            Some(advice(text, Some(flag)))
        }
        None => {
            let is_inside = is_private(server) && !is_private(announced);
            let to_whom = if is_inside {
                " to clients that connect to it, and the other one to clients outside"
            } else {
                ""
            };
            let settings = SETTINGS_OF_OTHERS.0;
            let _ = write!(
                text,
                ". Make the server announce {server}{to_whom}: {settings}"
            );
            Some(advice(text, None))
        }
    }
}

/// What follows, where the announced address and that of the server lead to a listing, or not.
fn consequence(works: (bool, bool), refuses_epsv: bool) -> &'static str {
    match works {
        (true, true) => "Both work, but some clients refuse a second address",
        (true, false) if refuses_epsv => {
            "Data connections arrive only there, so clients that ignore the address fail"
        }
        (true, false) => {
            "Data connections arrive only there, so clients that use EPSV, or ignore the address, \
             fail"
        }
        (false, true) => {
            "Nothing is reached there, and the same ports work at the address that this client \
             connected to"
        }
        (false, false) => "Neither leads to a listing",
    }
}

/// The flag that makes clients of a server of ours use PASV, where EPSV leads nowhere.
fn without_epsv(seen: &Seen) -> Option<String> {
    seen.status.as_ref()?;
    let epsv = seen.attempt(Way::Epsv)?.result.as_ref().err()?;
    epsv.is_unreached()
        .then(|| "--deny-commands EPSV".to_owned())
}

/// The flag that makes a server of ours announce the address that this client connects to.
fn address_flag(seen: &Seen, status: &Status, server: IpAddr) -> String {
    let is_inside = Reach::of(server) != Reach::Public;
    let map_entry = status.reason.strip_prefix("the map entry for ");
    match (status.client, map_entry) {
        (Some(client), None) if is_inside => {
            format!("--masquerade-client {client}/{}=local", bits(client))
        }
        (_, Some(local)) => format!("--masquerade-address-map {local}={server}"),
        // The server takes this client for another kind than it is.
        (Some(client), None) if status.reason.starts_with("the rule for ") => {
            format!("--masquerade-client {client}/{}={server}", bits(client))
        }
        _ => {
            // A name stays right when the address changes.
            let is_name = seen.host.parse::<IpAddr>().is_err();
            let address = if is_name {
                seen.host.clone()
            } else {
                server.to_string()
            };
            format!("--masquerade-address {address}")
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The server was reached, but not on the data ports that it announced.
fn ports(seen: &Seen) -> Option<Advice> {
    let server = seen.dialled.ip();
    let is_elsewhere = seen.announced() != Some(server) && seen.works(Way::PasvAsAnnounced);
    if seen.dialled.is_ipv4() && is_elsewhere {
        return None;
    }
    let to_server = |way| {
        let attempt = seen.attempt(way)?;
        let target = attempt.target.filter(|target| target.ip() == server)?;
        Some((way, target.port(), attempt.result.as_ref().err()))
    };
    let tried: Vec<_> = Way::ALL.into_iter().filter_map(to_server).collect();
    let is_unreached = |failure: &Option<&Failure>| failure.is_some_and(Failure::is_unreached);
    let (unreached, reached): (Vec<_>, Vec<_>) = tried
        .into_iter()
        .partition(|(_, _, failure)| is_unreached(failure));
    let (_, _, Some(reason)) = unreached.first()? else {
        return None;
    };
    let numbers: Vec<String> = unreached
        .iter()
        .map(|(_, port, _)| port.to_string())
        .collect();
    let noun = if numbers.len() == 1 { "port" } else { "ports" };
    let mut text = format!(
        "data connections to {server} do not arrive at {noun} {}: {reason}. ",
        numbers.join(", ")
    );
    let only_epsv = unreached.iter().all(|(way, ..)| *way == Way::Epsv);
    if only_epsv && !reached.is_empty() {
        text.push_str(
            "Those of PASV do. Where the router forwards outer ports to other inner ones, EPSV \
             cannot work, because its reply carries the inner port: forward each port to the same \
             number",
        );
        let flag = without_epsv(seen);
        if flag.is_some() {
            text.push_str(". Or let the server refuse EPSV, and clients use PASV");
        }
        return Some(failure(text, flag));
    }
    if let Some((_, port, _)) = reached.first() {
        let _ = write!(text, "Port {port} is reached, so a part of the range is. ");
    }
    text.push_str(if Reach::of(server) == Reach::Public {
        "Give the server a small range of passive ports, and forward the whole range on the \
         router, each port to the same number; a firewall on the way must permit it too"
    } else {
        "Give the server a small range of passive ports, and open it in the firewalls between \
         this client and the server, that of the server itself included"
    });
    let flag = match &seen.status {
        Some(_) => Some("--passive-ports 60000-60009".to_owned()),
        None => {
            let _ = write!(text, ": {}", SETTINGS_OF_OTHERS.1);
            None
        }
    };
    Some(failure(text, flag))
}

/// A command is refused, or its reply cannot be read.
fn replies(seen: &Seen, way: Way) -> Option<Advice> {
    let attempt = seen.attempt(way)?;
    let (command, is_ipv6) = (way.command(), seen.dialled.is_ipv6());
    match (&attempt.result, way) {
        // PASV is for IPv4 alone.
        (Err(_), Way::PasvAsAnnounced) if is_ipv6 => None,
        (Err(Failure::NotOffered(answer)), Way::Epsv) if !is_ipv6 => {
            let answer = sentence(answer);
            Some(note(format!(
                "the server refuses EPSV ({answer}); clients that send it use PASV"
            )))
        }
        (Err(Failure::NotOffered(answer)), _) => {
            let answer = sentence(answer);
            Some(failure(
                format!("the server refuses {command}: {answer}"),
                None,
            ))
        }
        (Err(Failure::NoAddress), _) => {
            let text = format!(
                "the reply to {command} holds nothing that clients can connect to; if it holds a \
                 host name, give the server an address in its place"
            );
            Some(failure(text, None))
        }
        _ => None,
    }
}

/// A reply within a sentence.
fn sentence(answer: &Answer) -> String {
    answer.to_string().trim_end_matches('.').to_owned()
}

/// The server refused the data connection, or the transfer.
fn refused(seen: &Seen) -> Option<Advice> {
    let failures = seen.attempts.iter().filter_map(|attempt| {
        let failure = attempt.result.as_ref().err()?;
        Some((attempt.way, failure))
    });
    let mut text = None;
    for (way, failure) in failures {
        let command = way.command();
        text = Some(match failure {
            Failure::TransferRefused(answer) => format!(
                "the data connection of {command} was open, and the server did not use it: {}. \
                 If that is about another address, something on the way changes the address of one \
                 of the client's two connections",
                sentence(answer)
            ),
            Failure::Broken(reason) => format!(
                "the data connection of {command} was open, but {reason}: what is at that port is \
                 perhaps not the server"
            ),
            Failure::Control(reason) => {
                format!("the control connection failed at {command}: {reason}")
            }
            _ => continue,
        });
        break;
    }
    text.map(|text| failure(text, None))
}

/// A helper on the way has changed the reply, and so it works.
fn rewritten(seen: &Seen) -> Option<Advice> {
    let (status, announced) = (seen.status.as_ref()?, seen.announced()?);
    let is_for_good = announced == seen.dialled.ip() && status.announced != announced;
    (is_for_good && seen.dialled.is_ipv4()).then(|| {
        let text = format!(
            "the server has announced {}, and a router on the way has put {announced} into the \
             reply to PASV (a helper for FTP, \"FTP ALG\"). Where a client uses TLS, the router \
             cannot do that, and the client fails. The server should announce {announced} itself",
            status.announced
        );
        let flag = address_flag(seen, status, announced);
        noted(text, Some(flag))
    })
}

/// What a server of ours says about it.
fn reported(seen: &Seen) -> Option<Advice> {
    let reported = seen.status.as_ref()?.never_connected.as_ref()?;
    Some(note(format!("the server says: {reported}")))
}

/// A login of ours that may only read. Other reasons not to store are those of the file system.
fn read_only(seen: &Seen) -> Option<Advice> {
    let reason = seen.written.as_ref()?.as_ref().err()?;
    let is_cause = seen.status.is_some() && reason.contains(READ_ONLY);
    is_cause.then(|| {
        let text = "this login may only read. Beside a user, anonymous may never write: log in as \
                    that user";
        noted(text.to_owned(), Some("--write".to_owned()))
    })
}

fn failure(text: String, flag: Option<String>) -> Advice {
    Advice {
        is_failure: true,
        text,
        flag,
    }
}

fn noted(text: String, flag: Option<String>) -> Advice {
    Advice {
        is_failure: false,
        text,
        flag,
    }
}

fn note(text: String) -> Advice {
    noted(text, None)
}

/// In the reply of our server.
const READ_ONLY: &str = "This login may only read";

/// The settings of other servers: of the announced address, and of the range.
const SETTINGS_OF_OTHERS: (&str, &str) = (
    "pasv_address in vsftpd, MasqueradeAddress in ProFTPD, masquerade_address in pyftpdlib, -P in \
     Pure-FTPd",
    "pasv_min_port and pasv_max_port in vsftpd, PassivePorts in ProFTPD, passive_ports in \
     pyftpdlib, -p in Pure-FTPd",
);
