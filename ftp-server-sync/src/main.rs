//! The command line's door to the server: parses, serves, and decides the exit code.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use ftp_server_sync::check::{self, Verdict};
use ftp_server_sync::cli::{CommandLine, Invocation};
use ftp_server_sync::rules::{self, RulesKind};
use ftp_server_sync::settings::Settings;
use ftp_server_sync::{Server, log_to_stderr};

/// A check found that some clients would fail.
const CLIENTS_FAIL: u8 = 1;

/// Bad flags, or a server that cannot start.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let command_line = CommandLine::new(env::args_os().skip(1), |name| env::var_os(name));
    let settings = match command_line.parse() {
        Ok(Invocation::Serve(settings)) => settings,
        Ok(Invocation::Check(settings)) => return check(&settings),
        Ok(Invocation::Rules(settings, kind)) => return rules(&settings, kind),
        Ok(Invocation::Help(text) | Invocation::Version(text)) => return print(text.trim_end()),
        Err(error) => return cannot_start(&error),
    };
    log_to_stderr(settings.log_level);
    let server = match start(*settings, command_line) {
        Ok(server) => server,
        Err(error) => return cannot_start(&error),
    };
    match server.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(settings: Settings, command_line: CommandLine) -> io::Result<Server> {
    let server = Server::bind(settings)?.with_signals()?;
    Ok(server.with_reload(move || command_line.settings().map_err(|error| error.to_string())))
}

fn check(settings: &Settings) -> ExitCode {
    let report = match check::check(settings) {
        Ok(report) => report,
        Err(error) => return cannot_start(&error),
    };
    let printed = print(report.text.trim_end());
    match report.verdict {
        Verdict::Fine => printed,
        Verdict::ClientsFail => ExitCode::from(CLIENTS_FAIL),
        Verdict::CannotStart(problem) => cannot_start(&problem),
    }
}

fn rules(settings: &Settings, kind: RulesKind) -> ExitCode {
    match rules::rules(settings, kind) {
        Ok(lines) => print(lines.trim_end()),
        Err(error) => cannot_start(&error),
    }
}

fn cannot_start(problem: &dyn fmt::Display) -> ExitCode {
    complain(problem);
    ExitCode::from(CANNOT_START)
}

/// Prints to stdout; a reader that has gone away is no failure.
fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn complain(error: &dyn fmt::Display) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(io::stderr(), "ftp-server-sync: {error}");
}
