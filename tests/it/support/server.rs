//! A running FTP server for a test, and the directory that it shares. There are three backends:
//!
//! - [`InProcess`]: our server in this process. It starts at once, and a test can use its handle
//!   and settings that no flag has.
//! - [`Program`]: our server as the program, for tests that need its log, its signals, its use of
//!   the system, or a network namespace. `FTP_TEST_SERVER` replaces it by another command that
//!   knows the same short flags.
//! - [`BlackBox`]: a server of which a test knows nothing but what clients see and what is in the
//!   directory. It is ours in this process, or the command in `FTP_TEST_SERVER`.
//!
//! What a test may do with its server is decided by the type of the backend.

mod black_box;
mod in_process;
mod program;
mod tls;
mod usage;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use ftp_server_sync::settings::Settings;
use tempfile::TempDir;

pub(crate) use black_box::BlackBox;
pub(crate) use in_process::InProcess;
pub(crate) use program::{Program, command, example};
pub(crate) use tls::SecureServer;
pub(crate) use usage::THREADS_IDLE;

use super::client::Client;
use super::client_program::WORK;
use super::lab::Lab;
use super::process::mounting;

/// A server that serves until this value is dropped.
pub(crate) struct TestServer<B> {
    // Dropped before the directory that it serves.
    backend: B,
    /// Of its first listener.
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

/// How a server is to be started. Its directories exist already.
pub(crate) struct Setup<'a> {
    directory: TempDir,
    common: Common,
    host: Option<String>,
    flags: Vec<OsString>,
    change_settings: Option<ChangeSettings>,
    wrap: Option<Wrap<'a>>,
    input: Stdio,
}

type ChangeSettings = Box<dyn Fn(&mut Settings) + Send>;
type Wrap<'a> = Box<dyn FnOnce(Command) -> Command + 'a>;

/// The flags that a test does not have to name.
#[derive(Clone, Copy, PartialEq)]
enum Common {
    /// The directory, any free port, and a user who may write.
    Account,
    /// The directory and any free port: without further flags everyone may read and no one may
    /// write.
    NoAccount,
    /// None.
    Nothing,
}

impl<'a> Setup<'a> {
    /// A server on 127.0.0.1 for [`USER`], who may write.
    pub(crate) fn new() -> Self {
        Self::with(Common::Account).host("127.0.0.1")
    }

    /// The directory and any free port; all else is up to the flags.
    pub(crate) fn without_account() -> Self {
        Self::with(Common::NoAccount)
    }

    /// Nothing but the flags that are given, for a command line that is tested as it stands.
    pub(crate) fn from_flags_alone() -> Self {
        Self::with(Common::Nothing)
    }

    fn with(common: Common) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        for name in [ROOT, WORK] {
            fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        Self {
            directory,
            common,
            host: None,
            flags: Vec::new(),
            change_settings: None,
            wrap: None,
            input: Stdio::null(),
        }
    }

    /// Where it listens, instead of 127.0.0.1.
    pub(crate) fn host(mut self, host: impl ToString) -> Self {
        self.host = Some(host.to_string());
        self
    }

    /// It listens where it does without that flag.
    pub(crate) fn on_all_addresses(mut self) -> Self {
        self.host = None;
        self
    }

    /// It listens on an address that no other test uses, so that all ports of that address are its
    /// own.
    pub(crate) fn on_own_address(self) -> Self {
        self.host(own_address())
    }

    pub(crate) fn flags<S: AsRef<OsStr>>(mut self, flags: &[S]) -> Self {
        self.flags
            .extend(flags.iter().map(|flag| flag.as_ref().to_owned()));
        self
    }

    /// Changes settings that no flag has, or finer than a flag can; also after each reload. In this
    /// process only.
    pub(crate) fn settings(mut self, change: impl Fn(&mut Settings) + Send + 'static) -> Self {
        self.change_settings = Some(Box::new(change));
        self
    }

    /// Puts the program's command into another one. For the program only.
    pub(crate) fn wrapped(mut self, wrap: impl FnOnce(Command) -> Command + 'a) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }

    /// The program's standard input. For the program only.
    pub(crate) fn input(mut self, input: impl Into<Stdio>) -> Self {
        self.input = input.into();
        self
    }

    /// The program runs where this script has mounted something; see
    /// [`mounting`].
    pub(crate) fn mounting(self, script: &'a str, paths: &'a [&'a Path]) -> Self {
        self.wrapped(move |command| mounting(script, paths, &command))
    }

    /// The program runs on a host of a lab.
    pub(crate) fn on_host(self, lab: &'a Lab, host: &'a str) -> Self {
        self.wrapped(move |command| lab.command_on(host, &command))
    }

    /// The directory that is shared.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join(ROOT)
    }

    /// The directory around it, for files that clients must not see.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn in_process(mut self) -> TestServer<InProcess> {
        assert!(self.wrap.is_none(), "a command cannot wrap this process");
        let change = self.change_settings.take();
        let server = InProcess::start(self.arguments(true), change);
        self.started(server.addresses[0], server)
    }

    pub(crate) fn program(mut self) -> TestServer<Program> {
        let mut command = self.command();
        let input = mem::replace(&mut self.input, Stdio::null());
        let program = Program::start(&mut command, input);
        self.started(program.address, program)
    }

    /// The command that starts the program.
    pub(crate) fn command(&mut self) -> Command {
        assert!(self.change_settings.is_none(), "the program has flags only");
        let mut command = command(&self.arguments(false));
        // Its status socket is not among those of other servers.
        command.env("RUNTIME_DIRECTORY", self.directory.path());
        match self.wrap.take() {
            Some(wrap) => wrap(command),
            None => command,
        }
    }

    fn started<B>(self, address: SocketAddr, backend: B) -> TestServer<B> {
        TestServer {
            backend,
            address,
            directory: self.directory,
        }
    }

    /// All flags. In this process a wrong password is answered at once, because tests send many.
    fn arguments(&self, in_process: bool) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        if let Some(host) = &self.host {
            arguments.extend(["-i".into(), host.into()]);
        }
        if self.common != Common::Nothing {
            if !self.has("-p") {
                arguments.extend(["-p".into(), "0".into()]);
            }
            arguments.extend(["-d".into(), self.root().into()]);
        }
        if self.common == Common::Account {
            arguments.extend(["-u", USER, "-P", PASSWORD, "-w"].map(OsString::from));
        }
        if in_process && !self.has("--login-delay") {
            arguments.extend(["--login-delay", "0"].map(OsString::from));
        }
        arguments.extend(self.flags.iter().cloned());
        arguments
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}

impl<B> TestServer<B> {
    /// The directory that is shared.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join(ROOT)
    }

    /// The directory around it, which clients must not see.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The status socket of the program.
    pub(crate) fn status_socket(&self) -> PathBuf {
        let name = format!("status-{}.socket", self.address.port());
        self.directory.path().join(name)
    }

    /// A path within the shared directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A file of zeros that takes no room on the disk.
    pub(crate) fn write_sparse(&self, name: &str, bytes: u64) {
        let file = fs::File::create(self.path(name)).expect("a file");
        file.set_len(bytes).expect("a size");
    }

    /// The permission bits of a file.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect(name).mode() & 0o7777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect(name);
    }

    /// The modification time of a file, in seconds since 1970.
    pub(crate) fn modified(&self, name: &str) -> i64 {
        fs::metadata(self.path(name)).expect(name).mtime()
    }

    pub(crate) fn set_modified(&self, name: &str, seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = fs::File::options().write(true).open(self.path(name));
        file.and_then(|file| file.set_modified(time)).expect(name);
    }

    /// A client that is logged in and has set TYPE I.
    pub(crate) fn client(&self) -> Client {
        Client::logged_in(self.address)
    }
}

/// A loopback address for one server, so that its fixed ports are free.
pub(crate) fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    assert!(number < 256, "too many addresses");
    // Two runs of the tests at the same time differ in their process.
    let [_, _, high, low] = process::id().to_be_bytes();
    let low_number = u8::try_from(number).expect("below 256");
    Ipv4Addr::new(127, (high % 128) + 64, low, low_number)
}

pub(crate) const USER: &str = "tester";
pub(crate) const PASSWORD: &str = "never-in-a-log";

const ROOT: &str = "root";
