//! The size that a file may have, and the space that stays free.

use std::cell::Cell;
use std::io::Write;

use super::*;

fn rules(max_bytes: Option<u64>, free_bytes_min: Option<u64>) -> UploadRules {
    UploadRules {
        max_bytes,
        free_bytes_min,
        ..UploadRules::default()
    }
}

#[test]
fn a_file_may_have_the_largest_size_and_no_byte_more() {
    let file = tempfile::tempfile().unwrap();
    let mut limits = UploadLimits::new(&rules(Some(100), None));
    assert_eq!(limits.before_write(&file, 100, 100), Ok(()));
    let refused = limits.before_write(&file, 101, 1);
    assert_eq!(refused, Err(TransferError::FileTooLarge));
    assert_eq!(limits.check_size(100), Ok(()));
    assert_eq!(limits.check_size(101), Err(Refusal::FileTooLarge));
    let unlimited = UploadLimits::new(&rules(None, None));
    assert_eq!(unlimited.check_size(u64::MAX), Ok(()));
}

#[test]
fn the_space_of_a_real_disk_counts() {
    let directory = tempfile::tempdir().unwrap();
    let handle = File::open(directory.path()).unwrap();
    let mut file = tempfile::tempfile_in(directory.path()).unwrap();
    file.write_all(b"some").unwrap();
    for (min, fits) in [(0, true), (1, true), (1 << 60, false)] {
        let mut limits = UploadLimits::new(&rules(None, Some(min)));
        assert_eq!(limits.check_free(&handle).is_ok(), fits, "{min}");
        assert_eq!(limits.before_write(&file, 5, 1).is_ok(), fits, "{min}");
    }
}

/// Writes of 100 KiB until the disk has no more than the reserve: the free space at the end, and
/// how often it was read.
fn fill(free_at_first: u64, bytes_min: u64) -> (u64, u32) {
    const WRITE: u64 = 100 << 10;
    let (free, looks) = (Cell::new(free_at_first), Cell::new(0));
    let mut reserve = Reserve {
        bytes_min,
        granted: 0,
    };
    let look = || {
        looks.set(looks.get() + 1);
        Some(free.get())
    };
    while reserve.take(WRITE, look).is_ok() {
        free.set(free.get() - WRITE);
    }
    (free.get(), looks.get())
}

#[test]
fn an_upload_alone_leaves_the_reserve() {
    for (free, bytes_min) in [
        (0, 0),
        (0, 1),
        (50 << 10, 0),
        (100 << 10, 0),
        (100 << 10, 1),
        (40 << 20, 10 << 20),
        (100 << 20, 3),
    ] {
        let (left, looks) = fill(free, bytes_min);
        let expected = bytes_min..bytes_min + (100 << 10);
        assert!(
            expected.contains(&left) || left == free,
            "{free} {bytes_min}: {left}"
        );
        let rounds = free / LOOK_BYTES;
        assert!(
            u64::from(looks) <= rounds + 3,
            "{free} {bytes_min}: {looks} looks"
        );
    }
}

#[test]
fn where_the_system_names_no_space_there_is_no_limit() {
    let mut reserve = Reserve {
        bytes_min: 1,
        granted: 0,
    };
    assert_eq!(
        reserve.take(u64::MAX, || None),
        Err(TransferError::SpaceReserved)
    );
    assert_eq!(reserve.take(1 << 40, || None), Ok(()));
}
