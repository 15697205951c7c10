//! What is hidden does not exist, for any request.

use std::fs;

use ftp_proto::UploadStart;
use ftp_proto::listing::Pattern;

use super::*;
use crate::fs::share_rules::ShareRules;

fn path(text: &str) -> FtpPath {
    FtpPath::parse(text.as_bytes()).unwrap()
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
    let root = root.with_rules(ShareRules::new(hidden.into()));
    for name in [
        "@eaDir",
        "@eaDir/file",
        "@eaDir/inner",
        "d/.Trash-1000",
        "d/.Trash-1000/file",
        "d/.Trash-new",
    ] {
        let rename = |from: &str, to: &str| FileRequest::Rename {
            from: path(from),
            to: path(to),
            replace: true,
        };
        let path = || path(name);
        for request in [
            FileRequest::ChangeDirectory(path()),
            FileRequest::MakeDirectory {
                path: path(),
                umask: None,
            },
            FileRequest::RemoveDirectory(path()),
            FileRequest::DeleteFile(path()),
            FileRequest::RenameFrom(path()),
            rename("file", name),
            rename(name, "file"),
            FileRequest::Size(path()),
            FileRequest::ModifiedTime(path()),
            FileRequest::ChangeMode {
                path: path(),
                mode: 0,
            },
            FileRequest::SetModified {
                path: path(),
                modified: 0,
            },
            FileRequest::Facts(path()),
        ] {
            let answer = root.perform(&request);
            assert_eq!(answer, Err(Refusal::NotFound), "{request:?}");
        }
        let refusal = root.download(&path(), 0).unwrap_err();
        assert_eq!(refusal, Refusal::NotFound);
        for start in [
            UploadStart::Create,
            UploadStart::Replace,
            UploadStart::End,
            UploadStart::Unique,
        ] {
            let refusal = root.upload(&path(), start, None).unwrap_err();
            assert_eq!(refusal, Refusal::NotFound, "{start:?}");
        }
    }
    // Others are served, and nothing has changed.
    root.perform(&FileRequest::Size(path("d/file"))).unwrap();
    assert!(directory.path().join("@eaDir/inner").is_dir());
    assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"text");
    assert!(directory.path().join("d/.Trash-1000/file").exists());
}
