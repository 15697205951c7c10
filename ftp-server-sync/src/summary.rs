//! What is served, as lines for the log at start.
//!
//! Pure: where the server listens comes as an argument.

use std::net::SocketAddr;

use ftp_proto::Permissions;

use crate::arguments::printable;
use crate::settings::{Listen, Names, Settings};

/// What is served, to whom, where, and what passive clients are told.
pub(crate) fn summary(settings: &Settings, names: &Names, bound: &[SocketAddr]) -> Vec<String> {
    let directory = printable(settings.directory.as_os_str());
    let mut lines = vec![format!("serving {directory} {}", audience(settings))];
    for address in bound {
        let dual_stack = |listen: &Listen| listen.dual_stack && listen.address.ip() == address.ip();
        let families = if settings.listen.iter().any(dual_stack) {
            " (IPv6 and IPv4)"
        } else {
            ""
        };
        lines.push(format!("listening on {address}{families}"));
    }
    let ports = match &settings.passive_ports {
        Some(range) if range.start() == range.end() => format!("passive port {}", range.start()),
        Some(range) => format!("passive ports {}-{}", range.start(), range.end()),
        None => "passive ports of the kernel's choice".to_owned(),
    };
    let mut told: Vec<String> = settings
        .masquerade_map
        .iter()
        .map(|(private, public)| format!("{} for {private}", public.described(names)))
        .collect();
    let address = settings.masquerade_address.iter();
    told.extend(address.map(|public| public.described(names)));
    lines.push(match told.is_empty() {
        true => ports,
        false => format!("{ports}, announced as {}", told.join(", else ")),
    });
    lines
}

fn audience(settings: &Settings) -> String {
    let verb = |permissions: Permissions| match permissions.store {
        false => "read-only",
        true => "with write access",
    };
    let mut audience = Vec::new();
    if let Some((name, access)) = settings.users.account() {
        audience.push(format!("{} to {}", verb(access), printable(name.as_ref())));
    }
    if let Some(access) = settings.users.anonymous() {
        audience.push(format!("{} to anonymous", verb(access)));
    }
    audience.join(", ")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::flags::{self, Invocation};

    fn settings(line: &str) -> Settings {
        let arguments = line.split_whitespace().map(Into::into);
        match flags::parse(arguments, |_| None).unwrap() {
            Invocation::Serve(settings) => *settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_served() {
        let cases: [(&str, &str, &[&str]); 5] = [
            (
                "-d /",
                "[::]:2121",
                &[
                    "serving / read-only to anonymous",
                    "listening on [::]:2121 (IPv6 and IPv4)",
                    "passive ports of the kernel's choice",
                ],
            ),
            (
                "-d / -w",
                "0.0.0.0:2121",
                &[
                    "serving / with write access to anonymous",
                    "listening on 0.0.0.0:2121",
                    "passive ports of the kernel's choice",
                ],
            ),
            (
                "-d / -w -u bob -P x --anonymous -n 203.0.113.1 -r 60000-60009 -i :: -i 10.0.0.1",
                "[::]:21 10.0.0.1:21",
                &[
                    "serving / with write access to bob, read-only to anonymous",
                    "listening on [::]:21",
                    "listening on 10.0.0.1:21",
                    "passive ports 60000-60009, announced as 203.0.113.1",
                ],
            ),
            (
                "-d / -u bob -P x -n 203.0.113.1 -r 60000 -i 10.0.0.1 \
                 --masquerade-address-map 10.0.0.1=203.0.113.2",
                "10.0.0.1:21",
                &[
                    "serving / read-only to bob",
                    "listening on 10.0.0.1:21",
                    "passive port 60000, announced as 203.0.113.2 for 10.0.0.1, else 203.0.113.1",
                ],
            ),
            (
                "-d / -n known.example -r 60000-60009 -i 10.0.0.1 \
                 --masquerade-address-map 10.0.0.1=unknown.example",
                "10.0.0.1:21",
                &[
                    "serving / read-only to anonymous",
                    "listening on 10.0.0.1:21",
                    "passive ports 60000-60009, announced as unknown.example (not known yet) for \
                     10.0.0.1, else known.example (203.0.113.1)",
                ],
            ),
        ];
        for (line, bound, expected) in cases {
            let bound: Vec<SocketAddr> = bound
                .split_whitespace()
                .map(|address| address.parse().unwrap())
                .collect();
            let names = Names::from([("known.example".to_owned(), Ipv4Addr::new(203, 0, 113, 1))]);
            let found = summary(&settings(line), &names, &bound);
            assert_eq!(found, expected, "{line}");
        }
    }
}
