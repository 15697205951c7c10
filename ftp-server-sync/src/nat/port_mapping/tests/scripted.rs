//! Routers on loopback addresses that answer what a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::nat::port_mapping::router::{ROUTER_PORT, Router};

/// A thread that answers PCP and NAT-PMP.
pub(in crate::nat::port_mapping) struct ScriptedRouter {
    pub(in crate::nat::port_mapping) router: Router,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedRouter {
    /// At [`address`] of the number; the machine that asks it has that of the number above. Tests
    /// run at the same time: each has its own numbers.
    pub(in crate::nat::port_mapping) fn start(
        number: u8,
        mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        let router = Router {
            address: address(number),
            own: address(number + 1),
        };
        let socket = UdpSocket::bind((router.address, ROUTER_PORT)).unwrap();
        let wait = Some(Duration::from_millis(50));
        socket.set_read_timeout(wait).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let thread_ends = ends.clone();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 2000];
            while !thread_ends.load(Ordering::Relaxed) {
                if let Ok((count, client)) = socket.recv_from(&mut buffer)
                    && let Some(answer) = answer(&buffer[..count])
                {
                    socket.send_to(&answer, client).unwrap();
                }
            }
        });
        Self {
            router,
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for ScriptedRouter {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

/// An address of this process alone: the tests of another one may run at the same time.
pub(in crate::nat::port_mapping) fn address(number: u8) -> Ipv4Addr {
    let [.., high, low] = process::id().to_be_bytes();
    [127, high, low, number].into()
}

/// The mappings of an honest router.
#[derive(Debug, Default)]
pub(in crate::nat::port_mapping) struct Table {
    /// Its number for each port of this machine.
    pub(in crate::nat::port_mapping) mapped: BTreeMap<u16, u16>,
    /// Numbers of another machine.
    pub(in crate::nat::port_mapping) taken: BTreeSet<u16>,
}

pub(in crate::nat::port_mapping) type SharedTable = Arc<Mutex<Table>>;

/// What such a router answers in the protocol of the request.
pub(in crate::nat::port_mapping) fn honest(table: &SharedTable, request: &[u8]) -> Vec<u8> {
    let mut table = table.lock().unwrap();
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    let (is_pcp, is_map) = (request[0] == 2, request.len() > 2);
    let (inner, wished) = match (is_pcp, is_map) {
        (true, _) => (word(40), word(42)),
        (false, true) => (word(4), word(6)),
        (false, false) => (0, 0),
    };
    let lifetime = match (is_pcp, is_map) {
        (true, _) => &request[4..8],
        (false, true) => &request[8..12],
        (false, false) => &[],
    };
    let is_removal = is_map && lifetime == [0; 4];
    let outer = table.answer_about(is_map, is_removal, inner, wished);
    let mut answer = vec![request[0], request[1] | 0x80, 0, 0];
    if !is_pcp {
        answer.extend(EPOCH);
        if is_map {
            answer.extend(&request[4..6]);
            answer.extend(outer.to_be_bytes());
            answer.extend(&request[8..12]);
        } else {
            answer.extend(PUBLIC);
        }
        return answer;
    }
    if request.len() > 60 && outer != wished {
        // CANNOT_PROVIDE_EXTERNAL, to a request that takes no other number.
        answer[3] = 11;
        table.mapped.remove(&inner);
    }
    answer.extend(&request[4..8]);
    answer.extend(EPOCH);
    answer.extend([0; 12]);
    answer.extend(&request[24..42]);
    answer.extend(outer.to_be_bytes());
    let public = Ipv4Addr::from(PUBLIC).to_ipv6_mapped();
    answer.extend(public.octets());
    answer
}

impl Table {
    fn answer_about(&mut self, is_map: bool, is_removal: bool, inner: u16, wished: u16) -> u16 {
        if !is_map {
            return 0;
        }
        if is_removal {
            self.mapped.remove(&inner);
            return 0;
        }
        // A mapping keeps its number.
        if let Some(outer) = self.mapped.get(&inner) {
            return *outer;
        }
        let is_taken = |outer: &u16| {
            self.taken.contains(outer) || self.mapped.values().any(|other| other == outer)
        };
        let outer = [wished].into_iter().chain(40_000..50_000);
        let outer = outer.into_iter().find(|outer| !is_taken(outer)).unwrap();
        self.mapped.insert(inner, outer);
        outer
    }
}

/// A thread that answers HTTP.
pub(in crate::nat::port_mapping) struct ScriptedHttp {
    pub(in crate::nat::port_mapping) address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedHttp {
    /// `answer` gets a request, and returns the status and what the envelope contains.
    pub(in crate::nat::port_mapping) fn start(
        address: IpAddr,
        mut answer: impl FnMut(&str) -> (u16, String) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let thread_ends = ends.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if thread_ends.load(Ordering::Relaxed) {
                    break;
                }
                let mut stream = stream.unwrap();
                let (status, values) = answer(&request(&mut stream));
                let body =
                    format!("<s:Envelope xmlns:s=\"e\"><s:Body>{values}</s:Body></s:Envelope>");
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        Self {
            address,
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for ScriptedHttp {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

/// The head of a request and its body.
fn request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return text,
        }
    }
}

/// An error of UPnP.
pub(in crate::nat::port_mapping) fn fault(code: u16) -> (u16, String) {
    let values = format!("<s:Fault><errorCode>{code}</errorCode></s:Fault>");
    (500, values)
}

pub(in crate::nat::port_mapping) const PUBLIC: [u8; 4] = [203, 0, 113, 1];
const EPOCH: [u8; 4] = [0, 0, 0, 9];
