use std::fs;

use super::*;
use crate::fs::quota::usage::Amount;

/// A home with a file of three bytes, and a state directory.
struct Scene {
    place: tempfile::TempDir,
    home: Share,
}

impl Scene {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("file"), "abc").unwrap();
        Self {
            home: Share::open_later(&home, Arc::default()),
            place,
        }
    }

    fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    fn update(&self, keeper: &mut QuotaKeeper) {
        keeper.update(&self.state(), [&self.home].into_iter());
    }

    fn wait_until_counted(&self) {
        while self.home.usage().counted().is_none() {
            thread::yield_now();
        }
        let expected = Amount { bytes: 3, files: 1 };
        assert_eq!(self.home.usage().counted(), Some(expected));
    }
}

/// Uploads are limited by what they add meanwhile, and the next reload counts.
#[test]
fn without_a_thread_the_next_update_tries_again() {
    let scene = Scene::new();
    let mut keeper = QuotaKeeper {
        // No system has so much.
        stack_bytes: usize::MAX >> 1,
        ..QuotaKeeper::default()
    };
    scene.update(&mut keeper);
    assert!(keeper.running.is_none() && keeper.homes.is_empty());
    assert_eq!(scene.home.usage().counted(), None);
    keeper.recount();
    keeper.stack_bytes = STACK_BYTES;
    scene.update(&mut keeper);
    scene.wait_until_counted();
    keeper.end(true);
    let stored = CountFile::open(&scene.state()).unwrap().read();
    assert!(stored.is_complete, "{stored:?}");
}

/// The thread stands in a disk that does not answer: the end of the server does not wait for it
/// for ever, and the file still says that the counts do not hold.
#[test]
fn the_end_does_not_wait_for_a_thread_that_hangs() {
    let scene = Scene::new();
    let (file, stored) = open(&scene.state());
    let (sender, requests) = unbounded();
    let (hangs, end) = bounded::<Infallible>(0);
    let stop = Arc::new(AtomicBool::new(false));
    let mut keeper = QuotaKeeper {
        running: Some(RunningKeeper {
            sender,
            end,
            stop: stop.clone(),
            stored,
        }),
        ..QuotaKeeper::default()
    };
    keeper.end(true);
    assert!(keeper.running.is_none() && stop.load(Ordering::Relaxed));
    let request = requests.try_recv();
    assert!(matches!(request, Ok(Request::End { is_complete: true })));
    drop((hangs, file));
    let stored = CountFile::open(&scene.state()).unwrap().read();
    assert!(!stored.is_complete, "{stored:?}");
}
