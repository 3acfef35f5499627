//! What callers run, compared with what is recorded.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::State;
use formation_model::names::LIVE;
use formation_model::{Difference, Facet, FunctionSpec, Part, PublishedVersion, StackIdentity};
use serde_json::{Value, json};

use super::calls::{alias, qualified};
use super::{version_differences, version_of};
use crate::error::ResourceError;
use crate::function::unnamed;

/// Compares what callers of a function run, which is proved ours, with `spec` and the recorded `version`: where the
/// alias leads, what the version there has of configuration and code, and, where `weights` asks for it, whether
/// others have a share of the calls. Of a function without a recorded version, which an earlier release made,
/// nothing is compared.
///
/// # Errors
/// What Lambda answered.
pub async fn compare(
    lambda: &Client,
    stack: &StackIdentity,
    spec: &FunctionSpec,
    version: Option<PublishedVersion>,
    weights: bool,
) -> Result<Vec<Difference>, ResourceError> {
    let function = &spec.function_name;
    let Some(version) = version else { return Ok(Vec::new()) };
    // GetFunction has a rate of its own; GetAlias has none.
    let Some(found) = qualified(lambda, function, LIVE).await? else {
        return Ok(vec![Difference::missing(Part::Live)]);
    };
    let leads_elsewhere = version_of(&found) != Some(version);
    let mut differences = Vec::new();
    if leads_elsewhere || weights {
        let shares = alias(lambda, function).await?.map(|it| it.weights).unwrap_or_default();
        let shares = if shares.is_empty() { Value::Null } else { json!(shares) };
        let to = version_of(&found).map_or_else(|| json!(found.version()), |it| json!(it));
        differences.extend(Difference::between(Facet::Live, "version", json!(version), to));
        differences.extend(Difference::between(Facet::Live, "weights", Value::Null, shares));
    }
    let failed = match found.state() {
        Some(State::Failed) => Difference::between(Facet::Live, "state", "Active", "Failed"),
        _ => None,
    };
    differences.extend(failed);
    let of_version = version_differences(stack, spec, &found).into_iter();
    let of_version = of_version.chain(unnamed::differences(&found));
    differences.extend(of_version.map(|it| Difference {
        part: Part::Live.into(),
        facet: Facet::Live.into(),
        ..it
    }));
    Ok(differences)
}
