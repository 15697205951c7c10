//! The program: parses the command line, serves, and decides the exit code.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use ftp_server_sync::check::{self, Verdict};
use ftp_server_sync::cli::{self, CommandLine, Invocation, ProcessStart};
use ftp_server_sync::probe::{self, ProbeRequest, ProbeVerdict};
use ftp_server_sync::rules::{self, RulesKind};
use ftp_server_sync::settings::Settings;
use ftp_server_sync::status::{self, ClientFailure, ClientRequest};
use ftp_server_sync::{
    HookHelpers, PassedSockets, Server, ServiceManager, StderrWriter, enter_sandbox,
    is_hook_helper, refuse_inetd_client, run_hook_helper, start_hook_helpers,
};
use log::Level;

/// The name in front of messages.
const PROGRAM: &str = "ftp-server-sync";

/// A check, or a look from outside, has found that some clients would fail.
const CLIENTS_FAIL: u8 = 1;

/// A server that runs refuses what it was asked for.
const ORDER_REFUSED: u8 = 1;

/// A flag is wrong, or the server cannot start, or the one to look at cannot be reached.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    if is_hook_helper() {
        return start_hooks();
    }
    // Before any thread.
    let start = ProcessStart::read();
    // What it still holds at the end is written when it is dropped.
    let stderr = StderrWriter::new();
    match start {
        Ok(start) => run(start, &stderr),
        Err(problem) => cannot_start(&problem, &stderr),
    }
}

fn run(mut start: ProcessStart, stderr: &StderrWriter) -> ExitCode {
    let command_line = start.command_line();
    match command_line.parse() {
        Ok(Invocation::Serve(settings)) => match start.take_sockets(&settings) {
            Ok(sockets) => serve(*settings, sockets, command_line, start.warning(), stderr),
            Err(problem) => cannot_start(&problem, stderr),
        },
        Ok(Invocation::Check(settings)) => check(&settings, stderr),
        Ok(Invocation::Rules(settings, kind)) => rules(&settings, kind, stderr),
        Ok(Invocation::Recount(settings)) => recount(&settings, stderr),
        Ok(Invocation::Probe(request)) => probe(&request, stderr),
        Ok(Invocation::AskServer(request)) => ask_server(&request, stderr),
        Ok(Invocation::HashPassword) => match cli::new_password_hash() {
            Ok(hash) => print(&hash, stderr),
            Err(error) => cannot_start(&error, stderr),
        },
        Ok(Invocation::Help(text) | Invocation::Version(text)) => print(text.trim_end(), stderr),
        Err(error) => cannot_start(&error, stderr),
    }
}

fn serve(
    settings: Settings,
    sockets: PassedSockets,
    command_line: CommandLine,
    warning: Option<&str>,
    stderr: &StderrWriter,
) -> ExitCode {
    let hooks = match start_hook_helpers(&settings) {
        Ok(hooks) => hooks,
        Err(error) => return cannot_start(&error, stderr),
    };
    // The sandbox may take the right to connect to it.
    let service_manager = ServiceManager::from_environment();
    if let Err(error) = open_log(&settings, stderr) {
        return cannot_start(&error, stderr);
    }
    // It holds for threads that start later, so this comes before the first one.
    if settings.sandbox
        && let Err(error) = enter_sandbox(&settings)
    {
        return cannot_start(&error, stderr);
    }
    if let Some(warning) = warning {
        log::warn!("{warning}");
    }
    for note in cli::environment_notes(env::vars_os()) {
        log::info!("note: {note}");
    }
    let server = match start(settings, sockets, command_line, hooks) {
        Ok(server) => server.with_service_manager(service_manager),
        Err(error) => return cannot_start(&error, stderr),
    };
    if let Err(error) = stderr.start() {
        return cannot_start(&format_args!("cannot start a thread: {error}"), stderr);
    }
    match server.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error, stderr);
            ExitCode::FAILURE
        }
    }
}

/// Opens the log, before the rights to do so are given up.
fn open_log(settings: &Settings, stderr: &StderrWriter) -> io::Result<()> {
    let owner = settings.log_file_owner();
    let opened = stderr.log(settings.log_level, &settings.log, owner);
    opened.map_err(|error| match &settings.log.file {
        Some(file) => Settings::cannot_open_log("--log-file", file, &error),
        None => error,
    })
}

fn start(
    settings: Settings,
    sockets: PassedSockets,
    command_line: CommandLine,
    hooks: HookHelpers,
) -> io::Result<Server> {
    let server = Server::bind_passed(settings, sockets)?;
    let server = server.with_signals()?;
    let server = server.with_status_socket().with_run_as()?;
    let server = server.with_hook_helpers(hooks);
    Ok(server.with_reload(move || command_line.settings().map_err(|error| error.to_string())))
}

/// This process starts hooks for a server in a sandbox.
fn start_hooks() -> ExitCode {
    let stderr = StderrWriter::new();
    match run_hook_helper(&stderr) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => cannot_start(&problem, &stderr),
    }
}

fn check(settings: &Settings, stderr: &StderrWriter) -> ExitCode {
    for note in cli::environment_notes(env::vars_os()) {
        stderr.print(Level::Info, &format_args!("{PROGRAM}: note: {note}"));
    }
    let report = match check::check(settings) {
        Ok(report) => report,
        Err(error) => return cannot_start(&error, stderr),
    };
    // Both outputs often go to one terminal.
    stderr.flush();
    let code = match report.verdict {
        Verdict::Fine => ExitCode::SUCCESS,
        Verdict::ClientsFail => ExitCode::from(CLIENTS_FAIL),
        // The report says why.
        Verdict::CannotStart(_) => ExitCode::from(CANNOT_START),
    };
    print_with(report.text.trim_end(), code, stderr)
}

fn rules(settings: &Settings, kind: RulesKind, stderr: &StderrWriter) -> ExitCode {
    match rules::rules(settings, kind) {
        Ok(lines) => print(lines.trim_end(), stderr),
        Err(error) => cannot_start(&format!("--rules {kind}: {error}"), stderr),
    }
}

fn recount(settings: &Settings, stderr: &StderrWriter) -> ExitCode {
    let report = ftp_server_sync::recount(settings);
    for problem in &report.problems {
        print_error(&format_args!("--recount: {problem}"), stderr);
    }
    let code = if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(CANNOT_START)
    };
    print_with(report.table.trim_end(), code, stderr)
}

fn probe(request: &ProbeRequest, stderr: &StderrWriter) -> ExitCode {
    // The steps take seconds: each is shown when it is done.
    let mut output = Output::default();
    let verdict = probe::probe(request, &mut |text: &str| {
        output.show(text);
    });
    match verdict {
        Ok(ProbeVerdict::Fine) => output.exit_code(ExitCode::SUCCESS, stderr),
        Ok(ProbeVerdict::ClientsFail) => output.exit_code(ExitCode::from(CLIENTS_FAIL), stderr),
        Err(problem) => cannot_start(&problem, stderr),
    }
}

fn ask_server(request: &ClientRequest, stderr: &StderrWriter) -> ExitCode {
    let mut output = Output::default();
    match status::perform(request, &mut |text: &str| output.show(text)) {
        Ok(()) => output.exit_code(ExitCode::SUCCESS, stderr),
        Err(failure @ ClientFailure::Refused(_)) => {
            print_error(&failure, stderr);
            ExitCode::from(ORDER_REFUSED)
        }
        Err(failure) => cannot_start(&failure, stderr),
    }
}

#[cold]
#[inline(never)]
fn cannot_start(problem: &dyn fmt::Display, stderr: &StderrWriter) -> ExitCode {
    print_error(problem, stderr);
    refuse_inetd_client();
    ExitCode::from(CANNOT_START)
}

fn print(text: &str, stderr: &StderrWriter) -> ExitCode {
    print_with(text, ExitCode::SUCCESS, stderr)
}

/// Prints to stdout, and ends with this code.
fn print_with(text: &str, code: ExitCode, stderr: &StderrWriter) -> ExitCode {
    let mut output = Output::default();
    output.show(&format!("{text}\n"));
    output.exit_code(code, stderr)
}

/// Standard output, and why it has not taken everything.
#[derive(Default)]
struct Output {
    error: Option<io::Error>,
}

impl Output {
    /// Prints this at once. False if it cannot be printed, or no one reads it.
    fn show(&mut self, text: &str) -> bool {
        let mut stdout = io::stdout();
        let shown = (stdout.write_all(text.as_bytes())).and_then(|()| stdout.flush());
        let is_shown = shown.is_ok();
        if self.error.is_none() {
            self.error = shown.err();
        }
        is_shown
    }

    /// This code, unless something could not be printed. It is no failure if the reader has closed
    /// the pipe.
    fn exit_code(self, code: ExitCode, stderr: &StderrWriter) -> ExitCode {
        match self.error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let text = format_args!(
                    "cannot print the result: {error}; have standard output lead to a place that \
                     takes it"
                );
                print_error(&text, stderr);
                // 1 would say that some clients fail.
                ExitCode::from(CANNOT_START)
            }
            _ => code,
        }
    }
}

fn print_error(error: &dyn fmt::Display, stderr: &StderrWriter) {
    stderr.print(Level::Error, &format_args!("{PROGRAM}: {error}"));
}
