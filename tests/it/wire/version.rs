//! `--version`: the commit that was built, where something knows it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::process;
use crate::support::server;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ftp-server-sync/build.rs");

/// The build script as a program, and a place for sources.
struct Build {
    directory: TempDir,
}

impl Build {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        fs::create_dir_all(directory.path().join("source/package")).expect("a directory");
        let build = Self { directory };
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", SCRIPT, "-o"]);
        rustc.arg(build.path("script"));
        process::run(&mut rustc, 120).expect_success();
        build
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.path("source")).args(arguments);
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "a");
            git.env(format!("GIT_{who}_EMAIL"), "a@example.com");
            git.env(format!("GIT_{who}_DATE"), "2026-11-28T12:00:00Z");
        }
        let found = process::run(&mut git, 20).expect_success();
        String::from_utf8(found.stdout)
            .expect("UTF-8")
            .trim()
            .to_owned()
    }

    /// What the script says of this source, and which files it watches.
    fn output(&self, package: &Path, variables: &[(&str, &str)]) -> process::Finished {
        let mut script = Command::new(self.path("script"));
        script.env("CARGO_MANIFEST_DIR", package);
        script.env("PROFILE", "release");
        script
            .env_remove("FTP_BUILD_COMMIT")
            .env_remove("SOURCE_DATE_EPOCH");
        // A repository around the temporary directory would be another's.
        script.env("GIT_CEILING_DIRECTORIES", self.directory.path());
        script.envs(variables.iter().copied());
        process::run(&mut script, 20)
    }

    fn version(&self, variables: &[(&str, &str)]) -> String {
        let found = self
            .output(&self.path("source/package"), variables)
            .expect_success();
        let text = String::from_utf8(found.stdout).expect("UTF-8");
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("cargo::rustc-env=FTP_BUILD="));
        line.expect("a version").to_owned()
    }
}

#[test]
fn the_version_names_the_commit_where_it_is_known() {
    let build = Build::new();
    let epoch = ("SOURCE_DATE_EPOCH", "1709208000");
    assert_eq!(build.version(&[]), "", "no repository");
    assert_eq!(build.version(&[epoch]), "");
    let packager = ("FTP_BUILD_COMMIT", "1.2-3+deb12");
    assert_eq!(build.version(&[packager]), " (1.2-3+deb12)");
    assert_eq!(
        build.version(&[packager, epoch]),
        " (1.2-3+deb12 2024-02-29)"
    );
    let package = build.path("source/package");
    for wrong in [("FTP_BUILD_COMMIT", "a b"), ("SOURCE_DATE_EPOCH", "today")] {
        build.output(&package, &[wrong]).expect_failure();
    }

    build.git(&["init", "-q", "-b", "main"]);
    assert_eq!(build.version(&[]), "", "no commit");
    build.git(&["commit", "-q", "--allow-empty", "-m", "a"]);
    let commit = build.git(&["rev-parse", "--short=7", "HEAD"]);
    assert_eq!(build.version(&[]), format!(" ({commit} 2026-11-28)"));
    assert_eq!(build.version(&[epoch]), format!(" ({commit} 2024-02-29)"));
    let debug = ("PROFILE", "debug");
    assert_eq!(build.version(&[debug]), "", "a build after each commit");
    assert_eq!(build.version(&[debug, packager]), " (1.2-3+deb12)");
    assert_eq!(
        build.version(&[("FTP_BUILD_COMMIT", "")]),
        format!(" ({commit} 2026-11-28)")
    );
    // A package that was unpacked within the work tree.
    let inner = package.join("target/package/inner");
    fs::create_dir_all(&inner).expect("a directory");
    let found = build.output(&inner, &[]).expect_success();
    assert!(String::from_utf8_lossy(&found.stdout).ends_with("FTP_BUILD=\n"));

    // Cargo takes a missing file for one that has changed, and builds again each time.
    for _ in 0..2 {
        let found = build.output(&package, &[]).expect_success();
        let text = String::from_utf8(found.stdout).expect("UTF-8");
        let watched = text
            .lines()
            .filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="));
        let watched: Vec<&str> = watched.filter(|path| *path != "build.rs").collect();
        assert!(
            watched.iter().any(|path| path.ends_with("HEAD")),
            "{watched:?}"
        );
        assert!(
            watched.iter().all(|path| Path::new(path).exists()),
            "{watched:?}"
        );
        // Where the reference has no file of its own.
        build.git(&["pack-refs", "--all"]);
    }
}

#[test]
fn the_program_prints_one_line() {
    let found = process::run(&mut server::command(&["-V"]), 20).expect_success();
    let text = String::from_utf8(found.stdout).expect("UTF-8");
    let version = concat!("ftp-server-sync ", env!("CARGO_PKG_VERSION"));
    assert!(
        text.starts_with(version) && text.lines().count() == 1,
        "{text}"
    );
}
