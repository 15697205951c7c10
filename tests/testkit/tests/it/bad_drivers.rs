//! Each driver is wrong in one point. The black box finds it, the judge finds it, and neither finds
//! anything in the driver without that fault.

use ftp_proto::Session;
use ftp_proto_testkit::{Judge, Rule};

use crate::driver::Fault;
use crate::server::Server;

/// The black box's check with this name finds the fault, and passes the driver without it.
#[track_caller]
fn check_black_box(fault: Fault, check: &str) {
    let report = Server::start::<Session>(Some(fault))
        .black_box()
        .only(check)
        .run();
    let names: Vec<&str> = report
        .failures()
        .iter()
        .map(|found| &found.check[..])
        .collect();
    assert_eq!(names, [check], "{report}");
    let right = Server::start::<Session>(None);
    right.black_box().only(check).run().assert_passed();
}

/// The judge finds the fault by this rule while a client does what this check does.
#[track_caller]
fn check_judge(fault: Fault, check: &str, rule: Rule) {
    let server = Server::start::<Judge>(Some(fault));
    // Its result does not count here: a session ends when its judge panics.
    let _ = server.black_box().only(check).run();
    let panics = server.panics();
    let expected = format!("the driver breaks the rule {rule:?}: ");
    let found = panics.iter().any(|panic| panic.starts_with(&expected));
    assert!(found, "{panics:?}");
    let right = Server::start::<Judge>(None);
    right.black_box().only(check).run().assert_passed();
    assert_eq!(right.panics(), [""; 0]);
}

#[test]
fn it_never_reports_progress() {
    check_black_box(Fault::NeverReportsProgress, SLOW);
}

#[test]
fn it_never_reports_progress_and_is_judged() {
    check_judge(Fault::NeverReportsProgress, SLOW, Rule::ReportProgress);
}

#[test]
fn it_never_answers() {
    check_black_box(Fault::NeverAnswers, ANSWERED);
}

#[test]
fn it_never_answers_and_is_judged() {
    check_judge(Fault::NeverAnswers, ANSWERED, Rule::AnswerEachAction);
}

#[test]
fn it_accepts_strangers() {
    check_black_box(Fault::AcceptsStrangers, STRANGERS);
}

#[test]
fn it_accepts_strangers_and_is_judged() {
    check_judge(Fault::AcceptsStrangers, STRANGERS, Rule::RefuseStrangers);
}

#[test]
fn it_truncates_at_open_transfer() {
    check_black_box(Fault::TruncatesAtOpenTransfer, OLD_FILE);
}

#[test]
fn it_truncates_at_open_transfer_and_is_judged() {
    check_judge(
        Fault::TruncatesAtOpenTransfer,
        OLD_FILE,
        Rule::ChangeNothingAtOpenTransfer,
    );
}

#[test]
fn it_has_no_timers() {
    check_black_box(Fault::HasNoTimers, IDLE);
}

#[test]
fn long_it_has_no_timers() {
    for check in [
        "a client that does not log in is sent away",
        "a data connection that never comes is given up",
        "a data connection without bytes is given up",
    ] {
        check_black_box(Fault::HasNoTimers, check);
    }
}

#[test]
fn it_has_no_timers_and_is_judged() {
    check_judge(Fault::HasNoTimers, IDLE, Rule::LookAtTheTimer);
}

#[test]
fn it_succeeds_before_it_closes() {
    check_judge(
        Fault::SucceedsTooEarly,
        DOWNLOAD,
        Rule::CloseDataBeforeSuccess,
    );
}

#[test]
fn it_ends_transfers_early() {
    check_black_box(Fault::EndsTransfersEarly, UPLOAD);
    check_black_box(Fault::EndsTransfersEarly, DOWNLOAD);
}

#[test]
fn it_ignores_commands_in_transfers() {
    check_black_box(
        Fault::IgnoresCommandsInTransfers,
        "ABOR acts during a transfer",
    );
}

#[test]
fn it_only_listens() {
    check_black_box(Fault::OnlyListens, "active mode");
}

#[test]
fn it_drops_lines_that_arrive_together() {
    check_black_box(Fault::DropsPipelinedLines, TOGETHER);
}

#[test]
fn it_drops_lines_that_arrive_together_and_is_judged() {
    check_judge(
        Fault::DropsPipelinedLines,
        TOGETHER,
        Rule::PassUnusedInputAgain,
    );
}

#[test]
fn it_takes_the_end_for_a_loss() {
    check_black_box(Fault::TakesTheEndForALoss, OUTLIVES_END);
}

#[test]
fn it_takes_a_loss_for_the_end() {
    check_black_box(Fault::TakesALossForTheEnd, RESET);
}

#[test]
fn it_reports_the_end_before_the_last_lines() {
    check_black_box(Fault::ReportsTheEndEarly, OUTLIVES_QUIT);
}

#[test]
fn it_reports_the_end_before_the_last_lines_and_is_judged() {
    check_judge(
        Fault::ReportsTheEndEarly,
        OUTLIVES_QUIT,
        Rule::PassUnusedInputAgain,
    );
}

#[test]
fn it_completes_the_uploads_of_killed_clients() {
    check_black_box(Fault::CompletesKilledUploads, KILLED);
}

/// All checks and all transcripts.
#[test]
fn long_the_right_driver_passes() {
    Server::start::<Session>(None)
        .black_box()
        .run()
        .assert_passed();
    let judged = Server::start::<Judge>(None);
    judged.black_box().run().assert_passed();
    assert_eq!(judged.panics(), [""; 0]);
}

const SLOW: &str = "a slow upload is not cut while bytes move";
const ANSWERED: &str = "every command is answered";
const STRANGERS: &str = "strangers on the data port are not served";
const OLD_FILE: &str = "the old file stays until data arrives";
const IDLE: &str = "an idle client is sent away";
const UPLOAD: &str = "an upload ends with its data connection";
const DOWNLOAD: &str = "a download ends with its data";
const TOGETHER: &str = "commands that arrive together are answered in order";
const OUTLIVES_END: &str = "an upload outlives the client's end";
const OUTLIVES_QUIT: &str = "an upload outlives QUIT";
const RESET: &str = "an upload outlives a reset while bytes come";
const KILLED: &str = "the upload of a killed client is not complete";
