//! `formation drift`

use formation_client::FunctionFilter;
use formation_model::{Difference, Drift, DriftReport, DriftStatus, FunctionName};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::args::Drift as Asked;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::output::table::word;

/// How many comparisons run at once: each asks AWS several times, within rates that others share.
const AT_ONCE: usize = 4;

pub(super) async fn run(
    connected: &Connected,
    asked: &Asked,
    output: &Output,
) -> Result<Outcome, Failure> {
    let client = &connected.client;
    let names: Vec<FunctionName> = if asked.all {
        let all = client.functions(FunctionFilter::default());
        all.map_ok(|function| function.spec.function_name).try_collect().await?
    } else {
        asked.names.clone()
    };
    let reports = stream::iter(&names).map(async |name| client.drift(name).await);
    let reports: Vec<DriftReport> = reports.buffered(AT_ONCE).try_collect().await?;
    let differing = || reports.iter().filter(|it| it.drift.status != DriftStatus::InSync);
    let names = || differing().map(|it| it.function_name.to_string()).collect();
    output.show(&reports, |reports| screen(reports), |_| names())?;
    let differs = asked.exit_code && differing().next().is_some();
    Ok(if differs { Outcome::Differs } else { Outcome::Done })
}

fn screen(reports: &[DriftReport]) -> String {
    let each = reports.iter().map(|report| {
        let head = format!("{}: {}", report.function_name, word(&report.drift.status));
        let lines = lines(&report.drift);
        if lines.is_empty() { head } else { format!("{head}\n{lines}") }
    });
    each.collect::<Vec<_>>().join("\n")
}

/// What differs, one line each.
pub(super) fn lines(drift: &Drift) -> String {
    let mut lines: Vec<_> = drift.differences.iter().map(line).collect();
    if drift.more > 0 {
        lines.push(format!("  and {} more", drift.more));
    }
    lines.join("\n")
}

fn line(difference: &Difference) -> String {
    let Difference { part, property, expected, actual, .. } = difference;
    if difference.is_not_owned() {
        return format!("  {part}: is not Formation's");
    }
    if difference.is_missing() {
        return format!("  {part}: is gone");
    }
    format!("  {part} {property}: {expected} is recorded, AWS has {actual}")
}
