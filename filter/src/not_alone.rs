//! The filter that is part of the agent only accepts the agent's configuration.

use std::rc::Rc;

use sealgate_core::decision::Outcome;
use sealgate_core::identity::Rendered;
use sealgate_core::request::Request;

use crate::host::{HeaderPairs, HostError};

pub(crate) use self::Nobody as Alone;

/// There is no value.
pub(crate) enum Nobody {}

impl Nobody {
    pub(crate) fn new(_: &[u8]) -> Result<Self, String> {
        Err("it is not an agent's, and this is the filter that agents carry: sealgate_filter.wasm reads others".to_owned())
    }

    pub(crate) fn told(&self) -> Result<Rc<Rendered>, HostError> {
        match *self {}
    }

    pub(crate) fn take_forged_off(&self, _: HeaderPairs) -> Result<HeaderPairs, HostError> {
        match *self {}
    }

    pub(crate) fn decide(&self, _: &impl Request) -> Option<Outcome<'_>> {
        match *self {}
    }

    pub(crate) fn take_steering_off<'n>(&self, _: impl Iterator<Item = &'n str>) -> Result<(), HostError> {
        match *self {}
    }
}
