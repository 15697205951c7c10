//! The example servers of `ftp-proto`: each is put through the black-box tests, as `tests/run
//! --server` does with any server. Some of each kind run always, all of them with `--long`.
//!
//! The tests run in a process of their own for each example, which `FTP_TEST_SERVER` names there.
//! What an example leaves out on purpose is in its list, with the reason; `tests/run` shows how
//! many tests that are.

use std::env;
use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::support::process::{self, Finished};
use crate::support::server::example;

/// An example, and the tests that it need not pass.
struct Example {
    name: &'static str,
    /// Names, or their beginnings, below `wire::black_box::`, each with the reason.
    left_out: &'static [(&'static str, &'static str)],
    /// Those that it passes although a beginning fits.
    despite: &'static [&'static str],
}

const STD: Example = Example {
    name: "std",
    left_out: &[
        ("tls::", "the standard library has no TLS"),
        OWNERS[0],
        OWNERS[1],
    ],
    despite: &["tls::control::without_tls_nothing_of_it_is_offered"],
};

const MIO: Example = Example {
    name: "mio",
    left_out: &[
        ("tls::", "the example has no TLS: tokio has it"),
        OWNERS[0],
        OWNERS[1],
    ],
    despite: &["tls::control::without_tls_nothing_of_it_is_offered"],
};

const TOKIO: Example = Example {
    name: "tokio",
    left_out: &OWNERS,
    despite: &[],
};

/// No example knows the names of users and groups.
const OWNERS: [(&str, &str); 2] = [
    ("attributes::owners_are_facts_when_selected", NO_OWNERS),
    ("listings::a_line_shows_all_attributes", NO_OWNERS),
];
const NO_OWNERS: &str = "the standard library does not know the names of owners";

#[test]
fn std_is_a_server() {
    STD.check(&CHOSEN);
}

#[test]
fn long_std_is_a_server_in_all_respects() {
    STD.check_all();
}

#[test]
fn mio_is_a_server() {
    MIO.check(&CHOSEN);
}

#[test]
fn long_mio_is_a_server_in_all_respects() {
    MIO.check_all();
}

#[test]
fn tokio_is_a_server() {
    TOKIO.check(&CHOSEN);
}

#[test]
fn long_tokio_is_a_server_in_all_respects() {
    TOKIO.check_all();
}

impl Example {
    fn check_all(&self) {
        let all = all_tests();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.check(&all);
    }

    /// Runs those of the tests that are not left out, and writes down how many there were of
    /// either.
    fn check(&self, tests: &[&str]) {
        let all = all_tests();
        let left_out = self.left_out.iter().map(|(start, _)| start);
        for start in tests.iter().chain(left_out).chain(self.despite) {
            let exists = all.iter().any(|test| test.starts_with(start));
            assert!(exists, "there is no test {start}");
        }
        let (left_out, run): (Vec<&str>, Vec<&str>) =
            tests.iter().partition(|test| self.leaves_out(test));
        let mut command = this_test();
        command.arg("--exact");
        command.args(run.iter().map(|test| format!("{PREFIX}{test}")));
        command.env("FTP_TEST_SERVER", example(self.name));
        let finished = process::run(&mut command, SECONDS_MAX);
        let passed = format!("test result: ok. {} passed; 0 failed; 0 ignored", run.len());
        assert!(
            finished.succeeded() && text(&finished).contains(&passed),
            "the example {} fails:\n{}",
            self.name,
            indented(&finished)
        );
        self.write_result(run.len(), &left_out, tests.len() == all.len());
    }

    fn leaves_out(&self, test: &str) -> bool {
        let fits = |(start, _): &(&str, &str)| test.starts_with(start);
        self.left_out.iter().any(fits) && !self.despite.contains(&test)
    }

    /// For `tests/run`, which prints it.
    fn write_result(&self, passed: usize, left_out: &[&str], is_all: bool) {
        let kind = if is_all { "all" } else { "some" };
        let mut result = format!(
            "example {}: {passed} black-box tests passed, {} left out\n",
            self.name,
            left_out.len()
        );
        for (start, reason) in self.left_out {
            let count = left_out.iter().filter(|test| test.starts_with(start));
            match count.count() {
                0 => {}
                count => writeln!(result, "   {count} {start}: {reason}").expect("text"),
            }
        }
        let test = env::current_exe().expect("the test's own path");
        let build = test.ancestors().nth(3).expect("target/PROFILE/deps/it-…");
        let file = build.join(format!("example-{}-{kind}.txt", self.name));
        fs::write(file, result).expect("the result");
    }
}

/// The names of all black-box tests, without what they begin with.
fn all_tests() -> Vec<String> {
    let mut command = this_test();
    command.args(["--list", "--format", "terse", PREFIX]);
    let listed = process::run(&mut command, SECONDS_MAX).expect_success();
    let names: Vec<String> = text(&listed)
        .lines()
        .filter_map(|line| line.strip_suffix(": test")?.strip_prefix(PREFIX))
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 100, "only {} black-box tests", names.len());
    names
}

fn this_test() -> Command {
    Command::new(env::current_exe().expect("the test's own path"))
}

fn text(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stdout).into_owned()
}

/// Indented, so that `tests/run` does not count these results among its own.
fn indented(finished: &Finished) -> String {
    finished.text().replace('\n', "\n    ")
}

const PREFIX: &str = "wire::black_box::";

/// For all tests with one server for each, on a machine with other work.
const SECONDS_MAX: u64 = 400;

/// What a driver can do wrong: order, data connections, strangers, ABOR, ends of connections, and
/// files.
const CHOSEN: [&str; 36] = [
    "abort::a_lost_control_connection_ends_the_transfer",
    "abort::abor_cancels_pipelined_transfers",
    "abort::abor_ends_a_transfer_that_waits_for_its_connection",
    "abort::abor_ends_a_transfer_while_the_server_connects",
    "abort::abor_may_be_urgent_as_a_whole",
    "abort::abor_may_follow_an_urgent_first_byte",
    "abort::an_upload_is_complete_when_its_client_leaves",
    "abort::many_commands_wait_for_the_transfer",
    "abort::quit_waits_for_the_transfer",
    "abort::stat_shows_the_bytes_of_a_running_transfer",
    "active::a_closed_port_of_the_client_is_425",
    "active::the_client_is_the_peer_of_the_control_connection",
    "attributes::site_umask_applies_to_one_session",
    "control::a_client_that_never_reads_blocks_only_itself",
    "control::a_half_closed_connection_is_answered_to_the_end",
    "control::pipelined_replies_come_in_order",
    "files::links_to_directories_outside_lead_nowhere",
    "files::pipes_and_sockets_are_refused",
    "listings::flag_r_lists_everything_within",
    "listings::wildcards_match_names",
    "login::pass_follows_user_and_must_be_right",
    "names::names_of_any_bytes_work",
    "rfc::rfc959::rfc959_4_1_2_a_new_port_replaces_the_old",
    "strangers::a_second_connection_of_the_client_is_closed",
    "strangers::five_strangers_are_refused",
    "test_kit::the_test_kit_finds_nothing",
    "tls::control::clear_text_after_auth_is_never_executed",
    "tls::control::without_tls_nothing_of_it_is_offered",
    "tls::data::abor_truncates_transfers",
    "tls::data::tls_may_begin_before_the_command",
    "transfers::a_cut_data_connection_is_426",
    "transfers::a_file_changes_only_once_data_is_connected",
    "transfers::ascii_translates_line_ends",
    "transfers::every_kind_of_data_connection_works",
    "transfers::ranges_are_parts_of_downloads",
    "transfers::restarts_continue_at_the_offset",
];
