//! Whatever clients do, what is counted is what a count of the directory finds.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use ftp_proto::{ExceededQuota, FileRequest, TransferError, UploadStart};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::accounts::quota::Quota;
use crate::fs::quota::counting::count;
use crate::fs::share_rules::{QuotaInForce, ShareRules};
use crate::fs::upload::{Upload, UploadFailure, Uploader, Uploads};
use crate::fs::upload_rules::{BrokenUploads, UploadRules};

/// A home with a quota.
struct Home {
    directory: TempDir,
    root: Root,
    uploads: Arc<Uploads>,
    quota: Arc<QuotaInForce>,
}

impl Home {
    fn new(broken: BrokenUploads, bytes_max: u64, files_max: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let quota = Arc::new(QuotaInForce::default());
        let limits = Quota {
            bytes_max: Some(bytes_max),
            files_max: Some(files_max),
        };
        quota.set(limits);
        let uploads = UploadRules {
            broken,
            ..UploadRules::default()
        };
        let rules = ShareRules::default().with_uploads(uploads);
        let rules = rules.with_quota(quota.clone());
        let root = Root::open(directory.path()).unwrap().with_rules(rules);
        root.usage.track();
        root.usage.set_stored(Amount::default(), true);
        Self {
            directory,
            root,
            uploads: Arc::default(),
            quota,
        }
    }

    fn open(&self, name: &str, start: UploadStart) -> Result<Upload, Refusal> {
        let uploader = Uploader::of_login(&self.uploads, "user");
        self.root.upload(&path(name), start, None, &uploader)
    }

    fn store(&self, name: &str, start: UploadStart, bytes: usize) -> Result<(), TransferError> {
        let mut upload = self.open(name, start).unwrap();
        upload.write(&vec![b'x'; bytes])?;
        upload.complete()
    }

    fn perform(&self, request: &FileRequest) -> Result<(), Refusal> {
        self.root.perform(request).map(drop)
    }

    fn counted(&self) -> Amount {
        self.root.usage.counted().unwrap()
    }

    #[track_caller]
    fn check(&self) {
        let directory = File::open(self.directory.path()).unwrap();
        let found = count(&directory, &AtomicBool::new(false)).unwrap();
        assert_eq!(self.counted(), found.amount);
        assert!(self.root.usage.is_at_rest());
    }

    fn perform_step(&self, step: &Step) {
        let bytes = vec![b'x'; step.bytes];
        let (name, other) = (NAMES[step.name], NAMES[step.other]);
        let (from, to) = (path(name), path(other));
        let start = match step.kind {
            0 => UploadStart::Replace,
            1 => UploadStart::End,
            2 => UploadStart::Unique,
            3 => UploadStart::At {
                offset: 3.try_into().unwrap(),
                replace: true,
            },
            4 => UploadStart::Create,
            _ => {
                let replace = step.bytes.is_multiple_of(2);
                let _ = self.perform(&match step.kind {
                    5 => FileRequest::DeleteFile(from),
                    6 => FileRequest::RemoveDirectory(from),
                    7 => FileRequest::MakeDirectory {
                        path: from,
                        umask: None,
                    },
                    _ => FileRequest::Rename { from, to, replace },
                });
                return;
            }
        };
        let Ok(mut upload) = self.open(name, start) else {
            return;
        };
        let _ = upload.write(&bytes[..step.bytes / 2]);
        // Some are in the middle when something else happens to the file.
        if step.other < 3 {
            let _ = self.perform(&match step.other {
                0 => FileRequest::DeleteFile(path(name)),
                1 => FileRequest::Rename {
                    from: path(name),
                    to: path("d/a"),
                    replace: true,
                },
                _ => FileRequest::Rename {
                    from: path("b"),
                    to: path(name),
                    replace: true,
                },
            });
        }
        let _ = upload.write(&bytes[step.bytes / 2..]);
        match step.bytes % 4 {
            0 => upload.fail(UploadFailure::Broken),
            1 => drop(upload),
            _ => drop(upload.complete()),
        }
        let counted = self.counted();
        assert!(counted.bytes <= 100 && counted.files <= 6, "{counted:?}");
    }
}

fn path(name: &str) -> FtpPath {
    FtpPath::parse(name.as_bytes()).unwrap()
}

/// One thing that a client does.
#[derive(Clone, Debug)]
struct Step {
    kind: usize,
    name: usize,
    other: usize,
    bytes: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..9_usize, 0..NAMES.len(), 0..NAMES.len(), 0..45_usize);
    let step = step.prop_map(|(kind, name, other, bytes)| Step {
        kind,
        name,
        other,
        bytes,
    });
    prop::collection::vec(step, 0..40)
}

/// The other name counts what was there before; what is written goes on to count.
#[test]
fn one_of_two_names_is_removed_while_the_file_is_written() {
    let home = Home::new(BrokenUploads::default(), 100, 9);
    home.store("a", UploadStart::Replace, 4).unwrap();
    let name = |name: &str| home.directory.path().join(name);
    std::fs::hard_link(name("a"), name("b")).unwrap();
    home.root
        .usage
        .set_stored(Amount::FILE + Amount::bytes(4), true);
    let mut upload = home.open("a", UploadStart::End).unwrap();
    upload.write(&[b'x'; 3]).unwrap();
    home.perform(&FileRequest::DeleteFile(path("b"))).unwrap();
    upload.write(&[b'x'; 2]).unwrap();
    upload.complete().unwrap();
    assert_eq!(home.counted(), Amount::FILE + Amount::bytes(9));
    home.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn one_session_is_counted(steps in steps(), keeps in any::<bool>()) {
        let broken = if keeps { BrokenUploads::Keep } else { BrokenUploads::Discard };
        let home = Home::new(broken, 100, 6);
        for step in &steps {
            home.perform_step(step);
            home.check();
        }
    }

    #[test]
    fn parallel_sessions_are_counted(all in prop::collection::vec(steps(), 2..4)) {
        let home = Home::new(BrokenUploads::Keep, 100, 6);
        thread::scope(|scope| {
            for steps in &all {
                scope.spawn(|| steps.iter().for_each(|step| home.perform_step(step)));
            }
        });
        home.check();
    }
}

#[test]
fn an_upload_ends_at_the_quota() {
    let home = Home::new(BrokenUploads::Keep, 10, 9);
    assert_eq!(home.store("a", UploadStart::Replace, 6), Ok(()));
    let full = |left| TransferError::QuotaExceeded(ExceededQuota::Bytes { quota: 10, left });
    assert_eq!(home.store("b", UploadStart::Replace, 5), Err(full(4)));
    assert_eq!(home.store("a", UploadStart::End, 5), Err(full(4)));
    home.check();
    // Both are there until the new one is whole.
    assert_eq!(home.store("a", UploadStart::Replace, 5), Err(full(4)));
    assert_eq!(home.store("a", UploadStart::Replace, 4), Ok(()));
    assert_eq!(home.store("b", UploadStart::Replace, 6), Ok(()));
    home.check();
    let exceeded = ExceededQuota::Bytes { quota: 10, left: 0 };
    for start in [UploadStart::Replace, UploadStart::End, UploadStart::Unique] {
        let refused = home.open("c", start).map(drop);
        assert_eq!(refused, Err(Refusal::QuotaExceeded(exceeded)));
    }
    home.perform(&FileRequest::DeleteFile(path("a"))).unwrap();
    assert_eq!(home.store("b", UploadStart::End, 4), Ok(()));
    home.check();
}

#[test]
fn files_and_directories_are_limited() {
    let home = Home::new(BrokenUploads::Keep, 1000, 2);
    let make = |name| {
        home.perform(&FileRequest::MakeDirectory {
            path: path(name),
            umask: None,
        })
    };
    make("d").unwrap();
    let full = Refusal::QuotaExceeded(ExceededQuota::Files { quota: 2 });
    let first = home.open("a", UploadStart::Replace).unwrap();
    // It has its place before it has a byte.
    assert_eq!(make("e"), Err(full));
    assert_eq!(home.open("b", UploadStart::End).map(drop), Err(full));
    drop(first);
    assert_eq!(home.store("a", UploadStart::Replace, 1), Ok(()));
    // Nothing new.
    assert_eq!(home.store("a", UploadStart::Replace, 1), Ok(()));
    assert_eq!(make("d"), Err(full));
    home.perform(&FileRequest::RemoveDirectory(path("d")))
        .unwrap();
    make("e").unwrap();
    home.check();
}

/// The old file was removed while the new one was received: it has become one more.
#[test]
fn a_file_that_no_longer_replaces_another_needs_room() {
    let home = Home::new(BrokenUploads::Keep, 100, 2);
    home.store("a", UploadStart::Replace, 1).unwrap();
    let mut upload = home.open("a", UploadStart::Replace).unwrap();
    upload.write(&[0; 8]).unwrap();
    home.perform(&FileRequest::DeleteFile(path("a"))).unwrap();
    for name in ["b", "c"] {
        home.store(name, UploadStart::Replace, 1).unwrap();
    }
    assert_eq!(upload.complete(), Err(TransferError::NoSpace));
    drop(upload);
    home.check();
}

/// Another limit holds at the next step of an upload that runs.
#[test]
fn a_limit_changes_while_an_upload_runs() {
    let home = Home::new(BrokenUploads::Keep, 10, 9);
    let mut upload = home.open("a", UploadStart::Replace).unwrap();
    upload.write(&[0; 8]).unwrap();
    home.quota.set(Quota::default());
    upload.write(&[0; 8]).unwrap();
    home.quota.set(Quota {
        bytes_max: Some(20),
        files_max: None,
    });
    upload.write(&[0; 5]).unwrap_err();
    home.check();
}

/// The last one is in a directory that need not be there.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "d/a", "d/b"];
