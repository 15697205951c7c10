//! What is no regular file is looked at, and never opened.

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use ftp_proto::{FileRequest, Representation, UploadStart};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode};

use super::*;
use crate::fs::upload::Uploader;

/// Sees each time that a file is opened. A look is no opening.
struct OpenWatch(OwnedFd);

impl OpenWatch {
    fn new(file: &Path) -> Self {
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watch, file, WatchFlags::OPEN).unwrap();
        Self(watch)
    }

    fn was_opened(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        events.next().is_ok()
    }
}

#[test]
fn a_fifo_is_never_opened() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("fifo", directory.path().join("link")).unwrap();
    let root = Root::open(directory.path()).unwrap();
    let watch = OpenWatch::new(&fifo);
    for name in ["fifo", "link"] {
        let path = || FtpPath::parse(name.as_bytes()).unwrap();
        for request in [
            FileRequest::Size {
                path: path(),
                representation: Representation::Image,
            },
            FileRequest::ModifiedTime(path()),
            FileRequest::ChangeMode {
                path: path(),
                mode: 0o600,
            },
            FileRequest::SetModified {
                path: path(),
                modified: 0,
            },
        ] {
            let refusal = root.perform(&request).unwrap_err();
            assert_eq!(refusal, Refusal::NotARegularFile, "{request:?}");
        }
        let refusal = root.text_size(&path()).unwrap_err();
        assert_eq!(refusal, Refusal::NotARegularFile);
        root.perform(&FileRequest::Facts(path())).unwrap();
        let refusal = root.perform(&FileRequest::ChangeDirectory(path()));
        assert_eq!(refusal, Err(Refusal::NotADirectory));
        let refusal = root.download(&path(), 0, None).unwrap_err();
        assert_eq!(refusal, Refusal::NotARegularFile);
        let offset = 1.try_into().unwrap();
        for start in [
            UploadStart::Replace,
            UploadStart::End,
            UploadStart::At {
                offset,
                replace: true,
            },
        ] {
            let refusal = root
                .upload(&path(), start, None, &Uploader::for_tests())
                .unwrap_err();
            assert_eq!(refusal, Refusal::NotARegularFile, "{start:?}");
        }
    }
    assert!(!watch.was_opened());
    // What the watch would have seen.
    let path = FtpPath::parse(b"fifo").unwrap();
    root.open_with(&path, OpenOptions::new().read(true))
        .unwrap();
    assert!(watch.was_opened());
}

/// Another client puts a FIFO in the place of a file that is about to be created.
#[test]
fn a_fifo_that_takes_the_name_of_an_upload_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let path = FtpPath::parse(b"new").unwrap();
    let uploader = Uploader::for_tests();
    let mut upload = root
        .upload(&path, UploadStart::Replace, None, &uploader)
        .unwrap();
    let fifo = directory.path().join("new");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    // It is not removed with its name: that would be seen too.
    fs::hard_link(&fifo, directory.path().join("again")).unwrap();
    let watch = OpenWatch::new(&fifo);
    upload.write(b"text").unwrap();
    upload.complete().unwrap();
    assert!(!watch.was_opened());
    assert_eq!(fs::read_to_string(fifo).unwrap(), "text");
}
