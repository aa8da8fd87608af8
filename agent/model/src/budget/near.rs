//! Warnings before a budget is used up.

use std::sync::Arc;

use super::{BudgetItem, Budgets, NEAR_PERCENT, Usage};
use crate::{Code, Finding, Kind, ObjectRef, Severity};

/// The kinds of objects that use something up.
fn kinds(item: BudgetItem) -> &'static [Kind] {
    match item {
        BudgetItem::Ports | BudgetItem::Hosts | BudgetItem::Prefixes => &[Kind::Gateway],
        BudgetItem::Rules
        | BudgetItem::Destinations
        | BudgetItem::Mirrors
        | BudgetItem::Clusters
        | BudgetItem::ClusterEndpoints => &[Kind::VirtualService],
        BudgetItem::Endpoints => &[Kind::ServiceEntry, Kind::WorkloadEntry, Kind::EndpointSlice],
        BudgetItem::HashEntries | BudgetItem::DestinationRuleSubsets => &[Kind::DestinationRule],
    }
}

/// The findings about a namespace that has nearly used up budgets. A finding is about an object: `first` returns a
/// namespace's first of a kind.
pub fn near<'u>(
    namespace: &Arc<str>,
    usages: impl IntoIterator<Item = &'u Usage>,
    budgets: &Budgets,
    first: impl Fn(Kind, &Arc<str>) -> Option<ObjectRef>,
) -> Vec<Finding> {
    let items = usages
        .into_iter()
        .flat_map(|usage| usage.near(budgets, namespace));
    let found = items.filter_map(|item| {
        let mut objects = kinds(item).iter().filter_map(|kind| first(*kind, namespace));
        Some(finding(objects.next()?, item))
    });
    found.collect()
}

fn finding(object: ObjectRef, item: BudgetItem) -> Finding {
    let word = item.word();
    Finding {
        severity: Severity::Warning,
        code: Code::NearBudget,
        field: None,
        message: format!(
            "the namespace {} uses {NEAR_PERCENT}% of its {word} or more (--budgets {word}=N allows more)",
            object.namespace
        ),
        object,
    }
}
