//! Listings of directories in memory: what `listing::Walk` does, and what a simple listing of the
//! same tree shows.

pub mod hostile;
mod reference;
mod tree;

use arbitrary::Arbitrary;
use ftp_proto::listing::{EntryBatch, ListRequest, Walk, WalkStep, heading, long_line};
use ftp_proto::{Config, FtpPath, ListStyle, Refusal, Rights, TransferKind};

use crate::operations;
use crate::sim::{Question, Sim};
pub use tree::Node;

use tree::{Driver, Tree};

/// A tree, and a command that lists a part of it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Case {
    pub nodes: Vec<Node>,
    /// What the argument consists of.
    pub argument: Vec<u8>,
    pub command: u8,
    pub hidden: u8,
    /// How many names the driver returns at once.
    pub piece: u8,
}

/// The current time: some of the nodes are recent.
const NOW: i64 = 1_700_000_000;

const TOKENS: &[&str] = &[
    "-R ", "-a ", "-t ", "-S ", "-r ", "-d ", "-F ", "a", "b", ".h", "/", "/", "a/", "*", "*/",
    "?", "[ab]", "[b-z]*", "..", "[", "x", "*x",
];

/// The walk of a tree shows what a simple listing shows, however its driver cuts directories into
/// pieces.
pub fn case(case: &Case) {
    let tree = Tree::new(&case.nodes);
    let verb = ["LIST", "NLST", "MLSD"][usize::from(case.command % 3)];
    let Some(request) = listed(verb, &argument(&case.argument)) else {
        return;
    };
    let (selection, style) = (&request.selection, request.style);
    let hidden = NAMES[usize::from(case.hidden) % NAMES.len()];
    // Half of the cases hide nothing.
    let hidden = (case.hidden >= 128).then_some(hidden.as_bytes());
    let expected = reference::lines(&tree, selection, style, hidden);
    let hide = move |_: &FtpPath, name: &[u8]| Some(name) == hidden;
    let walk = Walk::new(request.clone(), NOW).hiding(hide);
    let mut driver = Driver::new(&tree, case.piece, hidden);
    let found = run(walk, &mut driver, case.nodes.len());
    assert_eq!(shown(&found.0), shown(&expected), "{selection:?} {tree:?}");
    driver.assert_closed(found.0.is_ok());
    let walk = Walk::new(request.clone(), NOW).hiding(hide);
    let look = |path: &FtpPath| tree.find(path).map(|node| tree.entries[node].clone());
    let collected = walk.collect_lines(look, |path| tree.names(path));
    assert_eq!(
        shown(&collected),
        shown(&expected),
        "at once: {selection:?}"
    );
    if style != ListStyle::Long {
        return;
    }
    let walk = Walk::of_status(request.clone(), NOW).hiding(hide);
    let mut driver = Driver::new(&tree, case.piece, hidden);
    let (result, batches) = run(walk, &mut driver, case.nodes.len());
    let lines = result.map(|_| status_lines(&batches));
    assert_eq!(shown(&lines), shown(&expected), "STAT {selection:?}");
}

/// What a command selects. `None`: its argument is not a path.
fn listed(verb: &str, argument: &str) -> Option<ListRequest> {
    let mut sim = Sim::new(Config::default(), crate::fuzz::endpoints());
    sim.log_in(Rights::READ_WRITE);
    sim.send(b"PASV\r\n");
    sim.settle(|question| operations::good(question, 0));
    sim.send(format!("{verb} {argument}\r\n").as_bytes());
    match sim.question() {
        Some(Question::Transfer(request)) => match request.kind.clone() {
            TransferKind::List(request) => Some(request),
            other => panic!("{other:?}"),
        },
        _ => None,
    }
}

fn argument(choices: &[u8]) -> String {
    let token = |choice: &u8| TOKENS[usize::from(*choice) % TOKENS.len()];
    choices.iter().take(8).map(token).collect()
}

/// Walks to the end. Its steps are bounded by the size of the tree.
fn run(
    mut walk: Walk,
    driver: &mut Driver<'_>,
    nodes: usize,
) -> (Result<Vec<u8>, Refusal>, Vec<EntryBatch>) {
    let (mut lines, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..100 + 20 * nodes {
        let before = lines.len();
        let answer = match walk.step(&mut lines) {
            WalkStep::Lines => {
                assert!(lines.len() > before);
                continue;
            }
            WalkStep::Entries(batch) => {
                assert!(!batches.last().is_some_and(|last: &EntryBatch| last.is_last));
                batches.push(batch);
                continue;
            }
            WalkStep::End => return (Ok(lines), batches),
            WalkStep::Failed(refusal) => return (Err(refusal), batches),
            WalkStep::Pending | WalkStep::Notice(_) => continue,
            WalkStep::Close(id) => {
                driver.close(id);
                continue;
            }
            question => driver.answer(question),
        };
        walk.answer(answer);
    }
    panic!("the walk does not end: {walk:?}");
}

/// The lines of the reply to STAT.
fn status_lines(batches: &[EntryBatch]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        assert_eq!(batch.is_last, index + 1 == batches.len());
        if let Some(path) = &batch.directory {
            heading(path, lines.is_empty(), &mut lines);
        }
        for entry in &batch.entries {
            long_line(entry, batch.now, batch.classify, &mut lines);
        }
    }
    lines
}

fn shown(lines: &Result<Vec<u8>, Refusal>) -> Result<String, Refusal> {
    lines
        .as_ref()
        .map(|lines| String::from_utf8_lossy(lines).into_owned())
        .map_err(|refusal| *refusal)
}

/// Names in the trees.
const NAMES: &[&str] = &["a", "b", ".h", "x", "ax", "b\rx", "[", "*", "-R", "c d"];
