//! How proptest makes the operations of [`ftp_tests::operations`], so that it can shrink them.

use ftp_tests::model::{ModelCommand, Name, Step};
use ftp_tests::operations::{Answer, Argument, Line, Operation, Setting, Setup};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    // The ends of a session are rare, or few sessions would get anywhere.
    prop_oneof![
        40 => line().prop_map(Operation::Line),
        30 => answer().prop_map(Operation::Answer),
        4 => vec(any::<u8>(), 0..40).prop_map(Operation::Raw),
        2 => any::<u16>().prop_map(Operation::NoLineEnd),
        6 => Just(Operation::DataConnected),
        3 => Just(Operation::StrangerConnected),
        3 => any::<u8>().prop_map(Operation::LateEvent),
        4 => Just(Operation::DataProtected),
        3 => Just(Operation::DataNeverConnected),
        3 => Just(Operation::PortWithdrawn),
        6 => any::<u64>().prop_map(Operation::Progress),
        3 => Just(Operation::Timeout),
        6 => any::<u8>().prop_map(Operation::LateTimeout),
        4 => setting().prop_map(Operation::Configure),
        2 => Just(Operation::Eof),
        1 => Just(Operation::ConnectionLost),
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

/// A step of the model. What ends a session is rare.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        60 => model_command().prop_map(Step::Send),
        8 => Just(Step::Connected),
        20 => any::<bool>().prop_map(Step::End),
        3 => Just(Step::Timeout),
        1 => Just(Step::Eof),
        1 => Just(Step::ConnectionLost),
    ]
}

fn model_command() -> impl Strategy<Value = ModelCommand> {
    let name = || {
        prop_oneof![
            Just(Name::Plain),
            Just(Name::Absolute),
            Just(Name::Climbing),
            Just(Name::Missing),
        ]
    };
    let login = prop_oneof![
        4 => Just(ModelCommand::User),
        8 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(ModelCommand::Password),
        1 => Just(ModelCommand::Reinitialize),
        1 => Just(ModelCommand::Host),
    ];
    let files = prop_oneof![
        Just(ModelCommand::PrintDirectory),
        name().prop_map(ModelCommand::ChangeDirectory),
        Just(ModelCommand::ChangeToParent),
        name().prop_map(ModelCommand::MakeDirectory),
        name().prop_map(ModelCommand::RenameFrom),
        name().prop_map(ModelCommand::RenameTo),
        name().prop_map(ModelCommand::Delete),
        name().prop_map(ModelCommand::Size),
        any::<bool>().prop_map(ModelCommand::Type),
    ];
    let data = prop_oneof![
        3 => Just(ModelCommand::Passive),
        3 => Just(ModelCommand::ExtendedPassive),
        1 => Just(ModelCommand::ExtendedPassiveAll),
        2 => Just(ModelCommand::Active),
        1 => Just(ModelCommand::ActiveForeign),
        3 => any::<u8>().prop_map(ModelCommand::Restart),
        4 => name().prop_map(ModelCommand::Retrieve),
        4 => name().prop_map(ModelCommand::Store),
        2 => name().prop_map(ModelCommand::Append),
        2 => Just(ModelCommand::List),
        3 => Just(ModelCommand::Abort),
    ];
    let others = prop_oneof![
        10 => Just(ModelCommand::Status),
        10 => Just(ModelCommand::Noop),
        1 => Just(ModelCommand::Quit),
        5 => Just(ModelCommand::Unknown),
        1 => Just(ModelCommand::HttpRequest),
        5 => Just(ModelCommand::ExtraArgument),
    ];
    prop_oneof![2 => login, 5 => files, 9 => data, 2 => others]
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
    (0..7u8, any::<bool>()).prop_map(|(which, on)| match which {
        0 => Setting::Tls(on),
        1 => Setting::Masquerade(on),
        2 => Setting::OuterPorts(on),
        3 => Setting::Timeouts(on),
        4 => Setting::Foreign(on),
        5 => Setting::Denied(on),
        _ => Setting::TlsRequired(on),
    })
}
