use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::account::Account;
use crate::config::limits::STAT_ENTRIES_MAX;
use crate::listing::limits::{PENDING_MAX, SORTED_NAMES_MAX};
use crate::listing::style::ListStyle;
use crate::listing::{Entry, EntryKind, FactSet, Selection};
use crate::refusal::Refusal;
use crate::rights::Rights;

/// What a walk asked for and showed, in words.
#[derive(Debug, Default)]
struct Record {
    steps: Vec<String>,
    lines: String,
    notices: Vec<String>,
    batches: usize,
    entries: usize,
    result: Option<Result<(), Refusal>>,
}

/// Answers every directory with `names`; those that begin with `d` are directories.
fn run(mut walk: Walk, names: &[&str], answer: impl Fn(&str, WalkAnswer) -> WalkAnswer) -> Record {
    let mut record = Record::default();
    let mut lines = Vec::new();
    let mut steps_left = 1_000_000;
    while record.result.is_none() {
        steps_left -= 1;
        assert!(steps_left > 0, "the walk does not end");
        let (asked, usual) = match walk.step(&mut lines) {
            WalkStep::LookAt { path, .. } => (format!("look at {path}"), entry(&path.to_string())),
            WalkStep::Look { name, .. } => {
                let name = String::from_utf8_lossy(name);
                (format!("look {name}"), entry(&name))
            }
            WalkStep::Open(request) => {
                let parent = request.parent.map(|id| id.0);
                let asked = format!("open {} {} in {parent:?}", request.id.0, request.path);
                (asked, WalkAnswer::Opened(OpenedDirectory::default()))
            }
            WalkStep::Read(id) => (
                format!("read {}", id.0),
                WalkAnswer::Names {
                    names: NameList::from_iter(names),
                    is_last: true,
                },
            ),
            WalkStep::Close(id) => {
                record.steps.push(format!("close {}", id.0));
                continue;
            }
            WalkStep::Lines | WalkStep::Pending => continue,
            WalkStep::Entries(batch) => {
                record.batches += 1;
                record.entries += batch.entries.len();
                continue;
            }
            WalkStep::Notice(notice) => {
                assert!(notice.is_warning() == notice.to_string().contains("more than"));
                record.notices.push(notice.to_string());
                continue;
            }
            WalkStep::End => {
                record.result = Some(Ok(()));
                continue;
            }
            WalkStep::Failed(refusal) => {
                record.result = Some(Err(refusal));
                continue;
            }
        };
        let answer = answer(&asked, usual);
        record.steps.push(asked);
        walk.answer(answer);
    }
    record.lines = String::from_utf8(lines).unwrap();
    record
}

fn entry(name: &str) -> WalkAnswer {
    let kind = if name.starts_with(['d', '.', '/']) {
        EntryKind::Directory
    } else {
        EntryKind::File
    };
    WalkAnswer::Entry(Entry::new(name, kind, 7, 0))
}

fn usual(_: &str, answer: WalkAnswer) -> WalkAnswer {
    answer
}

/// The walk of the argument of LIST or NLST in the root.
fn walk(argument: &str, style: ListStyle) -> Walk {
    let selection = Selection::parse(argument.as_bytes(), &FtpPath::root(), None).unwrap();
    Walk::new(request(selection, style), 0)
}

fn request(selection: Selection, style: ListStyle) -> ListRequest {
    ListRequest::new(selection, style, Account::new(Rights::READ_ONLY).into())
}

fn facts() -> ListStyle {
    ListStyle::Facts(FactSet::parse(b"type;").unwrap())
}

#[test]
fn nlst_looks_at_no_name() {
    let found = run(walk("", ListStyle::Names), &[".", "..", "a", "d"], usual);
    assert_eq!(found.lines, "a\r\nd\r\n");
    assert_eq!(found.steps, ["open 0 / in None", "read 0", "close 0"]);
    let found = run(walk("x", ListStyle::Names), &["a"], usual);
    assert_eq!(found.lines, "x/a\r\n");
}

#[test]
fn names_in_a_pattern_are_looked_at_and_nothing_is_read() {
    let refuse = |asked: &str, usual| match asked {
        "open 0 /*/b in None" => WalkAnswer::Refused(Refusal::NotFound),
        "look at /*/b" => WalkAnswer::Refused(Refusal::NotFound),
        _ => usual,
    };
    let found = run(walk("*/b", ListStyle::Names), &["d1", "e", "d2"], refuse);
    assert_eq!(found.lines, "d1/b\r\nd2/b\r\n");
    let expected = [
        "open 0 /*/b in None",
        "look at /*/b",
        "open 1 / in None",
        "read 1",
        "look d1",
        "look e",
        "look d2",
        "open 2 /d1 in Some(1)",
        "look b",
        "close 2",
        "open 3 /d2 in Some(1)",
        "close 1",
        "look b",
        "close 3",
    ];
    assert_eq!(found.steps, expected);
}

#[test]
fn a_directory_is_open_until_those_in_it_are() {
    let deep = |asked: &str, usual| match asked {
        "read 0" | "read 1" => usual,
        _ if asked.starts_with("read") => WalkAnswer::Names {
            names: NameList::default(),
            is_last: false,
        },
        _ => usual,
    };
    let found = run(walk("-R", ListStyle::Names), &["d", "dd"], deep);
    assert_eq!(found.lines, "d\r\ndd\r\nd/d\r\nd/dd\r\n");
    let opened = |step: &&String| !step.starts_with("look") && !step.starts_with("read");
    let expected = [
        "open 0 / in None",
        "open 1 /d in Some(0)",
        "open 2 /d/d in Some(1)",
        "close 2",
        "open 3 /d/dd in Some(1)",
        "close 1",
        "close 3",
        "open 4 /dd in Some(0)",
        "close 0",
        "close 4",
    ];
    assert_eq!(
        found.steps.iter().filter(opened).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_replaced_or_refused_directory_is_not_entered() {
    for (answer, notice) in [
        (
            WalkAnswer::Opened(OpenedDirectory {
                inode: 1,
                ..OpenedDirectory::default()
            }),
            "cannot list /d: it was replaced by another directory",
        ),
        (
            WalkAnswer::Refused(Refusal::Denied),
            "cannot list /d: permission denied",
        ),
    ] {
        let found = run(walk("-R", ListStyle::Names), &["d"], |asked, usual| {
            if asked.starts_with("open 1") {
                answer.clone()
            } else {
                usual
            }
        });
        assert_eq!((found.lines, found.result), ("d\r\n".into(), Some(Ok(()))));
        assert_eq!(found.notices, [notice]);
    }
}

#[test]
fn no_client_sees_what_is_above_the_root() {
    let at_root = |asked: &str, usual| {
        if asked.starts_with("open") {
            WalkAnswer::Opened(OpenedDirectory {
                is_root: true,
                ..OpenedDirectory::default()
            })
        } else {
            usual
        }
    };
    let names = [".", "..", "a"];
    let found = run(walk("-a", ListStyle::Long), &names, at_root);
    assert!(!found.steps.contains(&"look ..".to_string()));
    let shown: Vec<_> = found.lines.lines().map(|line| &line[55..]).collect();
    assert_eq!(shown, [".", "..", "a"]);
    let found = run(walk("-at", ListStyle::Long), &names, at_root);
    assert!(!found.steps.contains(&"look ..".to_string()));
    let found = run(walk("", facts()), &names, at_root);
    assert_eq!(found.lines, "type=cdir; .\r\ntype=file; a\r\n");
    let found = run(walk("", facts()), &names, usual);
    assert_eq!(
        found.lines,
        "type=cdir; .\r\ntype=pdir; ..\r\ntype=file; a\r\n"
    );
}

#[test]
fn an_entry_without_attributes_is_left_out() {
    let found = run(
        walk("", ListStyle::Long),
        &["a", "b"],
        |asked, usual| match asked {
            "look a" => WalkAnswer::Refused(Refusal::NotFound),
            _ => usual,
        },
    );
    assert!(found.lines.ends_with(" b\r\n"));
    assert_eq!(found.lines.lines().count(), 1);
    assert_eq!(found.notices, ["cannot list an entry of /: not found"]);
}

#[test]
fn a_directory_that_cannot_be_read_to_its_end_fails() {
    let found = run(
        walk("", ListStyle::Names),
        &[],
        |asked, usual| match asked {
            "read 0" => WalkAnswer::Refused(Refusal::Busy),
            _ => usual,
        },
    );
    assert_eq!(found.result, Some(Err(Refusal::Busy)));
}

#[test]
fn an_answer_of_another_kind_is_a_failure() {
    let wrong = |_: &str, usual| match usual {
        WalkAnswer::Opened(_) => entry("a"),
        _ => WalkAnswer::Opened(OpenedDirectory::default()),
    };
    let found = run(walk("", ListStyle::Long), &["a"], wrong);
    assert_eq!(found.result, Some(Err(Refusal::Failed)));
    assert_eq!(found.steps.len(), 1);
}

#[test]
fn a_question_is_repeated_until_it_is_answered() {
    let mut walk = walk("", ListStyle::Names);
    let mut lines = Vec::new();
    walk.answer(WalkAnswer::Refused(Refusal::Denied));
    for _ in 0..3 {
        assert!(matches!(walk.step(&mut lines), WalkStep::Open(_)));
    }
    assert!(!walk.has_begun());
    walk.answer(WalkAnswer::Opened(OpenedDirectory::default()));
    walk.answer(WalkAnswer::Refused(Refusal::Denied));
    for _ in 0..3 {
        assert!(matches!(walk.step(&mut lines), WalkStep::Read(_)));
    }
    assert!(walk.has_begun());
}

#[test]
fn dates_are_in_the_zone_of_the_listing() {
    let walk = walk("", ListStyle::Long).in_time_zone(|time| {
        assert_eq!(time, 0);
        -3600
    });
    let found = run(walk, &["a"], usual);
    assert!(found.lines.contains(" Dec 31 23:00 a"), "{}", found.lines);
    let facts = ListStyle::Facts(FactSet::default());
    let selection = Selection::of_path(FtpPath::root());
    let walk = Walk::new(request(selection, facts), 0).in_time_zone(|_| 3600);
    let found = run(walk, &["a"], usual);
    assert!(
        found.lines.contains("modify=19700101000000;"),
        "{}",
        found.lines
    );
}

#[test]
fn hidden_names_do_not_exist() {
    let hide = |argument, style| {
        walk(argument, style).hiding(|directory, name| directory.is_root() && name == b"dark")
    };
    let names = ["dark", "d", "a"];
    for argument in ["", "*", "d*"] {
        let found = run(hide(argument, ListStyle::Names), &names, |asked, usual| {
            if asked.contains('*') {
                WalkAnswer::Refused(Refusal::NotFound)
            } else {
                usual
            }
        });
        assert!(
            found.lines.contains("d\r\n") && !found.lines.contains("dark"),
            "{argument}"
        );
    }
    for argument in ["dark", "-d dark", "dark/a", "dark/*", "-R dark"] {
        for style in [ListStyle::Long, ListStyle::Names] {
            let found = run(hide(argument, style), &names, usual);
            assert_eq!(found.result, Some(Err(Refusal::NotFound)), "{argument}");
            assert!(found.steps.is_empty(), "{argument}: {:?}", found.steps);
        }
    }
    // Elsewhere the same name is not hidden.
    let found = run(hide("d", ListStyle::Names), &names, usual);
    assert!(found.lines.contains("d/dark\r\n"));
    let found = run(hide("", facts()), &names, usual);
    assert!(!found.lines.contains("dark"));
    let selection = Selection::of_path(FtpPath::root().child(b"dark").unwrap());
    let walk = Walk::new(request(selection, facts()), 0).hiding(|_, name| name == b"dark");
    assert_eq!(
        run(walk, &names, usual).result,
        Some(Err(Refusal::NotFound))
    );
}

#[test]
fn dots_are_shown_once_whether_or_not_the_driver_reads_them() {
    for names in [
        &["a", "b"][..],
        &[".", "..", "a", "b"],
        &["a", "..", "b", "."],
    ] {
        for (argument, expected) in [
            ("", "a\r\nb\r\n"),
            ("-a", ".\r\n..\r\na\r\nb\r\n"),
            ("-ar", "b\r\na\r\n..\r\n.\r\n"),
        ] {
            let found = run(walk(argument, ListStyle::Names), names, usual);
            assert_eq!(found.lines, expected, "{argument} {names:?}");
        }
    }
}

/// The account decides below the selection too; the selection itself was checked before.
#[test]
fn a_directory_that_the_account_may_not_list_is_shown_and_not_entered() {
    let path = |text: &str| FtpPath::parse(text.as_bytes()).unwrap();
    let account = Account::new(Rights::READ_ONLY)
        .with_rights_below(path("/d1"), Rights::NONE)
        .with_rights_below(path("/d1/d2"), Rights::READ_ONLY);
    let list = |argument: &str, style| {
        let selection = Selection::parse(argument.as_bytes(), &FtpPath::root(), None).unwrap();
        let request = ListRequest::new(selection, style, account.clone().into());
        run(Walk::new(request, 0), &["d1", "d2", "a"], |asked, usual| {
            if asked.contains('*') || asked.matches("/d").count() > 2 {
                WalkAnswer::Refused(Refusal::NotFound)
            } else {
                usual
            }
        })
    };
    let recursive = list("-R", ListStyle::Names);
    assert!(recursive.lines.contains("d2/a\r\n"), "{}", recursive.lines);
    assert!(recursive.lines.contains("d1\r\n"), "{}", recursive.lines);
    let is_below = |line: &str| line.starts_with("d1/");
    assert!(!recursive.lines.lines().any(is_below), "{recursive:?}");
    let matching = list("*/a", ListStyle::Names);
    assert_eq!(matching.lines, "d2/a\r\n");
}

#[test]
fn stat_is_complete_or_refused() {
    let status = |argument: &str| {
        let selection = Selection::parse(argument.as_bytes(), &FtpPath::root(), None).unwrap();
        Walk::of_status(request(selection, ListStyle::Long), 0)
    };
    let refused = Some(Err(Refusal::TooManyEntries));
    for (count, result) in [
        (STAT_ENTRIES_MAX - 1, Some(Ok(()))),
        (STAT_ENTRIES_MAX, Some(Ok(()))),
        (STAT_ENTRIES_MAX + 1, refused),
    ] {
        let found = run(status(""), &vec!["a"; count], usual);
        assert_eq!(found.result, result, "{count}");
        if result == Some(Ok(())) {
            assert_eq!(found.entries, count);
        }
        assert!(found.batches > 10);
        assert!(found.lines.is_empty());
    }
    // A search without an end is refused too.
    let endless = |asked: &str, usual| match asked.starts_with("read") {
        true => WalkAnswer::Names {
            names: NameList::from_iter(["d"]),
            is_last: false,
        },
        false if asked.contains('x') => WalkAnswer::Refused(Refusal::NotFound),
        false => usual,
    };
    let found = run(status("x*"), &[], endless);
    assert_eq!((found.entries, found.result), (0, refused));
}

#[test]
fn a_long_search_begins_its_transfer_before_it_has_found_anything() {
    let mut lines = Vec::new();
    let mut walk = walk("x*", ListStyle::Names);
    let mut pieces = 0;
    while !walk.has_begun() {
        let answer = match walk.step(&mut lines) {
            WalkStep::Read(_) => {
                pieces += 1;
                WalkAnswer::Names {
                    names: NameList::from_iter(["a"]),
                    is_last: false,
                }
            }
            WalkStep::Open(request) if request.path.is_root() => {
                WalkAnswer::Opened(OpenedDirectory::default())
            }
            WalkStep::Open(_) | WalkStep::LookAt { .. } => WalkAnswer::Refused(Refusal::NotFound),
            _ => continue,
        };
        walk.answer(answer);
    }
    assert!((100..1000).contains(&pieces), "{pieces}");
}

/// What the names are sorted by may take long to find out. Directories that are only entered are
/// no match yet.
#[test]
fn a_sorted_listing_begins_with_its_first_name() {
    for (path, expected) in [("-t x*", true), ("-t x*/y", false)] {
        let mut walk = walk(path, ListStyle::Names);
        let mut lines = Vec::new();
        loop {
            let answer = match walk.step(&mut lines) {
                WalkStep::Read(_) => WalkAnswer::Names {
                    names: NameList::from_iter(["x1", "x2"]),
                    is_last: false,
                },
                WalkStep::Open(request) if request.path.is_root() => {
                    WalkAnswer::Opened(OpenedDirectory::default())
                }
                WalkStep::Open(_) | WalkStep::LookAt { .. } => {
                    WalkAnswer::Refused(Refusal::NotFound)
                }
                WalkStep::Look { .. } => break,
                _ => continue,
            };
            walk.answer(answer);
        }
        assert_eq!(walk.has_begun(), expected, "{path}");
    }
}

#[test]
fn too_many_names_are_not_sorted() {
    for (count, is_sorted) in [(SORTED_NAMES_MAX, true), (SORTED_NAMES_MAX + 1, false)] {
        let mut names = vec!["b"; count - 1];
        names.push("a");
        let found = run(walk("-r", ListStyle::Names), &names, usual);
        assert_eq!(found.lines.lines().count(), count);
        let first = if is_sorted { "b\r\n" } else { "b\r\nb\r\n" };
        assert!(found.lines.starts_with(first) && found.lines.ends_with("a\r\n"));
        assert_eq!(found.notices.is_empty(), is_sorted);
        let found = run(
            walk("-r", ListStyle::Names),
            &{
                names.swap(0, count - 1);
                names
            },
            usual,
        );
        assert_eq!(found.lines.starts_with("b"), is_sorted);
    }
}

#[test]
fn too_many_directories_fail() {
    for (count, fails) in [(PENDING_MAX, false), (PENDING_MAX + 1, true)] {
        let names = vec!["d"; count];
        let found = run(walk("-R", ListStyle::Names), &names, |asked, usual| {
            if asked.starts_with("open") && !asked.ends_with("None") {
                WalkAnswer::Refused(Refusal::Denied)
            } else {
                usual
            }
        });
        assert_eq!(found.result == Some(Err(Refusal::Failed)), fails);
        let warned = found
            .notices
            .iter()
            .any(|notice| notice.contains("the listing ends"));
        assert_eq!(warned, fails);
    }
}

#[test]
fn only_what_is_shown_is_asked_for() {
    let details = |style, argument| {
        let mut walk = walk(argument, style);
        let mut lines = Vec::new();
        loop {
            let answer = match walk.step(&mut lines) {
                WalkStep::Open(_) => WalkAnswer::Opened(OpenedDirectory::default()),
                WalkStep::Read(_) => WalkAnswer::Names {
                    names: NameList::from_iter(["a"]),
                    is_last: true,
                },
                WalkStep::Look { details, .. } => return Some(details),
                WalkStep::End => return None,
                _ => continue,
            };
            walk.answer(answer);
        }
    };
    assert_eq!(details(ListStyle::Long, ""), Some(Details::ALL));
    assert_eq!(details(ListStyle::Long, "-t"), Some(Details::default()));
    assert_eq!(details(ListStyle::Names, ""), None);
    assert_eq!(details(ListStyle::Names, "-R"), Some(Details::default()));
    let expected = Details {
        owners: false,
        ..Details::FACTS
    };
    assert_eq!(details(facts(), ""), Some(expected));
    let owners = ListStyle::Facts(FactSet::parse(b"unix.owner;").unwrap());
    assert_eq!(details(owners, ""), Some(Details::FACTS));
}
