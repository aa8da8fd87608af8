//! The smallest table that still shows a difference: what is not needed for it is taken away, piece by piece.

use sealgate_core::rules::TableConfig;

/// Removes hosts, rules, blocks and conditions as long as `fails` holds.
pub(crate) fn shrink(mut table: TableConfig, mut fails: impl FnMut(&TableConfig) -> bool) -> TableConfig {
    loop {
        let smaller = smaller(&table).into_iter().find(&mut fails);
        match smaller {
            Some(next) => table = next,
            None => return table,
        }
    }
}

/// Every table with one piece less. Rules and blocks keep their names, so a verdict is about the same ones; only hosts
/// are named by their place, and give up their domains and rules instead of it.
fn smaller(table: &TableConfig) -> Vec<TableConfig> {
    let mut tables = Vec::new();
    let mut without = |edit: &dyn Fn(&mut TableConfig)| {
        let mut smaller = table.clone();
        edit(&mut smaller);
        if smaller != *table {
            tables.push(smaller);
        }
    };
    for (h, host) in table.virtual_hosts.iter().enumerate() {
        without(&|table| table.virtual_hosts[h].domains.clear());
        without(&|table| table.virtual_hosts[h].rules.clear());
        for (r, rule) in host.rules.iter().enumerate() {
            without(&|table| drop(table.virtual_hosts[h].rules.remove(r)));
            for b in 0..rule.matches.len() {
                if rule.matches.len() > 1 {
                    without(&|table| drop(table.virtual_hosts[h].rules[r].matches.remove(b)));
                }
                without(&|table| table.virtual_hosts[h].rules[r].matches[b].headers.clear());
                without(&|table| table.virtual_hosts[h].rules[r].matches[b].without_headers.clear());
                without(&|table| table.virtual_hosts[h].rules[r].matches[b].query_params.clear());
            }
        }
    }
    tables
}
