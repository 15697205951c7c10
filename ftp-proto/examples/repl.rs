//! Type FTP commands to a session without network, files and clock.
//!
//! The example prints every action and answers it with fixed values: any password is correct, each
//! path is a file of 1234 bytes, passive ports count up from 60001, and a transfer ends as soon as
//! it starts.
//!
//! `cargo run -p ftp-proto --example repl`, then `USER me`, `PASS x`, `PASV`, `RETR a.txt`, `QUIT`.

use std::io::{self, BufRead, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ftp_proto::{
    Account, Action, Bound, Config, Endpoints, FileAnswer, FileRequest, Opened, Outcome, Output,
    Refusal, Rights, Session,
};

fn main() -> io::Result<()> {
    let local = "192.168.77.2:21".parse().expect("an address");
    let peer = "198.51.100.7:4711".parse().expect("an address");
    let mut config = Config::default();
    config.masquerade.address = Some(Ipv4Addr::new(203, 0, 113, 1).into());
    let mut session = Session::new(Arc::new(config), Endpoints::new(local, peer));
    let mut port = 60_000;

    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        drain(&mut session, &mut port)?;
        if session.is_closed() {
            return Ok(());
        }
        if let Some(timeout) = session.poll_timeout() {
            println!("   (timer: {:?} for {:?})", timeout.kind, timeout.after);
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            session.handle_eof();
            return drain(&mut session, &mut port);
        }
        let mut rest = &line[..];
        while !rest.is_empty() {
            match session.handle_input(rest) {
                0 => break,
                used => rest = &rest[used..],
            }
        }
    }
}

/// Prints all outputs and answers the actions.
fn drain(session: &mut Session, port: &mut u16) -> io::Result<()> {
    while let Some(output) = session.poll_output() {
        match output {
            Output::Reply(reply) => {
                let mut bytes = Vec::new();
                reply.encode(&mut bytes);
                io::stdout().write_all(&bytes)?;
            }
            Output::Action(action) => {
                println!("   {action:?}");
                if let Some(outcome) = answer(action, port) {
                    session.handle_outcome(outcome).map_err(io::Error::other)?;
                }
            }
        }
    }
    Ok(())
}

fn answer(action: Action, port: &mut u16) -> Option<Outcome> {
    let outcome = match action {
        Action::Authenticate { .. } => {
            Outcome::Authenticated(Some(Account::new(Rights::READ_WRITE)))
        }
        Action::File(FileRequest::Size { .. }) => Outcome::File(Ok(FileAnswer::Size(1234))),
        Action::File(FileRequest::ModifiedTime(_)) => Outcome::File(Ok(FileAnswer::Modified(0))),
        Action::File(FileRequest::Facts(_) | FileRequest::Status(_) | FileRequest::Hash(_)) => {
            Outcome::File(Err(Refusal::Unsupported))
        }
        Action::File(_) => Outcome::File(Ok(FileAnswer::Done)),
        Action::OpenPassive(_) => {
            *port += 1;
            Outcome::PassiveOpened(Bound::try_from(*port).map_err(|_| Refusal::Busy))
        }
        Action::OpenTransfer(_) => Outcome::TransferOpened(Ok(Opened::default())),
        Action::StartTransfer(start) => Outcome::TransferEnded {
            transfer: start.transfer,
            result: Ok(()),
        },
        _ => return action.decline(),
    };
    Some(outcome)
}
