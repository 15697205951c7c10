//! Each rule of the judge: what breaks it, and what nearly does.

use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::{
    Account, Action, Bound, Config, DataEvent, DataId, Digest, Endpoints, FileAnswer, Opened,
    Outcome, Output, Refusal, Rights, TransferError, TransferStart,
};
use ftp_proto_testkit::{Judge, Rule};

/// A driver by hand: a judge after its greeting.
fn judge() -> Judge {
    let mut config = Config::default();
    config.tls = true;
    config.digests = true;
    let address = |text: &str| text.parse().expect("an address");
    let ends = Endpoints::new(address("192.0.2.1:21"), address("192.0.2.7:40000"));
    let mut judge = Judge::new(Arc::new(config), ends);
    assert!(drain(&mut judge).is_none());
    judge
}

/// The outcome of `OpenPassive`.
fn opened(port: u16) -> Outcome {
    Outcome::PassiveOpened(Ok(Bound::try_from(port).expect("a port")))
}

fn logged_in() -> Judge {
    let mut judge = judge();
    send(&mut judge, "USER joe");
    send(&mut judge, "PASS secret");
    let account = Account::new(Rights::READ_WRITE);
    answer(&mut judge, Outcome::Authenticated(Some(account)));
    judge
}

/// An upload that has started, with the id of its port.
fn uploading() -> (Judge, TransferStart) {
    let (mut judge, _) = listening();
    open(&mut judge);
    let action = answer(&mut judge, Outcome::TransferOpened(Ok(Opened::default())));
    (judge, started(action))
}

fn started(action: Option<Action>) -> TransferStart {
    match action {
        Some(Action::StartTransfer(start)) => start,
        other => panic!("{other:?}"),
    }
}

fn listening() -> (Judge, DataId) {
    let mut judge = logged_in();
    let Some(Action::OpenPassive(data)) = send(&mut judge, "PASV") else {
        panic!("no port is asked for");
    };
    answer(&mut judge, opened(60_000));
    (judge, data)
}

fn open(judge: &mut Judge) {
    assert!(matches!(
        send(judge, "STOR file"),
        Some(Action::OpenTransfer(_))
    ));
}

fn ended(start: &TransferStart) -> Outcome {
    Outcome::TransferEnded {
        transfer: start.transfer,
        result: Ok(()),
    }
}

/// Passes a line, and returns the action that follows.
fn send(judge: &mut Judge, line: &str) -> Option<Action> {
    let line = format!("{line}\r\n");
    assert_eq!(judge.handle_input(line.as_bytes()), line.len());
    drain(judge)
}

fn answer(judge: &mut Judge, outcome: Outcome) -> Option<Action> {
    judge.handle_outcome(outcome).expect("an outcome that fits");
    drain(judge)
}

fn report(judge: &mut Judge, data: DataId, event: DataEvent) {
    judge.handle_data(data, event);
    drain(judge);
}

fn drain(judge: &mut Judge) -> Option<Action> {
    let mut last = None;
    while let Some(output) = judge.poll_output() {
        if let Output::Action(action) = output {
            last = Some(action);
        }
    }
    let _ = judge.poll_timeout();
    last
}

/// What the driver does breaks this rule.
#[track_caller]
fn breaks(rule: Rule, drive: impl FnOnce()) {
    let panic = panic::catch_unwind(AssertUnwindSafe(drive)).expect_err("no rule is broken");
    let text = panic.downcast_ref::<String>().expect("the text of a rule");
    let expected = format!("the driver breaks the rule {rule:?}: {rule} (");
    assert!(text.starts_with(&expected), "{text}");
}

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn outputs_are_drained() {
    breaks(Rule::DrainAfterEachInput, || {
        let mut judge = judge();
        judge.handle_input(b"NOOP\r\n");
        judge.handle_input(b"NOOP\r\n");
    });
    // An incomplete line, and an outcome on the spot, are no reason to begin again.
    let mut right = logged_in();
    assert_eq!(right.handle_input(b"CWD "), 0);
    assert_eq!(right.handle_input(b"CWD sub\r\n"), 9);
    while let Some(output) = right.poll_output() {
        if let Output::Action(action) = output {
            let refusal = action.decline().expect("an outcome");
            right.handle_outcome(refusal).expect("the open action");
        }
    }
    breaks(Rule::DrainAfterEachInput, || {
        let mut judge = judge();
        judge.handle_input(b"NOOP\r\n");
        judge.time_passes(SECOND);
    });
    breaks(Rule::DrainAfterEachInput, || {
        let mut judge = judge();
        judge.handle_input(b"NOOP\r\n");
    });
}

#[test]
fn unused_input_is_passed_again() {
    let mut right = judge();
    assert_eq!(right.handle_input(b"NOOP\r\nSYST"), 6);
    drain(&mut right);
    assert_eq!(right.handle_input(b"SYST\r\n"), 6);
    drain(&mut right);
    breaks(Rule::PassUnusedInputAgain, || {
        let mut judge = judge();
        judge.handle_input(b"NOOP\r\nSYST\r\n");
        drain(&mut judge);
        judge.handle_input(b"PWD\r\n");
    });
    breaks(Rule::PassUnusedInputAgain, || {
        let mut judge = judge();
        judge.handle_input(b"NOOP\r\nSYST\r\n");
        drain(&mut judge);
        judge.time_passes(SECOND);
        judge.time_passes(SECOND);
    });
}

#[test]
fn actions_are_answered() {
    breaks(Rule::AnswerEachAction, || {
        let mut judge = logged_in();
        send(&mut judge, "CWD sub");
    });
    let ask = || {
        let mut judge = logged_in();
        judge.set_answer_within(5 * SECOND);
        send(&mut judge, "CWD sub");
        judge.time_passes(5 * SECOND);
        judge
    };
    answer(&mut ask(), Outcome::File(Ok(FileAnswer::Done)));
    breaks(Rule::AnswerEachAction, || ask().time_passes(SECOND));
    breaks(Rule::AnswerEachAction, || drop(uploading()));
    // A session that has ended needs no answer any more.
    let mut judge = ask();
    judge.handle_eof();
    drop(judge);
}

#[test]
fn an_aborted_transfer_ends() {
    breaks(Rule::AnswerEachAction, || {
        let (mut judge, start) = uploading();
        report(&mut judge, start.data, DataEvent::Connected(CLIENT));
        send(&mut judge, "ABOR");
        judge.time_passes(59 * SECOND);
        judge.time_passes(2 * SECOND);
    });
}

#[test]
fn a_port_may_take_its_time() {
    let mut judge = logged_in();
    judge.set_answer_within(SECOND);
    send(&mut judge, "PASV");
    judge.time_passes(100 * SECOND);
    answer(&mut judge, opened(60_000));
}

#[test]
fn a_digest_may_take_its_time_but_ends_when_it_is_aborted() {
    let begin = || {
        let mut judge = logged_in();
        judge.set_answer_within(SECOND);
        assert!(matches!(
            send(&mut judge, "HASH file"),
            Some(Action::File(_))
        ));
        judge.time_passes(1000 * SECOND);
        judge
    };
    let digest = || Outcome::File(Ok(FileAnswer::Digest(Digest::new([1], 1))));
    answer(&mut begin(), digest());
    let mut right = begin();
    assert!(matches!(send(&mut right, "ABOR"), Some(Action::AbortFile)));
    right.time_passes(SECOND);
    answer(&mut right, Outcome::File(Err(Refusal::Failed)));
    breaks(Rule::AnswerEachAction, || {
        let mut wrong = begin();
        send(&mut wrong, "ABOR");
        wrong.time_passes(2 * SECOND);
    });
}

#[test]
fn an_action_has_one_outcome() {
    breaks(Rule::OneOutcomeForEachAction, || {
        let mut judge = logged_in();
        send(&mut judge, "CWD sub");
        answer(&mut judge, Outcome::File(Ok(FileAnswer::Done)));
        answer(&mut judge, Outcome::File(Ok(FileAnswer::Done)));
    });
    breaks(Rule::OneOutcomeForEachAction, || {
        let mut judge = logged_in();
        send(&mut judge, "CWD sub");
        answer(&mut judge, opened(60_000));
    });
}

#[test]
fn progress_only_grows() {
    let reports = |totals: &[u64]| {
        let (mut judge, start) = uploading();
        report(&mut judge, start.data, DataEvent::Connected(CLIENT));
        for total in totals {
            report(&mut judge, start.data, DataEvent::Progress(*total));
        }
        answer(&mut judge, ended(&start));
    };
    reports(&[0, 5, 5, 6]);
    breaks(Rule::ProgressOnlyGrows, || reports(&[5, 4]));
}

#[test]
fn progress_belongs_to_the_transfer() {
    breaks(Rule::ProgressBelongsToTheTransfer, || {
        let (mut judge, start) = uploading();
        report(&mut judge, start.data, DataEvent::Connected(CLIENT));
        answer(&mut judge, ended(&start));
        report(&mut judge, start.data, DataEvent::Progress(1));
    });
    breaks(Rule::ProgressBelongsToTheTransfer, || {
        let (mut judge, data) = listening();
        report(&mut judge, data, DataEvent::Connected(CLIENT));
        report(&mut judge, data, DataEvent::Progress(1));
    });
    breaks(Rule::ProgressBelongsToTheTransfer, || {
        let old = listening().1;
        let (mut judge, _) = listening();
        send(&mut judge, "PASV");
        answer(&mut judge, opened(60_001));
        open(&mut judge);
        answer(&mut judge, Outcome::TransferOpened(Ok(Opened::default())));
        report(&mut judge, old, DataEvent::Progress(1));
    });
}

#[test]
fn progress_is_reported() {
    let download = |bytes: Option<u64>, reports: bool, half_seconds: u32| {
        let (mut judge, _) = listening();
        let request = send(&mut judge, "RETR file");
        assert!(matches!(request, Some(Action::OpenTransfer(_))));
        let mut opened = Opened::default();
        opened.bytes = bytes;
        let start = started(answer(&mut judge, Outcome::TransferOpened(Ok(opened))));
        report(&mut judge, start.data, DataEvent::Connected(CLIENT));
        if reports {
            report(&mut judge, start.data, DataEvent::Progress(1));
        }
        judge.time_passes(half_seconds * SECOND / 2);
        answer(&mut judge, ended(&start));
    };
    download(Some(1), true, 100);
    download(Some(1), false, 1);
    download(Some(0), false, 100);
    download(None, false, 100);
    breaks(Rule::ReportProgress, || download(Some(1), false, 2));
    // A double of the connection has seen the bytes.
    let moved = |reported: u64| {
        let (mut judge, start) = uploading();
        report(&mut judge, start.data, DataEvent::Connected(CLIENT));
        judge.witness().data_moved(7);
        report(&mut judge, start.data, DataEvent::Progress(reported));
        judge.time_passes(SECOND);
        answer(&mut judge, ended(&start));
    };
    moved(7);
    breaks(Rule::ReportProgress, || moved(6));
}

#[test]
fn the_connection_is_reported() {
    let transfer = |event: Option<DataEvent>| {
        let (mut judge, start) = uploading();
        let _ = judge.judge_peer(CLIENT);
        if let Some(event) = event {
            report(&mut judge, start.data, event);
        }
        answer(&mut judge, ended(&start));
    };
    transfer(Some(DataEvent::Connected(CLIENT)));
    transfer(Some(DataEvent::Progress(1)));
    breaks(Rule::ReportTheConnection, || transfer(None));
}

#[test]
fn strangers_are_refused() {
    // Reporting one is no mistake: the session judges too.
    let (mut judge, start) = uploading();
    report(&mut judge, start.data, DataEvent::Connected(STRANGER));
    report(&mut judge, start.data, DataEvent::Connected(CLIENT));
    report(&mut judge, start.data, DataEvent::Progress(1));
    answer(&mut judge, ended(&start));
    breaks(Rule::RefuseStrangers, || {
        let (mut judge, start) = uploading();
        report(&mut judge, start.data, DataEvent::Connected(STRANGER));
        report(&mut judge, start.data, DataEvent::Progress(1));
    });
    breaks(Rule::RefuseStrangers, || {
        let (mut judge, start) = uploading();
        report(&mut judge, start.data, DataEvent::Progress(1));
    });
    breaks(Rule::RefuseStrangers, || {
        let (mut judge, data) = listening();
        report(&mut judge, data, DataEvent::Connected(STRANGER));
        open(&mut judge);
        let start = started(answer(
            &mut judge,
            Outcome::TransferOpened(Ok(Opened::default())),
        ));

        answer(&mut judge, ended(&start));
    });
}

#[test]
fn nothing_is_in_clear_text_after_start_tls() {
    let start_tls = || {
        let mut judge = judge();
        assert!(matches!(
            send(&mut judge, "AUTH TLS"),
            Some(Action::StartTls)
        ));
        judge
    };
    let established = Outcome::Tls {
        established: true,
        leftover: 0,
    };
    answer(&mut start_tls(), established);
    breaks(Rule::NoClearTextAfterStartTls, || {
        let mut judge = start_tls();
        judge.handle_input(b"USER joe\r\n");
    });
    breaks(Rule::NoClearTextAfterStartTls, || {
        start_tls().witness().control_in_clear_text();
    });
    judge().witness().control_in_clear_text();
}

#[test]
fn the_timer_is_looked_at() {
    breaks(Rule::LookAtTheTimer, || {
        let mut judge = judge();
        judge.handle_input(b"NOOP\r\n");
        while judge.poll_output().is_some() {}
        judge.time_passes(SECOND);
    });
    breaks(Rule::LookAtTheTimer, || {
        let address = "192.0.2.1:21".parse().expect("an address");
        let ends = Endpoints::new(address, address);
        let mut judge = Judge::new(Arc::default(), ends);
        while judge.poll_output().is_some() {}
    });
}

#[test]
fn expired_timers_are_passed_on() {
    let after = Config::default().login_timeout.expect("a limit");
    let wait = |time: Duration| {
        let mut judge = judge();
        judge.time_passes(time);
        judge
    };
    wait(after - SECOND).time_passes(SECOND);
    breaks(Rule::PassExpiredTimers, || wait(after).time_passes(SECOND));
    let mut right = wait(after);
    let timeout = right.poll_timeout().expect("a timer");
    right.handle_timeout(timeout);
    drain(&mut right);
    assert!(right.is_closed());
    breaks(Rule::NoTimerTooEarly, || {
        let mut judge = wait(after - SECOND);
        judge.handle_timeout(timeout);
    });
}

#[test]
fn a_file_changes_after_its_connection_exists() {
    let (mut judge, start) = uploading();
    let witness = judge.witness();
    breaks(Rule::ChangeNothingAtOpenTransfer, || witness.file_changed());
    report(&mut judge, start.data, DataEvent::Connected(CLIENT));
    witness.file_changed();
    answer(&mut judge, ended(&start));
    // The client connected early.
    let (mut judge, data) = listening();
    report(&mut judge, data, DataEvent::Connected(CLIENT));
    open(&mut judge);
    breaks(Rule::ChangeNothingAtOpenTransfer, || {
        judge.witness().file_changed()
    });
    let start = started(answer(
        &mut judge,
        Outcome::TransferOpened(Ok(Opened::default())),
    ));
    judge.witness().file_changed();

    answer(&mut judge, ended(&start));
}

#[test]
fn success_comes_after_the_close() {
    let transfer = |closes: bool, result: Result<(), TransferError>| {
        let (mut judge, start) = uploading();
        let witness = judge.witness();
        witness.data_opened();
        report(&mut judge, start.data, DataEvent::Connected(CLIENT));
        if closes {
            witness.data_closed();
        }
        let transfer = start.transfer;
        answer(&mut judge, Outcome::TransferEnded { transfer, result });
    };
    transfer(true, Ok(()));
    transfer(false, Err(TransferError::ConnectionLost));
    breaks(Rule::CloseDataBeforeSuccess, || transfer(false, Ok(())));
}

/// The values of a session that a driver or its log reads are those of the session itself.
#[test]
fn it_shows_what_the_session_shows() {
    let (judge, _) = listening();
    assert_eq!(judge.user(), Some(&b"joe"[..]));
    assert!(judge.passive_offer().is_some() && judge.never_connected().is_none());
    assert_eq!(judge.allowed_peers().peer(), CLIENT);
    assert_eq!(judge.endpoints().peer().ip(), CLIENT);
    assert!(judge.wants_input() && !judge.is_closed());
}
