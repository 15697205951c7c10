//! A host of the lab as a person has it: with files of its own, a normal user, and `sudo`.
//!
//! What it changes in `/etc`, `/srv`, `/var` and the homes is in memory and goes with it: the
//! machine that runs the tests stays as it is. Programs that would change more, or would ask for a
//! password, are those of `tests/stubs`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::Lab;
use crate::support::page;
use crate::support::process;
use crate::support::server;
use crate::support::wait::{GUARD, is_so_within};

/// The machines of a lab; each can copy from the homes of the others.
pub(crate) struct Machines {
    machines: Vec<Machine>,
    /// How many scripts have run.
    scripts: u32,
    directory: TempDir,
}

/// Ends with all its processes when it is dropped.
struct Machine {
    host: String,
    /// Its first process has other ones below it, which end with this one.
    holder: Child,
    first: u32,
}

/// A script that has ended, or goes on to serve.
pub(crate) struct Script {
    pub(crate) has_succeeded: bool,
    pub(crate) is_serving: bool,
    pub(crate) stdout: String,
    /// Also the log of a server.
    pub(crate) stderr: String,
}

impl Machines {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir(directory.path().join("homes")).expect("a directory");
        Self {
            machines: Vec::new(),
            scripts: 0,
            directory,
        }
    }

    /// Makes a host of the lab a machine; others copy from it by this address.
    pub(crate) fn add(&mut self, lab: &Lab, host: &str, address: &str) {
        fs::create_dir(self.home(address)).expect("a home");
        let stubs = page::root().join("tests/stubs");
        let program = server::command::<&str>(&[]).get_program().to_owned();
        let mut command = lab.on(host, "unshare");
        command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        command.args(["sh", "-euc", FILES]);
        command.arg(self.directory.path().join("homes"));
        command.args([address.as_ref(), program.as_os_str(), stubs.as_os_str()]);
        let mut holder = process::start(&mut command);
        let stdout = holder.stdout.take().expect("stdout is piped");
        let ready = BufReader::new(stdout).lines().next();
        if ready.is_none() {
            let stderr = process::drain(holder.stderr.take().expect("stderr is piped"));
            let text = stderr.join().expect("its complaint");
            panic!("no machine {host}: {}", String::from_utf8_lossy(&text));
        }
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let children = fs::read_to_string(children).expect("the first process");
        self.machines.push(Machine {
            host: host.to_owned(),
            holder,
            first: children.trim().parse().expect("one process"),
        });
    }

    /// The person's home on the machine with this address.
    pub(crate) fn home(&self, address: &str) -> PathBuf {
        self.directory.path().join("homes").join(address)
    }

    /// What the person types into the file of this name, whatever directory it is in.
    pub(crate) fn type_into(&self, host: &str, name: &str, text: &str) {
        let typed = self.seen(host, "/usr/local/share/typed").join(name);
        fs::write(typed, text).expect("a text");
    }

    /// A path as this machine sees it.
    pub(crate) fn seen(&self, host: &str, path: &str) -> PathBuf {
        let first = self.machine(host).first;
        PathBuf::from(format!("/proc/{first}/root{path}"))
    }

    /// Runs a script as a normal user in the home, until it ends or a server in it listens. Its log
    /// goes on: [`Machines::read_on`].
    pub(crate) fn run(&mut self, host: &str, script: &str) -> Script {
        let first = self.machine(host).first.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &first, "--mount", "--pid", "--net"]);
        command.args([
            "setsid", "--wait", "setpriv", "--reuid", "1000", "--regid", "1000",
        ]);
        command.args([
            "--clear-groups",
            "env",
            "-i",
            "--chdir=/home/you",
            "HOME=/home/you",
        ]);
        command.args([
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "LC_ALL=C.UTF-8",
            "EDITOR=editor",
        ]);
        command.args(["bash", "-euo", "pipefail", "-c", script]);
        let [stdout, stderr] = self.outputs(self.scripts);
        self.scripts += 1;
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).expect("a file"));
        command.stderr(File::create(&stderr).expect("a file"));
        let mut child = command
            .spawn()
            .expect("nsenter (Debian package: util-linux)");
        let mut ended = None;
        let is_done = is_so_within(GUARD, || {
            ended = child.try_wait().expect("waiting for a child");
            ended.is_some() || read(&stderr).contains(LISTENING)
        });
        // A server goes on until its machine ends.
        Script {
            has_succeeded: is_done && ended.is_none_or(|status| status.success()),
            is_serving: is_done && ended.is_none(),
            stdout: read(&stdout),
            stderr: read(&stderr),
        }
    }

    /// What the script that was run last has printed in the meantime.
    pub(crate) fn read_on(&self, script: &mut Script) {
        let [stdout, stderr] = self.outputs(self.scripts - 1);
        script.stdout = read(&stdout);
        script.stderr = read(&stderr);
    }

    /// All that scripts have printed until now, the logs of their servers among it.
    pub(crate) fn printed(&self) -> String {
        let files = (0..self.scripts).flat_map(|script| self.outputs(script));
        files.map(|file| read(&file)).collect()
    }

    fn outputs(&self, script: u32) -> [PathBuf; 2] {
        ["stdout", "stderr"].map(|name| self.directory.path().join(format!("{script}.{name}")))
    }

    fn machine(&self, host: &str) -> &Machine {
        let machine = self.machines.iter().find(|machine| machine.host == host);
        machine.unwrap_or_else(|| panic!("{host} is no machine"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn read(file: &Path) -> String {
    let bytes = fs::read(file).expect("an output");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where the server's log says that clients can come.
const LISTENING: &str = " INFO  listening on ";

/// The machine's files. `$0` has the homes, `$1` is its own in them, `$2` our program, `$3` the
/// directory of stubs.
const FILES: &str = "
mount -t tmpfs -o mode=755 machine /usr/local
mkdir -p /usr/local/bin /usr/local/lib /usr/local/etc /usr/local/homes /usr/local/share/typed
cp \"$3\"/* /usr/local/bin
touch /usr/local/lib/ftp-server-sync
mount --bind \"$2\" /usr/local/lib/ftp-server-sync
cp \"$(command -v setpriv)\" /usr/local/lib/as-root
chmod 4755 /usr/local/lib/as-root
mount --bind \"$0\" /usr/local/homes
cp -a /etc/. /usr/local/etc
mount --bind /usr/local/etc /etc
sed -i /:1000:/d /etc/passwd /etc/group
echo you:x:1000:1000::/home/you:/bin/bash >> /etc/passwd
echo you:x:1000: >> /etc/group
for directory in /srv /home /root /run /tmp /var/lib /var/log; do
    mount -t tmpfs -o mode=755 machine $directory
done
chmod 1777 /tmp
mkdir /home/you
mount --bind \"/usr/local/homes/$1\" /home/you
chown you:you /home/you
echo ready
exec sleep infinity";
