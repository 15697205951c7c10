//! The flags about control sockets, and sockets that were passed at the start instead.

use std::net::IpAddr;

use crate::cli::error::{self, FlagError};
use crate::cli::flags::Flags;
use crate::cli::given::GivenFlags;
use crate::settings::{Listen, Settings, SocketSource};

/// Where the server listens, and who opens the sockets. Those that were `passed` count more than
/// flags.
pub(super) fn settings(
    flags: &Flags,
    given: &GivenFlags,
    passed: &[Listen],
) -> Result<(Vec<Listen>, SocketSource), FlagError> {
    if flags.inetd {
        check_inetd(given, passed)?;
    } else if !passed.is_empty() {
        check_passed(flags, given, passed)?;
        return Ok((passed.to_vec(), SocketSource::ServiceManager));
    }
    check_passive_ports(flags, given)?;
    let source = if flags.inetd {
        SocketSource::Inetd
    } else {
        SocketSource::Server
    };
    Ok((own(flags, given)?, source))
}

/// A process that serves one client counts nothing for others.
pub(super) fn check_limits(settings: &Settings, given: &GivenFlags) -> Result<(), FlagError> {
    if settings.socket_source != SocketSource::Inetd {
        return Ok(());
    }
    let mut users = settings.users.of_file();
    let limited =
        users.find(|user| user.options.quota.is_limited() || user.options.sessions_max.is_some());
    match limited {
        Some(user) => {
            let name = error::shown(user.name.as_ref());
            let problem = format!(
                "{name} in --users has a quota or max-sessions, which only one process for all \
                 clients can keep; leave --inetd out, or the option"
            );
            Err(given.refuse("--inetd", problem))
        }
        None => Ok(()),
    }
}

fn check_inetd(given: &GivenFlags, passed: &[Listen]) -> Result<(), FlagError> {
    if !passed.is_empty() {
        let problem = "listening sockets are passed too (LISTEN_FDS); write Accept=yes and \
                       StandardInput=socket in the units, or leave --inetd out";
        return Err(given.refuse("--inetd", problem));
    }
    let meaningless = OF_ALL_SESSIONS
        .iter()
        .find(|flag| given.find(flag).is_some());
    match meaningless {
        Some(flag) => Err(given.refuse_beside(flag, "--inetd", NOT_WITH_INETD)),
        None => Ok(()),
    }
}

fn check_passed(flags: &Flags, given: &GivenFlags, passed: &[Listen]) -> Result<(), FlagError> {
    if !flags.tls && passed.iter().any(|listen| listen.implicit_tls) {
        let problem = "a socket with the name implicit-tls is passed, but TLS is off; add --tls";
        return Err(FlagError::new("LISTEN_FDNAMES", problem));
    }
    let mut ports = passed.iter().map(|listen| listen.address.port());
    let passive = flags.passive_ports;
    match ports.find(|port| passive.is_some_and(|range| range.contains(*port))) {
        Some(port) => {
            let problem = format!(
                "contains the port {port} of a socket that is passed (LISTEN_FDS); give a range \
                 without it"
            );
            Err(given.refuse("--passive-ports", problem))
        }
        None => Ok(()),
    }
}

fn check_passive_ports(flags: &Flags, given: &GivenFlags) -> Result<(), FlagError> {
    let port = flags.port;
    match flags.passive_ports {
        Some(range) if range.contains(port) => {
            let problem = format!("contains the control port {port}; give a range without it");
            Err(given.refuse_beside("--passive-ports", "--port", problem))
        }
        _ => Ok(()),
    }
}

fn own(flags: &Flags, given: &GivenFlags) -> Result<Vec<Listen>, FlagError> {
    let flag = "--interface";
    given.refuse_repeated(flag, flags.interface.iter())?;
    for (index, address) in flags.interface.iter().enumerate() {
        // A second socket on the same port would fail to bind, with a less helpful text.
        let overlaps = |other: &&IpAddr| {
            let is_any = address.is_unspecified() || other.is_unspecified();
            is_any && address.is_ipv4() == other.is_ipv4()
        };
        if let Some(other) = flags.interface[..index].iter().find(overlaps) {
            let problem = format!("overlaps with {other}; give only one of them");
            return Err(given.refuse_nth(flag, index, problem));
        }
    }
    let mut listen = Listen::sockets(&flags.interface, flags.port, false);
    if let Some(port) = flags.tls_implicit {
        let flag = "--tls-implicit";
        if port != 0 && port == flags.port {
            let problem = "is the control port already; give another one";
            return Err(given.refuse_beside(flag, "--port", problem));
        }
        let mut passive = flags.passive_ports.into_iter();
        if passive.any(|range| range.contains(port)) {
            let problem = "is one of --passive-ports; give a port outside of them";
            return Err(given.refuse_beside(flag, "--passive-ports", problem));
        }
        listen.extend(Listen::sockets(&flags.interface, port, true));
    }
    Ok(listen)
}

/// The flags about what all sessions of a process do together.
const OF_ALL_SESSIONS: [&str; 5] = [
    "--port-mapping",
    "--max-cons",
    "--max-cons-per-ip",
    "--block-after",
    "--block-time",
];
const NOT_WITH_INETD: &str = "means nothing with --inetd, where each client has a process of its \
    own; leave it out, and limit clients where inetd is configured";

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::cli::{Invocation, parse};
    use crate::settings::SocketSource;

    #[test]
    fn one_process_for_each_client_keeps_no_limit_of_all() {
        let place = tempfile::tempdir().unwrap();
        let users = place.path().join("users");
        let home = place.path().display();
        let invocation = |options: &str| {
            fs::write(&users, format!("bob:*:{home}:all:{options}\n")).unwrap();
            let flags = ["--inetd", "--users", users.to_str().unwrap()];
            parse(flags.map(Into::into), |_| None)
        };
        for option in ["quota=1G", "max-sessions=3"] {
            let error = invocation(option).unwrap_err().to_string();
            let expected = "--inetd: bob in --users has a quota or max-sessions, ";
            assert!(error.starts_with(expected), "{error}");
        }
        let Ok(Invocation::Serve(settings)) = invocation("rate-in=1M") else {
            panic!("refused");
        };
        assert_eq!(settings.socket_source, SocketSource::Inetd);
    }
}
