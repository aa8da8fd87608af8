//! `loadBalancer`.

use sealgate_core::config::{LoadBalancer, Warmup};

use super::{PolicyProblems, hashing};
use crate::resolved::{Balancing, SlowStart};

pub(super) fn lower(own: &LoadBalancer, problems: &mut PolicyProblems) -> Balancing {
    let slow_start = slow_start(own, problems);
    let simple = own.simple.as_deref().unwrap_or_default();
    if !simple.is_empty() && own.consistent_hash.is_some() {
        problems.refuse(
            "loadBalancer.simple",
            "there is consistentHash too: only one can be",
        );
    }
    let balancing = match &own.consistent_hash {
        Some(own) => hashing::lower(own, problems).map_or(Balancing::Random, Balancing::Hash),
        None => by_name(simple, slow_start.clone(), problems),
    };
    let warms = matches!(balancing, Balancing::LeastRequest(_) | Balancing::RoundRobin(_));
    problems.no_effect(
        "loadBalancer.warmup",
        slow_start.is_some() && !warms,
        "only LEAST_REQUEST and ROUND_ROBIN warm endpoints up",
    );
    balancing
}

fn by_name(simple: &str, slow_start: Option<SlowStart>, problems: &mut PolicyProblems) -> Balancing {
    match simple {
        "" | "UNSPECIFIED" | "LEAST_REQUEST" | "LEAST_CONN" => Balancing::LeastRequest(slow_start),
        "ROUND_ROBIN" => Balancing::RoundRobin(slow_start),
        "RANDOM" => Balancing::Random,
        "PASSTHROUGH" => {
            problems.no_effect(
                "loadBalancer.simple",
                true,
                "at a gateway, the address that the client connected to is the gateway's own: LEAST_REQUEST is used",
            );
            Balancing::LeastRequest(slow_start)
        }
        other => {
            problems.refuse(
                "loadBalancer.simple",
                format!("{other:?}: LEAST_REQUEST, ROUND_ROBIN, RANDOM or PASSTHROUGH"),
            );
            Balancing::default()
        }
    }
}

fn slow_start(own: &LoadBalancer, problems: &mut PolicyProblems) -> Option<SlowStart> {
    let Some(warmup) = &own.warmup else {
        let window = own.warmup_duration_secs.as_ref();
        let window = problems.duration("loadBalancer.warmupDurationSecs", window, 1.0)?;
        return Some(SlowStart {
            window,
            minimum_percent: 10.0,
            aggression: 1.0,
        });
    };
    let Warmup {
        duration,
        minimum_percent,
        aggression,
    } = warmup;
    if duration.is_none() {
        problems.refuse("loadBalancer.warmup.duration", "it is required");
    }
    let window = problems.duration("loadBalancer.warmup.duration", duration.as_ref(), 1.0);
    let minimum_percent = minimum_percent.unwrap_or(10.0);
    if !(0.0..=100.0).contains(&minimum_percent) {
        let message = format!("{minimum_percent} is not from 0 to 100");
        problems.refuse("loadBalancer.warmup.minimumPercent", message);
    }
    let aggression = aggression.unwrap_or(1.0);
    if !(1.0..=1000.0).contains(&aggression) {
        let message = format!("{aggression} is not from 1 to 1000");
        problems.refuse("loadBalancer.warmup.aggression", message);
    }
    Some(SlowStart {
        window: window?,
        minimum_percent: minimum_percent.clamp(0.0, 100.0),
        aggression: aggression.clamp(1.0, 1000.0),
    })
}
