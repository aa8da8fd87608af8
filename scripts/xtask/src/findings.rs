//! `docs/reference/findings.md`: its tables, from the codes of `sealgate-model`. The text between the tables is written
//! in the page.

use std::fs;

use anyhow::{Result, ensure};
use sealgate_model::{Code, Severity};

const FILE: &str = "docs/reference/findings.md";
/// The line before a table's rows.
const UNDER_THE_HEAD: &str = "|---|---|---|---|";

/// Writes the file, if it differs.
pub(crate) fn write() -> Result<()> {
    let old = fs::read_to_string(FILE)?;
    let new = page(&old)?;
    if old != new {
        fs::write(FILE, new)?;
    }
    Ok(())
}

/// The page with the tables from the codes: each under the heading of its section.
fn page(old: &str) -> Result<String> {
    let (mut page, mut heading, mut in_table) = (String::new(), "", false);
    let mut written = 0;
    for line in old.lines() {
        heading = line.strip_prefix("## ").unwrap_or(heading);
        in_table &= line.starts_with("| ");
        if in_table {
            continue;
        }
        page.push_str(line);
        page.push('\n');
        if line == UNDER_THE_HEAD {
            in_table = true;
            for code in Code::ALL {
                if code.explanation().section.title() == heading {
                    page.push_str(&row(*code));
                    written += 1;
                }
            }
        }
    }
    ensure!(
        written == Code::ALL.len(),
        "{FILE} has room for {written} of {} codes: a section lacks its heading and table",
        Code::ALL.len()
    );
    Ok(page)
}

fn row(code: Code) -> String {
    let told = code.explanation();
    let severities = match told.severities {
        [] => "(state)".to_owned(),
        all => all.iter().map(|own| word(*own)).collect::<Vec<_>>().join(", "),
    };
    let remedy = match told.remedy {
        "" => String::new(),
        text => format!(" {text}"),
    };
    format!("| `{code}` | {severities} | {} |{remedy} |\n", told.means)
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> String {
        fs::read_to_string(crate::root().unwrap().join(FILE)).unwrap()
    }

    #[test]
    fn the_committed_page_is_what_the_codes_say() {
        let page = committed();
        assert!(
            super::page(&page).unwrap() == page,
            "{FILE} is old: run `cargo xtask findings`"
        );
    }

    #[test]
    fn a_table_is_written_anew_and_all_else_is_left() {
        let page = committed();
        let broken = page.replace("| `bad-port` | error |", "| `gone` | info |");
        assert_ne!(broken, page);
        assert_eq!(super::page(&broken).unwrap(), page);
        assert!(super::page(&page.replace("## Secrets", "## Others")).is_err());
    }
}
