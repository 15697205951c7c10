//! Which links a program may enter: it comes to an end in every tree.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ftp_proto::listing::{Details, EntryKind};
use ftp_proto::{FileAnswer, FileRequest, Refusal};

use super::*;

fn path(text: &str) -> FtpPath {
    FtpPath::parse(text.as_bytes()).unwrap()
}

/// A shared directory with these directories and links, each link with its target.
fn share(directories: &[&str], links: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    for name in directories {
        fs::create_dir_all(directory.path().join(name)).unwrap();
    }
    for (link, target) in links {
        symlink(target, directory.path().join(link)).unwrap();
    }
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

fn kind(root: &Root, text: &str) -> EntryKind {
    match root.perform(&FileRequest::Facts(path(text))) {
        Ok(FileAnswer::Entry(entry)) => entry.kind,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn links_are_what_they_lead_to_unless_that_contains_them() {
    let links = [
        ("file-link", "file"),
        ("a/up-file", "../file"),
        ("to-a", "a"),
        ("a/self", "."),
        ("a/b/up", "../.."),
        ("a/b/parent", ".."),
        ("a/b/sibling", "../c"),
        ("a/b/twice", "sibling"),
        ("a/c/back", "../b"),
        ("nowhere", "missing"),
        ("out", "../.."),
        ("absolute", "/"),
        ("loop", "loop"),
    ];
    let (directory, root) = share(&["a/b", "a/c"], &links);
    fs::write(directory.path().join("file"), "text").unwrap();
    for (name, expected) in [
        ("file-link", EntryKind::File),
        ("a/up-file", EntryKind::File),
        ("to-a", EntryKind::Directory),
        ("to-a/b", EntryKind::Directory),
        ("to-a/b/parent", EntryKind::Symlink),
        ("a/self", EntryKind::Symlink),
        ("a/b/up", EntryKind::Symlink),
        ("a/b/parent", EntryKind::Symlink),
        ("a/b/sibling", EntryKind::Directory),
        ("a/b/twice", EntryKind::Directory),
        // `sibling` is `c`, and `c/back` is `b`, from which the path has come.
        ("a/c/back", EntryKind::Directory),
        ("a/b/sibling/back", EntryKind::Symlink),
        ("nowhere", EntryKind::Symlink),
        ("out", EntryKind::Symlink),
        ("absolute", EntryKind::Symlink),
        ("loop", EntryKind::Symlink),
    ] {
        assert_eq!(kind(&root, name), expected, "{name}");
    }
    match root.perform(&FileRequest::Facts(path("file-link"))) {
        Ok(FileAnswer::Entry(entry)) => assert_eq!(entry.size, 4),
        other => panic!("{other:?}"),
    }
}

/// Enters whatever the facts call a directory, as a mirror does. Returns how many it has entered.
fn mirror(root: &Root, shared: &Path, directory: &FtpPath, entered: &mut usize) {
    *entered += 1;
    assert!(*entered < 1000, "{directory}: in circles");
    let names = fs::read_dir(shared.join(super::super::root::relative(directory))).unwrap();
    for name in names {
        let name = name.unwrap().file_name();
        let path = directory.child(name.as_encoded_bytes()).unwrap();
        let details = Details::FACTS;
        let entry = root.entry_with(&path, details, &mut Default::default());
        if entry.unwrap().kind == EntryKind::Directory {
            mirror(root, shared, &path, entered);
        }
    }
}

#[test]
fn a_mirror_comes_to_an_end_in_every_tree() {
    let directories = ["", "a", "b", "a/c", "a/c/d"];
    let targets = ["a", "b", "a/c", "a/c/d"];
    // Every two links to any of the directories, in any of them.
    for first in 0..directories.len() * targets.len() {
        for second in first + 1..directories.len() * targets.len() {
            let link = |index: usize, name: &str| {
                let place = directories[index % directories.len()];
                let depth = place.split('/').filter(|part| !part.is_empty()).count();
                let target = targets[index / directories.len()];
                let link = format!("{place}/{name}");
                let target = format!("{}{target}", "../".repeat(depth));
                (link.trim_start_matches('/').to_owned(), target)
            };
            let both = [link(first, "x"), link(second, "y")];
            let [x, y] = &both;
            let links = [(&x.0[..], &x.1[..]), (&y.0[..], &y.1[..])];
            let (directory, root) = share(&directories, &links);
            mirror(&root, directory.path(), &FtpPath::root(), &mut 0);
        }
    }
}

#[test]
fn rmd_and_dele_remove_the_link_alone() {
    let links = [
        ("dir", "a"),
        ("also", "a"),
        ("gone", "missing"),
        ("b/up", ".."),
    ];
    let (directory, root) = share(&["a/inner", "b"], &links);
    let remove = |name| root.perform(&FileRequest::RemoveDirectory(path(name)));
    for name in ["dir", "gone", "b/up"] {
        remove(name).unwrap();
        let left = fs::symlink_metadata(directory.path().join(name));
        assert!(left.is_err(), "{name}");
    }
    root.perform(&FileRequest::DeleteFile(path("also")))
        .unwrap();
    assert!(directory.path().join("a/inner").is_dir());
    fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(remove("file"), Err(Refusal::NotADirectory));
    assert_eq!(remove("a"), Err(Refusal::NotEmpty));
}
