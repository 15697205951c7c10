//! How often the core asks for memory. A test program of its own, since its allocator counts.
//!
//! The time is measured by `cargo bench -p ftp-tests --bench core`.

use std::sync::Arc;

use allocation_counter::measure;
use ftp_proto::Config;
use ftp_tests::dialogue::{COMMANDS, DOWNLOAD, Dialogue};

/// A driver with many clients on a small machine feels each allocation. These are the numbers of
/// today: fewer is progress, more needs a reason.
const ALLOCATIONS: [(&str, u64); COMMANDS.len()] = [("NOOP", 0), ("CWD", 2), ("PASV", 1)];
/// One of them is the account, which the requests for listings share, and two are the name of the
/// file in the reply 150.
const ALLOCATIONS_OF_DOWNLOAD: u64 = 25;

/// An average, in case that not every repetition costs the same.
const REPETITIONS: u64 = 100;

#[test]
fn allocations_of_commands() {
    for ((name, line), (_, expected)) in COMMANDS.into_iter().zip(ALLOCATIONS) {
        let mut dialogue = Dialogue::logged_in();
        // Queues and buffers have grown once.
        for _ in 0..3 {
            dialogue.say(line);
        }
        let counted = measure(|| {
            for _ in 0..REPETITIONS {
                dialogue.clear();
                dialogue.say(line);
            }
        });
        assert_eq!(counted.count_total, expected * REPETITIONS, "{name}");
        assert_eq!(counted.count_current, 0, "{name} keeps memory");
    }
}

#[test]
fn allocations_of_a_session() {
    let config = Arc::new(Config::default());
    let mut buffer = Vec::with_capacity(4096);
    let counted = measure(|| {
        let mut dialogue = Dialogue::new(&config, std::mem::take(&mut buffer));
        for line in DOWNLOAD {
            dialogue.say(line);
        }
        assert!(dialogue.sent().ends_with(b"\r\n221 Goodbye.\r\n"));
        buffer = dialogue.into_sent();
    });
    assert_eq!(counted.count_total, ALLOCATIONS_OF_DOWNLOAD);
    assert_eq!(counted.count_current, 0, "a session leaves memory behind");
}
