//! The server's program beside a bare limit, which does the same work without any checks: what each
//! of them takes for it, on 127.0.0.1.
//!
//! `cargo bench -p ftp-tests --bench loopback`; with `-- --help` it lists its options and
//! workloads. `ftp-server-sync/docs/bench.md` explains the tables and the method.

mod client;
mod growth;
mod limit;
mod machine;
mod meter;
mod options;
mod page;
mod processor;
mod rounds;
mod scale;
mod server;
mod share;
mod stream;
mod table;
mod target;
mod tls;
mod trace;
mod transfer;
mod workload;

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use options::{Options, Request};
use rounds::Bench;
use scale::Scale;
use server::Programs;
use share::Shares;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    // This program is the limit too, in a process of its own.
    if let [first, rest @ ..] = &arguments[..]
        && first == limit::ARGUMENT
    {
        return finish(limit::serve(rest));
    }
    match Options::parse(&arguments) {
        Ok(Request::Run(options)) => finish(run(&options)),
        Ok(Request::Help) => {
            println!("{}", options::help());
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("loopback: {text}");
            ExitCode::FAILURE
        }
    }
}

fn finish(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loopback: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let scale = if options.quick {
        &Scale::QUICK
    } else {
        &Scale::FULL
    };
    let heading = machine::heading();
    let programs = Programs {
        ours: match &options.server {
            Some(path) => path.clone(),
            None => build()?,
        },
        limit: env::current_exe()?,
    };
    let mut failures = Vec::new();
    let mut picture = None;
    let (section, lines) = if options.growth {
        let (lines, curves) = growth::measure(&programs, scale)?;
        picture = Some(curves);
        (page::GROWTH, lines)
    } else {
        let bench = Bench {
            programs: &programs,
            shares: &Shares::new(scale)?,
            scale,
        };
        let rounds = options.rounds.unwrap_or(scale.rounds);
        let rows = bench.run(&workload::chosen(&options.names), rounds);
        failures.extend(rows.iter().filter_map(|row| row.failure.clone()));
        (page::WORKLOADS, table::lines(&rows, rounds))
    };
    let mut text = vec![heading, String::new()];
    text.extend(lines);
    println!("{}", text.join("\n"));
    if !failures.is_empty() {
        let failures = failures.join("; ");
        return Err(io::Error::other(format!("not measured: {failures}")));
    }
    if options.write {
        page::write(section, &text)?;
        picture.map_or(Ok(()), |picture| page::write_picture(&picture))?;
    }
    Ok(())
}

/// The release program of this tree.
fn build() -> io::Result<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "-p", "ftp-server-sync"]);
    if !command.current_dir(&root).status()?.success() {
        return Err(io::Error::other(
            "the release program does not build: see above, or name a program with --server",
        ));
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("release/ftp-server-sync"))
}
