//! The flags about TLS.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::expand::{Given, value_of};
use super::values;
use super::{FlagError, Flags};
use crate::settings::{CertificateFiles, PortRange, TlsSettings};

impl Flags {
    pub(super) fn tls(
        &self,
        given: &[Given],
        state_directory: &Path,
    ) -> Result<Option<TlsSettings>, FlagError> {
        self.refuse_without_tls()?;
        if !self.tls {
            return Ok(None);
        }
        let path = |flag| value_of(given, flag).map(PathBuf::from);
        let certificate = match (path("--certfile"), path("--keyfile")) {
            (Some(chain), key) => Some(CertificateFiles {
                key: key.unwrap_or_else(|| chain.clone()),
                chain,
            }),
            (None, Some(key)) => {
                let problem = "there is no certificate that it belongs to; add --certfile FILE";
                return Err(FlagError::with_value("--keyfile", key, problem));
            }
            (None, None) => None,
        };
        if cfg!(not(feature = "tls")) {
            let problem = "this program was built without TLS; build it with the feature \"tls\"";
            return Err(FlagError::new("--tls", problem));
        }
        Ok(Some(TlsSettings {
            certificate,
            state_directory: state_directory.to_owned(),
            // Without TLS nobody has a certificate.
            control_required: self.tls_control_required || self.client_ca.is_some(),
            data_required: self.tls_data_required,
            resumption_required: self.tls_require_resumption,
            client_ca: path("--client-ca"),
        }))
    }

    /// The port of implicit TLS.
    pub(super) fn implicit_port(
        &self,
        control_port: u16,
        passive_ports: Option<PortRange>,
    ) -> Result<Option<u16>, FlagError> {
        let flag = "--tls-implicit";
        let Some(text) = &self.tls_implicit else {
            return Ok(None);
        };
        let refuse = |problem: String| FlagError::with_value(flag, text, problem);
        let port = values::port(text).map_err(refuse)?;
        if port != 0 && port == control_port {
            let problem = "is the control port already; give another one";
            return Err(refuse(problem.to_owned()).beside("--port"));
        }
        if passive_ports.is_some_and(|range| range.contains(port)) {
            let problem = "is one of --passive-ports; give a port outside of them";
            return Err(refuse(problem.to_owned()).beside("--passive-ports"));
        }
        Ok(Some(port))
    }

    fn refuse_without_tls(&self) -> Result<(), FlagError> {
        let given = [
            ("--certfile", self.certfile.is_some()),
            ("--keyfile", self.keyfile.is_some()),
            ("--tls-control-required", self.tls_control_required),
            ("--tls-data-required", self.tls_data_required),
            ("--tls-implicit", self.tls_implicit.is_some()),
            ("--tls-require-resumption", self.tls_require_resumption),
            ("--client-ca", self.client_ca.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) if !self.tls => Err(FlagError::new(*flag, "TLS is off; add --tls")),
            _ => Ok(()),
        }
    }
}

/// Where the server keeps what it makes: as systemd says, or as the XDG base directories have it.
pub(super) fn state_directory(environment: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let directory = |variable| {
        let directory = PathBuf::from(environment(variable)?);
        directory.is_absolute().then_some(directory)
    };
    // systemd may name several, with colons between them.
    let systemd = environment("STATE_DIRECTORY").and_then(|list| {
        let first = list.as_bytes().split(|&byte| byte == b':').next()?;
        Some(PathBuf::from(OsStr::from_bytes(first))).filter(|first| first.is_absolute())
    });
    let xdg = || Some(directory("XDG_STATE_HOME")?.join(OWN_DIRECTORY));
    let home = || Some(directory("HOME")?.join(".local/state").join(OWN_DIRECTORY));
    let system = || Path::new("/var/lib").join(OWN_DIRECTORY);
    systemd.or_else(xdg).or_else(home).unwrap_or_else(system)
}

const OWN_DIRECTORY: &str = "ftp-server-sync";

#[cfg(test)]
mod tests {
    use super::*;

    fn check_directory(environment: &str, expected: &str) {
        let variables = environment.split_whitespace();
        let variables: Vec<(&str, &str)> = variables
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        };
        assert_eq!(state_directory(find), Path::new(expected), "{environment}");
    }

    #[test]
    fn where_state_is_kept() {
        let own = "/var/lib/ftp-server-sync";
        check_directory("", own);
        check_directory("HOME=/root", "/root/.local/state/ftp-server-sync");
        check_directory("HOME=/root XDG_STATE_HOME=/x", "/x/ftp-server-sync");
        check_directory("HOME=/root XDG_STATE_HOME=/x STATE_DIRECTORY=/s", "/s");
        check_directory("STATE_DIRECTORY=/s/a:/s/b", "/s/a");
        // Relative ones would lead elsewhere at each start.
        check_directory("HOME=home XDG_STATE_HOME=x STATE_DIRECTORY=s", own);
        check_directory("HOME= XDG_STATE_HOME= STATE_DIRECTORY=", own);
    }

    #[cfg(feature = "tls")]
    mod enabled {
        use super::*;
        use crate::cli::{Invocation, parse};
        use crate::settings::{Listen, Settings};

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
                certificate: None,
                state_directory: "/state".into(),
                control_required: false,
                data_required: false,
                resumption_required: false,
                client_ca: None,
            };
            assert_eq!(settings("--tls").tls, Some(expected));
            assert_eq!(settings("").tls, None);
        }

        #[test]
        fn with_every_flag() {
            let line = "--tls --certfile chain --keyfile key --client-ca ca --tls-control-required \
                        --tls-data-required --tls-require-resumption --tls-implicit 990 \
                        -i 10.0.0.1 -i 10.0.0.2 -p 21";
            let found = settings(line);
            let expected = TlsSettings {
                certificate: Some(CertificateFiles {
                    chain: "chain".into(),
                    key: "key".into(),
                }),
                state_directory: "/state".into(),
                control_required: true,
                data_required: true,
                resumption_required: true,
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
            let certificate = settings("--tls --certfile both").tls.unwrap().certificate;
            let both = || PathBuf::from("both");
            let (chain, key) = (both(), both());
            assert_eq!(certificate, Some(CertificateFiles { chain, key }));
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
    }
}
