//! `--check`: what the router answers, with a mapping that is removed at once.
//!
//! Not the server's own ports: they may be forwarded to a server that runs, and stay so.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::client::RouterClient;
use super::job::{MappingJob, PortPurpose};
use super::link::Link;
use super::nonce::NonceSecret;
use super::outcome::MappingFailure;
use super::pcp_client::OuterNumber;
use super::pinhole::probe::ask_firewall;
use super::public_address::PublicSide;
use super::record::{MadeMapping, RecordFile};
use super::router::Router;
use super::trouble::{SWITCH_ON, Trouble};
use crate::settings::{Listen, MappingProtocol, Settings};

/// What a router has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouterReport {
    pub(crate) public: PublicSide,
    /// The router and its address, in a sentence.
    pub(crate) text: String,
    /// Why the control port would get another number than the one that is wanted.
    pub(crate) control: Option<String>,
}

impl RouterReport {
    pub(crate) fn new(router: Ipv4Addr, protocol: MappingProtocol, public: PublicSide) -> Self {
        let address = match public.address() {
            Some(address) => format!("; its public address is {address}"),
            None => String::new(),
        };
        let text =
            format!("The router {router} forwards ports when it is asked ({protocol}){address}.");
        Self {
            public,
            text,
            control: None,
        }
    }
}

/// What the routers have answered; `None` where they are not asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouterAnswers {
    pub(crate) ipv4: Option<Result<RouterReport, String>>,
    /// A sentence about its firewall.
    pub(crate) ipv6: Option<Result<String, String>>,
}

/// Asks the routers if the settings say so. Takes some seconds if they are silent. The errors are
/// texts with a remedy.
pub(crate) fn ask_routers(settings: &Settings) -> RouterAnswers {
    let listen = settings
        .listen
        .iter()
        .map(|listen| (listen.address, *listen));
    let listen: Vec<(SocketAddr, Listen)> = listen.collect();
    let Some(job) = MappingJob::new(settings, &listen) else {
        return RouterAnswers::default();
    };
    RouterAnswers {
        ipv4: Some(ask(&job)),
        ipv6: ask_firewall(&job),
    }
}

fn ask(job: &MappingJob) -> Result<RouterReport, String> {
    let router = Router::find(job.interface.as_deref(), &job.listen)?;
    let failed = |error: std::io::Error| error.to_string();
    // A port that no other program has.
    let listener = TcpListener::bind((router.own, 0)).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let (mut link, _) = Link::new(Arc::new(AtomicBool::new(false))).map_err(failed)?;
    link.connect(router.ends()).map_err(failed)?;
    let secret = NonceSecret::random().map_err(failed)?;
    let mut troubles = Vec::new();
    for protocol in &job.protocols {
        let mut client = RouterClient::new(*protocol, router, &secret);
        let begun = client.begin(&mut link);
        let granted =
            begun.and_then(|()| client.map(&mut link, port, OuterNumber::Any(port), LEASE));
        match granted {
            Ok(granted) => {
                // If it gets lost, the mapping ends soon, and leads to a port that is closed.
                let _: Result<(), MappingFailure> = client.unmap(&mut link, port, granted.outer);
                let report = RouterReport::new(router.address, *protocol, granted.public);
                return Ok(RouterReport {
                    control: control_number(job, client, &mut link, port, &secret),
                    ..report
                });
            }
            Err(failure) => troubles.push(format!("{protocol}: it {failure}")),
        }
    }
    let trouble = Trouble::NoAnswer {
        router: router.address,
        reasons: troubles.join("; "),
    };
    Err(format!(
        "{trouble}; {SWITCH_ON}, or forward the ports by hand and give --masquerade-address instead"
    ))
}

/// Why the control port would not get its number at the router. A server that runs on this machine
/// may have it.
fn control_number(
    job: &MappingJob,
    mut client: RouterClient,
    link: &mut Link,
    probe: u16,
    secret: &NonceSecret,
) -> Option<String> {
    let mut ports = job.ports.iter();
    let control = ports.find(|port| port.purpose == PortPurpose::Control)?;
    let (router, number) = (client.router, control.outer);
    let recorded = RecordFile::read(job.record_file.clone(), None);
    // What is recorded in another protocol, the router may never have read.
    let protocol = client.protocol;
    let is_own = |made: &MadeMapping| {
        made.protocol == protocol && made.own == router.own && made.outer == number
    };
    if recorded.written().iter().any(is_own) {
        return None;
    }
    if client.router_chooses() {
        let answer = client.map(link, probe, OuterNumber::Exact(number), LEASE);
        if let Ok(granted) = &answer {
            let _: Result<(), MappingFailure> = client.unmap(link, probe, granted.outer);
        }
        let is_other = match answer {
            Ok(granted) => granted.outer != number,
            Err(MappingFailure::Taken | MappingFailure::Refused(_)) => true,
            Err(_) => false,
        };
        if !is_other {
            return None;
        }
        // Only UPnP says whose it is.
        client = RouterClient::new(MappingProtocol::Upnp, router, secret);
        let begun = client.begin(link);
        let machine = begun
            .ok()
            .and_then(|()| client.machine_behind(link, number));
        return match machine {
            Some(machine) if machine == router.own => None,
            machine => Some(other_number(number, machine)),
        };
    }
    let machine = client.machine_behind(link, number);
    let machine = machine.filter(|machine| *machine != router.own)?;
    Some(other_number(number, Some(machine)))
}

/// It completes "the router …".
pub(crate) fn other_number(number: u16, machine: Option<Ipv4Addr>) -> String {
    let problem = match machine {
        Some(machine) => format!("forwards its port {number} to another machine, {machine}"),
        None => format!(
            "does not give its port {number} to this machine: another machine has it, or another \
             server on this one, or the router itself"
        ),
    };
    format!(
        "{problem}; the control port gets another number, which the log of the server says; free the \
         port in the router's settings, or choose a number with --outer-port"
    )
}

/// Long enough to remove it.
const LEASE: Duration = Duration::from_secs(120);
