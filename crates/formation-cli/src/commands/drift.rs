//! `formation drift`

use formation_client::FunctionFilter;
use formation_model::{Difference, Drift, DriftReport, DriftStatus, FunctionName, ProblemCode};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::became::{entry, word_of};
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
    let compared = stream::iter(&names).map(async |name| (name, client.drift(name).await));
    let compared: Vec<_> = compared.buffered(AT_ONCE).collect().await;
    let profile = connected.aws.profile.as_deref();
    let mut outcome = Outcome::Done;
    let (mut rows, mut entries, mut differing) = (Vec::new(), Vec::new(), Vec::new());
    for (name, report) in compared {
        match report {
            Ok(report) => {
                if report.drift.status != DriftStatus::InSync {
                    differing.push(report.function_name.to_string());
                }
                rows.push(row(&report));
                entries.push(crate::shown::document(&report)?);
            }
            // It was deleted after it was listed.
            Err(error) if asked.all && error.code() == Some(ProblemCode::FunctionNotFound) => {}
            Err(error) => {
                let failure = Failure::from(error);
                output.progress(&format!("{name}: {}", failure.told(profile)));
                outcome = outcome.and(failure.outcome());
                let told = format!("not compared: {}", failure.outcome().word());
                rows.push(format!("{name}: {told}"));
                entries.push(entry(name, word_of(failure.outcome()), &failure.to_string()));
            }
        }
    }
    if asked.exit_code && !differing.is_empty() {
        outcome = outcome.and(Outcome::Differs);
    }
    output.show(&entries, |_| rows.join("\n"), |_| differing)?;
    Ok(outcome)
}

/// A function's line, and one for each of its differences.
fn row(report: &DriftReport) -> String {
    let head = format!("{}: {}", report.function_name, word(&report.drift.status));
    let lines = lines(&report.drift);
    if lines.is_empty() { head } else { format!("{head}\n{lines}") }
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
