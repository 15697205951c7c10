//! The translation of lines in type A, in both directions: text with long, usual and short lines,
//! and bytes that are no text.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use ftp_proto::ascii::{Decoder, Encoder, TextLength};

/// Buffers of a server have about this size.
const BUFFER_BYTES: usize = 64 << 10;

pub(crate) fn translations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ASCII");
    let mut out = Vec::new();
    for (name, input) in [
        ("lines of 1000 bytes", text(1000)),
        ("lines of 60 bytes", text(60)),
        ("empty lines", text(0)),
        ("binary", binary()),
    ] {
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(format!("send, {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                Encoder::new().push(black_box(&input), &mut out);
                black_box(out.len())
            });
        });
        group.bench_function(format!("length, {name}"), |bencher| {
            bencher.iter(|| {
                let mut length = TextLength::default();
                length.push(black_box(&input));
                length.octets()
            });
        });
        let mut sent = Vec::new();
        Encoder::new().push(&input, &mut sent);
        group.throughput(Throughput::Bytes(sent.len() as u64));
        group.bench_function(format!("receive, {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut decoder = Decoder::default();
                decoder.push(black_box(&sent), &mut out);
                decoder.finish(&mut out);
                black_box(out.len())
            });
        });
    }
}

fn text(line_bytes: usize) -> Vec<u8> {
    let mut line = vec![b'a'; line_bytes];
    line.push(b'\n');
    let lines = line.iter().copied().cycle();
    lines.take(BUFFER_BYTES).collect()
}

/// Each byte is as frequent as any other.
fn binary() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..BUFFER_BYTES).map(|_| next()).collect()
}
