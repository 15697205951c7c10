//! A router with UPnP that gives each number to the machine that asks last, as some do: a server
//! leaves what others have.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use super::upnp::{LOCATION, ScriptedIgd, fault, honest, send_values};
use super::{HomeServer, Miniupnpd, Options, assert_served_outside, sealed_lab};

/// The mappings of the router: for each number the machine, its port and the description.
type Table = Arc<Mutex<BTreeMap<u16, [String; 3]>>>;

fn entry(machine: &str, port: u16, description: &str) -> [String; 3] {
    [machine.to_owned(), port.to_string(), description.to_owned()]
}

fn argument(request: &str, name: &str) -> String {
    let (_, rest) = request.split_once(&format!("<{name}>")).expect("it");
    let (value, _) = rest.split_once('<').expect("its end");
    value.to_owned()
}

fn answer(request: &str, table: &Table, stream: &mut TcpStream) {
    let of_request = |name: &str| argument(request, name);
    let mut table = table.lock().expect("the table");
    if request.contains("#GetSpecificPortMappingEntry") {
        let Some([machine, port, description]) = table.get(&number(request)) else {
            return fault(stream, 714);
        };
        let values = format!(
            "<NewInternalClient>{machine}</NewInternalClient><NewInternalPort>{port}</NewInternalPort>\
             <NewPortMappingDescription>{description}</NewPortMappingDescription>"
        );
        return send_values(stream, "200 OK", &values);
    }
    if request.contains("#AddPortMapping") {
        let names = [
            "NewInternalClient",
            "NewInternalPort",
            "NewPortMappingDescription",
        ];
        table.insert(number(request), names.map(of_request));
    } else if request.contains("#DeletePortMapping") {
        table.remove(&number(request));
    }
    honest(request, "11.22.33.1", stream);
}

fn number(request: &str) -> u16 {
    argument(request, "NewExternalPort")
        .parse()
        .expect("a number")
}

/// Another machine's, another program's on this machine, and one that the operator has made for the
/// same port of this machine.
#[test]
fn mappings_of_others_are_neither_overwritten_nor_deleted() {
    let lab = sealed_lab();
    let others = BTreeMap::from([
        (21, entry("192.168.77.3", 21, "nas")),
        (60_001, entry("192.168.77.2", 2200, "ftp-server-sync")),
        (60_002, entry("192.168.77.2", 60_002, "by hand")),
    ]);
    let table: Table = Arc::new(Mutex::new(others.clone()));
    let router = ScriptedIgd::start(&lab, LOCATION, {
        let table = Arc::clone(&table);
        move |request, stream| answer(request, &table, stream)
    });
    let home = HomeServer::within(lab, &["-r", "60000-60003", "--port-mapping", "upnp"]);
    home.server.log_with(
        "the router does not forward its port 21: clients outside reach the control port",
    );
    let log = home
        .server
        .log_with("the passive ports 60000, 60002-60003, port ");
    assert!(log.contains(" to passive port 60001"), "{log}");
    let entries = || table.lock().expect("the table").clone();
    let with_own = entries();
    // The control port, two of the range, and one with another number.
    assert_eq!(with_own.len(), others.len() + 4, "{with_own:?}");
    // The lease is over, as it seems, and another machine has the number by now.
    let late = entry("192.168.77.3", 60_000, "ftp-server-sync");
    let replaced = table
        .lock()
        .expect("the table")
        .insert(60_000, late.clone());
    assert_eq!(
        replaced,
        Some(entry("192.168.77.2", 60_000, "ftp-server-sync"))
    );
    home.finish();
    let mut left = others;
    left.insert(60_000, late);
    assert_eq!(entries(), left);
    drop(router);
}

/// The router forwards to the machine that asks, and to no other one.
#[test]
fn upnp_asks_from_the_address_that_listens() {
    let lab = sealed_lab();
    lab.address("server", "lan", "192.168.77.12/24");
    let router = Miniupnpd::start(&lab, &Options::default());
    let flags = [
        "-i",
        "192.168.77.12",
        "-r",
        "60000-60003",
        "--port-mapping",
        "upnp",
    ];
    let home = HomeServer::within(lab, &flags);
    home.server.log_with(
        "(UPnP) forwards from 11.22.33.1 to 192.168.77.12: port 21 to the control port 2121",
    );
    assert_eq!(router.mapped(&home.lab).len(), 5);
    assert_served_outside(&home, 21);
    home.finish();
}
