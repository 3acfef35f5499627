//! What functions can be allowed, and what of that is refused at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use formation_model::function::{Configuration, Needed, Tracing};
use formation_model::{ErrorName, FieldProblem, FieldProblemCode, FunctionSpec, PolicyStatement};
use formation_resources::boundary::Boundary;
use serde_json::Value;

use super::Control;
use crate::refusal::Refusal;

/// What functions of the stack can be allowed.
#[derive(Clone, Debug)]
pub struct FunctionBoundary {
    /// The platform team's policy that bounds them; none where that is Formation's own, which allows
    /// writing logs and traces.
    pub arn: Option<String>,
    /// Patterns of the actions that the boundary allows, sorted; none if the policy is gone or may not be
    /// read.
    pub actions: Vec<String>,
    /// The statements that stand beside whatever a function is allowed.
    pub guard: Vec<Value>,
    /// How many characters a function's statements can have; 0 where it can have none.
    pub characters: usize,
}

impl Control {
    /// What functions of the stack can be allowed.
    ///
    /// # Errors
    /// [`Refusal::BoundaryUnknown`]: what IAM answered.
    pub async fn function_boundary(&self) -> Result<FunctionBoundary, Refusal> {
        let boundary = self.comparer.boundary();
        let found = self.found().await?;
        let actions = match &found {
            Found::Policy(policy) => policy.actions(),
            Found::Gone | Found::Denied => BTreeSet::new(),
        };
        Ok(FunctionBoundary {
            arn: boundary.arn().map(str::to_owned),
            actions: actions.into_iter().map(str::to_owned).collect(),
            guard: self.comparer.role_settings().guard(),
            characters: self.defaults.policy_characters.unwrap_or_default(),
        })
    }

    async fn found(&self) -> Result<Found, Refusal> {
        match self.comparer.boundary().read().await {
            Ok(Some(policy)) => Ok(Found::Policy(policy)),
            Ok(None) => Ok(Found::Gone),
            Err(error) if error.name() == ErrorName::AccessDenied => Ok(Found::Denied),
            Err(error) => Err(Refusal::BoundaryUnknown(Box::new(error))),
        }
    }

    /// Whether the boundary is known to be gone: no role can be brought to it, so neither an update nor a
    /// repair can end well.
    pub async fn boundary_is_gone(&self) -> bool {
        matches!(self.found().await, Ok(Found::Gone))
    }

    /// Refuses what would bring a role to a boundary that is gone.
    pub(super) async fn refuse_without_boundary(&self) -> Result<(), Refusal> {
        match self.comparer.boundary().arn() {
            Some(arn) if self.boundary_is_gone().await => Err(invalid([gone(arn)])),
            _ => Ok(()),
        }
    }

    /// Refuses what the boundary cannot allow: a new function whose role would not even write its log,
    /// tracing, and statements that `current` does not have yet. What a function has, it keeps. Where the
    /// boundary is gone everything is refused.
    pub(super) async fn refuse_beyond_boundary<Code>(
        &self,
        request: &FunctionSpec<Code>,
        current: Option<&FunctionSpec>,
    ) -> Result<(), Refusal> {
        let boundary = self.comparer.boundary();
        let Some(arn) = boundary.arn() else { return Ok(()) };
        let has = current.map(FunctionSpec::all_statements).unwrap_or_default();
        let is_new = |statement| !has.contains(statement);
        let statements = request.permissions.policy_statements.iter().enumerate();
        let new: Vec<_> = statements.filter(|(_, statement)| is_new(statement)).collect();
        let needed = request.needed_statements();
        let needed: Vec<_> = needed.iter().filter(|it| is_new(&it.statement)).collect();
        let is_traced = |spec: &Configuration| spec.tracing == Tracing::Active;
        let traced = is_traced(&request.configuration)
            && !current.is_some_and(|current| is_traced(&current.configuration));
        if new.is_empty() && needed.is_empty() && !traced && current.is_some() {
            return self.refuse_without_boundary().await;
        }
        let problems = match self.found().await? {
            Found::Gone => vec![gone(arn)],
            Found::Denied => vec![refused(format!(
                "IAM denies Formation to read the policy {arn}, which is to bound the functions of the \
                 stack: it has to be one of the stack's own account, which no policy keeps from being \
                 read; whoever deploys the stack names it in FunctionBoundaryArn"
            ))],
            Found::Policy(boundary) if !boundary.can_log() => vec![refused(format!(
                "the policy {arn}, which bounds the functions of the stack, lacks \
                 logs:CreateLogStream and logs:PutLogEvents, without which no function has a log; \
                 whoever keeps it has to add them"
            ))],
            Found::Policy(boundary) => {
                let untraceable = (traced && !boundary.can_trace()).then(|| {
                    let detail = format!(
                        "cannot be ACTIVE: the stack's boundary {arn} does not allow \
                         xray:PutTelemetryRecords and xray:PutTraceSegments; whoever keeps it has to \
                         add them"
                    );
                    FieldProblem::new("/tracing", FieldProblemCode::NotSupported, detail)
                });
                let beyond = beyond(&boundary, arn, &new);
                let unable = unable(&boundary, arn, &needed);
                untraceable.into_iter().chain(beyond).chain(unable).collect()
            }
        };
        if problems.is_empty() { Ok(()) } else { Err(invalid(problems)) }
    }
}

/// What there is of the boundary.
enum Found {
    Policy(Arc<Boundary>),
    Gone,
    /// It may not be read.
    Denied,
}

fn refused(detail: String) -> FieldProblem {
    FieldProblem::new("/policyStatements", FieldProblemCode::NotSupported, detail)
}

fn gone(arn: &str) -> FieldProblem {
    refused(format!(
        "the policy {arn}, which is to bound the functions of the stack, is gone; whoever deploys the \
         stack has to bring it back, or to name another in FunctionBoundaryArn"
    ))
}

fn invalid(problems: impl Into<Vec<FieldProblem>>) -> Refusal {
    Refusal::InvalidFunction(problems.into().into())
}

/// The actions of `statements`, each with its place among all, that the boundary cannot allow.
fn beyond(
    boundary: &Boundary,
    arn: &str,
    statements: &[(usize, &PolicyStatement)],
) -> Vec<FieldProblem> {
    let places = statements.iter().flat_map(|(index, statement)| {
        let actions = statement.actions.iter().enumerate();
        actions.map(move |(at, action)| (format!("/policyStatements/{index}/actions/{at}"), action))
    });
    let refused = places.filter(|(_, action)| !boundary.can_allow(action));
    let allowed = told(&boundary.actions());
    let detail = format!("is not within the stack's boundary {arn}, which allows {allowed}");
    refused
        .map(|(place, _)| FieldProblem::new(place, FieldProblemCode::NotSupported, detail.clone()))
        .collect()
}

/// Each of what triggers need that the boundary cannot allow.
fn unable(boundary: &Boundary, arn: &str, needed: &[&Needed]) -> Vec<FieldProblem> {
    let refused = needed.iter().filter_map(|needed| {
        let actions = needed.statement.actions.iter();
        let beyond: Vec<_> =
            actions.filter(|action| !boundary.can_allow(action)).map(String::as_str).collect();
        (!beyond.is_empty()).then(|| {
            let detail = format!(
                "needs {} of the function's role, which the stack's boundary {arn} does not allow: it allows {}; \
                 whoever keeps it can add them",
                beyond.join(", "),
                told(&boundary.actions())
            );
            FieldProblem::new(needed.pointer.clone(), FieldProblemCode::NotSupported, detail)
        })
    });
    refused.collect()
}

/// How many actions a problem names.
const MOST_TOLD: usize = 30;

/// The first of `actions`, and how many there are besides.
fn told(actions: &BTreeSet<&str>) -> String {
    let first: Vec<_> = actions.iter().take(MOST_TOLD).copied().collect();
    match actions.len().saturating_sub(MOST_TOLD) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
