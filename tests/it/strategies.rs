//! How proptest makes the operations of [`ftp_tests::ops`], so that it can shrink them.

use ftp_tests::ops::{Answer, Argument, Line, Operation, Setting, Setup};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    // The ends of a session are rare, or few sessions would get anywhere.
    prop_oneof![
        40 => line().prop_map(Operation::Line),
        30 => answer().prop_map(Operation::Answer),
        4 => vec(any::<u8>(), 0..40).prop_map(Operation::Raw),
        2 => any::<u16>().prop_map(Operation::Endless),
        6 => Just(Operation::DataConnected),
        4 => Just(Operation::DataProtected),
        3 => Just(Operation::DataMissed),
        3 => Just(Operation::PortWithdrawn),
        6 => any::<u64>().prop_map(Operation::Progress),
        3 => Just(Operation::Timeout),
        6 => any::<u8>().prop_map(Operation::LateTimeout),
        4 => setting().prop_map(Operation::Configure),
        1 => Just(Operation::Eof),
        1 => Just(Operation::Shutdown),
    ]
}

pub(crate) fn line() -> impl Strategy<Value = Line> {
    (any::<u8>(), argument(), any::<u8>()).prop_map(|(verb, argument, style)| Line {
        verb,
        argument,
        style,
    })
}

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let logged_in = prop_oneof![1 => Just(None), 4 => any::<u8>().prop_map(Some)];
    (any::<u8>(), vec(setting(), 0..4), logged_in).prop_map(|(ends, settings, logged_in)| Setup {
        ends,
        settings,
        logged_in,
    })
}

fn argument() -> impl Strategy<Value = Argument> {
    prop_oneof![
        2 => Just(Argument::None),
        3 => vec(any::<u8>(), 0..6).prop_map(Argument::Path),
        1 => any::<u64>().prop_map(Argument::Number),
        3 => any::<u8>().prop_map(Argument::Word),
        1 => vec(any::<u8>(), 0..20).prop_map(Argument::Raw),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => any::<u8>().prop_map(Answer::Good),
        2 => any::<u8>().prop_map(Answer::Refused),
        1 => any::<u8>().prop_map(Answer::Any),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    (0..6u8, any::<bool>()).prop_map(|(which, on)| match which {
        0 => Setting::Tls(on),
        1 => Setting::Masquerade(on),
        2 => Setting::OuterPorts(on),
        3 => Setting::Timeouts(on),
        4 => Setting::Foreign(on),
        _ => Setting::TlsRequired(on),
    })
}
