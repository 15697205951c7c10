//! Actions as transcripts write them.

use ftp_proto::{Action, DataConnection, TransferKind, TransferRequest};

use crate::text::show;

/// One line. Ids are left out: one transfer exists at a time.
pub(super) fn describe(action: &Action) -> String {
    match action {
        Action::Authenticate { user, password } => {
            format!("Authenticate {} {}", show(user), show(password.expose()))
        }
        Action::File(request) => show(format!("{request:?}").as_bytes()),
        Action::OpenPassive => "OpenPassive".into(),
        Action::CloseData => "CloseData".into(),
        Action::OpenTransfer(request) => format!("OpenTransfer {}", describe_transfer(request)),
        Action::StartTransfer {
            connection,
            protected,
            ..
        } => {
            let connection = match connection {
                DataConnection::Passive => "passive".into(),
                DataConnection::Active(address) => format!("active to {address}"),
            };
            let protected = if *protected { ", protected" } else { "" };
            format!("StartTransfer {connection}{protected}")
        }
        Action::AbortTransfer(_) => "AbortTransfer".into(),
        Action::StartTls => "StartTls".into(),
        Action::Close => "Close".into(),
    }
}

fn describe_transfer(request: &TransferRequest) -> String {
    let kind = &request.kind;
    let mut text = format!("{} {}", kind.command(), kind.path());
    match kind {
        TransferKind::Retrieve { offset, .. } | TransferKind::Store { offset, .. } => {
            text.push_str(&format!(" from {offset}"));
        }
        TransferKind::StoreUnique { wish, .. } => {
            text.push_str(&format!(" like {:?}", show(wish)));
        }
        TransferKind::Append { .. } | TransferKind::List { .. } => {}
    }
    let representation = request.representation;
    format!("{text}, {representation:?}")
}
