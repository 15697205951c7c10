//! A firewall with UPnP of the test's own.

use std::net::Ipv6Addr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::*;
use crate::nat::port_mapping::job::PortPurpose;
use crate::nat::port_mapping::tests::scripted::{ScriptedHttp, fault};

const LEASE: Duration = Duration::from_secs(3600);

/// What the firewall says about itself, and what it has been asked.
#[derive(Default)]
struct State {
    enabled: u8,
    allowed: u8,
    refusal: Option<u16>,
    /// It has forgotten what it has opened.
    has_restarted: bool,
    calls: Vec<String>,
}

fn answer(state: &mut State, request: &str) -> (u16, String) {
    let action = request.split_once("SOAPAction: \"").unwrap().1;
    let action = action.split_once('#').unwrap().1.split_once('"').unwrap().0;
    let number = |name: &str| {
        let value = request.split_once(&format!("<{name}>"));
        value.map_or("", |value| value.1.split_once('<').unwrap().0)
    };
    let (enabled, allowed) = (state.enabled, state.allowed);
    let call = match action {
        "GetFirewallStatus" => {
            let values = format!(
                "<FirewallEnabled>{enabled}</FirewallEnabled><InboundPinholeAllowed>{allowed}\
                 </InboundPinholeAllowed>"
            );
            return (200, values);
        }
        "AddPinhole" => format!("open {}", number("InternalPort")),
        "UpdatePinhole" => format!("renew {}", number("UniqueID")),
        "DeletePinhole" => format!("close {}", number("UniqueID")),
        other => panic!("{other}"),
    };
    state.calls.push(call);
    match (action, state.refusal) {
        ("AddPinhole", Some(code)) => fault(code),
        ("AddPinhole", None) => {
            let inner: u16 = number("InternalPort").parse().unwrap();
            let id = inner - 2100;
            (200, format!("<UniqueID>{id}</UniqueID>"))
        }
        ("UpdatePinhole", _) if state.has_restarted => fault(704),
        _ => (200, String::new()),
    }
}

/// A client that has found the firewall.
fn client(state: &Arc<Mutex<State>>) -> (PinholeClient, Link, ScriptedHttp) {
    let http = ScriptedHttp::start(Ipv6Addr::LOCALHOST.into(), {
        let state = state.clone();
        move |request| answer(&mut state.lock().unwrap(), request)
    });
    let router = PinholeRouter::new_for_test("::1", "::1");
    let secret = NonceSecret::random().unwrap();
    let mut client = PinholeClient::new(MappingProtocol::Upnp, router, &secret);
    let control = format!("http://{}/ctl", http.address);
    client.firewall = Some(UpnpFirewall::at(&control, router.ends()));
    let (link, _) = Link::new(Arc::new(AtomicBool::new(false))).unwrap();
    (client, link, http)
}

fn ports() -> [WantedPort; 2] {
    [2121, 2122].map(|inner| WantedPort {
        inner,
        outer: inner,
        purpose: PortPurpose::Passive,
    })
}

fn state(enabled: u8, allowed: u8) -> Arc<Mutex<State>> {
    let state = State {
        enabled,
        allowed,
        ..State::default()
    };
    Arc::new(Mutex::new(state))
}

#[test]
fn a_firewall_that_opens_nothing_is_not_asked_to() {
    let closed = state(1, 0);
    let (mut client, mut link, _http) = client(&closed);
    let mut recorded = 0;
    let answer = client.open_all(&mut link, &ports(), LEASE, |_| recorded += 1);
    assert_eq!(
        answer.unwrap_err().to_string(),
        "does not permit openings for IPv6; permit them in its settings"
    );
    assert_eq!(closed.lock().unwrap().calls, [""; 0]);
    assert_eq!(recorded, 0);
    assert!(!client.has_openings());
}

#[test]
fn a_firewall_that_is_off_lets_clients_in() {
    let off = state(0, 0);
    let (mut client, mut link, _http) = client(&off);
    let result = client.open_all(&mut link, &ports(), LEASE, |_| ());
    assert!(result.unwrap().is_off);
    assert_eq!(off.lock().unwrap().calls, [""; 0]);
}

#[test]
fn each_refusal_has_its_text() {
    for (code, text) in [
        (606, "does not permit it; permit UPnP in its settings"),
        (701, "has no room for more openings"),
        (
            703,
            "does not permit openings for IPv6; permit them in its settings",
        ),
    ] {
        let refusing = state(1, 1);
        refusing.lock().unwrap().refusal = Some(code);
        let (mut client, mut link, _http) = client(&refusing);
        let answer = client.open_all(&mut link, &ports(), LEASE, |_| ());
        assert_eq!(answer.unwrap_err().to_string(), text);
        assert!(!client.has_openings());
        assert_eq!(refusing.lock().unwrap().calls, ["open 2121", "open 2122"]);
    }
}

/// An opening is renewed by its number, and opened again where the router has forgotten it.
#[test]
fn openings_are_renewed_by_their_number() {
    let honest = state(1, 1);
    let (mut client, mut link, _http) = client(&honest);
    let mut recorded = Vec::new();
    for has_restarted in [false, false, true] {
        honest.lock().unwrap().has_restarted = has_restarted;
        let opened = client.open_all(&mut link, &ports(), LEASE, |client| {
            recorded.push(client.recorded().count());
        });
        assert_eq!(opened.unwrap().opened, BTreeSet::from([2121, 2122]));
    }
    assert_eq!(recorded, [2, 2, 2]);
    let until = now() + LEASE;
    client.close_made(&mut link, |port| port == 2122, until);
    let expected = [
        "open 2121",
        "open 2122",
        "renew 21",
        "renew 22",
        "renew 21",
        "open 2121",
        "renew 22",
        "open 2122",
        "close 22",
    ];
    assert_eq!(honest.lock().unwrap().calls, expected);
    assert_eq!(client.recorded().count(), 1);
}
