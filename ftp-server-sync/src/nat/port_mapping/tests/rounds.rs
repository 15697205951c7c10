use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::scripted::{ScriptedRouter, SharedTable, address, honest};
use crate::nat::port_mapping::client::RouterClient;
use crate::nat::port_mapping::job::{MappingJob, PortPurpose, WantedPort};
use crate::nat::port_mapping::ledger::Ledger;
use crate::nat::port_mapping::link::Link;
use crate::nat::port_mapping::nonce::NonceSecret;
use crate::nat::port_mapping::pass::map_all;
use crate::nat::port_mapping::record::RecordFile;
use crate::nat::port_mapping::round_answers::PassResult;
use crate::nat::port_mapping::update::MapperEvent;
use crate::nat::port_mapping::worker::round::RoundProgress;
use crate::settings::MappingProtocol;

/// The control port and `passive` passive ports.
fn job(passive: u16, record: &Path) -> MappingJob {
    let port = |inner, outer, purpose| WantedPort {
        inner,
        outer,
        purpose,
    };
    let range = (60_000..60_000 + passive).map(|inner| port(inner, inner, PortPurpose::Passive));
    MappingJob {
        protocols: MappingProtocol::ALL.to_vec(),
        interface: None,
        listen: BTreeSet::new(),
        listen_v6: BTreeSet::new(),
        ports: [port(2121, 21, PortPurpose::Control)]
            .into_iter()
            .chain(range)
            .collect(),
        lease: Duration::from_secs(3600),
        record_file: record.to_owned(),
    }
}

/// A client of a scripted router, and what a round needs.
struct Asking {
    client: RouterClient,
    link: Link,
    job: MappingJob,
    _router: ScriptedRouter,
}

impl Asking {
    fn new(protocol: MappingProtocol, router: ScriptedRouter, job: MappingJob) -> Self {
        let (mut link, _) = Link::new(Arc::new(AtomicBool::new(false))).unwrap();
        link.connect(router.router.ends()).unwrap();
        let secret = NonceSecret::random().unwrap();
        Self {
            client: RouterClient::new(protocol, router.router, &secret),
            link,
            job,
            _router: router,
        }
    }

    fn round(&mut self, held: &BTreeMap<u16, u16>, on_event: impl Fn(MapperEvent)) -> PassResult {
        let mut record = RecordFile::read(self.job.record_file.clone(), None);
        let mut progress = RoundProgress {
            record: &mut record,
            others: Vec::new(),
            ledger: &Ledger::default(),
            job: &self.job,
            on_event: &on_event,
        };
        map_all(
            &mut self.client,
            &mut self.link,
            &self.job,
            held,
            &mut progress,
        )
        .unwrap()
    }
}

/// A crash within the round leaves nothing that the next start does not know.
#[test]
fn a_port_is_recorded_before_the_router_is_asked() {
    for (number, protocol) in [(11, MappingProtocol::NatPmp), (13, MappingProtocol::Pcp)] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("port-mappings");
        let (table, seen) = (
            SharedTable::default(),
            Arc::new(Mutex::new(BTreeMap::new())),
        );
        let router = ScriptedRouter::start(number, {
            let (file, table, seen) = (file.clone(), table.clone(), seen.clone());
            move |request| {
                if request.len() > 2 {
                    let text = fs::read_to_string(&file).unwrap_or_default();
                    let at = if request[0] == 2 { 40 } else { 4 };
                    let port = u16::from_be_bytes([request[at], request[at + 1]]);
                    // A request may be repeated.
                    seen.lock().unwrap().entry(port).or_insert(text);
                }
                Some(honest(&table, request))
            }
        });
        let mut asking = Asking::new(protocol, router, job(2, &file));
        asking.round(&BTreeMap::new(), |_| ());
        let seen = seen.lock().unwrap();
        let (router, own) = (address(number), address(number + 1));
        let line =
            |inner: u16, outer: u16| format!("{protocol} {router} 0 {own} {inner} {outer}\n");
        let expected = line(2121, 21) + &line(60_000, 60_000) + &line(60_001, 60_001);
        let each = [2121, 60_000, 60_001].map(|port| (port, expected.clone()));
        assert_eq!(*seen, BTreeMap::from(each));
    }
}

/// The numbers of ports of another machine become free: at the next renewal the control port has
/// its own again, and nothing else is left at the router.
#[test]
fn a_control_port_returns_to_its_own_number() {
    for (number, protocol) in [(15, MappingProtocol::NatPmp), (17, MappingProtocol::Pcp)] {
        let directory = tempfile::tempdir().unwrap();
        let table = SharedTable::default();
        table.lock().unwrap().taken.insert(21);
        let router = ScriptedRouter::start(number, {
            let table = table.clone();
            move |request| Some(honest(&table, request))
        });
        let mut asking = Asking::new(protocol, router, job(1, &directory.path().join("record")));
        let mut held = BTreeMap::new();
        for expected in [2121, 2121, 21, 21] {
            if expected == 21 {
                table.lock().unwrap().taken.clear();
            }
            held = asking.round(&held, |_| ()).granted;
            assert_eq!(held, BTreeMap::from([(2121, expected), (60_000, 60_000)]));
            assert_eq!(table.lock().unwrap().mapped, held, "{protocol}");
        }
    }
}

/// Clients outside can log in, and transfer files, before a long range is over.
#[test]
fn the_first_answers_are_in_force_before_the_round_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let table = SharedTable::default();
    let router = ScriptedRouter::start(19, {
        let table = table.clone();
        move |request| Some(honest(&table, request))
    });
    let record = directory.path().join("record");
    let mut asking = Asking::new(MappingProtocol::NatPmp, router, job(60, &record));
    let reports = RefCell::new(Vec::new());
    let on_event = |event: MapperEvent| {
        let MapperEvent::Changed(update) = event else {
            panic!("{event:?}");
        };
        assert!(update.mappings.public.is_some());
        let asked = table.lock().unwrap().mapped.len();
        let (outer, left_out) = (update.mappings.outer.len(), update.mappings.left_out.len());
        let lines = update.lines.len();
        reports.borrow_mut().push([asked, outer, left_out, lines]);
    };
    let result = asking.round(&BTreeMap::new(), on_event);
    assert_eq!(result.granted.len(), 61);
    // Without a passive port that is forwarded, none is left out.
    let expected = [
        [1, 0, 0, 1],
        [9, 8, 52, 0],
        [17, 16, 44, 0],
        [33, 32, 28, 0],
    ];
    assert_eq!(*reports.borrow(), expected);
}

/// Some of the old numbers are those that other ports get.
#[test]
fn passive_ports_follow_other_numbers() {
    for (number, protocol) in [(21, MappingProtocol::NatPmp), (23, MappingProtocol::Pcp)] {
        let directory = tempfile::tempdir().unwrap();
        let table = SharedTable::default();
        let router = ScriptedRouter::start(number, {
            let table = table.clone();
            move |request| Some(honest(&table, request))
        });
        let at = router.router;
        let mut asking = Asking::new(protocol, router, job(2, &directory.path().join("record")));
        let mut ledger = Ledger::default();
        for first in [60_000, 60_001, 60_001, 50_000] {
            for port in &mut asking.job.ports[1..] {
                port.outer = first + (port.inner - 60_000);
            }
            let held = ledger.held_at(at, &asking.job);
            let result = asking.round(&held, |_| ());
            let expected = BTreeMap::from([(2121, 21), (60_000, first), (60_001, first + 1)]);
            assert_eq!(result.granted, expected, "{protocol}");
            assert_eq!(table.lock().unwrap().mapped, expected, "{protocol}");
            ledger.on_result(protocol, at, &asking.job, result, None);
        }
    }
}
