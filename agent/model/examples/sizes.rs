use sealgate_core::config::*;
use sealgate_model::*;
use std::mem::size_of;
macro_rules! s { ($($t:ty),*) => { $(println!("{} {}", stringify!($t), size_of::<$t>());)* } }
fn main() {
    s!(
        HttpRoute,
        HttpMatch,
        VirtualServiceSpec,
        ServiceEntrySpec,
        WorkloadEntry,
        ServiceEntryPort,
        Server,
        ServerTls,
        GatewaySpec,
        Meta,
        Object,
        ObjectRef,
        CredentialName,
        sealgate_model::resolve::gateway::DeclaredServer,
        sealgate_model::resolve::gateway::DeclaredGateway,
        sealgate_core::identity::IdentityConfig,
        sealgate_model::resolved::Chain,
        sealgate_model::resolved::Tls,
        sealgate_model::resolved::Meaning,
        sealgate_model::resolve::Block,
        sealgate_model::resolved::Upstream,
        sealgate_core::table::RuleConfig,
        Destination
    );
}
