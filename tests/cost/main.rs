//! How often the core asks for memory. A test program of its own, since its allocator counts.
//!
//! The time is measured by `cargo bench -p ftp-tests --bench core`.

use std::sync::Arc;

use allocation_counter::measure;
use ftp_proto::listing::{
    Entry, EntryKind, FactSet, ListRequest, NameList, OpenedDirectory, Selection, Walk, WalkAnswer,
    WalkStep,
};
use ftp_proto::{Account, Config, FtpPath, ListStyle, Rights};
use ftp_tests::dialogue::{COMMANDS, DOWNLOAD, Dialogue};

/// A driver with many clients on a small machine feels each allocation. These are the numbers of
/// today: fewer is progress, more needs a reason.
const ALLOCATIONS: [(&str, u64); COMMANDS.len()] = [("NOOP", 0), ("CWD", 2), ("PASV", 1)];
/// One of them is the account, which the requests for listings share, and two are the name of the
/// file in the reply 150.
const ALLOCATIONS_OF_DOWNLOAD: u64 = 25;

/// The lines of a download before its data connection.
const IDLE_LINES: usize = 5;
/// Beside the session itself.
const BYTES_OF_IDLE_SESSION: i64 = 768;

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

/// What an idle session has in memory: a server has many of them.
#[test]
fn memory_of_an_idle_session() {
    let config = Arc::new(Config::default());
    let mut idle = None;
    let counted = measure(|| {
        let mut dialogue = Dialogue::new(&config, Vec::new());
        for line in &DOWNLOAD[..IDLE_LINES] {
            dialogue.say(line);
        }
        idle = Some(dialogue);
    });
    // What has been sent is the driver's.
    let sent = idle.map_or(0, |dialogue| dialogue.into_sent().capacity());
    let bytes = counted.bytes_current - i64::try_from(sent).expect("a small buffer");
    assert!(bytes <= BYTES_OF_IDLE_SESSION, "{bytes} bytes");
}

/// A listing takes memory for each piece of names that its driver reads, and for no name.
#[test]
fn allocations_of_listings() {
    let styles = [
        ListStyle::Names,
        ListStyle::Long,
        ListStyle::Facts(FactSet::default()),
    ];
    for style in styles {
        let mut out = Vec::with_capacity(1 << 20);
        let mut allocations = |pieces: usize| {
            let names: Vec<NameList> = (0..pieces).map(|_| piece_of_names()).collect();
            measure(|| list(style, names, &mut out)).count_total
        };
        let of_few = allocations(2);
        assert_eq!(allocations(20), of_few, "{style:?}");
        assert!(of_few < 20, "{style:?}: {of_few}");
    }
}

fn piece_of_names() -> NameList {
    (0..100).map(|number| format!("name {number}")).collect()
}

/// Lists a directory with these names.
fn list(style: ListStyle, mut names: Vec<NameList>, out: &mut Vec<u8>) {
    let mut file = Entry::new("", EntryKind::File, 3, 0);
    (file.owner, file.group) = (Some((*b"bob").into()), Some((*b"users").into()));
    let account = Account::new(Rights::READ_WRITE).into();
    let selection = Selection::of_path(FtpPath::root());
    let mut walk = Walk::new(ListRequest::new(selection, style, account), 0);
    let lines = 100 * names.len();
    out.clear();
    loop {
        let answer = match walk.step(out) {
            WalkStep::Open(_) => WalkAnswer::Opened(OpenedDirectory::default()),
            WalkStep::Read(_) => WalkAnswer::Names {
                names: names.pop().unwrap_or_default(),
                is_last: names.is_empty(),
            },
            WalkStep::Look { .. } => WalkAnswer::Entry(file.clone()),
            WalkStep::End => break,
            _ => continue,
        };
        walk.answer(answer);
    }
    let shown = out.split(|&byte| byte == b'\n').count() - 1;
    // MLSD shows the directory itself and the one above it.
    assert!((lines..=lines + 2).contains(&shown), "{style:?}: {shown}");
}
