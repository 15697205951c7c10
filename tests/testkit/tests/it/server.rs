//! A server whose sessions a test can watch.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use ftp_proto::Config;
use ftp_proto_testkit::black_box::BlackBox;

use crate::driver::{Driver, Fault};
use crate::files::Files;
use crate::machine::Machine;

/// A server on 127.0.0.1, which serves until the test program ends.
pub(crate) struct Server {
    address: SocketAddr,
    sessions: Arc<Sessions>,
}

#[derive(Default)]
struct Sessions {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    panics: Vec<String>,
}

impl Server {
    pub(crate) fn start<M: Machine>(fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let sessions = Arc::<Sessions>::default();
        let files = Arc::<Mutex<Files>>::default();
        let config = Arc::new(config());
        let own = sessions.clone();
        thread::spawn(move || {
            for control in listener.incoming().flatten() {
                let (config, files, sessions) = (config.clone(), files.clone(), own.clone());
                sessions.update(|state| state.running += 1);
                thread::spawn(move || {
                    let serve = || Driver::<M>::new(control, config, files, fault).run();
                    let result = panic::catch_unwind(AssertUnwindSafe(serve));
                    sessions.update(|state| {
                        state.running -= 1;
                        state.panics.extend(result.err().map(|panic| text(&*panic)));
                    });
                });
            }
        });
        Self { address, sessions }
    }

    /// The checks, with what this server's settings are.
    pub(crate) fn black_box(&self) -> BlackBox {
        BlackBox::new(self.address)
            .user("joe")
            .password("secret")
            .reply_within(REPLY_WITHIN)
            .margin(Duration::from_secs(1))
            .idle_timeout(IDLE)
            .login_timeout(IDLE)
            .data_open_timeout(DATA)
            .data_stall_timeout(DATA)
    }

    /// What judges said about the driver, when all sessions have ended.
    pub(crate) fn panics(&self) -> Vec<String> {
        let state = self.sessions.state.lock().expect("no panic");
        let (state, timeout) = self
            .sessions
            .changed
            .wait_timeout_while(state, END_MAX, |state| state.running > 0)
            .expect("no panic");
        assert!(!timeout.timed_out(), "{} sessions still run", state.running);
        state.panics.clone()
    }
}

impl Sessions {
    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("no panic"));
        self.changed.notify_all();
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| "a panic without a text".into())
}

fn config() -> Config {
    let mut config = Config::default();
    config.login_timeout = Some(IDLE);
    config.idle_timeout = Some(IDLE);
    config.data_open_timeout = Some(DATA);
    config.data_stall_timeout = Some(DATA);
    config
}

/// Short, because some checks wait for it; long enough for a busy machine.
const IDLE: Duration = Duration::from_secs(1);
const DATA: Duration = Duration::from_secs(1);
/// The clients are gone.
const END_MAX: Duration = Duration::from_secs(10);
/// A driver that never answers is found after this time.
const REPLY_WITHIN: Duration = Duration::from_secs(2);
