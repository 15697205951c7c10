//! The rules for drivers, and how a broken one is reported.

use std::fmt;

/// A rule that a driver can break. Its text is part of the panic of a [`Judge`](super::Judge).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// After each input, and after the beginning, `poll_output` is called until it returns `None`.
    DrainAfterEachInput,
    /// Bytes that `handle_input` has not used are passed again, with more behind them: what arrived
    /// together with a command is the next command. The client's end comes behind all of them.
    PassUnusedInputAgain,
    /// Every action is answered, and not only after a minute; `Action::decline` makes the answer of
    /// a driver that cannot perform it. Only `CloseData`, `AbortTransfer`, `AbortFile`, `Close`
    /// and `CloseNow` have no answer. A digest may take long, until it is aborted.
    AnswerEachAction,
    /// An action has one outcome, of its own kind.
    OneOutcomeForEachAction,
    /// The total that `Progress` reports never becomes smaller.
    ProgressOnlyGrows,
    /// `Progress` has the id of the transfer that runs. After `TransferEnded` no byte moves.
    ProgressBelongsToTheTransfer,
    /// Bytes that have moved are reported, at least once within the time for stalled transfers;
    /// otherwise a slow transfer is cut. Of downloads whose length is known the judge knows
    /// that bytes move; of all others the [`Witness`](super::Witness) must see it.
    ReportProgress,
    /// A transfer succeeds only after its data connection was reported as `Connected`, or its
    /// `Progress` was.
    ReportTheConnection,
    /// A connection to a passive port is served only if `judge_peer` says that it comes from the
    /// client.
    RefuseStrangers,
    /// Between the action `StartTls` and the end of the handshake no command passes. From then on
    /// nothing is sent or received in clear text, which the [`Witness`](super::Witness) must
    /// see.
    NoClearTextAfterStartTls,
    /// After each input, `poll_timeout` is called: the timer may be another one.
    LookAtTheTimer,
    /// A timer that has expired is passed to `handle_timeout` before the driver waits again.
    PassExpiredTimers,
    /// A timer is passed to `handle_timeout` only after its time.
    NoTimerTooEarly,
    /// A file does not change before its data connection exists: `OpenTransfer` only opens it.
    ChangeNothingAtOpenTransfer,
    /// A transfer has succeeded only when its data connection is closed.
    CloseDataBeforeSuccess,
}

impl Rule {
    #[track_caller]
    pub(super) fn broken(self, what_happened: impl fmt::Display) -> ! {
        panic!("the driver breaks the rule {self:?}: {self} ({what_happened})");
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DrainAfterEachInput => {
                "call poll_output until it returns None before the next command or wait"
            }
            Self::PassUnusedInputAgain => "pass the bytes that handle_input has not used again",
            Self::AnswerEachAction => "answer each action; Action::decline refuses it",
            Self::OneOutcomeForEachAction => "answer each action once, with its own outcome",
            Self::ProgressOnlyGrows => "report the total number of bytes, which only grows",
            Self::ProgressBelongsToTheTransfer => {
                "report progress with the id of the transfer that runs, and none after its end"
            }
            Self::ReportProgress => "report the progress of a transfer while its bytes move",
            Self::ReportTheConnection => "report the data connection before the transfer succeeds",
            Self::RefuseStrangers => "serve a passive connection only if its peer is the client",
            Self::NoClearTextAfterStartTls => {
                "neither pass input during the handshake nor use clear text after StartTls"
            }
            Self::LookAtTheTimer => "call poll_timeout after each input",
            Self::PassExpiredTimers => "pass an expired timer to handle_timeout",
            Self::NoTimerTooEarly => "pass a timer to handle_timeout only after its time",
            Self::ChangeNothingAtOpenTransfer => {
                "change a file only when its data connection exists"
            }
            Self::CloseDataBeforeSuccess => {
                "close the data connection before the transfer succeeds"
            }
        })
    }
}
