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
        let values = "<NewInternalClient>127.0.0.1</NewInternalClient><NewInternalPort>2121\
                      </NewInternalPort><NewPortMappingDescription>ftp-server-sync\
                      </NewPortMappingDescription>";
        return (200, values.to_owned());
    }
    state.is_mapped |= request.contains("#AddPortMapping");
    (200, String::new())
}

#[test]
fn a_router_that_has_forgotten_something_is_noticed() {
    let state = Arc::new(Mutex::new(State {
        address: "203.0.113.1",
        is_mapped: false,
        shows_entries: true,
    }));
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
    let mut client = client.found(service, public);
    let (mut link, _) = Link::new(Arc::new(AtomicBool::new(false))).unwrap();
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
