//! The package for OpenWrt, as far as it can be tried without OpenWrt: what procd would be asked to
//! start, and what the Makefile would put into the package.
//!
//! The parts of OpenWrt that they call are replaced by some that write down what they are asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::client_program::path;
use crate::support::process;
use crate::support::server;

#[test]
fn procd_is_asked_to_start_the_server() {
    let place = TempDir::new().expect("a place");
    let configuration = place.path().join("conf");
    fs::write(&configuration, "").expect("a configuration");
    let called = called(&configuration, "start_service");
    let command = format!(
        "procd_set_param command /usr/sbin/ftp-server-sync --config {}",
        configuration.display()
    );
    let expected = [
        "procd_open_instance",
        &command,
        "procd_set_param env STATE_DIRECTORY=/etc/ftp-server-sync",
        "procd_set_param stderr 1",
        "procd_set_param respawn 3600 5 5",
        "procd_set_param term_timeout 30",
        "procd_close_instance",
        "result 0",
    ];
    assert_eq!(called, expected);
}

#[test]
fn without_a_configuration_nothing_is_started() {
    let called = called(Path::new("/nonexistent"), "start_service");
    let expected = [
        "logger -s -p daemon.err -t ftp-server-sync not started: /nonexistent is missing",
        "result 1",
    ];
    assert_eq!(called, expected);
}

#[test]
fn a_reload_is_the_servers_own() {
    let called = called(Path::new("/nonexistent"), "reload_service");
    assert_eq!(
        called,
        ["procd_send_signal ftp-server-sync * HUP", "result 0"]
    );
}

#[test]
fn the_script_is_sound() {
    let script = file("ftp-server-sync.init");
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.args(["--shell", "sh", path(&script)]);
    process::run(&mut shellcheck, SECONDS_MAX).expect_success();
    let text = read("ftp-server-sync.init");
    assert!(text.starts_with("#!/bin/sh /etc/rc.common\n"), "{text}");
    assert!(text.contains("\nUSE_PROCD=1\n"), "{text}");
}

/// With all its lines in force, and the names of this machine.
#[test]
fn the_configuration_is_accepted() {
    let place = TempDir::new().expect("a place");
    let password = place.path().join("password");
    fs::write(&password, "secret\n").expect("a password");
    let text = read("ftp-server-sync.conf").replace("\n#", "\n");
    let lines = text.lines().filter(|line| !line.starts_with([' ', '#']));
    let text: Vec<&str> = lines.collect();
    assert!(text.len() > 10, "{text:#?}");
    // Users that OpenWrt has, and this machine may not.
    let text = text.join("\n").replace("run-as ftp", "run-as daemon");
    let text = text.replace("/mnt/sda1", path(place.path()));
    let text = text.replace("/etc/ftp-server-sync.password", path(&password));
    let configuration = place.path().join("conf");
    fs::write(&configuration, text).expect("a configuration");
    let flags = ["--config", path(&configuration), "--rules", "text"];
    process::run(&mut server::command(&flags), SECONDS_MAX).expect_success();
}

#[test]
fn the_package_has_its_files() {
    let place = TempDir::new().expect("a place");
    let at = |name: &str| place.path().join(name);
    for (name, text) in [
        ("rules.mk", RULES),
        ("include/package.mk", PACKAGE),
        ("feeds/packages/lang/rust/rust-package.mk", RUST),
        ("built/bin/ftp-server-sync", "the program"),
    ] {
        fs::create_dir_all(at(name).parent().expect("a directory")).expect("a directory");
        fs::write(at(name), text).expect("a file");
    }
    let mut make = Command::new("make");
    make.current_dir(file(""))
        .args(["--warn-undefined-variables", "package"])
        .arg(format!("TOPDIR={}", place.path().display()));
    let finished = process::run(&mut make, SECONDS_MAX).expect_success();
    assert!(!finished.text().contains("warning"), "{}", finished.text());
    for (name, mode) in [
        ("usr/sbin/ftp-server-sync", 0o755),
        ("etc/init.d/ftp-server-sync", 0o755),
        // It may hold a password.
        ("etc/ftp-server-sync.conf", 0o600),
    ] {
        let metadata = fs::metadata(at("root").join(name)).expect(name);
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    let version = fs::read_to_string(at("version")).expect("the version");
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
    let mut metadata = Command::new("cargo");
    let manifest = at("sources/ftp-server-sync/Cargo.toml");
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    metadata.args(["--manifest-path", path(&manifest)]);
    process::run(&mut metadata, SECONDS_MAX).expect_success();
}

/// What a function of the script calls, with this configuration, and what it returns.
fn called(configuration: &Path, function: &str) -> Vec<String> {
    let printing = ["logger", "procd_open_instance", "procd_close_instance"];
    let printing = printing
        .iter()
        .chain(&["procd_set_param", "procd_send_signal"]);
    let stubs: String = printing
        .map(|name| format!("{name}() {{ echo \"{name}${{*:+ }}$*\"; }}\n"))
        .collect();
    let script = format!(
        "{stubs}. {}; CONFIGURATION={}; {function}; echo \"result $?\"",
        file("ftp-server-sync.init").display(),
        configuration.display()
    );
    // The shell of OpenWrt.
    let mut shell = Command::new("busybox");
    shell.args(["sh", "-c", &script]);
    let finished = process::run(&mut shell, SECONDS_MAX).expect_success();
    let text = String::from_utf8(finished.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

fn file(name: &str) -> PathBuf {
    let place = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../ftp-server-sync/packaging/openwrt"
    );
    Path::new(place).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).expect("a file of the package")
}

/// The variables of OpenWrt's build system that the Makefile uses.
const RULES: &str = "
INCLUDE_DIR := $(TOPDIR)/include
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_CONF := install -m0600
CP := cp -fpR
";

const PACKAGE: &str = "
PKG_BUILD_DIR := $(TOPDIR)/sources
PKG_INSTALL_DIR := $(TOPDIR)/built
define BuildPackage
package:
\techo $(PKG_VERSION) > $(TOPDIR)/version
\t$(Build/Prepare)
\t$(call Package/$(1)/install,$(TOPDIR)/root)
endef
";

const RUST: &str = "
RUST_ARCH_DEPENDS := @aarch64||arm||x86_64
define RustBinPackage
endef
";

const SECONDS_MAX: u64 = 60;
