//! The rules of a filter without an agent.

use sealgate_core::decision::Outcome;
use sealgate_core::plugin::{PluginConfig, PluginReport, ROUTING_PORT, routes};
use sealgate_core::request::Request;
use sealgate_core::table::RouteTable;

use crate::draw::draw;

/// See the module.
pub(super) struct Routing(RouteTable);

impl Routing {
    /// None if there are no rules.
    pub(super) fn new(config: &PluginConfig, report: &mut PluginReport) -> Option<Self> {
        routes(config, report).map(Self)
    }

    pub(super) fn decide(&self, request: &impl Request) -> Outcome<'_> {
        let port = default_port(request);
        let decided = self.0.decide_under(ROUTING_PORT, port, request, |_| draw());
        decided.outcome
    }
}

/// The port that a client means if it names none. The listener may have a different one, to which it is mapped.
fn default_port(request: &impl Request) -> u16 {
    let mut port = 443;
    request.header(":scheme", &mut |scheme| {
        if scheme == b"http" {
            port = 80;
        }
    });
    port
}
