//! A router with UPnP between two renewals.

use std::net::Ipv4Addr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::scripted::{ScriptedHttp, fault};
use crate::nat::port_mapping::client::RouterClient;
use crate::nat::port_mapping::link::Link;
use crate::nat::port_mapping::nonce::NonceSecret;
use crate::nat::port_mapping::pcp_client::OuterNumber;
use crate::nat::port_mapping::public_address::PublicSide;
use crate::nat::port_mapping::router::Router;
use crate::nat::port_mapping::upnp::UpnpService;
use crate::settings::{MappingProtocol, PortMapping};

/// What the router has.
struct State {
    address: &'static str,
    is_mapped: bool,
    shows_entries: bool,
    description: &'static str,
    /// Requests that change something.
    changes: usize,
}

fn answer(state: &mut State, request: &str) -> (u16, String) {
    if request.contains("#GetExternalIPAddress") {
        let address = state.address;
        let value = format!("<NewExternalIPAddress>{address}</NewExternalIPAddress>");
        return (200, value);
    }
    if request.contains("#GetSpecificPortMappingEntry") {
        if !state.shows_entries || !state.is_mapped {
            return fault(714);
        }
        let description = state.description;
        let values = format!(
            "<NewInternalClient>127.0.0.1</NewInternalClient><NewInternalPort>2121\
             </NewInternalPort><NewPortMappingDescription>{description}\
             </NewPortMappingDescription>"
        );
        return (200, values);
    }
    state.changes += 1;
    state.is_mapped = request.contains("#AddPortMapping");
    (200, String::new())
}

/// A client that has found the router.
fn client(state: &Arc<Mutex<State>>) -> (RouterClient, Link, ScriptedHttp) {
    let http = ScriptedHttp::start(Ipv4Addr::LOCALHOST.into(), {
        let state = state.clone();
        move |request| answer(&mut state.lock().unwrap(), request)
    });
    let router = Router {
        address: Ipv4Addr::LOCALHOST,
        own: Ipv4Addr::LOCALHOST,
    };
    let service = UpnpService::at(&format!("http://{}/ctl", http.address), router);
    let public = PublicSide::of([203, 0, 113, 1].into()).unwrap();
    let secret = NonceSecret::random().unwrap();
    let client = RouterClient::new(MappingProtocol::Upnp, router, &secret);
    let (link, _) = Link::new(Arc::new(AtomicBool::new(false))).unwrap();
    (client.found(service, public), link, http)
}

fn state(is_mapped: bool, description: &'static str) -> Arc<Mutex<State>> {
    Arc::new(Mutex::new(State {
        address: "203.0.113.1",
        is_mapped,
        shows_entries: true,
        description,
        changes: 0,
    }))
}

/// The server knows what it has made.
#[test]
fn a_router_may_store_another_description() {
    let state = state(false, "UPnP: NAS");
    let (mut client, mut link, _http) = client(&state);
    for expected in [1, 2] {
        let wanted = OuterNumber::Exact(21);
        let granted = client.map(&mut link, 2121, wanted, PortMapping::LEASE_DEFAULT);
        assert!(!granted.unwrap().is_foreign);
        assert_eq!(state.lock().unwrap().changes, expected);
    }
    client.unmap(&mut link, 2121, 21).unwrap();
    assert!(!state.lock().unwrap().is_mapped);
    assert!(!client.has_mappings());
}

/// The operator has made it for the same port.
#[test]
fn a_mapping_of_someone_else_is_left() {
    let state = state(true, "by hand");
    let (mut client, mut link, _http) = client(&state);
    let wanted = OuterNumber::Exact(21);
    for _ in 0..2 {
        let granted = client.map(&mut link, 2121, wanted, PortMapping::LEASE_DEFAULT);
        assert!(granted.unwrap().is_foreign);
    }
    client.unmap(&mut link, 2121, 21).unwrap();
    assert_eq!(state.lock().unwrap().changes, 0);
}

#[test]
fn a_router_that_has_forgotten_something_is_noticed() {
    let state = state(false, "ftp-server-sync");
    let (mut client, mut link, http) = client(&state);
    let set = |change: &dyn Fn(&mut State)| change(&mut state.lock().unwrap());
    assert!(client.is_unchanged(&link));
    let wanted = OuterNumber::Exact(21);
    let granted = client.map(&mut link, 2121, wanted, PortMapping::LEASE_DEFAULT);
    assert_eq!(granted.unwrap().outer, 21);
    // One that shows no mapping has lost none.
    set(&|state| state.shows_entries = false);
    assert!(client.is_unchanged(&link));
    set(&|state| state.shows_entries = true);
    assert!(client.is_unchanged(&link));
    // It has restarted.
    set(&|state| state.is_mapped = false);
    assert!(!client.is_unchanged(&link));
    set(&|state| state.is_mapped = true);
    assert!(client.is_unchanged(&link));
    set(&|state| state.address = "203.0.113.2");
    assert!(!client.is_unchanged(&link));
    // It is gone.
    drop(http);
    assert!(!client.is_unchanged(&link));
}
