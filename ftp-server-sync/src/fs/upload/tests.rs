//! What an upload may do with a file that exists.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A shared directory with the file `old`, which contains "12345".
struct Share {
    directory: TempDir,
    root: Root,
}

impl Share {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("old"), "12345").unwrap();
        let root = Root::open(directory.path()).unwrap();
        Self { directory, root }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn open(&self, name: &str, start: UploadStart) -> Result<Upload, Refusal> {
        self.root
            .upload(&FtpPath::parse(name.as_bytes()).unwrap(), start, None)
    }
}

fn at(offset: u64, replace: bool) -> UploadStart {
    let offset = offset.try_into().unwrap();
    UploadStart::At { offset, replace }
}

#[track_caller]
fn check(name: &str, start: UploadStart, expected: Result<&str, Refusal>) {
    let share = Share::new();
    let result = share.open(name, start).map(|upload| {
        assert_eq!(
            share.read("old"),
            "12345",
            "changed before the upload began"
        );
        upload.begin().unwrap().write_all(b"ab").unwrap();
        share.read(name)
    });
    assert_eq!(result.as_deref().map_err(|refusal| *refusal), expected);
    if expected.is_err() {
        assert_eq!(share.read("old"), "12345");
    }
}

#[test]
fn a_file_is_changed_as_the_request_says() {
    check("new", UploadStart::Create, Ok("ab"));
    check("new", UploadStart::Replace, Ok("ab"));
    check("new", UploadStart::End, Ok("ab"));
    check("new", at(1, true), Err(Refusal::OffsetTooLarge));
    check("old", UploadStart::Create, Err(Refusal::Exists));
    check("old", UploadStart::Replace, Ok("ab"));
    check("old", UploadStart::End, Ok("12345ab"));
    check("old", at(3, true), Ok("123ab"));
    check("old", at(5, false), Ok("12345ab"));
    check("old", at(4, false), Err(Refusal::Exists));
    check("old", at(6, false), Err(Refusal::OffsetTooLarge));
}

#[test]
fn a_link_that_leads_nowhere_exists() {
    let share = Share::new();
    std::os::unix::fs::symlink("nowhere", share.file("link")).unwrap();
    let refusal = share.open("link", UploadStart::Create).unwrap_err();
    assert_eq!(refusal, Refusal::Exists);
}

#[test]
fn what_another_client_has_created_meanwhile_is_not_replaced() {
    let share = Share::new();
    let create = share.open("new", UploadStart::Create).unwrap();
    let replace = share.open("new", UploadStart::Replace).unwrap();
    fs::write(share.file("new"), "theirs").unwrap();
    let error = create.begin().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(share.read("new"), "theirs");
    replace.begin().unwrap();
    assert_eq!(share.read("new"), "");
}

#[test]
fn what_another_client_has_appended_meanwhile_stays() {
    let share = Share::new();
    let resumed = share.open("old", at(5, false)).unwrap();
    fs::write(share.file("old"), "1234567").unwrap();
    resumed.begin().unwrap_err();
    assert_eq!(share.read("old"), "1234567");
}

#[test]
fn a_unique_file_goes_with_its_upload_unless_that_begins() {
    let share = Share::new();
    let upload = share.open("old", UploadStart::Unique).unwrap();
    assert_eq!(upload.unique_name(), Some(&b"old.1"[..]));
    assert_eq!(share.read("old.1"), "");
    drop(upload);
    assert!(!share.file("old.1").exists());
    let upload = share.open("old", UploadStart::Unique).unwrap();
    drop(upload.begin().unwrap());
    assert!(share.file("old.1").exists());
    assert_eq!(share.read("old"), "12345");
}

#[test]
fn special_files_have_a_refusal_of_their_own() {
    let share = Share::new();
    drop(std::os::unix::net::UnixListener::bind(share.file("socket")).unwrap());
    fs::create_dir(share.file("directory")).unwrap();
    let refusal = |name| share.open(name, UploadStart::Replace).unwrap_err();
    assert_eq!(refusal("socket"), Refusal::NotARegularFile);
    assert_eq!(refusal("directory"), Refusal::IsADirectory);
}
