//! The command line.

use std::path::PathBuf;

use crate::workload;

/// What the program is to do.
pub(crate) enum Request {
    Run(Options),
    Help,
}

/// How it is to measure.
#[derive(Default)]
pub(crate) struct Options {
    /// Small amounts and one round, to see that everything works.
    pub(crate) quick: bool,
    /// Writes the table into the documentation.
    pub(crate) write: bool,
    /// Measures how costs grow, in place of the workloads.
    pub(crate) growth: bool,
    pub(crate) rounds: Option<usize>,
    /// The server's program, in place of the one that is built.
    pub(crate) server: Option<PathBuf>,
    /// Workloads whose names contain one of these; all if there are none.
    pub(crate) names: Vec<String>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Request, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--help" => return Ok(Request::Help),
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--growth" => options.growth = true,
                "--rounds" => options.rounds = Some(rounds(arguments.next())?),
                "--server" => {
                    let path = arguments.next().ok_or("--server needs a path")?;
                    options.server = Some(path.into());
                }
                name if name.starts_with('-') => {
                    return Err(format!("unknown option {name}: --help lists them"));
                }
                name if workload::chosen(&[name.to_owned()]).is_empty() => {
                    return Err(format!("no workload is named {name}: --help lists them"));
                }
                name => options.names.push(name.to_owned()),
            }
        }
        if options.write && (options.quick || !options.names.is_empty()) {
            return Err("--write needs a whole run: leave out --quick and names".to_owned());
        }
        if options.growth && !options.names.is_empty() {
            return Err("--growth measures no workloads: leave out their names".to_owned());
        }
        Ok(Request::Run(options))
    }
}

fn rounds(value: Option<&String>) -> Result<usize, String> {
    let value = value.and_then(|value| value.parse().ok());
    value
        .filter(|rounds| (1..=ROUNDS_MAX).contains(rounds))
        .ok_or_else(|| format!("--rounds needs a number from 1 to {ROUNDS_MAX}"))
}

pub(crate) fn help() -> String {
    let mut text = HELP.to_owned();
    for workload in workload::ALL {
        text += &format!("\n  {:<16} {}", workload.name, workload.about);
    }
    text
}

const HELP: &str = "\
cargo bench -p ftp-tests --bench loopback [-- OPTION… WORKLOAD…]

  --rounds N     rounds of everything; the medians are printed
  --server PATH  the program at this absolute path, not that of `cargo build --release`
  --growth       how costs grow with entries of a directory, ports, sessions and addresses
  --write        also write the table into ftp-server-sync/docs/bench.md
  --quick        small amounts, one round: only to see that everything works

Workloads, also by parts of their names:";

const ROUNDS_MAX: usize = 99;
