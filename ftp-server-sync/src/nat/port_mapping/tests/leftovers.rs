//! Ports of an earlier run that the record names.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::scripted::{ScriptedRouter, SharedTable, address, honest};
use crate::nat::port_mapping::state_lock::StateLock;
use crate::nat::port_mapping::update::MapperEvent;
use crate::nat::port_mapping::worker::PortMapper;
use crate::settings::PortMapping;

fn off(directory: &Path) -> PortMapping {
    PortMapping {
        protocols: Vec::new(),
        interface: None,
        anonymous: false,
        lease: PortMapping::LEASE_DEFAULT,
        state_directory: directory.to_owned(),
    }
}

fn record(directory: &Path, number: u8) {
    let line = |inner: u16, outer: u16| {
        let (router, own) = (address(number), address(number + 1));
        format!("NAT-PMP {router} 0 {own} {inner} {outer}\n")
    };
    let text = line(2121, 21) + &line(60_000, 60_000);
    fs::write(directory.join("port-mappings"), text).unwrap();
}

/// The next lines of the log.
fn lines(events: &Receiver<MapperEvent>) -> Vec<String> {
    loop {
        let event = events.recv_timeout(Duration::from_secs(60)).unwrap();
        let MapperEvent::Changed(update) = event else {
            panic!("{event:?}");
        };
        if !update.lines.is_empty() {
            return update.lines.into_iter().map(|line| line.text).collect();
        }
    }
}

/// Each attempt that follows reports too, without a line.
fn wait_for_removal(events: &Receiver<MapperEvent>, directory: &Path) {
    while directory.join("port-mappings").exists() {
        let event = events.recv_timeout(Duration::from_secs(60)).unwrap();
        let MapperEvent::Changed(update) = event else {
            panic!("{event:?}");
        };
        assert!(update.lines.is_empty(), "{:?}", update.lines);
    }
}

#[test]
fn ports_of_an_earlier_run_are_removed_without_the_flag() {
    let directory = tempfile::tempdir().unwrap();
    let table = SharedTable::default();
    table.lock().unwrap().mapped = [(2121, 21), (60_000, 60_000)].into();
    let _router = ScriptedRouter::start(31, {
        let table = table.clone();
        move |request| Some(honest(&table, request))
    });
    record(directory.path(), 31);
    let (sender, events) = unbounded();
    let mapper = PortMapper::start(&off(directory.path()), None, move |event| {
        let _ = sender.send(event);
    });
    let router = address(31);
    let line = "had ports open for an earlier run of this server, and closes those \
                that are not wanted any more: 21, 60000";
    assert_eq!(lines(&events), [format!("the router {router} {line}")]);
    assert!(table.lock().unwrap().mapped.is_empty());
    assert!(!directory.path().join("port-mappings").exists());
    drop(mapper);
    let last = events.into_iter().last();
    assert!(matches!(last, Some(MapperEvent::Ended)), "{last:?}");
}

/// The log says it once, and the router is asked again until it answers.
#[test]
fn a_silent_router_is_asked_again_for_the_removal() {
    let directory = tempfile::tempdir().unwrap();
    let table = SharedTable::default();
    table.lock().unwrap().mapped = [(2121, 21), (60_000, 60_000)].into();
    let asked = Arc::new(AtomicUsize::new(0));
    let _router = ScriptedRouter::start(33, {
        let (table, asked) = (table.clone(), asked.clone());
        move |request| {
            // Two ports, each twice.
            let is_silent = asked.fetch_add(1, Ordering::Relaxed) < 4;
            (!is_silent).then(|| honest(&table, request))
        }
    });
    record(directory.path(), 33);
    let (sender, events) = unbounded();
    let mapper = PortMapper::start(&off(directory.path()), None, move |event| {
        let _ = sender.send(event);
    });
    let router = address(33);
    let line = "has ports open for an earlier run of this server, and does not \
                confirm that it closes them: 21, 60000; it is asked again; close them in its settings if \
                they lead anywhere after an hour";
    assert_eq!(lines(&events), [format!("the router {router} {line}")]);
    wait_for_removal(&events, directory.path());
    assert!(table.lock().unwrap().mapped.is_empty());
    drop(mapper);
}

/// It is no earlier run: its ports stay.
#[test]
fn ports_of_another_server_that_runs_are_left() {
    let directory = tempfile::tempdir().unwrap();
    let _lock = StateLock::take(&directory.path().join("port-mapping-lock")).unwrap();
    record(directory.path(), 35);
    let before = fs::read_to_string(directory.path().join("port-mappings")).unwrap();
    let (sender, events) = unbounded();
    let mapper = PortMapper::start(&off(directory.path()), None, move |event| {
        let _ = sender.send(event);
    });
    drop(mapper);
    let events: Vec<MapperEvent> = events.into_iter().collect();
    assert!(matches!(events[..], [MapperEvent::Ended]), "{events:?}");
    let after = fs::read_to_string(directory.path().join("port-mappings")).unwrap();
    assert_eq!(after, before);
}

/// The other one crashes later: what it has left is removed then.
#[test]
fn the_ports_of_a_server_that_ends_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let table = SharedTable::default();
    table.lock().unwrap().mapped = [(2121, 21), (60_000, 60_000)].into();
    let _router = ScriptedRouter::start(37, {
        let table = table.clone();
        move |request| Some(honest(&table, request))
    });
    let lock = StateLock::take(&directory.path().join("port-mapping-lock")).unwrap();
    record(directory.path(), 37);
    let (sender, events) = unbounded();
    let mapper = PortMapper::start(&off(directory.path()), None, move |event| {
        let _ = sender.send(event);
    });
    drop(lock);
    let lines = lines(&events);
    assert!(lines[0].contains("closes those"), "{lines:?}");
    assert!(table.lock().unwrap().mapped.is_empty());
    drop(mapper);
}
