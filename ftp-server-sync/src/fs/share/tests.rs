use std::fs;
use std::os::unix::fs::symlink;

use ftp_proto::listing::Pattern;
use ftp_proto::{FileRequest, FtpPath};
use tempfile::TempDir;

use super::*;

/// A share of `path("share")`, and a session that uses it.
struct Scene {
    directory: TempDir,
    share: Share,
    session: SessionShare,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("share");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("old"), "").unwrap();
        let share = Share::open(&path, ShareRules::default()).unwrap();
        let session = SessionShare::new(share.clone());
        Self {
            directory,
            share,
            session,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Whether this file is in the directory that the session uses now.
    fn has(&mut self, name: &str) -> Result<bool, Refusal> {
        let path = FtpPath::parse(name.as_bytes()).unwrap();
        let root = self.session.root()?;
        Ok(root.perform(&FileRequest::ModifiedTime(path)).is_ok())
    }

    #[track_caller]
    fn expect(&mut self, old: Result<bool, Refusal>, condition: Condition) {
        assert_eq!(self.has("old"), old);
        let state = lock(&self.share.place.state);
        assert_eq!(state.condition, condition);
        assert_eq!(state.opened.is_some(), old.is_ok());
        let is_usual = self.share.place.is_usual.load(Ordering::Acquire);
        assert_eq!(is_usual, condition == Available);
    }
}

use Condition::{Available, Unavailable};
const GONE: Result<bool, Refusal> = Err(Refusal::ShareUnavailable);

/// One look at a file is one at its directory too, as long as nothing is unusual.
#[test]
fn a_file_is_opened_at_once_only_where_the_share_is() {
    let mut scene = Scene::new();
    let inside = |name: &str| scene.path("share").join(name);
    symlink("old", inside("link")).unwrap();
    fs::create_dir(inside("directory")).unwrap();
    fs::write(inside("hidden"), "").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, inside("fifo"), rustix::fs::Mode::RWXU).unwrap();
    let path = |name: &str| FtpPath::parse(name.as_bytes()).unwrap();
    let opens = |session: &SessionShare, name| session.download(&path(name), 0, None).is_some();
    assert!(!opens(&scene.session, "old"), "nothing was looked at yet");
    scene.expect(Ok(true), Available);
    let rules = ShareRules::new(vec![Pattern::new(b"hidden")], Vec::new());
    scene.session.update_rules(rules.into());
    assert!(opens(&scene.session, "old"));
    for name in ["link", "directory", "hidden", "fifo", "missing", "/"] {
        assert!(!opens(&scene.session, name), "{name}");
    }
    let beyond = scene.session.download(&path("old"), 1, None);
    assert!(beyond.is_none(), "the refusal says why");

    scene.rename("share", "away");
    assert!(!opens(&scene.session, "old"));
    fs::create_dir(scene.path("share")).unwrap();
    fs::write(scene.path("share/old"), "another").unwrap();
    assert!(!opens(&scene.session, "old"));
    scene.expect(Ok(true), Available);
    assert!(opens(&scene.session, "old"));
}

#[test]
fn a_share_is_what_its_path_names() {
    let mut scene = Scene::new();
    scene.expect(Ok(true), Available);
    let known = scene.session.root.as_ref().map(|(named, _)| *named);
    assert!(scene.share.place.look(known).unwrap().is_none());

    scene.rename("share", "away");
    scene.expect(GONE, Unavailable);
    assert!(scene.session.root.is_none(), "a disk could not be removed");
    fs::write(scene.path("share"), "a file").unwrap();
    scene.expect(GONE, Unavailable);
    fs::remove_file(scene.path("share")).unwrap();
    scene.rename("away", "share");
    scene.expect(Ok(true), Available);

    fs::remove_dir_all(scene.path("share")).unwrap();
    scene.expect(GONE, Unavailable);
    fs::create_dir(scene.path("share")).unwrap();
    scene.expect(Ok(false), Available);
    fs::write(scene.path("share/old"), "").unwrap();
    scene.expect(Ok(true), Available);
}

#[test]
fn a_session_follows_a_link_to_another_directory() {
    let mut scene = Scene::new();
    scene.rename("share", "first");
    fs::create_dir(scene.path("second")).unwrap();
    symlink("first", scene.path("share")).unwrap();
    scene.expect(Ok(true), Available);
    symlink("second", scene.path("new")).unwrap();
    scene.rename("new", "share");
    scene.expect(Ok(false), Available);
    let opened = lock(&scene.share.place.state).opened.clone();
    let real = scene.directory.path().canonicalize().unwrap();
    assert_eq!(opened.unwrap().parent, real);
}

/// What another session has found in the meantime is for the log: a share that is back is reported
/// by the first session that sees it, even if its own directory is the same.
#[test]
fn sessions_share_what_they_find() {
    let mut scene = Scene::new();
    let mut other = SessionShare::new(scene.share.clone());
    other.root().unwrap();
    scene.rename("share", "away");
    scene.expect(GONE, Unavailable);
    scene.rename("away", "share");
    assert!(other.root().is_ok());
    assert_eq!(lock(&scene.share.place.state).condition, Available);
    scene.expect(Ok(true), Available);
}

/// The mount itself is tested with the program.
#[test]
fn a_directory_without_its_mount_is_not_the_share() {
    let mut scene = Scene::new();
    scene.expect(Ok(true), Available);
    // As if something had been mounted there.
    lock(&scene.share.place.state).mount = MountPoint::expected(scene.path("share"));
    scene.expect(Ok(true), Available);
    scene.rename("share", "disk");
    fs::create_dir(scene.path("share")).unwrap();
    scene.expect(GONE, Unavailable);
    fs::write(scene.path("share/file"), "").unwrap();
    scene.expect(GONE, Unavailable);
    let reloaded = scene
        .share
        .updated(&scene.path("share"), ShareRules::default());
    scene.session = SessionShare::new(reloaded.unwrap());
    scene.expect(GONE, Unavailable);
    fs::remove_dir_all(scene.path("share")).unwrap();
    scene.rename("disk", "share");
    scene.expect(Ok(true), Available);
}

#[test]
fn rules_stay_and_change_with_a_reload() {
    let hiding = |name: &str| ShareRules::new(vec![Pattern::new(name.as_bytes())], Vec::new());
    let mut scene = Scene::new();
    assert_eq!(scene.has("old"), Ok(true));
    let path = scene.path("share");
    let current = scene.share.updated(&path, hiding("o*")).unwrap();
    scene.session.update_rules(current.rules().clone());
    assert_eq!(scene.has("old"), Ok(false));
    scene.rename("share", "away");
    assert_eq!(scene.has("old"), GONE);
    scene.rename("away", "share");
    assert_eq!(scene.has("old"), Ok(false));
    // The session stays in its directory, also where new ones get another.
    fs::create_dir(scene.path("other")).unwrap();
    let other = scene.path("other");
    let current = scene.share.updated(&other, hiding("x*")).unwrap();
    scene.session.update_rules(current.rules().clone());
    assert_eq!(scene.has("old"), Ok(true));
    let missing = scene.share.updated(&scene.path("missing"), hiding("x*"));
    let error = missing.unwrap_err().to_string();
    assert!(
        error.contains("/missing: No such file or directory"),
        "{error}"
    );
}
