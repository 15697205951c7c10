//! Ports that the router is asked to forward: what it does not do, and what is not asked for.

use crate::nat::evidence::Evidence;
use crate::nat::finding::{Finding, Severity};
use crate::nat::port_mapping::double_nat::another_router;
use crate::nat::port_mapping::job::{RANGE_LARGE, may_map_control_port};
use crate::settings::Settings;

pub(super) fn findings(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    if !settings.port_mapping.is_on() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(control_port(settings));
    findings.extend(clear_text(settings));
    findings.extend(large_range(settings));
    findings.extend(router(settings, evidence));
    findings.extend(control_number(evidence));
    findings.extend(double_nat(settings, evidence));
    findings.extend(ipv6(evidence));
    findings
}

fn control_port(settings: &Settings) -> Option<Finding> {
    (!may_map_control_port(settings)).then(|| {
        Finding::failure(
            "anonymous may log in, so that the router is not asked to forward the control port: \
             everyone on the Internet could log in; give --username and a password without \
             --anonymous, or --port-mapping-anonymous if that is wanted",
        )
    })
}

/// Everyone on the way to a client on the Internet could read its password.
fn clear_text(settings: &Settings) -> Option<Finding> {
    let is_open = may_map_control_port(settings);
    let users = &settings.users;
    let has_users = users.user().is_some() || users.system().is_some();
    let asks_password = !users.has_anonymous() || has_users;
    let flags = match &settings.tls {
        Some(tls) if tls.control_required => return None,
        Some(_) => "--tls-control-required",
        None => "--tls --tls-control-required",
    };
    (is_open && asks_password).then(|| {
        Finding::new(
            Severity::Risk,
            format!(
                "--port-mapping opens the control port to the Internet, and clients may log in in clear \
                 text: others on the way can read passwords; add {flags}"
            ),
        )
    })
}

/// Each port is one request, and an entry in a table of the router.
fn large_range(settings: &Settings) -> Option<Finding> {
    let count = usize::from(settings.passive_ports?.count());
    (count > RANGE_LARGE).then(|| {
        Finding::note(format!(
            "--port-mapping asks the router for {count} passive ports, one after the other: with many \
             routers that takes minutes, or some find no room; give a smaller range, such as \
             --passive-ports 60000-60009, which many clients can share"
        ))
    })
}

/// Only `--check` asks for it.
fn control_number(evidence: &Evidence) -> Option<Finding> {
    let report = evidence.router.as_ref()?.as_ref().ok()?;
    let problem = report.control.as_ref()?;
    Some(Finding::note(format!(
        "--port-mapping: the router {problem}"
    )))
}

/// Only `--check` asks it for this.
fn router(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    match evidence.router.as_ref()? {
        Err(problem) => Some(Finding::failure(format!("--port-mapping: {problem}"))),
        Ok(report) => {
            let problem = report.public.problem()?;
            // With an address of the operator, the numbers of the ports are of use all the same.
            let finding = match settings.masquerade_address {
                None => Finding::failure,
                Some(_) => Finding::note,
            };
            Some(finding(format!("--port-mapping: the router {problem}")))
        }
    }
}

/// A STUN server on the Internet sees another address than the router calls its own.
fn double_nat(settings: &Settings, evidence: &Evidence) -> Option<Finding> {
    let router = evidence.router.as_ref()?.as_ref().ok()?.public.address()?;
    Some(Finding::failure(another_router(
        settings,
        &evidence.known,
        router,
    )?))
}

/// IPv6 needs no translation, but most routers let nothing in. Only `--check` asks them for this;
/// the server's own log has its own line.
fn ipv6(evidence: &Evidence) -> Option<Finding> {
    let problem = evidence.firewall.as_ref()?.as_ref().err()?;
    Some(Finding::note(problem.clone()))
}
