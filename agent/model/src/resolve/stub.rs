//! Temporary.
use std::sync::Arc;
use sealgate_core::table::{RouteTable, TableConfig, TableError, VirtualHostConfig};
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostBlock(pub Arc<VirtualHostConfig>);
impl HostBlock {
    pub fn encode(config: &VirtualHostConfig) -> Result<Self, TableError> {
        RouteTable::compile(&TableConfig { port: 1, virtual_hosts: vec![config.clone()], ..TableConfig::default() })?;
        Ok(Self(Arc::new(config.clone())))
    }
}
pub fn part_of(port: u16, domain: &str) -> u16 {
    domain.bytes().fold(port, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 64
}
