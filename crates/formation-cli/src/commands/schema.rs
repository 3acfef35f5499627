//! `formation schema`

use crate::failure::Failure;
use crate::manifest::schema::schema;
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) fn run(output: &Output) -> Result<Outcome, Failure> {
    let name = |schema: &serde_json::Value| schema["$id"].as_str().map(str::to_owned);
    output.show(
        &schema(),
        |schema| format!("{schema:#}"),
        |schema| name(schema).into_iter().collect(),
    )?;
    Ok(Outcome::Done)
}
