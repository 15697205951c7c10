//! What the core takes of a processor's time: single commands, a whole session, listings, and the
//! translation of text.
//!
//! `cargo bench -p ftp-tests --bench core`. The throughput is in commands, entries or bytes, so
//! that the time for one can be read off; `tests/cost/main.rs` counts the allocations.

mod ascii;
mod listings;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ftp_proto::Config;
use ftp_tests::dialogue::{COMMANDS, DOWNLOAD, Dialogue};

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    group.throughput(Throughput::Elements(1));
    for (name, line) in COMMANDS {
        let mut dialogue = Dialogue::logged_in();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                dialogue.clear();
                dialogue.say(black_box(line));
                black_box(dialogue.sent().len())
            });
        });
    }
}

fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(DOWNLOAD.len() as u64));
    let config = Arc::new(Config::default());
    let mut buffer = Vec::new();
    group.bench_function("login and download", |bencher| {
        bencher.iter(|| {
            let mut dialogue = Dialogue::new(&config, std::mem::take(&mut buffer));
            for line in DOWNLOAD {
                dialogue.say(black_box(line));
            }
            dialogue.clear();
            buffer = dialogue.into_sent();
        });
    });
}

criterion_group!(
    benches,
    commands,
    session,
    listings::lines,
    ascii::translations
);
criterion_main!(benches);
