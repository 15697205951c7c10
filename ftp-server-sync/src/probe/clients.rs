//! What common clients do with the replies to PASV and EPSV, and whether they get through.
//!
//! The table is data: each row was measured with the client's usual settings in the NAT lab, but
//! for WinSCP, which its documentation and reports describe, and Windows Explorer, for which it is
//! an assumption.

use std::net::IpAddr;

use ftp_proto::Reach;

use super::seen::{Failure, Seen, Way};

/// A program that many people use.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownClient {
    pub(super) name: &'static str,
    asks: Asks,
    address: PasvAddress,
    has_tls: bool,
}

/// Which command a client sends to an IPv4 server. To an IPv6 server, all send EPSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Pasv,
    /// PASV only where EPSV is refused.
    Epsv,
    /// PASV also where the connection that EPSV led to has failed.
    EpsvThenPasv,
}

/// What a client does with the address in the reply to PASV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PasvAddress {
    Trusts,
    Ignores,
    /// Uses the server's address in place of a private one, if the server's is public.
    ReplacesPrivate,
    /// The same, and also the other way round.
    ReplacesOtherKind,
    /// Ends the transfer if it is not the server's address.
    Refuses,
}

/// Whether a client would get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prospect {
    Works,
    Fails(String),
    /// It offers no TLS, so that this look says nothing about it.
    NoTls,
}

impl KnownClient {
    /// What it does, for people.
    pub(super) fn habit(&self, seen: &Seen) -> &'static str {
        if seen.dialled.is_ipv6() {
            return "sends EPSV over IPv6";
        }
        match (self.asks, self.address) {
            (Asks::Pasv, PasvAddress::Trusts) => "uses the address in the reply to PASV",
            (Asks::Pasv, PasvAddress::Ignores) => "ignores the address in the reply to PASV",
            (Asks::Pasv, PasvAddress::ReplacesPrivate | PasvAddress::ReplacesOtherKind) => {
                "replaces a private address in the reply to PASV"
            }
            (Asks::Pasv, PasvAddress::Refuses) => "refuses an address that it did not connect to",
            (Asks::Epsv, _) => "sends EPSV, and PASV where EPSV is refused",
            (Asks::EpsvThenPasv, _) => "sends EPSV, then PASV, whose address it ignores",
        }
    }

    /// Whether it would get a listing.
    pub(super) fn prospect(&self, seen: &Seen) -> Prospect {
        if seen.tls && !self.has_tls {
            return Prospect::NoTls;
        }
        let result = match self.asks {
            _ if seen.dialled.is_ipv6() => result(seen, Way::Epsv),
            Asks::Pasv => self.pasv(seen),
            Asks::Epsv if is_refused(seen, Way::Epsv) => self.pasv(seen),
            Asks::Epsv => result(seen, Way::Epsv),
            Asks::EpsvThenPasv => result(seen, Way::Epsv).or_else(|_| self.pasv(seen)),
        };
        match result {
            Ok(()) => Prospect::Works,
            Err(reason) => Prospect::Fails(reason),
        }
    }

    fn pasv(&self, seen: &Seen) -> Result<(), String> {
        let server = seen.dialled.ip();
        let Some(announced) = seen.announced() else {
            return result(seen, Way::PasvAsAnnounced);
        };
        let replaces = match self.address {
            PasvAddress::Trusts => false,
            PasvAddress::Ignores => true,
            PasvAddress::ReplacesPrivate => is_private(announced) && !is_private(server),
            PasvAddress::ReplacesOtherKind => is_private(announced) != is_private(server),
            PasvAddress::Refuses if announced == server => false,
            PasvAddress::Refuses => {
                return Err(format!(
                    "refuses {announced}, because it connected to {server}"
                ));
            }
        };
        result(
            seen,
            if replaces {
                Way::PasvToServer
            } else {
                Way::PasvAsAnnounced
            },
        )
    }
}

fn result(seen: &Seen, way: Way) -> Result<(), String> {
    let Some(attempt) = seen.attempt(way) else {
        return Err("not tried".to_owned());
    };
    match (&attempt.result, attempt.target) {
        (Ok(_), _) => Ok(()),
        (Err(failure), Some(target)) if failure.is_unreached() => {
            Err(format!("connects to {}: {failure}", target.ip()))
        }
        (Err(Failure::NotTried(reason)), Some(target)) => {
            Err(format!("connects to {}: {reason}", target.ip()))
        }
        (Err(failure), _) => Err(failure.to_string()),
    }
}

fn is_refused(seen: &Seen, way: Way) -> bool {
    let attempt = seen.attempt(way);
    attempt.is_some_and(|attempt| matches!(attempt.result, Err(Failure::NotOffered(_))))
}

/// As clients see it: an address that leads nowhere in the Internet.
pub(super) fn is_private(address: IpAddr) -> bool {
    let is_reachable = matches!(Reach::of(address), Reach::Public | Reach::Provider);
    !is_reachable || address.is_unspecified()
}

const fn client(
    name: &'static str,
    asks: Asks,
    address: PasvAddress,
    has_tls: bool,
) -> KnownClient {
    KnownClient {
        name,
        asks,
        address,
        has_tls,
    }
}

/// The clients that most people use.
pub(super) const CLIENTS: [KnownClient; 10] = [
    client("FileZilla", Asks::Pasv, PasvAddress::ReplacesPrivate, true),
    client("WinSCP", Asks::Pasv, PasvAddress::ReplacesPrivate, true),
    client("Windows Explorer", Asks::Pasv, PasvAddress::Trusts, false),
    client("macOS ftp (tnftp)", Asks::Epsv, PasvAddress::Refuses, false),
    client(
        "Linux ftp (inetutils)",
        Asks::Pasv,
        PasvAddress::Refuses,
        false,
    ),
    client("lftp", Asks::Pasv, PasvAddress::ReplacesOtherKind, true),
    client("ncftp", Asks::Pasv, PasvAddress::ReplacesPrivate, false),
    client("curl", Asks::EpsvThenPasv, PasvAddress::Ignores, true),
    client("wget", Asks::Pasv, PasvAddress::Trusts, true),
    client("Python ftplib", Asks::Pasv, PasvAddress::Ignores, true),
];
