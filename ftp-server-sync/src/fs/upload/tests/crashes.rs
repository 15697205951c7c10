//! What a server that was killed has left of its uploads.

use std::time::{Duration, SystemTime};

use super::*;

#[test]
fn leftovers_go_when_their_directory_is_written_to() {
    let share = Share::new();
    let leftover = share.file(".ftp-upload.1-1.part");
    let alive = share.file(".ftp-upload.1-2.part");
    let similar = share.file(".ftp-upload.notes.part");
    for file in [&leftover, &alive, &similar] {
        fs::write(file, "piece").unwrap();
    }
    let alive_file = File::open(&alive).unwrap();
    alive_file.lock().unwrap();
    share.store("new", "text");
    assert!(!leftover.exists() && alive.exists() && similar.exists());
}

#[test]
fn a_crash_leaves_what_was_received_of_a_large_new_file() {
    let large = "x".repeat(1 << 20);
    for (share, name, keeps) in [
        (Share::new(), "new", true),
        (Share::new(), "old", false),
        (Share::discarding(), "new", false),
    ] {
        let upload = share.begin(name, UploadStart::Replace, &large);
        // A crash: no destructor runs, and the lock is gone.
        let piece = share.names().into_iter().find(|name| name.starts_with('.'));
        let piece = share.file(&piece.unwrap());
        fs::copy(&piece, share.file("copy")).unwrap();
        let noted = intended_name::read(File::open(&piece).unwrap());
        drop(upload);
        drop(fs::remove_file(share.file("new")));
        fs::rename(share.file("copy"), share.file(".ftp-upload.1-1.part")).unwrap();
        let piece = File::open(share.file(".ftp-upload.1-1.part")).unwrap();
        if let Some(noted) = noted {
            intended_name::note(&piece, &noted);
        }
        drop(piece);
        let other = Share {
            uploads: Arc::default(),
            ..share
        };
        // In this process no upload has failed.
        if !keeps && name == "old" {
            let refusal = other.open("old", at(2, false)).unwrap_err();
            assert_eq!(refusal, Refusal::NotResumable);
        }
        other.store("other", "text");
        assert_eq!(other.file("new").exists(), keeps, "{name}");
        let names = if keeps {
            vec!["new", "old", "other"]
        } else {
            vec!["old", "other"]
        };
        assert_eq!(other.names(), names);
    }
}

/// A share in which a server that was killed has left "abc" of the new file `new`.
fn after_a_crash() -> Share {
    let share = Share::new();
    leave(&share, "new");
    share
}

/// Another server is killed while it receives this file.
fn leave(share: &Share, name: &str) {
    let leftover = share.file(".ftp-upload.1-1.part");
    fs::write(&leftover, "abc").unwrap();
    intended_name::note(File::open(leftover).unwrap(), name.as_ref());
}

/// It gets its name before the name is looked at.
#[test]
fn what_a_crash_left_counts_at_once() {
    for start in [at(3, false), UploadStart::End] {
        let share = after_a_crash();
        share.begin("new", start, "d").complete().unwrap();
        assert_eq!(share.read("new"), "abcd");
    }
    let share = after_a_crash();
    let refusal = share.open("new", UploadStart::Create).unwrap_err();
    assert_eq!(refusal, Refusal::Exists);
    // It is older than the piece that follows it.
    let share = after_a_crash();
    let upload = share.begin("new", UploadStart::Replace, "abcdef");
    assert_eq!(kept(upload, UploadFailure::Broken), Kept::Bytes(6));
    assert_eq!(share.read("new"), "abcdef");
}

#[test]
fn other_servers_may_be_killed_at_any_time() {
    let share = Share::new();
    for round in 0..3 {
        let name = format!("new{round}");
        share.store("other", "text");
        leave(&share, &name);
        let mut upload = share.begin(&name, at(3, false), "d");
        upload.complete().unwrap();
        assert_eq!(share.read(&name), "abcd");
        share.store("old", "older text");
        leave(&share, "old");
        for start in [at(3, false), UploadStart::End] {
            let refusal = share.open("old", start).unwrap_err();
            assert_eq!(refusal, Refusal::NotResumable);
        }
    }
}

/// Its client may have stored the file again by another server, and someone have moved that.
#[test]
fn a_piece_comes_back_for_its_own_client_only() {
    let share = Share::new();
    share.store("other", "text");
    leave(&share, "new");
    share
        .begin("other", UploadStart::End, "!")
        .complete()
        .unwrap();
    assert!(!share.file("new").exists());
    share
        .begin("new", UploadStart::End, "d")
        .complete()
        .unwrap();
    assert_eq!(share.read("new"), "abcd");
}

/// A piece with its name would be in its way at the end.
#[test]
fn size_leaves_the_name_of_an_upload_alone() {
    let share = Share::new();
    let mut upload = share.begin("new", UploadStart::Create, "whole");
    leave(&share, "new");
    let path = FtpPath::parse(b"new").unwrap();
    let uploader = Uploader::of_login(&share.uploads, "user");
    // Some of these come after the pause of the look before.
    for _ in 0..1000 {
        assert!(!share.root.find_leftover(&path, &uploader));
    }
    upload.complete().unwrap();
    assert_eq!(share.read("new"), "whole");
}

#[test]
fn a_file_that_was_stored_again_is_continued() {
    let share = Share::new();
    leave(&share, "file");
    fs::write(share.file("file"), "whole").unwrap();
    let later = SystemTime::now() + Duration::from_secs(10);
    let file = File::options().write(true).open(share.file("file"));
    file.unwrap().set_modified(later).unwrap();
    share.begin("file", at(5, false), "!").complete().unwrap();
    assert_eq!(share.read("file"), "whole!");
    assert_eq!(share.names(), ["file", "old"]);
}

#[test]
fn a_directory_with_leftovers_only_is_empty() {
    let share = Share::new();
    fs::create_dir(share.file("d")).unwrap();
    fs::write(share.file("d/.ftp-upload.1-1.part"), "piece").unwrap();
    let path = FtpPath::parse(b"d").unwrap();
    let request = ftp_proto::FileRequest::RemoveDirectory(path);
    fs::write(share.file("d/file"), "text").unwrap();
    assert_eq!(share.root.perform(&request).unwrap_err(), Refusal::NotEmpty);
    // The next upload finds out what it was for.
    assert!(share.file("d/.ftp-upload.1-1.part").exists());
    fs::remove_file(share.file("d/file")).unwrap();
    share.root.perform(&request).unwrap();
}
