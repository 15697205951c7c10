//! The flags about TLS.

use std::path::PathBuf;

use crate::cli::{Invocation, parse};
use crate::settings::{CertificateFiles, Listen, Settings, TlsSettings};

fn settings(line: &str) -> Settings {
    let state = |name: &str| (name == "STATE_DIRECTORY").then(|| "/state".into());
    match parse(line.split_whitespace().map(Into::into), state) {
        Ok(Invocation::Serve(settings)) => *settings,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn little_is_required_by_default() {
    let expected = TlsSettings {
        certificates: Vec::new(),
        state_directory: "/state".into(),
        control_required: false,
        data_required: false,
        resumption_required: false,
        close_notify_required: false,
        gateway_resumption: true,
        client_ca: None,
    };
    assert_eq!(settings("--tls").tls, Some(expected));
    assert_eq!(settings("").tls, None);
}

#[test]
fn with_every_flag() {
    let line = "--tls --certfile chain --keyfile key --client-ca ca --tls-control-required \
                --tls-data-required --tls-require-resumption --gateway-resumption off \
                --tls-implicit 990 --tls-require-close-notify \
                -i 10.0.0.1 -i 10.0.0.2 -p 21";
    let found = settings(line);
    let expected = TlsSettings {
        certificates: vec![files("chain", "key")],
        state_directory: "/state".into(),
        control_required: true,
        data_required: true,
        resumption_required: true,
        close_notify_required: true,
        gateway_resumption: false,
        client_ca: Some("ca".into()),
    };
    assert_eq!(found.tls, Some(expected));
    let interfaces = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
    let mut listen = Listen::sockets(&interfaces, 21, false);
    listen.extend(Listen::sockets(&interfaces, 990, true));
    assert_eq!(found.listen, listen);
    let files: Vec<PathBuf> = found.tls.unwrap().files().collect();
    assert_eq!(files, ["chain", "key", "ca"].map(PathBuf::from));
}

#[test]
fn one_file_may_hold_both() {
    let found = |line| settings(line).tls.unwrap().certificates;
    assert_eq!(found("--tls --certfile both"), [files("both", "both")]);
    assert_eq!(
        found("--tls --certfile a --certfile b"),
        [files("a", "a"), files("b", "b")]
    );
}

#[test]
fn certificates_and_keys_are_pairs_in_their_order() {
    let line = "--tls --certfile a --keyfile a.key --keyfile b.key --certfile b";
    let tls = settings(line).tls.unwrap();
    let expected = [files("a", "a.key"), files("b", "b.key")];
    assert_eq!(tls.certificates, expected);
    let watched: Vec<PathBuf> = tls.files().collect();
    assert_eq!(watched, ["a", "a.key", "b", "b.key"].map(PathBuf::from));
}

fn files(chain: &str, key: &str) -> CertificateFiles {
    CertificateFiles {
        chain: chain.into(),
        key: key.into(),
    }
}

#[test]
fn who_must_show_a_certificate_must_use_tls() {
    assert!(
        settings("--tls --client-ca ca")
            .tls
            .unwrap()
            .control_required
    );
}

#[test]
fn any_free_port_is_not_the_control_port() {
    let ports = settings("--tls --port 0 --tls-implicit 0").listen;
    assert_eq!(ports.len(), 2);
}
