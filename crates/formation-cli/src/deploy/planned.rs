//! One plan for all functions of a manifest: one request a hundred functions, no upload, no write.

use formation_client::Client;
use formation_model::plans::{FunctionPlan, MOST_FUNCTIONS, PlanErrorCode};
use formation_model::{Difference, Facet, Open, OperationKind, ProblemCode};
use serde_json::{Map, Value, json};

use crate::deploy::sources::Source;
use crate::failure::Failure;
use crate::manifest::{MANIFEST_TAG, Manifest, Misplaced, Wanted};

/// A function, its code, and what is to be done to it.
#[derive(Debug)]
pub struct Planned {
    /// What the manifest wants.
    pub wanted: Wanted,
    /// Its code.
    pub source: Source,
    /// What its PUT would do.
    pub plan: FunctionPlan,
}

impl Planned {
    /// Whether there is something to do.
    pub fn changes(&self) -> bool {
        self.plan.kind.is_some()
    }

    /// Whether it is made.
    pub fn is_new(&self) -> bool {
        self.plan.kind.as_ref().is_some_and(|kind| *kind == OperationKind::Create)
    }

    /// Whether its code is other than what is recorded, as far as the plan shows.
    pub fn changes_code(&self) -> bool {
        self.is_new()
            || self.is_cut()
            || self.differences().any(|it| it.facet == Facet::Code && it.property == "code")
    }

    /// Whether there is more that would change than the plan shows.
    pub fn is_cut(&self) -> bool {
        self.plan.parts.iter().any(|part| part.more > 0)
    }

    /// All that would change, as far as the plan shows it.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.plan.parts.iter().flat_map(|part| &part.differences)
    }
}

/// The document of a function's PUT, with this code.
pub fn document(wanted: &Wanted, code: Value) -> Value {
    let mut document = wanted.fields.clone();
    document.insert("functionName".to_owned(), json!(wanted.name));
    document.insert("code".to_owned(), code);
    Value::Object(document)
}

/// Sets the tag by which a manifest that has a name knows its functions.
pub fn mark(wanted: &mut [Wanted], name: Option<&str>) {
    let Some(name) = name else { return };
    for function in wanted {
        let tags = function.fields.entry("tags").or_insert_with(|| Value::Object(Map::new()));
        // What is no object is the API's to refuse.
        if let Value::Object(tags) = tags {
            tags.insert(MANIFEST_TAG.to_owned(), json!(name));
        }
    }
}

/// Asks for the plans of all of them, in their order.
///
/// # Errors
/// The API has no answer.
pub async fn ask(
    client: &Client,
    functions: &[(Wanted, Source)],
) -> Result<Vec<FunctionPlan>, Failure> {
    let documents: Vec<_> =
        functions.iter().map(|(wanted, source)| document(wanted, source.named())).collect();
    let mut plans = Vec::new();
    for some in documents.chunks(MOST_FUNCTIONS) {
        plans.extend(client.plan(some).await?);
    }
    if plans.len() == functions.len() {
        return Ok(plans);
    }
    let (asked, came) = (functions.len(), plans.len());
    Err(Failure::Other(format!("{asked} functions were asked for, and {came} planned")))
}

/// Whether an operation runs on a function, so that it cannot be planned before that has ended.
pub fn is_busy(plan: &FunctionPlan) -> bool {
    let busy = PlanErrorCode::Problem(ProblemCode::OperationInProgress);
    plan.errors.iter().any(|error| error.code == busy)
}

/// The functions with what is to be done to them.
///
/// # Errors
/// What the API refuses, at its place in the manifest.
pub fn accepted(
    manifest: &Manifest,
    functions: Vec<(Wanted, Source)>,
    plans: Vec<FunctionPlan>,
) -> Result<Vec<Planned>, Failure> {
    let refused = functions.iter().zip(&plans).flat_map(|((wanted, _), plan)| {
        let shown = plan.errors.iter().map(|error| {
            let message = format!("{}: {} ({})", wanted.name, error.detail, error.code);
            Misplaced::new(wanted.place_of(&error.pointer), message)
        });
        let more = plan.error_count.unwrap_or_default().saturating_sub(plan.errors.len());
        let more = (more > 0).then(|| {
            let message = format!("{}: and {more} more problems", wanted.name);
            Misplaced::new(wanted.place_of(""), message)
        });
        shown.chain(more)
    });
    let refused: Vec<_> = refused.collect();
    if !refused.is_empty() {
        return Err(manifest.problems(refused).into());
    }
    let planned = functions.into_iter().zip(plans);
    Ok(planned.map(|((wanted, source), plan)| Planned { wanted, source, plan }).collect())
}

/// Refuses functions that another manifest has, by the tag that it set; a manifest without a name has none.
///
/// # Errors
/// Which, and whose they are; or that the API does not tell.
pub async fn refuse_others(
    client: &Client,
    manifest: &Manifest,
    name: Option<&str>,
    planned: &[Planned],
) -> Result<(), Failure> {
    let tag = format!("tags/{MANIFEST_TAG}");
    let mut others = Vec::new();
    for it in planned {
        let found = it.differences().find(|difference| difference.property == tag);
        let other = match found {
            Some(found) => found.actual.as_str().map(str::to_owned),
            // What is not shown may be just that.
            None if it.is_cut() && !it.is_new() => {
                let now = client.describe(&it.wanted.name).await?;
                let other = now.function.spec.tags.get(MANIFEST_TAG).cloned();
                other.filter(|other| Some(other.as_str()) != name)
            }
            None => None,
        };
        if let Some(other) = other {
            let name = &it.wanted.name;
            let message = format!(
                "{name} belongs to the manifest `{other}`; --take-over makes it this one's"
            );
            others.push(Misplaced::new(it.wanted.place_of(""), message));
        }
    }
    if others.is_empty() { Ok(()) } else { Err(manifest.problems(others).into()) }
}

/// The kind of an operation in a word for people.
pub fn verb(kind: Option<&Open<OperationKind>>) -> &'static str {
    match kind.and_then(Open::known) {
        Some(OperationKind::Create) => "create",
        Some(OperationKind::Delete) => "delete",
        Some(_) => "update",
        None => "unchanged",
    }
}
