//! The flags about TLS.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{FlagError, Flags};
use crate::arguments::{Given, value_of};
use crate::settings::{CertificateFiles, TlsSettings};
use crate::values;

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
        if cfg!(not(feature = "tls")) {
            let problem = "this program was built without TLS; build it with the feature \"tls\"";
            return Err(FlagError::new("--tls", problem));
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
        Ok(Some(TlsSettings {
            certificate,
            state_directory: state_directory.to_owned(),
            control_required: self.tls_control_required,
            data_required: self.tls_data_required,
            resumption_required: self.tls_require_resumption,
            client_ca: path("--client-ca"),
        }))
    }

    /// The port of implicit TLS.
    pub(super) fn implicit_port(
        &self,
        control_port: u16,
        passive_ports: Option<&RangeInclusive<u16>>,
    ) -> Result<Option<u16>, FlagError> {
        let flag = "--tls-implicit";
        let Some(text) = &self.tls_implicit else {
            return Ok(None);
        };
        let refuse = |problem: String| FlagError::with_value(flag, text, problem);
        let port = values::port(text).map_err(refuse)?;
        if port != 0 && port == control_port {
            let problem = "is the control port already; give another one, usually 990";
            return Err(refuse(problem.to_owned()).beside("--port"));
        }
        if passive_ports.is_some_and(|range| range.contains(&port)) {
            let problem = "is one of --passive-ports; give a port outside of them, usually 990";
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
