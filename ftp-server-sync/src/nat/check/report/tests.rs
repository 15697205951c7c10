//! The golden reports of `tests/check.txt`, for several machines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::cli::golden::{self, settings};
use crate::fs::mounts::UnmountedShare;
use crate::nat::address_source::answer::Answer;
use crate::nat::diagnose::addresses::example_addresses;
use crate::nat::diagnose::diagnose;
use crate::nat::evidence::SandboxEvidence;
use crate::nat::port_mapping::probe::{RouterReport, other_number};
use crate::nat::port_mapping::public_address::PublicSide;
use crate::net::port_probe::UnavailablePorts;
use crate::privileges::ProcessRights;
use crate::sandbox::{AllowedAccess, SandboxRule, SandboxRules};
use crate::settings::{KnownAddresses, MappingProtocol};

/// The machines that the golden file names.
fn machine(name: &str) -> Evidence {
    let unmounted = |listed_in, is_empty| Evidence {
        unmounted_share: Some(unmounted_share(listed_in, is_empty)),
        ..home()
    };
    let host_name = || AddressSource::Name("ftp.home.example".to_owned());
    if let Some(machine) = elsewhere(name) {
        return machine;
    }
    match name {
        "home" | "home, example address" => home(),
        "home, root checks" => Evidence {
            rights: ProcessRights {
                root_checks: true,
                ..ProcessRights::default()
            },
            ..home()
        },
        "home, no netlink" => {
            let mut evidence = home();
            evidence.interfaces.without_netlink = true;
            evidence
        }
        "home, name found" => Evidence {
            known: KnownAddresses::from([(host_name(), [203, 0, 113, 5].into())]),
            ..home()
        },
        "home, name not found" => Evidence {
            unresolved: BTreeMap::from([(host_name(), "no answer within 5 s".to_owned())]),
            ..home()
        },
        "home, ports in use" => {
            let ports = [60003, 60007, 60008, 60009];
            let in_use = home().interfaces.addresses.into_iter();
            Evidence {
                unavailable_ports: UnavailablePorts {
                    in_use: in_use.map(|address| (address, ports.into())).collect(),
                    ..UnavailablePorts::default()
                },
                ..home()
            }
        }
        "home, own files shared" => Evidence {
            own_files_inside: vec!["/srv/ftp/ftp.conf".into(), "/srv/ftp/a key".into()],
            ..home()
        },
        "home, disk not mounted" => unmounted(Some("/etc/fstab"), true),
        "home, files below a mount" => unmounted(Some("/etc/fstab"), false),
        "home, empty mount point" => unmounted(None, true),
        "home, sandbox" => sandboxed(&["/srv/ftp"], &[]),
        "home, sandbox of an old kernel" => {
            sandboxed(&[], &["cutting files off elsewhere (Linux 6.2)"])
        }
        other => {
            let router = router(other);
            let (known, answers, unresolved) = answers(other);
            Evidence {
                known,
                answers,
                unresolved,
                router,
                ..home()
            }
        }
    }
}

fn home() -> Evidence {
    with_networks(
        "127.0.0.1 ::1 192.168.77.2 2001:db8:77::2 fe80::2",
        "127.0.0.0/8 192.168.77.0/24 ::1/128 2001:db8:77::/64 fe80::/64",
        "192.168.77.1 fe80::1",
    )
}

fn with_networks(addresses: &str, networks: &str, gateways: &str) -> Evidence {
    Evidence {
        interfaces: golden::interfaces(addresses, networks, gateways),
        ..Evidence::default()
    }
}

/// Those that are not at home.
fn elsewhere(name: &str) -> Option<Evidence> {
    Some(match name {
        "carrier" => with_networks(
            "127.0.0.1 100.64.3.4",
            "127.0.0.0/8 100.64.0.0/10",
            "100.64.0.1",
        ),
        // A VPN server that runs containers.
        "networks" => {
            let mut evidence = with_networks(
                "127.0.0.1 192.168.77.2 10.8.0.1 172.17.0.1 172.18.0.1",
                "127.0.0.0/8 192.168.77.0/24 10.8.0.0/24 172.17.0.0/16 172.18.0.0/16",
                "192.168.77.1",
            );
            let names = ["lo", "eth0", "wg0", "docker0", "br-0123456789ab"];
            let addresses = evidence.interfaces.addresses.iter().copied();
            let names = addresses.zip(names.map(str::to_owned));
            evidence.interfaces.names = names.collect();
            evidence
        }
        "public" => with_networks("127.0.0.1 198.51.100.5", "198.51.100.0/24", "198.51.100.1"),
        "two addresses" => with_networks(
            "127.0.0.1 192.168.77.2 203.0.113.3",
            "127.0.0.0/8 192.168.77.0/24 203.0.113.0/24",
            "192.168.77.1 203.0.113.254",
        ),
        "tunnel with a route" => {
            let mut machine = with_networks("10.8.0.1", "10.8.0.1/32", "");
            machine.interfaces.routed_networks = vec!["10.8.0.0/24".parse().unwrap()];
            machine
        }
        // No default gateway, and a tunnel without a network.
        "no gateway" => with_networks("192.168.77.2 10.8.0.6", "192.168.77.0/24 10.8.0.6/32", ""),
        _ => return None,
    })
}

/// What the router of a machine at home answers.
fn router(name: &str) -> Option<Result<RouterReport, String>> {
    let with_address = |address: [u8; 4]| {
        let public = PublicSide::of(address.into()).unwrap();
        let router = [192, 168, 77, 1].into();
        Some(Ok(RouterReport::new(router, MappingProtocol::Pcp, public)))
    };
    match name {
        "home, router with PCP" | "home, router and stun" => with_address([203, 0, 113, 5]),
        "home, router with another control port" => {
            let mut report = with_address([203, 0, 113, 5]);
            if let Some(Ok(report)) = &mut report {
                let problem = other_number(21, Some([192, 168, 77, 3].into()));
                report.control = Some(problem);
            }
            report
        }
        "home, router behind another" => with_address([10, 0, 0, 5]),
        "home, silent router" => Some(Err(
            "the router 192.168.77.1 forwards nothing (PCP: it does not answer); switch port mapping \
             (UPnP, PCP or NAT-PMP) on in its settings, or forward the ports by hand and give \
             --masquerade-address instead"
                .to_owned(),
        )),
        _ => None,
    }
}

fn unmounted_share(listed_in: Option<&str>, is_empty: bool) -> UnmountedShare {
    UnmountedShare {
        point: "/mnt/usb disk".into(),
        listed_in: listed_in.map(Into::into),
        is_empty,
    }
}

type Answers = BTreeMap<AddressSource, Answer>;
type Unresolved = BTreeMap<AddressSource, String>;

/// What the sources of addresses say on a machine at home.
fn answers(name: &str) -> (KnownAddresses, Answers, Unresolved) {
    let host_name = || AddressSource::Name("ftp.home.example".to_owned());
    let file = || AddressSource::File("/run/public-ip".into());
    let stun = || AddressSource::Stun {
        host: "stun.example".to_owned(),
        port: 3478,
    };
    // The first address of each is the one in use.
    let answering = |source: AddressSource, addresses: &[&str], age| {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        let addresses: Vec<IpAddr> = addresses.collect();
        let IpAddr::V4(first) = addresses[0] else {
            panic!("{addresses:?}")
        };
        let answer = Answer {
            addresses,
            age,
            ..Answer::default()
        };
        let known = KnownAddresses::from([(source.clone(), first)]);
        (known, Answers::from([(source, answer)]), Unresolved::new())
    };
    let without = |source, problem: &str| {
        let unresolved = Unresolved::from([(source, problem.to_owned())]);
        (KnownAddresses::new(), Answers::new(), unresolved)
    };
    match name {
        "home, several addresses" => answering(
            host_name(),
            &["203.0.113.5", "203.0.113.6", "192.168.77.2", "2001:db8::5"],
            None,
        ),
        "home, file" => {
            let age = Some(Duration::from_secs(3 * 3600));
            answering(file(), &["203.0.113.5", "2001:db8::5"], age)
        }
        "home, file with a broken line" => {
            let problem = "line 1 is no IP address: \"wan\"; write one address a line, such as \
                           203.0.113.1";
            let mut found = answering(file(), &["203.0.113.5"], Some(Duration::from_secs(61)));
            for answer in found.1.values_mut() {
                answer.problem = Some(problem.to_owned());
            }
            found
        }
        "home, file empty" => {
            let problem = "it is empty; write the router's public IPv4 address into it";
            without(file(), problem)
        }
        "home, router and stun" => answering(stun(), &["198.51.100.9"], None),
        "home, stun" => answering(stun(), &["203.0.113.5"], None),
        "home, stun private" => answering(stun(), &["192.168.1.5"], None),
        "home, stun unknown" => without(
            stun(),
            "stun.example cannot be resolved: Name or service not known",
        ),
        "home, stun silent" => without(stun(), "192.0.2.7:3478 does not answer within 4.5 s"),
        // What the router answers is all.
        other if router(other).is_some() => Default::default(),
        other => panic!("{other}: no such machine"),
    }
}

fn sandboxed(irreplaceable: &[&str], gaps: &[&'static str]) -> Evidence {
    let rule = |path: &str, access| SandboxRule {
        path: path.into(),
        access,
    };
    let rules = SandboxRules {
        rules: vec![
            rule("/mnt", AllowedAccess::Change),
            rule("/etc/ssl/private", AllowedAccess::Read),
        ],
        irreplaceable: irreplaceable.iter().map(PathBuf::from).collect(),
        sockets: Vec::new(),
    };
    Evidence {
        sandbox: Some(SandboxEvidence {
            rules,
            gaps: gaps.into(),
        }),
        ..machine("home")
    }
}

fn report(machine_name: &str, line: &str) -> String {
    let (mut settings, evidence) = (settings(line), machine(machine_name));
    settings.directory = "/srv/ftp".into();
    let mut findings = diagnose(&settings, &evidence);
    if machine_name.ends_with("example address") {
        findings.extend(example_addresses(&settings, &evidence.interfaces));
    }
    text(&settings, &evidence, &findings, None)
}

#[test]
fn golden_reports() {
    let golden = include_str!("../../../../tests/check.txt");
    golden::check("tests/check.txt", golden, 12, |question| {
        let (machine_name, line) = question.split_once(": ").expect("a machine and flags");
        report(machine_name, line)
    });
    for line in golden.lines().filter(|line| !line.starts_with("$ ")) {
        assert!(line.len() <= WIDTH && line.trim_end() == line, "{line}");
    }
}

/// The widest addresses, networks, names and ranges that there are.
#[test]
fn the_widest_lines_fit() {
    let mut wide = Evidence {
        interfaces: golden::interfaces(
            "192.168.177.222 192.168.178.111 2001:db8:1111:2222:3333:4444:5555:6666",
            "192.168.177.128/25 192.168.178.128/25",
            "192.168.177.221",
        ),
        ..Evidence::default()
    };
    let addresses = wide.interfaces.addresses.iter();
    let names = addresses.map(|address| (*address, "br-0123456789ab".to_owned()));
    wide.interfaces.names = names.collect();
    let settings = settings(
        "-r 64000-65534 --outer-ports 50000-51534 -n 203.100.113.111 \
         --masquerade-client 192.168.111.222/31=203.100.113.122 \
         --local-networks 192.168.177.128/25,100.111.122.128/25",
    );
    let text = text(&settings, &wide, &[], None);
    assert!(
        text.contains(
            "  203.100.113.122 port 50000, by the rule for clients in 192.168.111.222/31\n"
        ),
        "{text}"
    );
    for line in text.lines() {
        assert!(line.len() <= WIDTH, "{line}");
    }
}

/// No line contradicts that the server cannot start.
#[test]
fn a_server_that_cannot_start() {
    let settings = settings("-r 60000-60009");
    let evidence = machine("home");
    let text = text(&settings, &evidence, &[], Some("cannot listen"));
    let end = "\nFAILS    cannot listen\n\nThe server cannot start.\n";
    assert!(text.ends_with(end), "{text}");
    assert!(!text.contains("Nothing is wrong") && !text.contains("can be served"));
}

#[test]
fn a_server_for_this_machine_alone() {
    let settings = settings("-i 127.0.0.1 -i ::1 -r 60000-60009");
    let text = text(&settings, &machine("home"), &[], None);
    let end = "\nClients on this machine can be served, and no others.\n";
    assert!(text.ends_with(end), "{text}");
}
