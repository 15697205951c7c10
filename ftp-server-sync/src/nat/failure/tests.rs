//! The table: what has happened, and what the log and the client read.

mod strangers;

use ftp_proto::{
    Account, Action, Bound, ClientRule, Config, Endpoints, Masquerade, Outcome, Output, Rights,
    Session,
};

use super::*;

/// A site, and what happened there. The usual one is a server at 192.168.77.2 behind the router
/// 192.168.77.1, with its public address and a range of ports.
struct Case {
    local: &'static str,
    peer: &'static str,
    with_address: bool,
    port: u16,
    masquerade: Masquerade,
    own: &'static str,
    gateways: &'static str,
    strangers: &'static str,
    /// Those of them that came before.
    returned: &'static str,
    history: PortHistory,
    is_lost: bool,
    route: Option<&'static str>,
    public: Option<&'static str>,
    range: Option<&'static str>,
    outer: Option<&'static str>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            local: "192.168.77.2",
            peer: OUTSIDE,
            with_address: true,
            port: 60_004,
            masquerade: behind_router(),
            own: "127.0.0.1 192.168.77.2",
            gateways: "192.168.77.1",
            strangers: "",
            returned: "",
            history: PortHistory::default(),
            is_lost: false,
            route: None,
            public: Some("203.0.113.1"),
            range: Some("60000-60009"),
            outer: None,
        }
    }
}

/// The rules of that server.
fn behind_router() -> Masquerade {
    let mut rules = without_flags();
    rules.address = Some(Ipv4Addr::new(203, 0, 113, 1).into());
    rules
}

/// The same without the public address.
fn without_flags() -> Masquerade {
    let mut rules = Masquerade::default();
    rules.local_networks = vec![
        "127.0.0.0/8".parse().unwrap(),
        "192.168.77.0/24".parse().unwrap(),
    ];
    rules.gateways = vec!["192.168.77.1".parse().unwrap()];
    rules
}

fn without_masquerade() -> Case {
    Case {
        masquerade: without_flags(),
        public: None,
        ..Case::default()
    }
}

/// What the server offers to this client, as a session decides it.
fn offer(case: &Case) -> PassiveOffer {
    let socket = |ip: &str| (ip.parse::<IpAddr>().unwrap(), 21).into();
    let endpoints = Endpoints::new(socket(case.local), socket(case.peer));
    let mut config = Config::default();
    config.masquerade = case.masquerade.clone();
    if let (Some(inner), Some(outer)) = (case.range, case.outer) {
        let [inner, outer]: [PortRange; 2] = [inner, outer].map(|range| range.parse().unwrap());
        let ports = ftp_proto::OuterPorts::new(inner.first(), outer.first(), inner.count());
        config.masquerade.outer_ports = Some(ports.unwrap());
    }
    let mut session = Session::new(config.into(), endpoints);
    let command = if case.with_address { "PASV" } else { "EPSV" };
    let input = format!("USER x\r\nPASS x\r\n{command}\r\n");
    let mut input = input.as_bytes();
    loop {
        while let Some(output) = session.poll_output() {
            let outcome = match output {
                Output::Action(Action::Authenticate { .. }) => {
                    Outcome::Authenticated(Some(Account::new(Rights::READ_ONLY)))
                }
                Output::Action(Action::OpenPassive(_)) => {
                    Outcome::PassiveOpened(Ok(Bound::new(case.port.try_into().unwrap())))
                }
                _ => continue,
            };
            session.handle_outcome(outcome).unwrap();
        }
        match session.handle_input(input) {
            0 => break,
            used => input = &input[used..],
        }
    }
    *session.passive_offer().expect("an offer")
}

fn addresses(text: &str) -> Vec<IpAddr> {
    let words = text.split_whitespace();
    words.map(|word| word.parse().unwrap()).collect()
}

impl Case {
    fn cause(&self) -> FailureCause {
        let interfaces = Interfaces {
            addresses: addresses(self.own),
            gateways: addresses(self.gateways),
            ..Interfaces::default()
        };
        let strangers = addresses(self.strangers);
        let range = |range: Option<&str>| range.map(|range| range.parse().unwrap());
        let evidence = FailureEvidence {
            offer: offer(self),
            local: self.local.parse().unwrap(),
            peer: self.peer.parse().unwrap(),
            strangers: &strangers,
            returned: addresses(self.returned),
            history: self.history.clone(),
            is_lost: self.is_lost,
            interfaces: &interfaces,
            route: self.route.map(|route| route.parse().unwrap()),
            public: self.public.map(str::to_owned),
            passive_ports: range(self.range),
            outer_ports: range(self.outer),
        };
        evidence.cause()
    }

    /// The flag with its value that the log names. The client reads the same, or that it is in the
    /// log.
    #[track_caller]
    fn cured_by(self, flag: &str) {
        let cause = self.cause();
        let advice = cause.advice();
        let named: Vec<&str> = advice.split(", else ").next().into_iter().collect();
        assert!(named[0].contains(flag), "{advice}");
        let value_ends = advice.split(flag).nth(1).unwrap();
        let next = value_ends.chars().next();
        assert!(matches!(next, None | Some(';' | ' ')), "{advice}");
        let remedy = cause.remedy().expect("words for the client");
        let is_hidden = remedy.contains("the server's log has ");
        // The value that only the operator knows.
        let (before, _) = flag.split_once('=').unwrap_or((flag, ""));
        let is_shown = remedy.contains(flag) || remedy.contains(&format!("{before}=PUBLIC"));
        assert!(is_shown || is_hidden, "{remedy}");
    }

    /// No flag cures it; the log says this.
    #[track_caller]
    fn says(self, advice: &str) {
        let cause = self.cause();
        assert_eq!(cause.advice(), advice, "{cause:?}");
    }
}

/// What other clients have done.
fn history(reached: &[u16], change: impl FnOnce(&mut PortHistory)) -> PortHistory {
    let mut history = PortHistory {
        any_with_address: !reached.is_empty(),
        reached: reached.iter().copied().collect(),
        missed: [60_004].into(),
        ..PortHistory::default()
    };
    change(&mut history);
    history
}

const OUTSIDE: &str = "198.51.100.7";
const FORWARD: &str = "check the port forwarding of the router";

#[test]
fn without_evidence_the_addresses_decide() {
    Case::default().says(FORWARD);
    Case {
        range: None,
        ..Case::default()
    }
    .says(&format!(
        "{FORWARD}; give a range that it forwards with --passive-ports"
    ));
    Case {
        peer: "192.168.77.3",
        ..without_masquerade()
    }
    .says("check whether a firewall blocks the port");
    Case {
        peer: "10.9.0.5",
        ..without_masquerade()
    }
    .says("check that the client can reach this address; if it cannot, give another one with --masquerade-client");
    // What others reach by rewriting the address does not make the address right.
    Case {
        history: history(&[60_004], |history| history.is_reached = true),
        ..without_masquerade()
    }
    .cured_by("--masquerade-address");
}

#[test]
fn a_proxy_on_this_machine() {
    let local = |address| Case {
        local: address,
        peer: address,
        ..Case::default()
    };
    local("127.0.0.1").cured_by("--masquerade-client 127.0.0.0/8=203.0.113.1");
    local("192.168.77.2").cured_by("--masquerade-client 192.168.77.2=203.0.113.1");
    // A client that came through a tunnel is not shown where the server is.
    for public in ["203.0.113.1", "ftp.home.example", "@/etc/public-ip"] {
        let tunnel = Case {
            public: Some(public),
            ..local("127.0.0.1")
        };
        let cause = tunnel.cause();
        let flag = "--masquerade-client 127.0.0.0/8=";
        assert!(cause.advice().contains(&format!("{flag}{public}")));
        let shown = cause.remedy().unwrap();
        assert!(shown.contains(&format!("{flag}PUBLIC")), "{shown}");
        assert!(!shown.contains(public), "{shown}");
    }
    Case {
        own: "127.0.0.1 203.0.113.5",
        public: None,
        masquerade: without_flags(),
        ..local("127.0.0.1")
    }
    .cured_by("--masquerade-client 127.0.0.0/8=203.0.113.5");
    let passes_on = |address: &str| {
        format!(
            "the client came from {address}, this machine; if a proxy or a tunnel passes clients on, \
             let it pass the passive ports on too"
        )
    };
    Case {
        with_address: false,
        ..local("127.0.0.1")
    }
    .says(&passes_on("127.0.0.1"));
    Case {
        with_address: false,
        own: "::1",
        ..local("::1")
    }
    .says(&passes_on("::1"));
    let rule = ClientRule::Announce(Ipv4Addr::new(203, 0, 113, 1).into());
    let mut masquerade = behind_router();
    masquerade.clients = vec![("127.0.0.0/8".parse().unwrap(), rule)];
    Case {
        masquerade,
        ..local("127.0.0.1")
    }
    .says(&passes_on("127.0.0.1"));
}

#[test]
fn others_reach_the_port() {
    let reached = history(&[60_004], |history| history.is_reached = true);
    let case = |peer| Case {
        peer,
        history: reached.clone(),
        ..Case::default()
    };
    let unsure = "others reach this port; the client's own firewall may block it, or the client \
                  trusts the address 203.0.113.1, which does not lead here";
    let own_side = "this port was reached within the last hour, so the client's own firewall or \
                    router blocks it; nothing is to be changed here";
    // They may ignore the address of the reply.
    case(OUTSIDE).says(unsure);
    assert!(!case(OUTSIDE).cause().is_harmless());
    let own = |history: &mut PortHistory| {
        history.is_reached = true;
        history.client_with_address = true;
    };
    let by_the_same_way = Case {
        history: history(&[60_004], own),
        ..case(OUTSIDE)
    };
    assert!(by_the_same_way.cause().is_harmless());
    by_the_same_way.says(own_side);
    let without_address = Case {
        with_address: false,
        ..case(OUTSIDE)
    };
    without_address.says(own_side);
    // An outage.
    Case {
        history: PortHistory {
            others_missed_since: true,
            ..history(&[60_004], own)
        },
        ..case(OUTSIDE)
    }
    .says(FORWARD);
    // Between a neighbour and the server there is no router, so that others prove nothing.
    case("192.168.77.3").cured_by("--masquerade-client 192.168.77.3=203.0.113.1");
    Case {
        history: history(&[60_004], |history| {
            history.is_reached = true;
            history.client_with_address = true;
        }),
        ..case("192.168.77.3")
    }
    .says(own_side);
}

#[test]
fn a_part_of_the_range_is_forwarded() {
    let case = |reached: &[u16], change: fn(&mut PortHistory)| Case {
        history: history(reached, change),
        ..Case::default()
    };
    let own: fn(&mut PortHistory) = |history| history.client_with_address = true;
    case(&[60_000, 60_001, 60_003], own).cured_by("--passive-ports 60000-60003");
    case(&[60_000, 60_001, 60_003, 60_005], own).cured_by("--passive-ports 60000-60003");
    // One port, or two, may be all that were tried.
    case(&[60_000], own)
        .says("of the range, 60000 is reached, and 60004 is not; forward the whole range");
    case(&[60_008, 60_009], |_| ()).says(
        "others reached 60008-60009 within the last hour; look at the client's own firewall, and \
         whether the router forwards 60004",
    );
    Case {
        range: Some("60003-60004"),
        ..case(&[60_003], own)
    }
    .cured_by("--passive-ports 60003");
    case(&[60_006, 60_008, 60_009], |history| {
        history.others_missed = true
    })
    .cured_by("--passive-ports 60006-60009");
    // One client that gets nowhere may have its own firewall.
    let alone = case(&[60_006, 60_007, 60_009], |_| ());
    assert!(!alone.cause().is_evident());
    alone.says(
        "others reached 60006-60009 within the last hour; look at the client's own firewall, and if \
         the router does not forward 60004, set --passive-ports 60006-60009",
    );
    case(&[], |history| history.others_missed = true).says(FORWARD);
    Case {
        port: 60_009,
        outer: Some("50000-50009"),
        history: PortHistory {
            missed: [50_009].into(),
            ..history(&[50_000, 50_003, 50_004], own)
        },
        ..Case::default()
    }
    .cured_by("--passive-ports 60000-60004 --outer-ports 50000-50004");
    Case {
        range: None,
        ..case(&[60_000], own)
    }
    .says(&format!(
        "{FORWARD}; give a range that it forwards with --passive-ports"
    ));
}

#[test]
fn one_of_the_two_replies_leads_elsewhere() {
    Case {
        history: history(&[60_004], |history| {
            history.any_with_address = false;
            history.is_reached_without_address = true;
        }),
        ..Case::default()
    }
    .cured_by("--masquerade-address PUBLIC");
    // Others ignore the address of the reply, and this client gets through only without it.
    Case {
        history: history(&[60_004], |history| {
            history.is_reached = true;
            history.client_without_address = true;
        }),
        ..Case::default()
    }
    .cured_by("--masquerade-address PUBLIC");
    Case {
        with_address: false,
        history: history(&[60_000], |history| history.client_with_address = true),
        ..Case::default()
    }
    .cured_by("--deny-commands EPSV");
}

#[test]
fn a_neighbour_that_translates() {
    let neighbour = || Case {
        peer: "192.168.77.3",
        ..Case::default()
    };
    neighbour().cured_by("--masquerade-client 192.168.77.3=203.0.113.1");
    Case {
        public: Some("ftp.home.example"),
        ..neighbour()
    }
    .cured_by("--masquerade-client 192.168.77.3=ftp.home.example");
    Case {
        with_address: false,
        ..neighbour()
    }
    .says("check whether a firewall blocks the port");
}

#[test]
fn a_private_network_that_is_routed() {
    let from = |peer| Case {
        peer,
        ..Case::default()
    };
    from("10.9.0.5").cured_by("--masquerade-client 10.9.0.0/24=local");
    Case {
        route: Some("10.8.0.0/13"),
        ..from("10.9.0.5")
    }
    .cured_by("--masquerade-client 10.8.0.0/13=local");
    // A client that comes over an interface of a VPN.
    Case {
        local: "10.8.0.1",
        ..from("10.8.0.6")
    }
    .cured_by("--masquerade-client 10.8.0.0/24=local");
    Case {
        local: "100.101.1.2",
        ..from("100.99.3.4")
    }
    .cured_by("--masquerade-client 100.64.0.0/10=local");
    // The router itself stands for clients behind it.
    from("192.168.77.1").says(FORWARD);
}

#[test]
fn another_own_address() {
    Case {
        local: "198.51.100.20",
        own: "192.168.77.2 198.51.100.20",
        ..Case::default()
    }
    .cured_by("--masquerade-address-map 198.51.100.20=198.51.100.20");
    let second = |reached: &[u16]| Case {
        local: "192.168.77.12",
        history: history(reached, |history| {
            history.other_local = Some("192.168.77.2".parse().unwrap());
        }),
        ..Case::default()
    };
    second(&[]).cured_by("--masquerade-address-map 192.168.77.12=PUBLIC");
    // This address gets through, too.
    let flag = second(&[60_000, 60_001, 60_002]).cause().advice();
    assert!(flag.contains("--passive-ports"), "{flag}");
}

#[test]
fn a_client_that_is_gone_is_no_cause() {
    let gone = Case {
        is_lost: true,
        strangers: "203.0.113.28",
        ..Case::default()
    };
    let cause = gone.cause();
    assert_eq!(cause, FailureCause::ClientGone);
    assert!(cause.is_harmless() && cause.remedy().is_none());
}

/// Only these count against the port when others miss it.
#[test]
fn some_causes_leave_the_port_in_doubt() {
    let case = |strangers, is_lost| Case {
        strangers,
        is_lost,
        ..Case::default()
    };
    assert!(case("", false).cause().may_be_the_port());
    assert!(!case("", true).cause().may_be_the_port());
    assert!(!case("192.168.77.1", false).cause().may_be_the_port());
    assert!(!without_masquerade().cause().may_be_the_port());
    let reached = Case {
        history: history(&[60_004], |history| history.is_reached = true),
        ..Case::default()
    };
    // It may be the begin of an outage.
    assert!(reached.cause().may_be_the_port());
}

/// A remedy is part of a sentence, and whole.
#[test]
fn every_remedy_fits_into_a_reply() {
    let long = "2001:db8:1111:2222:3333:4444:5555:6666"
        .parse::<IpAddr>()
        .unwrap();
    // As long as a host name can be.
    let public = "a.".repeat(126);
    let range = "60000-65534".parse().unwrap();
    for cause in [
        FailureCause::ClientSide { trusts: Some(long) },
        FailureCause::ExtendedPassive,
        FailureCause::ThroughGateway {
            gateway: long,
            kind: GatewayKind::Router,
            came: vec![long; 8],
        },
        FailureCause::OwnProxyPort { peer: long },
        FailureCause::OwnProxy {
            clients: "127.0.0.0/8".parse().unwrap(),
            public: public.clone(),
        },
        FailureCause::OtherAddress {
            came: vec![long; 8],
            gateway: long.into(),
            is_router: true,
        },
        FailureCause::WrongAddress {
            announced: long,
            reason: AnnounceReason::ClientRule("255.255.255.128/25".parse().unwrap()),
        },
        FailureCause::PartOfRange {
            reached: range,
            is_enough: true,
            port: 65_535,
            outer: Some(range),
            is_alone: true,
        },
        FailureCause::Neighbour {
            neighbour: long,
            public,
        },
    ] {
        let remedy = cause.remedy().unwrap();
        assert!(
            remedy.len() <= ftp_proto::limits::REMEDY_BYTES_MAX,
            "{remedy}"
        );
        assert!(!remedy.ends_with('.'), "{remedy}");
    }
}
