//! A session of the core, without sockets: what a client is replied to PASV and EPSV.

use std::num::NonZeroU16;
use std::sync::Arc;

use ftp_proto::{Account, Action, Bound, Config, Endpoints, Outcome, Output, Rights, Session};

/// Runs a session that logs in and sends PASV and EPSV. Returns the replies to these two. Where
/// the configuration requires TLS, the client protects both connections, with a certificate if one
/// is required.
pub(super) fn replies(config: Arc<Config>, endpoints: Endpoints, port: NonZeroU16) -> Vec<String> {
    let protection: &[&str] = if config.tls_control_required || config.tls_data_required {
        &["AUTH TLS", "PBSZ 0", "PROT P"]
    } else {
        &[]
    };
    let login = ["USER anonymous", "PASS check@"];
    let mut session = Session::new(config, endpoints);
    for command in protection.iter().chain(&login) {
        answer(&mut session, command, port);
    }
    ["PASV", "EPSV"]
        .iter()
        .filter_map(|command| answer(&mut session, command, port).pop())
        .collect()
}

/// Passes one command, and returns the replies to it.
fn answer(session: &mut Session, command: &str, port: NonZeroU16) -> Vec<String> {
    // The greeting comes before the first command.
    poll(session, port);
    let line = format!("{command}\r\n");
    let used = session.handle_input(line.as_bytes());
    debug_assert_eq!(used, line.len(), "{command}");
    poll(session, port)
}

/// Answers all actions, and returns the replies.
fn poll(session: &mut Session, port: NonZeroU16) -> Vec<String> {
    let mut replies = Vec::new();
    while let Some(output) = session.poll_output() {
        let outcome = match output {
            Output::Reply(reply) => {
                let mut bytes = Vec::new();
                reply.encode(&mut bytes);
                replies.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
                continue;
            }
            Output::Action(Action::StartTls) => Outcome::Tls {
                established: true,
                leftover: 0,
            },
            Output::Action(Action::Authenticate { .. }) => {
                Outcome::Authenticated(Some(Account::new(Rights::READ_ONLY)))
            }
            Output::Action(Action::OpenPassive(_)) => Outcome::PassiveOpened(Ok(Bound::new(port))),
            Output::Action(_) => continue,
        };
        // Each outcome answers the action before it, so it is accepted.
        let accepted = session.handle_outcome(outcome);
        debug_assert!(accepted.is_ok(), "{accepted:?}");
    }
    replies
}
