//! `sealgate status`: whether a running agent and its proxies are well, and what needs attention.

mod report;
mod text;

use anyhow::Result;
use time::OffsetDateTime;

use self::report::StatusReport;
use super::agent::AgentClient;
use super::{Conclusion, print};
use crate::admin::status::status_schema;
use crate::args::StatusArgs;

/// So many of each are listed unless all are asked for.
const FIRST: usize = 10;

pub(super) fn main(args: &StatusArgs) -> Result<Conclusion> {
    if args.schema {
        let schema = serde_json::to_string_pretty(&status_schema())?;
        print(&(schema + "\n"))?;
        return Ok(Conclusion::Good);
    }
    let status = AgentClient::new(&args.agent)?.status()?;
    let most = if args.all { usize::MAX } else { FIRST };
    let report = StatusReport::new(status, most, OffsetDateTime::now_utc());
    if args.json {
        print(&(serde_json::to_string(&report)? + "\n"))?;
    } else {
        print(&text::render(&report))?;
    }
    Ok(if report.well {
        Conclusion::Good
    } else {
        Conclusion::No
    })
}
