//! Listings of ever larger directories, in memory: 10 entries, ten times as many, and so on.

use std::io;
use std::path::Path;

use super::{Curve, Growth, flat_verdict, memory_verdict};
use crate::client::Client;
use crate::meter::{Measurement, Units};
use crate::processor::OneProcessor;
use crate::scale::Scale;
use crate::server::{Programs, Server, Start};
use crate::share::{LISTED, MEMORY, add_entries, temporary};
use crate::table::digits;

/// What one size of directory costs.
struct Size {
    entries: usize,
    /// Microseconds for each entry, and the most memory of the server, of each command.
    costs: [(f64, f64); COMMANDS.len()],
}

pub(super) fn growth(programs: &Programs, scale: &Scale) -> io::Result<Growth> {
    let top = temporary(Path::new(MEMORY))?;
    let mut sizes = Vec::new();
    let (mut made, mut entries) = (0, SMALLEST);
    while entries <= scale.growth_entries_max {
        add_entries(&top.path().join(LISTED), made, entries)?;
        made = entries;
        let costs = COMMANDS.map(|command| cost(programs, top.path(), command, entries));
        let [list, mlsd] = costs;
        let size = Size {
            entries,
            costs: [list?, mlsd?],
        };
        eprintln!("{}", size.line());
        sizes.push(size);
        entries *= 10;
    }
    let mut lines = vec![
        "| entries | LIST, µs for each entry | MLSD, µs for each entry | memory at most, KiB (LIST) | (MLSD) |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(sizes.iter().map(Size::line));
    lines.push(String::new());
    let curves = [0, 1].map(|index| Curve {
        title: TITLES[index],
        size: "entries",
        unit: "µs for each",
        points: sizes.iter().map(|size| size.point(index)).collect(),
    });
    for (index, command) in COMMANDS.iter().enumerate() {
        lines.push(flat_verdict(&curves[index]));
        let peaks: Vec<f64> = sizes.iter().map(|size| size.costs[index].1).collect();
        lines.push(memory_verdict(&format!("Memory of {command}"), &peaks));
    }
    Ok(Growth {
        lines,
        curves: curves.into(),
    })
}

/// Of a server of its own: the most memory is that since its start.
fn cost(programs: &Programs, top: &Path, command: &str, entries: usize) -> io::Result<(f64, f64)> {
    let _pinned = OneProcessor::new()?;
    let server = Server::start(&Start::ours(programs, top))?;
    let mut client = Client::log_in(server.address, None)?;
    client.prepare()?;
    client.command(&format!("CWD {LISTED}"), 250)?;
    let mut list = || {
        let data = client.extended_passive()?;
        client.discard_listing(data, command)
    };
    list()?;
    let count = (ENTRIES_MEASURED / entries).clamp(1, LISTINGS_MAX);
    let measured = Measurement::of(&server, Units::Microseconds(count * entries), || {
        (0..count).try_for_each(|_| list())
    })?;
    Ok((measured.value, server.memory_peak()?))
}

impl Size {
    fn line(&self) -> String {
        let [list, mlsd] = self.costs;
        format!(
            "| {} | {} | {} | {:.0} | {:.0} |",
            self.entries,
            digits(list.0),
            digits(mlsd.0),
            list.1,
            mlsd.1
        )
    }

    fn point(&self, command: usize) -> (usize, f64) {
        (self.entries, self.costs[command].0)
    }
}

const COMMANDS: [&str; 2] = ["LIST", "MLSD"];
const TITLES: [&str; 2] = ["Time of LIST", "Time of MLSD"];
const SMALLEST: usize = 10;
/// About how many entries are listed for one number.
const ENTRIES_MEASURED: usize = 200_000;
const LISTINGS_MAX: usize = 200;
