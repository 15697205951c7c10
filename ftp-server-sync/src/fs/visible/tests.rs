//! What is hidden does not exist, for any request.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::listing::{ListFlags, ListRequest, Pattern, Selection, Walk};
use ftp_proto::{
    Account, HashAlgorithm, HashRequest, ListStyle, Representation, Rights, UploadStart,
};

use super::*;
use crate::fs::list::{ListLimit, NextLine};
use crate::fs::share_rules::ShareRules;
use crate::fs::tree::Tree;
use crate::fs::upload::Uploader;

fn path(text: &str) -> FtpPath {
    FtpPath::parse(text.as_bytes()).unwrap()
}

fn rename(from: &str, to: &str) -> FileRequest {
    FileRequest::Rename {
        from: path(from),
        to: path(to),
        replace: true,
    }
}

fn size(name: &str) -> FileRequest {
    FileRequest::Size {
        path: path(name),
        representation: Representation::Image,
    }
}

fn hash(root: &Root, name: &str) -> Result<(), Refusal> {
    let request = HashRequest::new(path(name), HashAlgorithm::Sha256);
    root.hash(&Arc::default(), &request).map(drop)
}

/// What must find neither a hidden name nor the server's own file.
fn requests_for(name: &str) -> Vec<FileRequest> {
    let path = || path(name);
    vec![
        FileRequest::DeleteFile(path()),
        FileRequest::RemoveDirectory(path()),
        FileRequest::RenameFrom(path()),
        rename("file", name),
        rename(name, "new"),
        size(name),
        FileRequest::ModifiedTime(path()),
        FileRequest::ChangeMode {
            path: path(),
            mode: 0,
        },
        FileRequest::SetModified {
            path: path(),
            modified: 0,
        },
    ]
}

#[test]
fn hidden_names_do_not_exist_for_any_request() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["@eaDir/inner", "d/.Trash-1000"] {
        fs::create_dir_all(directory.path().join(name)).unwrap();
    }
    for name in ["@eaDir/file", "d/.Trash-1000/file", "file", "d/file"] {
        fs::write(directory.path().join(name), "text").unwrap();
    }
    let hidden = ["@eaDir", ".Trash*"].map(|pattern| Pattern::new(pattern.as_bytes()));
    let root = Root::open(directory.path()).unwrap();
    let root = root.with_rules(ShareRules::new(hidden.into(), Vec::new()));
    for name in [
        "@eaDir",
        "@eaDir/file",
        "@eaDir/inner",
        "d/.Trash-1000",
        "d/.Trash-1000/file",
        "d/.Trash-new",
    ] {
        let others = [
            FileRequest::ChangeDirectory(path(name)),
            FileRequest::MakeDirectory {
                path: path(name),
                umask: None,
            },
            FileRequest::Facts(path(name)),
        ];
        for request in requests_for(name).into_iter().chain(others) {
            let answer = root.perform(&request);
            assert_eq!(answer, Err(Refusal::NotFound), "{request:?}");
        }
        let refusal = root.download(&path(name), 0, None).unwrap_err();
        assert_eq!(refusal, Refusal::NotFound);
        assert_eq!(hash(&root, name), Err(Refusal::NotFound));
        assert_eq!(root.text_size(&path(name)).unwrap_err(), Refusal::NotFound);
        for start in [
            UploadStart::Create,
            UploadStart::Replace,
            UploadStart::End,
            UploadStart::Unique,
        ] {
            let refusal = root
                .upload(&path(name), start, None, &Uploader::for_tests())
                .unwrap_err();
            assert_eq!(refusal, Refusal::NotFound, "{start:?}");
        }
    }
    // Others are served, and nothing has changed.
    root.perform(&size("d/file")).unwrap();
    assert!(directory.path().join("@eaDir/inner").is_dir());
    assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"text");
    assert!(directory.path().join("d/.Trash-1000/file").exists());
}

/// The server's own files, by whatever name: `etc/key` itself, a hard link, and links to it.
#[test]
fn own_files_do_not_exist_for_any_request() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    fs::create_dir(place("etc")).unwrap();
    for name in ["etc/key", "file", "etc/other"] {
        fs::write(place(name), "text").unwrap();
    }
    fs::hard_link(place("etc/key"), place("again")).unwrap();
    symlink("etc/key", place("link")).unwrap();
    let own = vec![place("etc/key"), place("etc/missing")];
    let root = Root::open(directory.path()).unwrap();
    let root = root.with_rules(ShareRules::new(Vec::new(), own));
    for name in ["etc/key", "again", "link"] {
        let is_link = name == "link";
        let path = || path(name);
        for request in requests_for(name) {
            let answer = root.perform(&request);
            assert_eq!(answer, Err(Refusal::NotFound), "{request:?}");
        }
        let facts = root.perform(&FileRequest::Facts(path()));
        assert_eq!(facts.is_ok(), is_link, "{name}: {facts:?}");
        let refusal = root.download(&path(), 0, None).unwrap_err();
        assert_eq!(refusal, Refusal::NotFound);
        assert_eq!(hash(&root, name), Err(Refusal::NotFound));
        assert_eq!(root.text_size(&path()).unwrap_err(), Refusal::NotFound);
        for start in [UploadStart::Create, UploadStart::Replace, UploadStart::End] {
            let refusal = root
                .upload(&path(), start, None, &Uploader::for_tests())
                .unwrap_err();
            assert_eq!(refusal, Refusal::NotFound, "{start:?}");
        }
    }
    for start in [UploadStart::Create, UploadStart::Replace] {
        let refusal = root
            .upload(&path("etc/missing"), start, None, &Uploader::for_tests())
            .unwrap_err();
        assert_eq!(refusal, Refusal::NotFound, "{start:?}");
    }
    let answer = root.perform(&rename("file", "etc/missing"));
    assert_eq!(answer, Err(Refusal::NotFound));
    let answer = root.perform(&FileRequest::ChangeDirectory(path("etc/key")));
    assert_eq!(answer, Err(Refusal::NotFound));
    // Under another name of its directory the server would not find it.
    for request in [FileRequest::RenameFrom(path("etc")), rename("etc", "new")] {
        assert_eq!(root.perform(&request), Err(Refusal::Denied));
    }
    assert_eq!(fs::read(place("etc/key")).unwrap(), b"text");
    for name in ["file", "etc/other"] {
        root.perform(&size(name)).unwrap();
        root.text_size(&path(name)).unwrap();
        root.perform(&FileRequest::RenameFrom(path(name))).unwrap();
    }
    assert_eq!(listed(&root, ""), "etc\r\nfile\r\nlink\r\n");
    assert_eq!(listed(&root, "etc"), "other\r\n");
    // The server would find what a client creates there.
    symlink("etc/missing", place("dangling")).unwrap();
    for start in [UploadStart::Replace, UploadStart::End, UploadStart::Unique] {
        let upload = root.upload(&path("dangling"), start, None, &Uploader::for_tests());
        let _ = upload.map(|mut upload| upload.complete());
        assert!(!place("etc/missing").exists(), "{start:?}");
    }
    let make = FileRequest::MakeDirectory {
        path: path("etc/missing"),
        umask: None,
    };
    assert_eq!(root.perform(&make), Err(Refusal::NotFound));
}

/// The names in a directory, sorted.
fn listed(root: &Root, directory: &str) -> String {
    let mut selection = Selection::of_path(path(directory));
    selection.flags = ListFlags {
        reverse: true,
        ..ListFlags::default()
    };
    let account = Account::new(Rights::READ_ONLY).into();
    let request = ListRequest::new(selection, ListStyle::Names, account);
    let mut lines = Tree::from(root.clone()).list(Walk::new(request, 0));
    let mut text = Vec::new();
    let mut limit = ListLimit::new(usize::MAX, Instant::now() + Duration::from_secs(600));
    while lines.next_line(&mut text, &mut limit).unwrap() != NextLine::End {}
    let text = String::from_utf8(text).unwrap();
    text.split_inclusive('\n').rev().collect()
}
