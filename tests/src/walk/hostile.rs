//! A driver that answers a walk with anything.

use ftp_proto::listing::{
    Entry, EntryKind, ListFlags, ListOrder, ListRequest, NameList, OpenedDirectory, Pattern,
    Selection, Walk, WalkAnswer, WalkStep,
};
use ftp_proto::{Account, FtpPath, ListStyle, Refusal, Rights};

/// Whatever the driver answers, the walk ends soon after its last answer, its lines are lines, and
/// a hidden name is not among them.
pub fn answers(data: &[u8]) {
    let Some(([flags, style, ..], _)) = data.split_at_checked(2) else {
        return;
    };
    let style = match style % 4 {
        0 => ListStyle::Names,
        1 | 2 => ListStyle::Long,
        _ => ListStyle::Facts(Default::default()),
    };
    let is_status = data[1] % 4 == 2;
    let account = Account::new(Rights::READ_ONLY);
    let request = ListRequest::new(selection(*flags), style, account.into());
    let walk = if is_status {
        Walk::of_status(request, 0)
    } else {
        Walk::new(request, 0)
    };
    let mut walk = walk
        .hiding(|_, name| name == HIDDEN)
        .in_time_zone(|_| i32::MAX);
    let mut lines = Vec::new();
    let mut answers = data[2..].iter();
    // Each byte gives at most a piece of names, each of which can be looked at twice, shown and
    // entered.
    let mut steps_left = 100 + 40 * data.len();
    loop {
        steps_left = steps_left.checked_sub(1).expect("the walk does not end");
        let answer = match walk.step(&mut lines) {
            WalkStep::End => break,
            WalkStep::Failed(refusal) => {
                assert!(
                    matches!(walk.step(&mut lines), WalkStep::Failed(again) if again == refusal)
                );
                break;
            }
            WalkStep::Entries(batch) => {
                let hidden = |entry: &Entry| entry.name.ends_with(HIDDEN);
                assert!(!batch.entries.iter().any(hidden));
                continue;
            }
            WalkStep::Lines | WalkStep::Pending | WalkStep::Close(_) => continue,
            WalkStep::Notice(notice) => {
                assert!(!notice.to_string().contains('\n'));
                continue;
            }
            WalkStep::Look { name, .. } => {
                assert_ne!(name, HIDDEN);
                answer(answers.next())
            }
            WalkStep::LookAt { .. } | WalkStep::Open(_) | WalkStep::Read(_) => {
                answer(answers.next())
            }
        };
        walk.answer(answer);
    }
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("a whole line");
        assert!(!line.iter().any(|byte| b"\n\0".contains(byte)));
        assert!(!line.ends_with(HIDDEN), "{}", line.escape_ascii());
    }
}

fn selection(flags: u8) -> Selection {
    let mut selection = Selection::of_path(FtpPath::root());
    selection.flags = ListFlags {
        all: flags & 1 != 0,
        recursive: flags & 2 != 0,
        no_descend: flags & 4 != 0,
        classify: flags & 8 != 0,
        order: [ListOrder::Directory, ListOrder::Time, ListOrder::Size]
            [usize::from(flags / 16 % 3)],
        reverse: flags & 128 != 0,
    };
    if flags & 64 != 0 {
        let patterns = [&b"*"[..], b"name", b"*"].map(Pattern::new);
        selection.glob = Some(ftp_proto::listing::Glob {
            base: FtpPath::root(),
            prefix: Vec::new(),
            patterns: patterns.into(),
        });
    }
    selection
}

/// Without data everything is refused.
fn answer(choice: Option<&u8>) -> WalkAnswer {
    let Some(&choice) = choice else {
        return WalkAnswer::Refused(Refusal::Failed);
    };
    let which = choice / 8;
    match choice % 8 {
        0 => WalkAnswer::Refused([Refusal::NotFound, Refusal::Denied][usize::from(which % 2)]),
        1 | 2 => WalkAnswer::Opened(OpenedDirectory {
            device: 0,
            inode: (which % 3).into(),
            is_root: which % 2 == 0,
        }),
        3 | 4 => {
            let kind = [EntryKind::Directory, EntryKind::File, EntryKind::Symlink];
            let mut entry = Entry::new("\r\n", kind[usize::from(which % 3)], u64::MAX, i64::MAX);
            entry.inode = (which % 3).into();
            (entry.modified_nanos, entry.owner) = (u32::MAX, Some((*b"a b\n").into()));
            WalkAnswer::Entry(entry)
        }
        _ => WalkAnswer::Names {
            names: NameList::from_iter(
                NAMES
                    .iter()
                    .cycle()
                    .skip(which.into())
                    .take((which % 6).into()),
            ),
            is_last: which % 4 == 0,
        },
    }
}

const HIDDEN: &[u8] = b"hidden";

const NAMES: &[&[u8]] = &[
    b"name",
    HIDDEN,
    b"",
    b".",
    b"..",
    b"a/b",
    b"\0",
    b"line\r\nbreak",
    b"\xff",
    &[b'x'; 70_000],
];
