//! Flags as users write them: golden refusals and every flag.

use super::*;
use crate::cli::golden;
use crate::net::interfaces::Interfaces;
use crate::settings::{
    AccessRules, AddressSource, BrokenUploads, KnownAddresses, Limits, Listen, LocalNetworks,
    LoginBlock, MappingProtocol, NameCharset, Rates, Timeouts, UploadRules,
};
use ftp_proto::listing::Pattern;
use ftp_proto::{Account, AsciiConversion, ClientRule, OuterPorts, PublicAddress, Rights, Secret};
use ipnet::IpNet;
use log::LevelFilter;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;
use std::{env, fs};

/// Splits like a shell: at blanks, with single quotes, and `\n` and `\e` inside them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            '\\' if quoted => word.get_or_insert_default().push(match characters.next() {
                Some('n') => '\n',
                Some('e') => '\u{1b}',
                other => panic!("{other:?} in {line}"),
            }),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// A line of the shell: environment variables may stand in front.
fn line(line: &str) -> Result<Invocation, FlagError> {
    let words = words(line);
    let is_variable = |word: &&String| {
        (word.starts_with("FTP_") || word.starts_with("TZ=")) && word.contains('=')
    };
    let count = words.iter().take_while(is_variable).count();
    let (variables, arguments) = words.split_at(count);
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|word| word.split_once('=').unwrap())
        .collect();
    parse(arguments.iter().map(OsString::from), |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.into())
    })
}

#[track_caller]
fn settings(text: &str) -> Settings {
    match line(text) {
        Ok(Invocation::Serve(settings)) => *settings,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn refused_flags_name_flag_value_and_remedy() {
    let golden = include_str!("../../tests/refusals.txt");
    golden::check("tests/refusals.txt", golden, 90, |command| {
        if cfg!(not(feature = "tls")) && command.contains("--rules") && command.contains("--tls") {
            return answer_of(golden, command);
        }
        match line(command) {
            Err(error) => format!("{error}\n"),
            Ok(_) => "accepted\n".to_owned(),
        }
    });
}

/// The answer in the golden file, for a command that gets another one from a program without TLS.
fn answer_of(golden: &str, command: &str) -> String {
    let mut lines = golden.lines();
    lines.find(|line| line.strip_prefix("$ ") == Some(command));
    format!("{}\n", lines.next().unwrap())
}

#[test]
fn defaults_without_flags() {
    let settings = settings("");
    assert_eq!(settings.listen, Listen::sockets(&[], 2121, false));
    assert_eq!(settings.directory, env::current_dir().unwrap());
    assert_eq!(
        settings.users.check(b"anonymous", &Secret::new(b"x@y")),
        Some(Account::new(Rights::READ_ONLY))
    );
    assert_eq!(settings.users.user(), None);
    assert_eq!(
        (settings.masquerade_address, settings.passive_ports),
        (None, None)
    );
    assert_eq!((settings.outer_ports, settings.outer_port), (None, 21));
    assert_eq!(settings.masquerade_refresh, Duration::from_secs(60));
    assert_eq!(settings.trusted_gateways, <[IpNet; 0]>::default());
    assert_eq!(settings.local_networks, LocalNetworks::Auto);
    let limits = Limits {
        connections_max: 512,
        connections_per_address_max: Some(32),
        login_attempts_max: 3,
    };
    assert_eq!(settings.limits, limits);
    let timeouts = Timeouts {
        idle: Some(Duration::from_secs(300)),
        login: Some(Duration::from_secs(60)),
        data_open: Some(Duration::from_secs(30)),
        data_stall: Some(Duration::from_secs(300)),
        never_connected_after: Duration::from_secs(4),
    };
    assert_eq!(settings.timeouts, timeouts);
    assert_eq!(settings.rates, Rates::default());
    assert_eq!(settings.access, AccessRules::default());
    assert_eq!(settings.login_delay, Duration::from_secs(3));
    let block = LoginBlock {
        after: 20,
        time: Duration::from_secs(600),
    };
    assert_eq!(settings.login_block, Some(block));
    assert_eq!(settings.shutdown_grace, Duration::from_secs(10));
    assert_eq!((settings.banner, settings.tls), (None, None));
    assert_eq!((settings.hidden, settings.local_time), (Vec::new(), None));
    assert_eq!(
        (settings.umask, settings.uploads),
        (None, UploadRules::default())
    );
    assert_eq!(settings.run_as, None);
    assert!(!settings.permit_foreign_addresses && !settings.permit_privileged_ports);
    assert!(!settings.sandbox && !settings.port_mapping.is_on());
    assert_eq!(settings.log_level, LevelFilter::Info);
}

/// A router can only forward ports that are known before.
#[test]
fn port_mapping_implies_passive_ports() {
    let check = |flags: &str, expected: Option<&str>| {
        let range = settings(flags).passive_ports;
        assert_eq!(range.map(|range| range.to_string()).as_deref(), expected);
    };
    check("--port-mapping off", None);
    check("--port-mapping auto", Some("60000-60009"));
    check("--port-mapping auto -p 60003", Some("60010-60019"));
    check(
        "--port-mapping auto -p 60003 --outer-port 60011",
        Some("60020-60029"),
    );
    check("--port-mapping pcp -r 50000", Some("50000"));
}

/// Every flag, with a value that is not its default. The tests below look for the effect of each.
fn with_every_flag() -> Settings {
    settings(
        "-i 10.0.0.1 --interface=2001:db8::1 -p 21 -d / -wubob -P secret --anonymous \
         --run-as 3999999998:3999999999 \
         -n ::ffff:203.0.113.1 \
         --masquerade-address-map ::ffff:10.0.0.1=203.0.113.2,10.0.0.2=203.0.113.3 \
         --masquerade-address-map=10.0.0.3=203.0.113.4 \
         --masquerade-client 10.8.0.0/24=local --masquerade-client 10.9.0.0/16=10.9.0.1 \
         --local-networks 10.0.0.0/8,fd00::/8 --local-networks 192.168.0.1 \
         --masquerade-client 10.10.0.0/16=ftp.home.example --masquerade-refresh 5 \
         --trust-gateway 172.17.0.1,172.19.0.0/16 --trust-gateway ::ffff:172.18.0.1,fd00::1 \
         --proxy-protocol 192.0.2.5,fd00::/64 --proxy-protocol ::ffff:192.0.2.6 \
         --outer-port 2100 --outer-ports 50000-50009 \
         --port-mapping nat-pmp --port-mapping-interface eth1 --port-mapping-anonymous \
         -r 60000-60009 --max-cons 9 --max-cons-per-ip 2 --max-login-attempts 1 \
         --allow 10.0.0.0/8,::ffff:192.168.0.0/112 --allow fd00::/8 --deny 10.1.0.0/16 \
         --rate-in 500K --rate-out=2M --umask 027 --sync --broken-uploads discard \
         --max-upload-size 20G --free-space-min=500M \
         --login-delay 0 --block-after 7 --block-time 8 --shutdown-grace 0 --timeout 0 --login-timeout 9 --passive-timeout 0 --data-timeout 7 \
         --banner 'two\nlines\n' --permit-foreign-addresses --permit-privileged-ports \
         --deny-commands epsv,EPRT,epsv --deny-commands Mkd \
         --hide '@eaDir,.Trash*' --hide=#recycle --local-time --ascii never --encoding auto:gb2312 --log-level trace",
    )
}

#[test]
fn flags_of_listeners_users_and_limits_have_an_effect() {
    let settings = with_every_flag();
    let interfaces = [address("10.0.0.1"), address("2001:db8::1")];
    assert_eq!(settings.listen, Listen::sockets(&interfaces, 21, false));
    assert_eq!(
        settings.users.check(b"bob", &Secret::new(b"secret")),
        Some(Account::new(Rights::READ_WRITE))
    );
    assert_eq!(settings.users.anonymous(), Some(Rights::READ_ONLY));
    assert_eq!(settings.login_delay, Duration::ZERO);
    let block = LoginBlock {
        after: 7,
        time: Duration::from_secs(8),
    };
    assert_eq!(settings.login_block, Some(block));
    assert_eq!(settings.shutdown_grace, Duration::ZERO);
    assert_eq!(settings.limits.connections_max, 9);
    let rates = Rates {
        inward: NonZeroU64::new(512_000),
        outward: NonZeroU64::new(2 << 20),
    };
    assert_eq!(settings.rates, rates);
    assert_eq!(settings.limits.connections_per_address_max, Some(2));
    let access = AccessRules {
        allowed: ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]
            .map(network)
            .into(),
        denied: vec![network("10.1.0.0/16")],
    };
    assert_eq!(settings.access, access);
    assert_eq!(settings.log_level, LevelFilter::Trace);

    let hidden = ["@eaDir", ".Trash*", "#recycle"];
    let hidden = hidden.map(|pattern| Pattern::new(pattern.as_bytes()));
    assert_eq!(settings.hidden, hidden);
    assert!(settings.local_time.is_some());
    let charset = NameCharset::for_label("auto:GBK");
    assert_eq!(Ok(settings.name_charset), charset);
    assert_eq!(settings.umask, Some(0o027));
    let run_as = settings.run_as.as_ref().expect("a user");
    assert_eq!((run_as.user, run_as.group), (3_999_999_998, 3_999_999_999));
    let uploads = UploadRules {
        broken: BrokenUploads::Discard,
        sync: true,
        max_bytes: Some(20 << 30),
        free_bytes_min: Some(500 << 20),
    };
    assert_eq!(settings.uploads, uploads);
    let mapping = &settings.port_mapping;
    assert_eq!(mapping.protocols, [MappingProtocol::NatPmp]);
    assert_eq!(mapping.interface.as_deref(), Some("eth1"));
    assert!(mapping.anonymous);

    let config = settings.config(&Interfaces::default(), &KnownAddresses::new());
    assert_eq!(config.login_attempts_max, 1);
    assert_eq!(config.ascii, AsciiConversion::Never);
    let login_timeout = Some(Duration::from_secs(9));
    assert_eq!(
        (config.idle_timeout, config.login_timeout),
        (None, login_timeout)
    );
    assert_eq!(config.data_open_timeout, None);
    assert_eq!(config.data_stall_timeout, Some(Duration::from_secs(7)));
    assert_eq!(config.banner, "two\nlines");
    assert!(config.permit_foreign_addresses && config.permit_privileged_ports);
    let denied: Vec<&str> = config.denied_commands.names().collect();
    assert_eq!(denied, ["EPRT", "EPSV", "MKD", "XMKD"]);
}

#[test]
fn the_sandbox_is_refused_where_it_was_not_built() {
    let refused =
        "--sandbox: this program was built without it; build it with the feature \"sandbox\"";
    match line("--sandbox") {
        Ok(Invocation::Serve(settings)) => assert!(settings.sandbox && cfg!(feature = "sandbox")),
        other => assert_eq!(other.unwrap_err().to_string(), refused),
    }
}

#[test]
fn flags_of_ports_and_networks_have_an_effect() {
    let settings = with_every_flag();
    assert_eq!(settings.passive_ports, Some("60000-60009".parse().unwrap()));
    assert_eq!(settings.outer_port, 2100);
    assert_eq!(
        settings.trusted_gateways,
        [
            network("172.17.0.1/32"),
            network("172.19.0.0/16"),
            network("172.18.0.1/32"),
            network("fd00::1/128"),
        ]
    );
    let balancers = ["192.0.2.5/32", "fd00::/64", "192.0.2.6/32"];
    assert_eq!(settings.proxy_protocol[..], balancers.map(network));
    let interfaces = Interfaces {
        gateways: vec![address("::ffff:10.0.0.254")],
        ..Interfaces::default()
    };
    let config = settings.config(&interfaces, &KnownAddresses::new());
    let outer_ports = OuterPorts::new(60000, 50000, 10);
    assert_eq!(config.masquerade.outer_ports, outer_ports.ok());
    let local = [
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "fd00::/8",
        "192.168.0.1/32",
    ];
    assert_eq!(config.masquerade.local_networks, local.map(network));
    assert_eq!(config.masquerade.gateways, [address("10.0.0.254")]);
    assert_eq!(config.trusted_gateways, settings.trusted_gateways);
}

#[test]
fn flags_of_announced_addresses_have_an_effect() {
    let settings = with_every_flag();
    assert_eq!(
        settings.address_sources().into_iter().collect::<Vec<_>>(),
        [&AddressSource::Name("ftp.home.example".to_owned())]
    );
    assert_eq!(settings.masquerade_refresh, Duration::from_secs(5));
    let interfaces = Interfaces::default();
    let config = settings.config(&interfaces, &KnownAddresses::new());
    assert_eq!(
        config.masquerade.address,
        Some(Ipv4Addr::new(203, 0, 113, 1).into())
    );
    let ipv4 = |text: &str| -> Ipv4Addr { text.parse().unwrap() };
    let pair = |private: &str, public: &str| (ipv4(private), ipv4(public).into());
    assert_eq!(
        config.masquerade.map,
        BTreeMap::from([
            pair("10.0.0.1", "203.0.113.2"),
            pair("10.0.0.2", "203.0.113.3"),
            pair("10.0.0.3", "203.0.113.4"),
        ])
    );
    let announced = ClientRule::Announce(ipv4("10.9.0.1").into());
    assert_eq!(
        config.masquerade.clients,
        [
            (network("10.8.0.0/24"), ClientRule::Local),
            (network("10.9.0.0/16"), announced),
            (
                network("10.10.0.0/16"),
                ClientRule::Announce(PublicAddress::Unknown)
            ),
        ]
    );
    let name = AddressSource::Name("ftp.home.example".to_owned());
    let known = KnownAddresses::from([(name, [203, 0, 113, 7].into())]);
    assert_eq!(
        settings.config(&interfaces, &known).masquerade.clients[2],
        (
            network("10.10.0.0/16"),
            ClientRule::Announce(ipv4("203.0.113.7").into())
        )
    );
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn network(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn other_spellings_of_values() {
    assert_eq!(settings("-D").log_level, LevelFilter::Debug);
    assert_eq!(
        settings("--local-networks none").local_networks,
        LocalNetworks::None
    );
    assert_eq!(
        settings("--local-networks=auto").local_networks,
        LocalNetworks::Auto
    );
    for line in [
        "--local-networks auto,10.8.0.0/24",
        "--local-networks 10.8.0.0/24 --local-networks auto",
    ] {
        let both = LocalNetworks::AutoAnd(vec![network("10.8.0.0/24")]);
        assert_eq!(settings(line).local_networks, both, "{line}");
    }
    assert_eq!(
        settings("-r60000").passive_ports,
        Some("60000".parse().unwrap())
    );
    assert_eq!(settings("-p 0 -r 60000").listen[0].address.port(), 0);
    assert_eq!(settings("-w").users.anonymous(), Some(Rights::READ_WRITE));
    assert_eq!(
        settings("-n 203.0.113.1").masquerade_address,
        Some(AddressSource::Address([203, 0, 113, 1].into()))
    );
}

#[test]
fn outer_ports_are_as_many_as_passive_ports() {
    for (outer, inner) in [
        ("50000-50009", "60000-60009"),
        ("65526-65535", "60000-60009"),
        ("22-65535", "22-65535"),
        ("50000", "60000"),
    ] {
        let flags = format!("-p 0 --passive-ports {inner} --outer-ports {outer}");
        assert_eq!(settings(&flags).outer_ports, Some(outer.parse().unwrap()));
    }
}

#[test]
fn a_password_comes_from_a_flag_a_file_or_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let from_file = format!(
        "FTP_PASSWORD=other -u bob --password-file {}",
        file.display()
    );
    for (content, password) in [
        ("secret", "secret"),
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        (" two words \n", " two words "),
    ] {
        fs::write(&file, content).unwrap();
        let settings = settings(&from_file);
        assert_eq!(settings.sources, std::slice::from_ref(&file));
        let users = settings.users;
        assert!(
            users
                .check(b"bob", &Secret::new(password.as_bytes()))
                .is_some(),
            "{content:?}"
        );
        assert!(users.check(b"bob", &Secret::new(b"other")).is_none());
    }
    for content in ["", "\n", "two\nlines\n", "secret\n\n", "a\rb"] {
        fs::write(&file, content).unwrap();
        assert!(line(&from_file).is_err(), "{content:?}");
    }
    for (text, password) in [
        ("FTP_PASSWORD=other -u bob -P secret", "secret"),
        ("FTP_PASSWORD=other -u bob", "other"),
        ("-u bob --password=--write", "--write"),
        ("-u bob --password==", "="),
    ] {
        let users = settings(text).users;
        assert!(
            users
                .check(b"bob", &Secret::new(password.as_bytes()))
                .is_some(),
            "{text}"
        );
    }
    assert_eq!(settings("FTP_PASSWORD=").users, settings("").users);
}

#[test]
fn no_text_shows_a_password() {
    let shown = format!("{:?}", line("-u bob -P secret"));
    assert!(
        shown.contains("bob") && !shown.contains("secret"),
        "{shown}"
    );
    let commands = include_str!("../../tests/refusals.txt").lines();
    let commands = commands.filter_map(|line| line.strip_prefix("$ "));
    for command in commands.filter(|command| command.contains("secret")) {
        let refusal = line(command).unwrap_err().to_string();
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}

#[test]
fn a_directory_may_have_any_name() {
    let parent = tempfile::tempdir().unwrap();
    let odd = OsString::from_vec(b"f\xe9t\xe9".to_vec());
    let directory = parent.path().join(&odd);
    fs::create_dir(&directory).unwrap();
    let arguments = ["-d".into(), directory.clone().into_os_string()];
    let Ok(Invocation::Serve(settings)) = parse(arguments, |_| None) else {
        panic!("refused");
    };
    assert_eq!(settings.directory, directory);
}

#[test]
fn nothing_is_served_with_check_or_rules() {
    let flags = "-n 203.0.113.1 -r 60000-60009";
    let expected = || Box::new(settings(flags));
    assert_eq!(
        line(&format!("{flags} --check")),
        Ok(Invocation::Check(expected()))
    );
    for (word, kind) in [
        ("nft", RulesKind::Nft),
        ("iptables", RulesKind::Iptables),
        ("docker", RulesKind::Docker),
        ("ufw", RulesKind::Ufw),
    ] {
        assert_eq!(
            line(&format!("--rules {word} {flags}")),
            Ok(Invocation::Rules(expected(), kind))
        );
    }
}

/// What else the environment and files say is about a server that is not looked at.
#[test]
fn a_probe_is_about_another_server() {
    let probe = |text: &str| match line(text) {
        Ok(Invocation::Probe(request)) => *request,
        other => panic!("{text}: {other:?}"),
    };
    let plain = probe("FTP_PASSWORD=x FTP_SERVER_SYNC_TLS=yes FTP_SERVER_SYNC_PORT=no --probe nas");
    assert_eq!(
        (plain.login, plain.tls, plain.write_test),
        (None, false, false)
    );
    let full = probe("FTP_PASSWORD=secret --probe 203.0.113.1:2121 -u bob --write-test");
    assert_eq!(full.target, "203.0.113.1:2121".parse().unwrap());
    let login = full.login.unwrap();
    assert_eq!(
        (login.name.as_str(), &login.password[..]),
        ("bob", &b"secret"[..])
    );
    assert!(full.write_test && !format!("{login:?}").contains("secret"));
    if cfg!(feature = "tls") {
        assert!(probe("--probe nas --tls").tls);
    }
}

/// The letters are those of pyftpdlib. A letter used twice would hide the second flag.
#[test]
fn short_names_are_distinct() {
    let mut letters: Vec<char> = flags::table()
        .iter()
        .filter_map(|flag| flag.short)
        .collect();
    letters.sort_unstable();
    let text: String = letters.iter().collect();
    assert_eq!(text, "DPVdhinpruw");
}

#[test]
fn the_documentation_has_every_flag() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/flags.md"));
    let page = page.unwrap();
    for name in long_names() {
        assert!(
            page.contains(&format!("{name}`")) || page.contains(&format!("{name} ")),
            "{name}"
        );
    }
}
