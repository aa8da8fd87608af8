//! `mirror` with its percentages, and `mirrors`.

use super::{ProblemCode, Problems};
use crate::config::{Destination, HttpRoute, Percent};
use crate::rules::Mirror;

/// The mirrors of a rule, without those of 0 %.
pub(super) fn convert(
    route: &HttpRoute,
    cluster: &mut dyn FnMut(&Destination) -> String,
    problems: &mut Problems,
) -> Vec<Mirror> {
    let mut mirrors = Vec::new();
    let mut add =
        |destination: Option<&Destination>, field: &str, share, problems: &mut Problems| match destination
            .filter(|to| !to.host.is_empty())
        {
            Some(_) if share <= 0.0 => {}
            Some(to) => mirrors.push(Mirror {
                cluster: cluster(to),
                percent: share,
            }),
            None => problems.refuse(ProblemCode::NoDestination, field, "a destination has a host"),
        };
    if let Some(destination) = &route.mirror {
        let share = single_share(route, problems);
        add(Some(destination), "mirror.host", share, problems);
    }
    for (at, mirror) in route.mirrors.iter().enumerate() {
        let field = format!("mirrors[{at}].percentage");
        let share = percent(mirror.percentage.as_ref(), &field, problems).unwrap_or(100.0);
        add(
            mirror.destination.as_deref(),
            &format!("mirrors[{at}].destination.host"),
            share,
            problems,
        );
    }
    mirrors
}

/// The percentage of `mirror`: of its three spellings, the newest that is given.
fn single_share(route: &HttpRoute, problems: &mut Problems) -> f64 {
    if let Some(share) = percent(route.mirror_percentage.as_ref(), "mirrorPercentage", problems) {
        return share;
    }
    let Some(share) = route.mirror_percent.or(route.mirror_percent_snake) else {
        return 100.0;
    };
    let share = Percent { value: share.into() };
    percent(Some(&share), "mirrorPercent", problems).unwrap_or_default()
}

/// A percentage from 0 to 100, if one is given.
pub(super) fn percent(share: Option<&Percent>, field: &str, problems: &mut Problems) -> Option<f64> {
    let value = share?.value;
    if !(0.0..=100.0).contains(&value) {
        problems.refuse(
            ProblemCode::BadPercentage,
            field,
            format!("{value} is not from 0 to 100"),
        );
    }
    Some(value)
}
