//! Stands in for the parts of TLS in a program that is built without it: `--tls` has been refused.

use crate::arguments::FlagError;
use crate::machine::Machine;
use crate::settings::Settings;
use crate::warnings::Finding;

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum Identity {}

impl Identity {
    pub(crate) fn load(_: &Settings, _: &Machine) -> Result<Option<Self>, FlagError> {
        Ok(None)
    }

    pub(crate) fn look(_: &Settings, _: &Machine) -> Result<Option<Self>, FlagError> {
        Ok(None)
    }

    pub(crate) fn description(&self) -> String {
        match *self {}
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        match *self {}
    }
}
