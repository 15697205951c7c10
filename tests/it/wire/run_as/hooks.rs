//! The operator's programs, started by a server that has become another user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::{Accounts, search};
use crate::support::client_program::path;
use crate::support::server::Setup;

/// Also where a process outside of the sandbox starts them.
#[test]
fn hooks_have_the_rights_of_the_user() {
    let accounts = Accounts::new();
    for flags in [&[][..], &["--sandbox"]] {
        let place = TempDir::new().expect("a temporary directory");
        let hook = place.path().join("hook");
        let script = "#!/bin/sh\necho $(id -u) $(id -g) $(id -G) $(grep CapEff /proc/$$/status)\n";
        fs::write(&hook, script).expect("a script");
        fs::set_permissions(&hook, Permissions::from_mode(0o755)).expect("a mode");
        fs::set_permissions(place.path(), Permissions::from_mode(0o700)).expect("a mode");
        let setup = Setup::new()
            .flags(flags)
            .flags(&["--on-upload", path(&hook)]);
        search(setup.directory());
        let server = accounts.serve(setup);
        server.log_with("--on-upload ");
        server.log_with("cannot be started by the user of this server: Permission denied");
        search(place.path());
        server.client().store("STOR new", "text");
        server.log_with("for upload of #1: 4711 4712 4712 4713 CapEff: 0000000000000000");
        server.finish();
    }
}
