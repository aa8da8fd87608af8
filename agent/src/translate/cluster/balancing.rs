//! Which endpoint a request goes to.

use envoy_types::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{LbConfig, LbPolicy, LeastRequestLbConfig, RoundRobinLbConfig, SlowStartConfig},
};
use envoy_types::pb::envoy::config::core::v3::RuntimeDouble;
use envoy_types::pb::envoy::r#type::v3::Percent;
use sealgate_model::resolved::{Balancing, Endpoints, SlowStart};

use super::{hashing, wire};
use crate::valid::Packer;

/// A cluster with only these settings.
pub(super) fn build(balancing: &Balancing, endpoints: &Endpoints, packer: &Packer) -> Cluster {
    let (policy, config) = match balancing {
        Balancing::LeastRequest(slow) => {
            let config = slow.as_ref().map(|slow| {
                LbConfig::LeastRequestLbConfig(LeastRequestLbConfig {
                    slow_start_config: Some(slow_start(slow)),
                    ..LeastRequestLbConfig::default()
                })
            });
            (LbPolicy::LeastRequest, config)
        }
        Balancing::RoundRobin(slow) => {
            let config = slow.as_ref().map(|slow| {
                LbConfig::RoundRobinLbConfig(RoundRobinLbConfig {
                    slow_start_config: Some(slow_start(slow)),
                })
            });
            (LbPolicy::RoundRobin, config)
        }
        Balancing::Random => (LbPolicy::Random, None),
        Balancing::Hash(own) => {
            return Cluster {
                lb_policy: LbPolicy::LoadBalancingPolicyConfig.into(),
                load_balancing_policy: Some(hashing::policy(own, endpoints, packer)),
                ..Cluster::default()
            };
        }
    };
    Cluster {
        lb_policy: policy.into(),
        lb_config: config,
        ..Cluster::default()
    }
}

fn slow_start(slow: &SlowStart) -> SlowStartConfig {
    SlowStartConfig {
        slow_start_window: wire::duration(slow.window),
        aggression: Some(RuntimeDouble {
            default_value: slow.aggression,
            // Envoy requires a key; nothing sets it.
            runtime_key: "sealgate.slow_start_aggression".to_owned(),
        }),
        min_weight_percent: Some(Percent {
            value: slow.minimum_percent,
        }),
    }
}
