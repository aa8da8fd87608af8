//! Objects: findings, and how much of their budgets namespaces use.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::amount;
use crate::admin::status::{BudgetStatus, FindingStatus, Status};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    object: String,
    code: String,
    severity: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    namespace: String,
    resource: String,
}

pub(super) fn register(registry: &mut Registry, status: &Status) {
    findings(registry, &status.refusals);
    budgets(registry, &status.budgets);
}

fn findings(registry: &mut Registry, findings: &[FindingStatus]) {
    let family = Family::<FindingLabels, Gauge>::default();
    for finding in findings {
        let labels = FindingLabels {
            object: finding.object.clone(),
            code: finding.code.clone(),
            severity: finding.severity.clone(),
        };
        family.get_or_create(&labels).inc();
    }
    registry.register("findings", "Current errors and warnings", family);
}

fn budgets(registry: &mut Registry, budgets: &[BudgetStatus]) {
    let used = Family::<BudgetLabels, Gauge>::default();
    let limits = Family::<BudgetLabels, Gauge>::default();
    for budget in budgets {
        let labels = BudgetLabels {
            namespace: budget.namespace.clone(),
            resource: budget.resource.clone(),
        };
        used.get_or_create(&labels).set(amount(budget.used));
        limits.get_or_create(&labels).set(amount(budget.limit));
    }
    registry.register("budget_used", "Amount of a resource that a namespace uses", used);
    registry.register(
        "budget_limit",
        "Amount of a resource that a namespace may use",
        limits,
    );
}
