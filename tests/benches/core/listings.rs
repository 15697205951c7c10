//! The lines of LIST, NLST and MLSD for directories of 10, 1000 and 100,000 entries, whose entries
//! are in memory: what the walk and the formats take, without a file system.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use ftp_proto::listing::{
    Entry, EntryKind, FactSet, ListRequest, NameList, OpenedDirectory, Selection, Walk, WalkAnswer,
    WalkStep,
};
use ftp_proto::{Account, FtpPath, ListStyle, Rights};

pub(crate) fn lines(criterion: &mut Criterion) {
    for (name, style) in [
        ("LIST", ListStyle::Long),
        ("NLST", ListStyle::Names),
        ("MLSD", ListStyle::Facts(FactSet::default())),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        for entries in [10, 1000, 100_000] {
            group.throughput(Throughput::Elements(entries));
            let names: Vec<String> = (0..entries)
                .map(|number| format!("picture-{number:06}.jpeg"))
                .collect();
            let mut out = Vec::new();
            group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
                bencher.iter(|| list(style, black_box(&names), &mut out));
            });
        }
    }
}

/// Walks through a directory of files with these names. `out` is emptied as the network would do.
fn list(style: ListStyle, names: &[String], out: &mut Vec<u8>) {
    let account = Arc::new(Account::new(Rights::READ_WRITE));
    let root = Selection::of_path(FtpPath::root());
    let mut walk = Walk::new(ListRequest::new(root, style, account), NOW);
    let mut unread = names.chunks(NAMES_PER_READ);
    loop {
        let answer = match walk.step(out) {
            WalkStep::Open(_) => WalkAnswer::Opened(OpenedDirectory::default()),
            WalkStep::Read(_) => WalkAnswer::Names {
                names: NameList::from_iter(unread.next().unwrap_or_default()),
                is_last: unread.len() == 0,
            },
            WalkStep::LookAt { .. } => WalkAnswer::Entry(entry("", EntryKind::Directory)),
            WalkStep::Look { .. } => WalkAnswer::Entry(entry("", EntryKind::File)),
            WalkStep::Lines => {
                if out.len() > SENT_AT_ONCE {
                    black_box(&mut *out).clear();
                }
                continue;
            }
            WalkStep::End => break,
            WalkStep::Failed(refusal) => panic!("{refusal}"),
            _ => continue,
        };
        walk.answer(answer);
    }
    black_box(&mut *out).clear();
}

fn entry(name: &str, kind: EntryKind) -> Entry {
    let mut entry = Entry::new(name, kind, 4_194_304, NOW - 86_400);
    (entry.mode, entry.uid, entry.gid) = (0o644, 1000, 1000);
    (entry.device, entry.inode) = (0xfd01, 1_234_567);
    entry
}

/// The time at which the listing is asked for.
const NOW: i64 = 1_763_816_829;
const NAMES_PER_READ: usize = 256;
const SENT_AT_ONCE: usize = 64 << 10;
