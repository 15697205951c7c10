//! The program: parses the command line, serves, and decides the exit code.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use ftp_server_sync::check::{self, Verdict};
use ftp_server_sync::cli::{self, CommandLine, Invocation};
use ftp_server_sync::rules::{self, RulesKind};
use ftp_server_sync::settings::Settings;
use ftp_server_sync::{Server, log_to_stderr};

/// A check has found that some clients would fail.
const CLIENTS_FAIL: u8 = 1;

/// A flag is wrong, or the server cannot start.
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
    for note in cli::environment_notes(env::vars_os()) {
        log::info!("note: {note}");
    }
    let server = match start(*settings, command_line) {
        Ok(server) => server,
        Err(error) => return cannot_start(&error),
    };
    match server.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(settings: Settings, command_line: CommandLine) -> io::Result<Server> {
    let server = Server::bind(settings)?.with_signals()?;
    Ok(server.with_reload(move || command_line.settings().map_err(|error| error.to_string())))
}

fn check(settings: &Settings) -> ExitCode {
    for note in cli::environment_notes(env::vars_os()) {
        print_error(&format_args!("note: {note}"));
    }
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
        Err(error) => cannot_start(&format!("--rules {kind}: {error}")),
    }
}

fn cannot_start(problem: &dyn fmt::Display) -> ExitCode {
    print_error(problem);
    ExitCode::from(CANNOT_START)
}

/// Prints to stdout. It is no failure if the reader has closed the pipe.
fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn print_error(error: &dyn fmt::Display) {
    // If this fails, no other place is left to write the error to.
    let _ = writeln!(io::stderr(), "ftp-server-sync: {error}");
}
