//! The log lines at start: what is served, to whom, and where.
//!
//! Pure: the addresses of the sockets come as an argument.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use ftp_proto::text::printable_word;
use ftp_proto::{Right, Rights};

use crate::settings::{
    BrokenUploads, KnownAddresses, Listen, NameCharset, Settings, SocketSource, SystemUsers,
    TlsSettings, UploadRules,
};

/// What is served, to whom and where, and what passive mode replies announce.
pub(crate) fn summary(
    settings: &Settings,
    known: &KnownAddresses,
    bound: &[(SocketAddr, Listen)],
) -> Vec<String> {
    let directory = printable_word(settings.directory.as_os_str().as_bytes());
    let mut lines = Vec::new();
    if settings.users.use_directory() {
        lines.push(format!("serving {directory} {}", audience(settings)));
    }
    lines.extend(users_of_file(settings));
    lines.extend(settings.users.system().map(users_of_system));
    lines.extend(socket_source(settings));
    for (address, listen) in bound {
        let mut kinds = Vec::new();
        kinds.extend((listen.dual_stack && address.is_ipv6()).then_some("IPv6 and IPv4"));
        kinds.extend(listen.implicit_tls.then_some("TLS"));
        lines.push(if kinds.is_empty() {
            format!("{LISTENING}{address}")
        } else {
            format!("{LISTENING}{address} ({})", kinds.join(", "))
        });
    }
    lines.extend(settings.tls.as_ref().map(|tls| {
        let has_gateways = !settings.trusted_gateways.is_empty();
        protection(tls, has_gateways)
    }));
    lines.extend(uploads(&settings.uploads));
    lines.extend(names(settings.name_charset));
    let ports = match &settings.passive_ports {
        Some(range) if range.count() == 1 => format!("passive port {range}"),
        Some(range) => format!("passive ports {range}"),
        None => "passive ports chosen by the kernel".to_owned(),
    };
    let mut announced: Vec<String> = settings
        .masquerade_map
        .iter()
        .map(|(private, public)| format!("{} for {private}", public.described(known)))
        .collect();
    let address = settings.masquerade_address.iter();
    announced.extend(address.map(|public| public.described(known)));
    lines.push(if announced.is_empty() {
        ports
    } else {
        format!("{ports}, announced as {}", announced.join(", else "))
    });
    lines
}

/// Who has opened the control sockets, if it is not the server.
pub(super) fn socket_source(settings: &Settings) -> Option<String> {
    let text = match settings.socket_source {
        SocketSource::Server => return None,
        SocketSource::ServiceManager => {
            "the control sockets are those that the service manager has passed (LISTEN_FDS); \
             --interface, --port and --tls-implicit are not used"
        }
        SocketSource::Inetd => "serving the one client that inetd has passed (--inetd)",
    };
    Some(text.to_owned())
}

/// What TLS is required for.
pub(super) fn protection(tls: &TlsSettings, has_gateways: bool) -> String {
    let required = match (tls.control_required, tls.data_required) {
        (false, false) => "TLS is offered",
        (true, false) => "TLS is required to log in",
        (false, true) => "TLS is required for transfers",
        (true, true) => "TLS is required to log in and for transfers",
    };
    let certificate = match tls.client_ca {
        Some(_) => ", with a client certificate",
        None => "",
    };
    let resumption = if tls.resumption_required {
        "; protected data connections must resume the control connection's session"
    } else if has_gateways && tls.gateway_resumption {
        "; through a trusted gateway, protected data connections must resume the control \
         connection's session"
    } else {
        ""
    };
    let close_notify = if tls.close_notify_required {
        "; protected uploads must end with close_notify"
    } else {
        ""
    };
    [required, certificate, resumption, close_notify].concat()
}

/// What differs from the usual for uploads.
pub(super) fn uploads(rules: &UploadRules) -> Option<String> {
    let mut parts = Vec::new();
    let max = rules.max_bytes;
    parts.extend(max.map(|bytes| format!("files have at most {bytes} bytes")));
    let free = rules.free_bytes_min;
    parts.extend(free.map(|bytes| format!("{bytes} bytes of the disk stay free")));
    if rules.broken == BrokenUploads::Discard {
        parts.push("a broken one is discarded".to_owned());
    }
    if rules.sync {
        parts.push("each one is on the disk before it is confirmed".to_owned());
    }
    (!parts.is_empty()).then(|| format!("uploads: {}", parts.join("; ")))
}

/// How many users the file has.
fn users_of_file(settings: &Settings) -> Option<String> {
    let file = settings.users_file.as_ref()?;
    let file = printable_word(file.as_os_str().as_bytes());
    let count = match settings.users.of_file().len() {
        1 => "the home of one user".to_owned(),
        count => format!("the homes of {count} users"),
    };
    Some(format!("serving {count} (--users {file})"))
}

/// Which of the system's users may log in.
fn users_of_system(system: &SystemUsers) -> String {
    let (of_group, group) = match &system.group {
        Some(group) => {
            let group = printable_word(group.text.as_bytes());
            (format!(" in the group {group}"), format!(" {group}"))
        }
        None => Default::default(),
    };
    let verb = verb(system.rights);
    format!("serving the homes of the system's users{of_group} {verb} (--system-users{group})")
}

fn verb(rights: Rights) -> &'static str {
    if rights.contains(Right::Store) {
        "with write access"
    } else {
        "read-only"
    }
}

/// How names are written, where some clients do not write UTF-8.
pub(super) fn names(charset: NameCharset) -> Option<String> {
    let name = charset.name();
    if charset == NameCharset::UTF_8 {
        None
    } else if charset.detects_utf8() {
        let until = "until a client asks for UTF-8 or writes it";
        Some(format!("names are in {name} {until}"))
    } else {
        Some(format!("names are in {name} until a client asks for UTF-8"))
    }
}

fn audience(settings: &Settings) -> String {
    let mut audience = Vec::new();
    if let Some((name, access)) = settings.users.user() {
        audience.push(format!(
            "{} to {}",
            verb(access),
            printable_word(name.as_bytes())
        ));
    }
    if let Some(access) = settings.users.anonymous() {
        audience.push(format!(
            "{} to anonymous, who needs no password",
            verb(access)
        ));
    }
    audience.join(", ")
}

/// The begin of a line that programs read.
pub(crate) const LISTENING: &str = "listening on ";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::cli::golden::settings;
    use crate::settings::AddressSource;

    #[test]
    fn lines_say_what_is_served() {
        let cases: [(&str, &str, &[&str]); 6] = [
            (
                "-d /",
                "[::]:2121",
                &[
                    "serving / read-only to anonymous, who needs no password",
                    "listening on [::]:2121 (IPv6 and IPv4)",
                    "passive ports chosen by the kernel",
                ],
            ),
            (
                "-d / -w",
                "0.0.0.0:2121",
                &[
                    "serving / with write access to anonymous, who needs no password",
                    "listening on 0.0.0.0:2121",
                    "passive ports chosen by the kernel",
                ],
            ),
            (
                "-d / -w -u bob -P x --anonymous -n 203.0.113.1 -r 60000-60009 -i :: -i 10.0.0.1",
                "[::]:21 10.0.0.1:21",
                &[
                    "serving / with write access to bob, read-only to anonymous, who needs no password",
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
                    "serving / read-only to anonymous, who needs no password",
                    "listening on 10.0.0.1:21",
                    "passive ports 60000-60009, announced as unknown.example (not resolved yet) for \
                     10.0.0.1, else known.example (203.0.113.1)",
                ],
            ),
            (
                "-d / -n @/run/ip -r 60000-60009 -i 10.0.0.1 \
                 --masquerade-address-map 10.0.0.1=stun:stun.example",
                "10.0.0.1:21",
                &[
                    "serving / read-only to anonymous, who needs no password",
                    "listening on 10.0.0.1:21",
                    "passive ports 60000-60009, announced as stun:stun.example (no answer yet) for \
                     10.0.0.1, else @/run/ip (no address yet)",
                ],
            ),
        ];
        for (line, bound, expected) in cases {
            check_summary(line, bound, expected);
        }
    }

    #[test]
    fn a_line_says_what_uploads_may_do() {
        let check = |flags: &str, expected: &[&str]| {
            let line = format!("-d / -i 10.0.0.1 {flags}");
            let first = [
                "serving / read-only to anonymous, who needs no password",
                "listening on 10.0.0.1:2121",
            ];
            let last = ["passive ports chosen by the kernel"];
            let expected = [&first, expected, &last].concat();
            check_summary(&line, "10.0.0.1:2121", &expected);
        };
        check("--broken-uploads keep --max-upload-size 0", &[]);
        check(
            "--sync",
            &["uploads: each one is on the disk before it is confirmed"],
        );
        check(
            "--broken-uploads discard --max-upload-size 1K --free-space-min 2K",
            &[
                "uploads: files have at most 1024 bytes; 2048 bytes of the disk stay free; a broken \
                 one is discarded",
            ],
        );
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_line_says_what_tls_is_required_for() {
        let check = |flags: &str, expected: &str| {
            let line = format!("-d / -i 10.0.0.1 --tls {flags}");
            let expected = [
                "serving / read-only to anonymous, who needs no password",
                "listening on 10.0.0.1:2121",
                expected,
                "passive ports chosen by the kernel",
            ];
            check_summary(&line, "10.0.0.1:2121", &expected);
        };
        check("", "TLS is offered");
        check("--tls-control-required", "TLS is required to log in");
        check("--tls-data-required", "TLS is required for transfers");
        check(
            "--tls-control-required --tls-data-required --tls-require-resumption",
            "TLS is required to log in and for transfers; protected data connections must resume \
             the control connection's session",
        );
        check(
            "--trust-gateway 172.17.0.1",
            "TLS is offered; through a trusted gateway, protected data connections must resume the \
             control connection's session",
        );
        check(
            "--trust-gateway 172.17.0.1 --gateway-resumption off",
            "TLS is offered",
        );
        check(
            "--tls-require-close-notify",
            "TLS is offered; protected uploads must end with close_notify",
        );
        check(
            "--client-ca /ca.pem",
            "TLS is required to log in, with a client certificate",
        );
        check_summary(
            "-d / --tls --tls-implicit 0",
            "[::]:2121 [::]:990",
            &[
                "serving / read-only to anonymous, who needs no password",
                "listening on [::]:2121 (IPv6 and IPv4)",
                "listening on [::]:990 (IPv6 and IPv4, TLS)",
                "TLS is offered",
                "passive ports chosen by the kernel",
            ],
        );
    }

    /// The sockets of the flags, in their order, are bound to the addresses in `bound`.
    #[track_caller]
    fn check_summary(line: &str, bound: &str, expected: &[&str]) {
        let settings = settings(line);
        let bound = bound.split_whitespace();
        let bound: Vec<(SocketAddr, Listen)> = bound
            .map(|address| address.parse().unwrap())
            .zip(settings.listen.iter().copied())
            .collect();
        let name = AddressSource::Name("known.example".to_owned());
        let known = KnownAddresses::from([(name, Ipv4Addr::new(203, 0, 113, 1))]);
        assert_eq!(summary(&settings, &known, &bound), expected, "{line}");
    }
}
