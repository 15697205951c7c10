//! The pool of passive ports: what it takes to lease a port and to release it, alone and under 64
//! threads.
//!
//! `cargo bench -p ftp-tests --bench pool`. The time for all 64 threads is divided by all leases.

use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ftp_server_sync::LeaseBench;

const THREADS: u16 = 64;

fn leases(criterion: &mut Criterion) {
    for (name, threads) in [("lease alone", 1), ("lease under 64 threads", THREADS)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        for ports in [1, 10, 100, 1000, 10_000] {
            let pool = LeaseBench::new(ports).expect("a pool");
            group.bench_function(BenchmarkId::from_parameter(ports), |bencher| {
                bencher.iter_custom(|leases| take(&pool, threads, leases));
            });
        }
    }
}

/// How long these leases take, when each thread has about the same number of them.
fn take(pool: &LeaseBench, threads: u16, leases: u64) -> Duration {
    let each = leases.div_ceil(threads.into());
    let begin = Instant::now();
    thread::scope(|scope| {
        for session in 0..threads {
            scope.spawn(move || {
                for _ in 0..each {
                    assert!(pool.lease_and_release(session), "a request waits");
                }
            });
        }
    });
    // As if there had been just as many as asked for.
    let made = each * u64::from(threads);
    begin.elapsed().mul_f64(leases as f64 / made as f64)
}

criterion_group!(benches, leases);
criterion_main!(benches);
