//! Actions in the form of transcripts.

use ftp_proto::listing::{ListOrder, ListRequest, Selection};
use ftp_proto::{
    Action, DataConnection, FileRequest, HashRequest, TransferKind, TransferRequest, TransferStart,
    UploadStart,
};

use crate::text::show;

/// One line. It contains no id, because only one transfer exists at a time.
pub(super) fn describe(action: &Action) -> String {
    match action {
        Action::Authenticate { user, password } => {
            format!("Authenticate {} {}", show(user), show(password.expose()))
        }
        Action::File(FileRequest::Status(ListRequest { selection, .. })) => {
            format!("Status {}", describe_selection(selection))
        }
        Action::File(FileRequest::MakeDirectory { path, umask }) => {
            show(format!("MakeDirectory({path}){}", describe_umask(*umask)).as_bytes())
        }
        Action::File(FileRequest::ChangeMode { path, mode }) => {
            show(format!("ChangeMode({path}) to {mode:04o}").as_bytes())
        }
        Action::File(FileRequest::Size {
            path,
            representation,
        }) => show(format!("Size({path}), {representation:?}").as_bytes()),
        Action::File(FileRequest::Rename { from, to, replace }) => {
            let what = if *replace { "" } else { ", to a new name" };
            show(format!("Rename {{ from: {from}, to: {to} }}{what}").as_bytes())
        }
        Action::File(FileRequest::Hash(request)) => describe_hash(request),
        Action::File(request) => show(format!("{request:?}").as_bytes()),
        Action::AbortFile => "AbortFile".into(),
        Action::OpenPassive(_) => "OpenPassive".into(),
        Action::CloseData(_) => "CloseData".into(),
        Action::OpenTransfer(request) => format!("OpenTransfer {}", describe_transfer(request)),
        Action::StartTransfer(start) => format!("StartTransfer {}", describe_connection(start)),
        Action::StartProtectedTransfer(start) => {
            format!("StartTransfer {}, protected", describe_connection(start))
        }
        Action::AbortTransfer(_) => "AbortTransfer".into(),
        Action::StartTls => "StartTls".into(),
        Action::Close => "Close".into(),
        Action::CloseNow => "CloseNow".into(),
    }
}

fn describe_hash(request: &HashRequest) -> String {
    let (algorithm, path, start) = (request.algorithm.name(), &request.path, request.start);
    let range = match (start, request.end) {
        (0, None) => String::new(),
        (_, None) => format!(" from {start}"),
        (_, Some(end)) => format!(" from {start} to before {end}"),
    };
    format!("Hash {algorithm} {path}{range}")
}

fn describe_connection(start: &TransferStart) -> String {
    match (start.connection, start.named) {
        (DataConnection::Passive, _) => "passive".into(),
        (DataConnection::Active(address), None) => format!("active to {address}"),
        (DataConnection::Active(address), Some(named)) => {
            format!("active to {address} in place of {named}")
        }
    }
}

fn describe_transfer(request: &TransferRequest) -> String {
    let kind = &request.kind;
    let mut text = match kind {
        TransferKind::List(ListRequest { selection, .. }) => {
            format!("{} {}", kind.command(), describe_selection(selection))
        }
        TransferKind::Store {
            path,
            start: UploadStart::Unique,
        } => {
            let (directory, name) = (path.parent(), show(path.name()));
            format!("{} {directory} like {name:?}", kind.command())
        }
        TransferKind::Retrieve { path, .. } | TransferKind::Store { path, .. } => {
            format!("{} {path}", kind.command())
        }
    };
    match kind {
        TransferKind::Retrieve { offset, end, .. } => {
            text.push_str(&format!(" from {offset}"));
            if let Some(end) = end {
                text.push_str(&format!(" to before {end}"));
            }
        }
        TransferKind::Store { start, .. } => text.push_str(&describe_start(*start)),
        TransferKind::List(_) => {}
    }
    let representation = request.representation;
    let umask = describe_umask(request.umask);
    format!("{text}, {representation:?}{umask}")
}

fn describe_start(start: UploadStart) -> String {
    match start {
        UploadStart::Create => " as a new file".into(),
        UploadStart::Replace => " from 0".into(),
        UploadStart::At { offset, replace } => {
            let end = if replace { "" } else { ", the end" };
            format!(" from {offset}{end}")
        }
        UploadStart::End | UploadStart::Unique => String::new(),
    }
}

fn describe_umask(umask: Option<u32>) -> String {
    umask.map_or_else(String::new, |umask| format!(", umask {umask:03o}"))
}

/// The path, the letters of the flags that have an effect, and the pattern.
fn describe_selection(selection: &Selection) -> String {
    let flags = selection.flags;
    let mut text = selection.path.to_string();
    let letters: String = [
        (flags.all, 'a'),
        (flags.recursive, 'R'),
        (flags.no_descend, 'd'),
        (flags.classify, 'F'),
        (flags.order == ListOrder::Time, 't'),
        (flags.order == ListOrder::Size, 'S'),
        (flags.reverse, 'r'),
    ]
    .iter()
    .filter_map(|(is_set, letter)| is_set.then_some(*letter))
    .collect();
    if !letters.is_empty() {
        text.push_str(&format!(" with -{letters}"));
    }
    if let Some(glob) = &selection.glob {
        let (levels, prefix) = (glob.patterns.len(), show(&glob.prefix));
        text.push_str(&format!(", or {levels} below {} as {prefix:?}", glob.base));
    }
    text
}
