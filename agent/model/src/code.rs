//! Temporary.
pub type CodeWord = &'static str;
pub struct Code;
#[allow(non_upper_case_globals, missing_docs)]
impl Code {
    pub const HostCollision: CodeWord = "host-collision";
    pub const PortCollision: CodeWord = "port-collision";
    pub const CredentialNotReady: CodeWord = "credential-not-ready";
    pub const UnknownDelegate: CodeWord = "unknown-delegate";
    pub const DelegateNotExported: CodeWord = "delegate-not-exported";
    pub const DelegateConflict: CodeWord = "delegate-conflict";
    pub const AmbiguousPort: CodeWord = "ambiguous-port";
    pub const SubsetNotCarriedOut: CodeWord = "subset-not-carried-out";
    pub const UnknownDestination: CodeWord = "unknown-destination";
    pub const UnknownSubset: CodeWord = "unknown-subset";
    pub const UnknownPort: CodeWord = "unknown-port";
    pub const TableRefused: CodeWord = "table-refused";
    pub const DeadRule: CodeWord = "dead-rule";
    pub const ClaimedPath: CodeWord = "claimed-path";
    pub const ShadowedHost: CodeWord = "shadowed-host";
    pub const NoGateways: CodeWord = "no-gateways";
    pub const UnknownGateway: CodeWord = "unknown-gateway";
    pub const NotExported: CodeWord = "not-exported";
    pub const UnservedHost: CodeWord = "unserved-host";
    pub const DroppedMatch: CodeWord = "dropped-match";
    pub const BadHost: CodeWord = "bad-host";
    pub const NoHosts: CodeWord = "no-hosts";
    pub const Deleted: CodeWord = "deleted";
}
