//! Where paths lead, and what may be done at the borders.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ftp_proto::listing::Details;
use ftp_proto::{FileAnswer, FileRequest};

use super::*;
use crate::accounts::quota::Quota;
use crate::fs::owners::Owners;
use crate::fs::root::Root;
use crate::fs::share_rules::QuotaInForce;

fn path(text: &str) -> FtpPath {
    FtpPath::parse(text.as_bytes()).unwrap()
}

/// The home is `home`, and the mounts are those of [`MOUNTS`].
struct Scene {
    directory: tempfile::TempDir,
    tree: Tree,
}

/// Where each is seen, and its directory; the last one is not available.
const MOUNTS: [(&str, &str); 5] = [
    ("/deep/er/x", "x"),
    ("/m/inner", "inner"),
    ("/real/y", "y"),
    ("/gone", "gone"),
    ("/m", "m"),
];

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["home/real", "home/m/hidden", "m", "inner", "x", "y"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "home/file",
            "home/real/file",
            "m/file",
            "inner/file",
            "x/file",
        ] {
            fs::write(at(name), name).unwrap();
        }
        symlink("../home/file", at("m/out")).unwrap();
        symlink("m", at("home/to-m")).unwrap();
        let root = |name: &str| Root::open(&at(name)).ok();
        let mounts = MOUNTS.map(|(seen, name)| MountedRoot {
            seen: path(seen),
            root: root(name),
        });
        let tree = Tree {
            home: root("home").unwrap(),
            mounts: mounts.into_iter().collect(),
        };
        Self { directory, tree }
    }

    fn identity(&self, name: &str) -> (u64, u64) {
        Root::open(&self.directory.path().join(name))
            .unwrap()
            .identity
    }

    fn exists(&self, name: &str) -> bool {
        Path::exists(&self.directory.path().join(name))
    }

    fn perform(&self, request: &FileRequest) -> Result<(), Refusal> {
        self.tree.perform(request).map(drop)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Refusal> {
        let (from, to) = (path(from), path(to));
        [false, true]
            .map(|replace| {
                let (from, to) = (from.clone(), to.clone());
                self.perform(&FileRequest::Rename { from, to, replace })
            })
            .into_iter()
            .fold(Ok(()), Result::and)
    }
}

#[test]
fn the_longest_mount_point_decides() {
    let scene = Scene::new();
    for (text, root, inner) in [
        ("/", "home", "/"),
        ("/file", "home", "/file"),
        ("/mm", "home", "/mm"),
        ("/m", "m", "/"),
        ("/m/file", "m", "/file"),
        ("/m/inner", "inner", "/"),
        ("/m/inner/a/b", "inner", "/a/b"),
        ("/m/innermost", "m", "/innermost"),
        ("/real", "home", "/real"),
        ("/real/file", "home", "/real/file"),
        ("/real/y", "y", "/"),
        ("/deep/er/x/file", "x", "/file"),
        ("/deep/other", "home", "/deep/other"),
    ] {
        let asked = path(text);
        let Ok(Place::Shared(found, at)) = scene.tree.place(&asked) else {
            panic!("{text}");
        };
        assert_eq!(found.identity, scene.identity(root), "{text}");
        assert_eq!(*at, path(inner), "{text}");
    }
    for text in ["/deep", "/deep/er"] {
        let asked = path(text);
        assert!(
            matches!(scene.tree.place(&asked), Ok(Place::Bare)),
            "{text}"
        );
    }
    for text in ["/gone", "/gone/file"] {
        let asked = path(text);
        let found = scene.tree.place(&asked).map(drop);
        assert_eq!(found, Err(Refusal::ShareUnavailable), "{text}");
    }
}

#[test]
fn directories_contain_their_mount_points() {
    let scene = Scene::new();
    for (text, expected) in [
        ("/", "deep gone m real"),
        ("/deep", "er"),
        ("/deep/er", "x"),
        ("/m", "inner"),
        ("/real", "y"),
        ("/m/inner", ""),
        ("/other", ""),
    ] {
        let names = scene.tree.mount_names(&path(text));
        let names: Vec<String> = names
            .into_iter()
            .map(|name| String::from_utf8(name).unwrap())
            .collect();
        assert_eq!(names.join(" "), expected, "{text}");
    }
}

#[test]
fn a_mount_point_stays() {
    let scene = Scene::new();
    for text in ["/m", "/m/inner", "/gone", "/deep", "/deep/er", "/real"] {
        for request in [
            FileRequest::DeleteFile(path(text)),
            FileRequest::RemoveDirectory(path(text)),
            FileRequest::RenameFrom(path(text)),
        ] {
            assert_eq!(
                scene.perform(&request),
                Err(Refusal::MountPoint),
                "{request:?}"
            );
        }
        assert_eq!(scene.rename(text, "/other"), Err(Refusal::MountPoint));
        assert_eq!(scene.rename("/file", text), Err(Refusal::MountPoint));
        let new = FileRequest::MakeDirectory {
            path: path(text),
            umask: None,
        };
        assert_eq!(scene.perform(&new), Err(Refusal::Exists), "{text}");
    }
    let mode = |text| FileRequest::ChangeMode {
        path: path(text),
        mode: 0o700,
    };
    assert_eq!(scene.perform(&mode("/m")), Err(Refusal::MountPoint));
    assert_eq!(scene.perform(&mode("/deep")), Err(Refusal::Denied));
    assert_eq!(scene.perform(&mode("/real")), Ok(()));
    assert!(scene.exists("home/m/hidden") && scene.exists("home/real/file"));
}

#[test]
fn renames_stay_in_their_share() {
    let scene = Scene::new();
    for (from, to) in [
        ("/file", "/m/new"),
        ("/m/file", "/new"),
        ("/m/file", "/m/inner/new"),
        ("/m/inner/file", "/deep/er/x/file"),
    ] {
        assert_eq!(
            scene.rename(from, to),
            Err(Refusal::OtherFileSystem),
            "{from} {to}"
        );
    }
    assert_eq!(scene.rename("/file", "/deep/new"), Err(Refusal::Denied));
    assert_eq!(
        scene.rename("/file", "/gone/new"),
        Err(Refusal::ShareUnavailable)
    );
    let request = FileRequest::Rename {
        from: path("/m/file"),
        to: path("/m/new"),
        replace: false,
    };
    assert_eq!(scene.perform(&request), Ok(()));
    assert!(scene.exists("m/new") && !scene.exists("m/file"));
}

#[test]
fn nothing_can_be_stored_beside_mount_points_that_are_alone() {
    let scene = Scene::new();
    let new = FileRequest::MakeDirectory {
        path: path("/deep/new"),
        umask: None,
    };
    assert_eq!(scene.perform(&new), Err(Refusal::Denied));
    assert!(!scene.exists("home/deep"));
    let enter = |text| scene.perform(&FileRequest::ChangeDirectory(path(text)));
    assert_eq!(enter("/deep/er"), Ok(()));
    assert_eq!(enter("/deep/missing"), Err(Refusal::NotFound));
    assert_eq!(enter("/gone"), Err(Refusal::ShareUnavailable));
    let times = FileRequest::ModifiedTime(path("/deep"));
    assert_eq!(scene.perform(&times), Err(Refusal::IsADirectory));
}

#[test]
fn links_lead_into_no_other_share() {
    let scene = Scene::new();
    let download = |text| scene.tree.download(&path(text), 0, None).map(drop);
    assert_eq!(download("/m/out"), Err(Refusal::Denied));
    // What is hidden on the disk, not the mount.
    assert_eq!(download("/to-m/file"), Err(Refusal::NotFound));
    assert_eq!(download("/m/file"), Ok(()));
    assert_eq!(download("/m/hidden"), Err(Refusal::NotFound));
    assert_eq!(download("/deep"), Err(Refusal::IsADirectory));
}

#[test]
fn entries_of_mount_points_are_directories() {
    let scene = Scene::new();
    for (text, real, is_fixed) in [
        ("/m", Some("m"), true),
        ("/real", Some("home/real"), true),
        ("/deep", None, true),
        ("/gone", None, true),
        ("/m/inner", Some("inner"), true),
    ] {
        let entry = scene
            .tree
            .entry(&path(text), Details::FACTS, &mut Owners::default());
        let entry = entry.unwrap();
        assert_eq!(
            entry.kind,
            ftp_proto::listing::EntryKind::Directory,
            "{text}"
        );
        assert_eq!(entry.is_fixed, is_fixed, "{text}");
        let identity = (entry.device, entry.inode);
        match real {
            Some(real) => assert_eq!(identity, scene.identity(real), "{text}"),
            None => assert_eq!(identity.0, 0, "{text}"),
        }
    }
    let facts = scene.tree.perform(&FileRequest::Facts(path("/m/file")));
    assert!(matches!(facts, Ok(FileAnswer::Entry(entry)) if !entry.is_fixed));
}

/// The client may go on to the mount before it stores the file.
#[test]
fn the_largest_share_is_the_size() {
    let mut scene = Scene::new();
    let quota = Arc::<QuotaInForce>::default();
    quota.set(Quota {
        bytes_max: Some(1000),
        files_max: None,
    });
    scene.tree.home.rules = Arc::new(ShareRules::default().with_quota(quota));
    let size = |tree: &Tree| match tree.perform(&FileRequest::Space(FtpPath::root())) {
        Ok(FileAnswer::Space(space)) => space.total,
        other => panic!("{other:?}"),
    };
    let home = &scene.tree.home;
    assert_eq!(size(&home.clone().into()), Some(1000));
    let mount = Root::open(&scene.directory.path().join("m")).unwrap();
    let mounts = [MountedRoot {
        seen: path("/m"),
        root: Some(mount.clone()),
    }];
    let tree = Tree {
        home: home.clone(),
        mounts: mounts.into(),
    };
    assert_eq!(size(&tree), size(&mount.into()));
    // One of the mounts is not available.
    assert_eq!(size(&scene.tree), None);
}
