use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;

const fn quota(bytes: u64, files: u64) -> Quota {
    Quota {
        bytes_max: Some(bytes),
        files_max: Some(files),
    }
}

fn amount(bytes: i64, files: i64) -> Amount {
    Amount { bytes, files }
}

const NOTHING: Amount = Amount { bytes: 0, files: 0 };

#[test]
fn what_is_pending_counts_until_it_is_given_back() {
    let usage = HomeUsage::default();
    usage.set_stored(amount(50, 1), true);
    let reserve = |bytes| usage.reserve(amount(bytes, 0), amount(20, 0), quota(100, 3));
    assert_eq!(reserve(50), Ok(()));
    let full = ExceededQuota::Bytes {
        quota: 100,
        left: 20,
    };
    assert_eq!(reserve(1), Err(full));
    usage.release(amount(20, 0));
    assert_eq!(reserve(20), Ok(()));
    usage.release(amount(50, 0));
    assert_eq!(usage.counted(), Some(amount(50, 1)));
    assert_eq!(usage.check_room(quota(51, 1)), Ok(()));
    let full = ExceededQuota::Bytes { quota: 50, left: 0 };
    assert_eq!(usage.check_room(quota(50, 9)), Err(full));
    assert_eq!(usage.check_room(Quota::default()), Ok(()));
}

#[test]
fn files_are_counted_beside_bytes() {
    let usage = HomeUsage::default();
    let files = Quota {
        bytes_max: None,
        files_max: Some(2),
    };
    for _ in 0..2 {
        assert_eq!(usage.reserve(Amount::FILE, NOTHING, files), Ok(()));
    }
    let full = Err(ExceededQuota::Files { quota: 2 });
    assert_eq!(usage.reserve(Amount::FILE, NOTHING, files), full);
    // Bytes alone create none.
    assert_eq!(usage.reserve(amount(1 << 40, 0), NOTHING, files), Ok(()));
    let change = usage.name_change();
    change.finish(Amount::FILE, Amount::FILE);
    assert_eq!(usage.reserve(Amount::FILE, NOTHING, files), full);
    let change = usage.name_change();
    change.finish(amount(0, -1), NOTHING);
    assert_eq!(usage.reserve(Amount::FILE, NOTHING, files), Ok(()));
}

/// The file is found until it is removed; what is written after that takes room all the same.
#[test]
fn a_file_that_is_removed_while_it_is_written() {
    let usage = HomeUsage::default();
    let (file, quota) = ((1, 2), quota(10, 9));
    usage.set_stored(amount(4, 1), true);
    assert!(usage.begin_to_write(file, 4) && !usage.begin_to_write(file, 4));
    assert_eq!(usage.resize(Some(file), 3, quota), Ok(NOTHING));
    assert_eq!(usage.counted(), Some(amount(7, 1)));
    let change = usage.name_change();
    // It was looked at before the last bytes came.
    let lost = change.forget_file(NamedFile {
        identity: file,
        amount: amount(5, 1),
        written: None,
    });
    assert_eq!(lost, amount(7, 1));
    change.finish(NOTHING - lost, NOTHING);
    assert_eq!(usage.resize(Some(file), 9, quota), Ok(amount(9, 0)));
    assert_eq!(usage.counted(), Some(NOTHING));
    usage.resize(Some(file), 2, quota).unwrap_err();
    usage.release(amount(9, 0));
    assert!(usage.is_at_rest());
}

/// A disk that does not answer holds the upload that writes to it, and no change of a name.
#[test]
fn names_do_not_wait_for_bytes() {
    let usage = HomeUsage::default();
    usage.track();
    let file = (1, 2);
    let mut beginning = usage.name_change();
    assert!(usage.begin_to_write(file, 0));
    beginning.release_names();
    let writing = usage.change();
    usage.resize(Some(file), 5, Quota::default()).unwrap();
    // In the same thread: it would wait for ever.
    let change = usage.name_change();
    assert!(change.is_tracked() && change.is_written(file));
    change.finish(Amount::FILE, NOTHING);
    drop((beginning, writing));
    usage.end_to_write(file);
    usage.set_stored(NOTHING, true);
    assert_eq!(usage.counted(), Some(amount(5, 1)));
}

#[test]
fn a_count_is_exact_if_nothing_changes_meanwhile() {
    let usage = HomeUsage::default();
    let start = usage.begin_count();
    assert!(usage.end_count(start, amount(10, 1)));
    assert_eq!(usage.counted(), Some(amount(10, 1)));

    let changes: [&dyn Fn(); 2] = [&|| drop(usage.name_change()), &|| {
        usage.name_change().finish(amount(1, 0), NOTHING)
    }];
    for change in changes {
        let start = usage.begin_count();
        change();
        let known = usage.counted();
        assert!(!usage.end_count(start, amount(99, 9)));
        assert_eq!(usage.counted(), known);
    }
    let changing = usage.name_change();
    let start = usage.begin_count();
    drop(changing);
    assert!(!usage.end_count(start, amount(99, 9)));
    let start = usage.begin_count();
    let changing = usage.name_change();
    assert!(!usage.end_count(start, amount(99, 9)));
    drop(changing);

    // One that is not exact is better than none.
    let usage = HomeUsage::default();
    usage.set_stored(amount(3, 3), false);
    assert_eq!(usage.counted(), None);
    let start = usage.begin_count();
    drop(usage.name_change());
    assert!(!usage.end_count(start, amount(10, 1)));
    assert_eq!(usage.counted(), Some(amount(10, 1)));
}

/// One step of an upload that ends well or not.
#[derive(Clone, Debug)]
enum Step {
    Reserve(i64),
    Name,
    GiveUp,
    Remove,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..40_i64).prop_map(Step::Reserve),
        Just(Step::Name),
        Just(Step::GiveUp),
        Just(Step::Remove),
    ];
    prop::collection::vec(step, 0..60)
}

/// What a session has stored, and what it is storing.
#[derive(Default)]
struct Model {
    stored: Vec<Amount>,
    pending: Amount,
}

impl Model {
    fn perform(&mut self, step: &Step, usage: &HomeUsage, quota: Quota) {
        match step {
            Step::Reserve(bytes) => {
                let files = i64::from(self.pending == NOTHING);
                let more = amount(*bytes, files);
                if usage.reserve(more, self.pending, quota).is_ok() {
                    self.pending += more;
                }
            }
            Step::Name => {
                let named = std::mem::take(&mut self.pending);
                usage.name_change().finish(named, named);
                self.stored.push(named);
            }
            Step::GiveUp => usage.release(std::mem::take(&mut self.pending)),
            Step::Remove => {
                if let Some(lost) = self.stored.pop() {
                    usage.name_change().finish(NOTHING - lost, NOTHING);
                }
            }
        }
        let used = usage.counted().expect("a count");
        assert!(used.bytes <= 100 && used.files <= 5, "{used:?}");
    }

    fn sum(&self) -> Amount {
        let stored = self.stored.iter();
        stored.fold(NOTHING, |sum, &one| sum + one)
    }
}

proptest! {
    /// Whatever sessions do at the same time, the count is what they have stored, and never more
    /// than the quota.
    #[test]
    fn parallel_sessions_are_counted_exactly(all in prop::collection::vec(steps(), 1..4)) {
        let usage = HomeUsage::default();
        usage.set_stored(NOTHING, true);
        let together = Barrier::new(all.len());
        let session = |steps: &[Step]| {
            let mut model = Model::default();
            together.wait();
            for step in steps {
                model.perform(step, &usage, quota(100, 5));
            }
            model.perform(&Step::GiveUp, &usage, quota(100, 5));
            model.sum()
        };
        let session = &session;
        let sum = thread::scope(|scope| {
            let threads = all.iter().map(|steps| scope.spawn(move || session(steps)));
            let threads: Vec<_> = threads.collect();
            threads.into_iter().fold(NOTHING, |sum, thread| sum + thread.join().unwrap())
        });
        prop_assert_eq!(usage.counted(), Some(sum));
        prop_assert!(usage.is_at_rest());
    }
}
