//! What an upload may do with a file that exists.

mod crashes;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::fs::share_rules::ShareRules;
use crate::fs::upload_rules::{BrokenUploads, UploadRules};

/// A shared directory with the file `old`, which contains "12345".
struct Share {
    directory: TempDir,
    root: Root,
    uploads: Arc<Uploads>,
}

impl Share {
    fn new() -> Self {
        Self::with_rules(UploadRules::default())
    }

    fn with_rules(uploads: UploadRules) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("old"), "12345").unwrap();
        let rules = ShareRules::default().with_uploads(uploads);
        let root = Root::open(directory.path()).unwrap().with_rules(rules);
        Self {
            directory,
            root,
            uploads: Arc::default(),
        }
    }

    fn discarding() -> Self {
        Self::with_rules(UploadRules {
            broken: BrokenUploads::Discard,
            ..UploadRules::default()
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn open(&self, name: &str, start: UploadStart) -> Result<Upload, Refusal> {
        let path = FtpPath::parse(name.as_bytes()).unwrap();
        let uploader = Uploader::of_login(&self.uploads, "user");
        self.root.upload(&path, start, None, &uploader)
    }

    /// An upload that has received these bytes.
    fn begin(&self, name: &str, start: UploadStart, bytes: &str) -> Upload {
        let mut upload = self.open(name, start).unwrap();
        upload.write(bytes.as_bytes()).unwrap();
        upload
    }

    fn store(&self, name: &str, bytes: &str) {
        self.begin(name, UploadStart::Replace, bytes)
            .complete()
            .unwrap();
    }

    /// The names in the directory, temporaries among them.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn at(offset: u64, replace: bool) -> UploadStart {
    let offset = offset.try_into().unwrap();
    UploadStart::At { offset, replace }
}

fn kept(mut upload: Upload, cause: UploadFailure) -> Kept {
    upload.fail(cause);
    upload.end().unwrap().kept
}

#[track_caller]
fn check(name: &str, start: UploadStart, expected: Result<&str, Refusal>) {
    let share = Share::new();
    let result = share.open(name, start).map(|mut upload| {
        let before = share.read("old");
        assert_eq!(before, "12345", "changed before the upload began");
        upload.write(b"a").unwrap();
        upload.write(b"b").unwrap();
        upload.complete().unwrap();
        share.read(name)
    });
    assert_eq!(result.as_deref().map_err(|refusal| *refusal), expected);
    if expected.is_err() {
        assert_eq!(share.read("old"), "12345");
    }
    let names = share.names();
    assert!(
        names.iter().all(|name| name == "old" || name == "new"),
        "{names:?}"
    );
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
fn the_old_file_has_its_name_until_the_new_one_is_complete() {
    let share = Share::new();
    let reader = File::open(share.file("old")).unwrap();
    let mut upload = share.begin("old", UploadStart::Replace, "new");
    assert_eq!(share.read("old"), "12345");
    assert_eq!(share.names().len(), 2);
    upload.complete().unwrap();
    assert_eq!(share.read("old"), "new");
    assert_eq!(share.names(), ["old"]);
    assert_eq!(io::read_to_string(reader).unwrap(), "12345");
}

#[test]
fn a_broken_upload_leaves_what_was_received_or_the_old_file() {
    let broken = UploadFailure::Broken;
    for (share, keeps) in [(Share::new(), true), (Share::discarding(), false)] {
        let upload = share.begin("old", UploadStart::Replace, "ab");
        let left = kept(upload, broken);
        assert_eq!(left, if keeps { Kept::Bytes(2) } else { Kept::OldFile });
        assert_eq!(share.read("old"), if keeps { "ab" } else { "12345" });
        let upload = share.begin("new", UploadStart::Replace, "ab");
        let left = kept(upload, broken);
        assert_eq!(left, if keeps { Kept::Bytes(2) } else { Kept::Nothing });
        assert_eq!(share.file("new").exists(), keeps);
        // No byte came.
        let upload = share.open("old", UploadStart::Replace).unwrap();
        assert_eq!(kept(upload, broken), Kept::OldFile);
        // What is continued is never removed.
        share.store("old", "12345");
        let upload = share.begin("old", at(2, true), "x");
        assert_eq!(kept(upload, broken), Kept::Bytes(3));
    }
}

#[test]
fn a_piece_never_replaces_a_newer_file() {
    let share = Share::new();
    for name in ["old", "new"] {
        let mut upload = share.begin(name, UploadStart::Replace, "piece");
        fs::write(share.file("theirs"), "theirs").unwrap();
        fs::rename(share.file("theirs"), share.file(name)).unwrap();
        upload.fail(UploadFailure::Broken);
        drop(upload);
        assert_eq!(share.read(name), "theirs");
    }
    let mut upload = share.begin("old", UploadStart::Replace, "piece");
    fs::remove_file(share.file("old")).unwrap();
    upload.fail(UploadFailure::Broken);
    assert!(!share.file("old").exists());
    assert_eq!(share.names(), ["new"]);
}

#[test]
fn a_failure_of_the_server_leaves_the_old_file() {
    let share = Share::new();
    let upload = share.begin("old", UploadStart::Replace, "ab");
    assert_eq!(kept(upload, UploadFailure::Server), Kept::OldFile);
    let upload = share.begin("new", UploadStart::Replace, "ab");
    assert_eq!(kept(upload, UploadFailure::Server), Kept::Nothing);
    assert_eq!(share.names(), ["old"]);
    assert_eq!(share.read("old"), "12345");

    // A client that goes on would glue the new bytes to the old ones.
    for start in [at(2, true), UploadStart::End] {
        assert_eq!(share.open("old", start).unwrap_err(), Refusal::NotResumable);
    }
    share.store("old", "123");
    share.begin("old", at(3, false), "4").complete().unwrap();
    assert_eq!(share.read("old"), "1234");
}

#[test]
fn a_piece_is_resumed_whatever_failed_before_it() {
    for gives_way in [false, true] {
        for name in ["old", "linked"] {
            let share = Share::new();
            fs::write(share.file("linked"), "12345").unwrap();
            fs::hard_link(share.file("linked"), share.file("again")).unwrap();
            let prepared = share.open(name, UploadStart::Replace).unwrap();
            assert_eq!(kept(prepared, UploadFailure::Broken), Kept::OldFile);
            let failed = share.begin(name, UploadStart::Replace, "a");
            failed.claim.set_left(Kept::OldFile, true);
            drop(failed);
            let piece = share.begin(name, UploadStart::Replace, "ab");
            if gives_way {
                piece.claim.running.stall();
            } else {
                assert_eq!(kept(piece, UploadFailure::Broken), Kept::Bytes(2));
            }
            share.begin(name, at(2, false), "c").complete().unwrap();
            assert_eq!(share.read(name), "abc");
        }
    }
}

/// The client has sent nothing of it, so it must not go on with it.
#[test]
fn a_file_that_came_meanwhile_is_not_continued() {
    for cause in [UploadFailure::Broken, UploadFailure::Server] {
        let share = Share::new();
        let upload = share.begin("new", UploadStart::Replace, "piece");
        fs::write(share.file("new"), "theirs").unwrap();
        assert_eq!(kept(upload, cause), Kept::OldFile);
        let refusal = share.open("new", at(5, true)).unwrap_err();
        assert_eq!(refusal, Refusal::NotResumable);
        let upload = share.begin("old", UploadStart::Replace, "piece");
        fs::remove_file(share.file("old")).unwrap();
        assert_eq!(kept(upload, cause), Kept::Nothing);
    }
}

#[test]
fn two_uploads_never_write_one_file() {
    let share = Share::new();
    for name in ["new", "old"] {
        let upload = share.begin(name, UploadStart::Replace, "a");
        for start in [UploadStart::Replace, UploadStart::End] {
            assert_eq!(share.open(name, start).unwrap_err(), Refusal::Busy);
        }
        drop(upload);
        drop(share.open(name, UploadStart::Replace).unwrap());
    }
    // By another name, or by another server.
    fs::hard_link(share.file("old"), share.file("again")).unwrap();
    let upload = share.begin("old", UploadStart::End, "a");
    let refusal = share.open("again", UploadStart::End).unwrap_err();
    assert_eq!(refusal, Refusal::Busy);
    drop(upload);
    share.open("again", UploadStart::End).unwrap();
}

/// Its session still has to log and to reply, and a busy machine may take its time for that.
#[test]
fn an_upload_that_has_ended_gives_its_name_free_at_once() {
    let share = Share::new();
    for name in ["new", "old"] {
        let mut complete = share.begin(name, UploadStart::Replace, "a");
        complete.complete().unwrap();
        let mut failed = share.begin(name, UploadStart::Replace, "b");
        failed.fail(UploadFailure::Broken);
        let mut next = share.begin(name, UploadStart::Replace, "c");
        // Its name is another upload's by now.
        drop((complete, failed));
        assert_eq!(
            share.open(name, UploadStart::End).unwrap_err(),
            Refusal::Busy
        );
        next.complete().unwrap();
        assert_eq!(share.read(name), "c");
    }
}

#[test]
fn a_stalled_upload_gives_way_to_its_own_login() {
    let share = Share::new();
    let mut stalled = share.begin("old", UploadStart::Replace, "ab");
    assert_eq!(share.open("old", at(2, false)).unwrap_err(), Refusal::Busy);
    stalled.claim.running.stall();
    let path = FtpPath::parse(b"old").unwrap();
    let other = Uploader::of_login(&share.uploads, "other");
    let refusal = share.root.upload(&path, at(2, false), None, &other);
    assert_eq!(refusal.unwrap_err(), Refusal::Busy);
    // What it has received can be continued.
    let mut resumed = share.begin("old", at(2, false), "c");
    assert!(stalled.gave_way() && !resumed.gave_way());
    stalled.write(b"late").unwrap_err();
    drop(stalled);
    assert_eq!(
        share.open("old", UploadStart::End).unwrap_err(),
        Refusal::Busy
    );
    resumed.complete().unwrap();
    assert_eq!(share.read("old"), "abc");
}

#[test]
fn an_upload_whose_client_has_left_gives_way_until_it_begins() {
    let share = Share::new();
    let left = share.open("old", UploadStart::Replace).unwrap();
    left.set_quit();
    let mut next = share.open("old", UploadStart::Replace).unwrap();
    assert!(left.gave_way());
    next.write(b"new").unwrap();
    next.set_quit();
    let refusal = share.open("old", UploadStart::Replace).unwrap_err();
    assert_eq!(refusal, Refusal::Busy);
    next.complete().unwrap();
    assert_eq!(share.read("old"), "new");
}

#[test]
fn an_upload_that_gave_way_says_nothing_of_the_file_after_it() {
    let share = Share::discarding();
    let mut stalled = share.begin("old", UploadStart::Replace, "ab");
    stalled.claim.running.stall();
    let refusal = share.open("old", at(2, false)).unwrap_err();
    assert_eq!(refusal, Refusal::NotResumable);
    share.store("old", "abc");
    stalled.write(b"late").unwrap_err();
    drop(stalled);
    share.begin("old", at(3, false), "d").complete().unwrap();
    assert_eq!(share.read("old"), "abcd");
}

/// A slow disk may take longer to prepare an upload than another session waits.
#[test]
fn an_upload_may_give_way_before_it_is_prepared() {
    let share = Share::new();
    let path = FtpPath::parse(b"old").unwrap();
    let (target, existing) = share
        .root
        .upload_target(&path, UploadStart::Replace)
        .unwrap();
    let uploader = Uploader::of_login(&share.uploads, "user");
    let (slow, _) = uploader.claim(target.key()).unwrap();
    slow.running.stall();
    let mut upload = share.begin("old", UploadStart::Replace, "new");
    let options = share.root.upload_options(UploadStart::Replace, None);
    let prepared = Prepared::new(target, existing, options).unwrap();
    slow.running.set_prepared(prepared);
    assert!(slow.running.gave_way());
    slow.running.store(4, &mut |_| Ok(())).unwrap_err();
    upload.complete().unwrap();
    assert_eq!(share.read("old"), "new");
}

#[test]
fn a_file_keeps_its_rights_and_attributes() {
    let share = Share::new();
    let mode = |bits| fs::set_permissions(share.file("old"), fs::Permissions::from_mode(bits));
    let (name, empty) = (c"user.note", rustix::fs::XattrFlags::empty());
    let has_extended = rustix::fs::setxattr(share.file("old"), name, b"kept", empty).is_ok();
    for bits in [0o640, 0o606, 0o777] {
        mode(bits).unwrap();
        share.store("old", "new");
        let metadata = fs::metadata(share.file("old")).unwrap();
        assert_eq!(metadata.mode() & 0o7777, bits);
    }
    let mut value = [0; 9];
    let length = rustix::fs::getxattr(share.file("old"), name, &mut value);
    assert_eq!(
        length.map(|length| &value[..length]).ok(),
        has_extended.then_some(&b"kept"[..])
    );
}

#[test]
fn a_file_with_several_links_is_written_in_place() {
    let share = Share::new();
    fs::hard_link(share.file("old"), share.file("again")).unwrap();
    share.store("old", "new");
    assert_eq!(share.read("again"), "new");
}

#[test]
fn an_upload_follows_links_within_the_share() {
    let share = Share::new();
    fs::create_dir_all(share.file("a/b")).unwrap();
    fs::create_dir(share.file("c")).unwrap();
    symlink("../../old", share.file("a/b/link")).unwrap();
    symlink("a/b", share.file("directory")).unwrap();
    symlink("directory/link", share.file("two")).unwrap();
    symlink("c/made", share.file("dangling")).unwrap();
    for (name, text) in [("a/b/link", "1"), ("directory/link", "2"), ("two", "3")] {
        share.store(name, text);
        assert_eq!(share.read("old"), text);
        assert!(fs::symlink_metadata(share.file(name)).unwrap().is_symlink());
    }
    share.store("dangling", "4");
    assert_eq!(share.read("c/made"), "4");
    for outside in ["/etc/passwd", "../outside", "a/../../outside"] {
        symlink(outside, share.file("out")).unwrap();
        let refusal = share.open("out", UploadStart::Replace).unwrap_err();
        assert_eq!(refusal, Refusal::Denied, "{outside}");
        fs::remove_file(share.file("out")).unwrap();
    }
    for directory in ["old/", "none/", "old/."] {
        symlink(directory, share.file("slash")).unwrap();
        let refusal = share.open("slash", UploadStart::Replace).unwrap_err();
        assert_eq!(refusal, Refusal::IsADirectory, "{directory}");
        fs::remove_file(share.file("slash")).unwrap();
    }
    symlink("loop", share.file("loop")).unwrap();
    let refusal = share.open("loop", UploadStart::Replace).unwrap_err();
    assert_eq!(refusal, Refusal::Denied);
}

#[test]
fn it_is_complete_only_if_the_name_leads_to_the_bytes() {
    let share = Share::new();
    let fails = |mut upload: Upload| {
        upload.complete().unwrap_err();
        upload.end().unwrap().kept
    };
    fs::create_dir(share.file("d")).unwrap();
    let upload = share.begin("d/new", UploadStart::Replace, "a");
    fs::rename(share.file("d"), share.file("e")).unwrap();
    assert_eq!(fails(upload), Kept::Nothing);

    let upload = share.begin("old", UploadStart::End, "6");
    fs::remove_file(share.file("old")).unwrap();
    assert_eq!(fails(upload), Kept::Nothing);

    fs::write(share.file("old"), "12345").unwrap();
    let upload = share.begin("old", UploadStart::End, "6");
    fs::rename(share.file("old"), share.file("moved")).unwrap();
    fs::write(share.file("old"), "another").unwrap();
    assert_eq!(fails(upload), Kept::OldFile);
    assert_eq!(share.read("moved"), "123456");
    // Its end is not where the client was.
    let refusal = share.open("old", at(7, false)).unwrap_err();
    assert_eq!(refusal, Refusal::NotResumable);
}

#[test]
fn a_link_that_leads_nowhere_exists() {
    let share = Share::new();
    symlink("nowhere", share.file("link")).unwrap();
    let refusal = share.open("link", UploadStart::Create).unwrap_err();
    assert_eq!(refusal, Refusal::Exists);
}

#[test]
fn what_another_client_has_created_meanwhile_is_not_replaced() {
    let share = Share::new();
    let mut create = share.begin("new", UploadStart::Create, "ours");
    fs::write(share.file("new"), "theirs").unwrap();
    create.complete().unwrap_err();
    assert_eq!(share.read("new"), "theirs");
}

#[test]
fn what_another_client_has_appended_meanwhile_stays() {
    let share = Share::new();
    let mut resumed = share.open("old", at(5, false)).unwrap();
    fs::write(share.file("old"), "1234567").unwrap();
    resumed.write(b"x").unwrap_err();
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
    let mut upload = share.begin("old", UploadStart::Unique, "text");
    upload.complete().unwrap();
    assert_eq!(share.read("old.1"), "text");
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
