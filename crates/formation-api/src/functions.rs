//! The routes below `/v1/functions`.

use std::collections::BTreeSet;
use std::time::Duration;

use formation_aws::Chain;
use formation_control::{Accepted, Change, Decision, ListFilter, Refusal, VersionTag};
use formation_model::json::ROLLBACK;
use formation_model::tag::{InvalidTagFilter, MOST_TAGS, TagFilter};
use formation_model::view::{Function, FunctionStatus};
use formation_model::{
    Drift, DriftReport, Operation, OperationKind, OperationStatus, RollbackRequest, request,
};
use http::header::{ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Answered, empty, etag, json, set};
use crate::app::App;
use crate::change::{Asked, ChangeRequest, wait};
use crate::outcome::outcome;
use crate::paths::{OPERATION_LOCATION, function_path, operation_path};
use crate::precondition::Precondition;
use crate::problem::{ApiError, RETRY_AFTER_SECONDS};
use crate::request::{Query, Request};

/// How many things a page of a list holds, and may hold at the most.
pub(crate) const DEFAULT_LIMIT: i32 = 50;
pub(crate) const MOST: i32 = 100;
/// What is known of an operation is told this long before the answer must be on its way, where its steps
/// cannot be read.
const TOLD_BEFORE: Duration = Duration::from_millis(200);

/// What of a request's time is left, of a wait, for the steps: they are read from Step Functions.
const STEPS_TAKE: Duration = Duration::from_secs(2);

/// `POST /v1/functions`
pub(crate) async fn create_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let ChangeRequest { precondition, body, asked } = ChangeRequest::read(request)?;
    if !matches!(precondition, Precondition::None) {
        let detail =
            "conditions go with PUT, PATCH and DELETE; POST creates only what is not there";
        return Err(ApiError::InvalidParameter(detail.to_owned()));
    }
    let request = body?
        .read_with(|body| request::read(body, app.control.defaults(), None))
        .map_err(Refusal::InvalidFunction)?;
    app.change(Change::Create(request.into()), asked).await
}

/// `GET /v1/functions`
pub(crate) async fn list_functions(app: &App, request: Request) -> Result<Answered, ApiError> {
    let limit = limit(&request.query)?;
    let wanted = FunctionStatus::ALL.map(FunctionStatus::as_str).join(", ");
    let known = |text: &str| FunctionStatus::ALL.into_iter().find(|it| it.as_str() == text);
    let status = request.query.value("status", known, &wanted)?;
    let wanted = "what the name of a function can begin with";
    let begin =
        |text: &str| Some(text).filter(|it| !it.is_empty()).map(str::parse).transpose().ok();
    let prefix = request.query.value("prefix", begin, wanted)?.flatten();
    let filter = ListFilter { prefix, status, tags: tags(&request.query)? };
    let page = app.control.list(&filter, limit, request.query.text("nextToken")).await?;
    Ok(json(StatusCode::OK, &page))
}

/// `GET /v1/functions/{functionName}`
pub(crate) async fn describe_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let (function, version_tag) = app.control.function(&request.function()?).await?;
    Ok(described(StatusCode::OK, &function, &version_tag))
}

/// `PUT /v1/functions/{functionName}`
pub(crate) async fn put_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let ChangeRequest { precondition, body, asked } = ChangeRequest::read(request)?;
    let mut body = body?;
    // The path has named it already.
    if let Some(body) = body.value.as_object_mut() {
        body.entry("functionName").or_insert_with(|| name.as_str().into());
    }
    let defaults = app.control.defaults();
    let change = match precondition {
        Precondition::None => return Err(ApiError::PreconditionRequired),
        Precondition::Absent => {
            let request = body
                .read_with(|body| request::read(body, defaults, None))
                .map_err(Refusal::InvalidFunction)?;
            if request.function_name != name {
                return Err(ApiError::OtherName(name));
            }
            Change::Create(request.into())
        }
        Precondition::Holds(condition) => {
            let edit = move |current: &_| {
                body.read_with(|body| request::read(body, defaults, Some(current)))
            };
            Change::Update { name, condition: Some(condition), edit: Box::new(edit) }
        }
    };
    app.change(change, asked).await.map_err(|error| match error {
        ApiError::Refused(Refusal::FunctionExists(name)) => {
            ApiError::PreconditionFailed(format!("there is a function {name}"))
        }
        // PUT would create it otherwise.
        ApiError::Refused(Refusal::FunctionNotFound(name)) => {
            ApiError::PreconditionFailed(format!("there is no function {name}"))
        }
        error => error,
    })
}

/// `PATCH /v1/functions/{functionName}`
pub(crate) async fn update_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let ChangeRequest { precondition, body, asked } = ChangeRequest::read(request)?;
    let (body, condition) = (body?, precondition.of_what_exists()?);
    let defaults = app.control.defaults();
    let edit = move |current: &_| body.read_with(|body| request::patched(body, defaults, current));
    app.change(Change::Update { name, condition, edit: Box::new(edit) }, asked).await
}

/// `POST /v1/functions/{functionName}/repair`
pub(crate) async fn repair_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let ChangeRequest { precondition, asked, .. } = ChangeRequest::read(request)?;
    let condition = precondition.of_what_exists()?;
    app.change(Change::Repair { name, condition }, asked).await
}

/// `POST /v1/functions/{functionName}/rollback`
pub(crate) async fn roll_back_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let names_nothing = request.body.is_empty();
    let ChangeRequest { precondition, body, asked } = ChangeRequest::of(request, ROLLBACK)?;
    let condition = precondition.of_what_exists()?;
    let RollbackRequest { revision } = if names_nothing {
        RollbackRequest::default()
    } else {
        body?.read_with(RollbackRequest::read).map_err(Refusal::InvalidFunction)?
    };
    app.change(Change::Rollback { name, condition, revision }, asked).await
}

/// `DELETE /v1/functions/{functionName}`
pub(crate) async fn delete_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let ChangeRequest { precondition, asked, .. } = ChangeRequest::read(request)?;
    let condition = precondition.of_what_exists()?;
    app.change(Change::Delete { name, condition }, asked).await
}

/// `GET /v1/functions/{functionName}/drift`
pub(crate) async fn compare_function(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let function = app.control.function_record(&name).await?;
    let differences = app.control.compare(&function).await?;
    let drift = Drift::found(&differences, Timestamp::now());
    let report = DriftReport { function_name: name, revision: function.revision, drift };
    Ok(json(StatusCode::OK, &report))
}

/// `GET /v1/functions/{functionName}/operations`
pub(crate) async fn list_operations(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let limit = limit(&request.query)?;
    let page = app.control.operations(&name, limit, request.query.text("nextToken")).await?;
    Ok(json(StatusCode::OK, &page))
}

/// `GET /v1/functions/{functionName}/operations/{operationId}`
pub(crate) async fn describe_operation(app: &App, request: Request) -> Result<Answered, ApiError> {
    let (name, id) = (request.function()?, request.operation()?);
    let (steps, wait) = (request.query.flag("steps")?, wait(&request.query)?);
    let look = || app.control.operation_seen(&name, id);
    let mut seen = look().await?;
    if !wait.is_zero() {
        let left = if steps { STEPS_TAKE } else { Duration::ZERO };
        let patience = request.until.checked_sub(left).unwrap_or(request.until);
        seen = outcome(seen, patience.min(Instant::now() + wait), look).await;
    }
    let operation = if steps {
        let until = request.until.checked_sub(TOLD_BEFORE).unwrap_or(request.until);
        match timeout_at(until, app.control.with_steps(seen.clone())).await {
            Ok(read) => read?,
            // What is known of it is told all the same.
            Err(_) => {
                tracing::warn!("the steps of an operation cannot be read in time");
                seen.into()
            }
        }
    } else {
        seen.into()
    };
    let running = operation.status == OperationStatus::Running;
    let mut response = json(StatusCode::OK, &operation);
    if running {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    Ok(response)
}

/// `POST /v1/functions/{functionName}/operations/{operationId}/cancel`
pub(crate) async fn cancel_operation(app: &App, request: Request) -> Result<Answered, ApiError> {
    let (name, operation) = (request.function()?, request.operation()?);
    Ok(accepted(&app.control.cancel(&name, operation, &request.caller).await?))
}

pub(crate) fn limit(query: &Query) -> Result<i32, ApiError> {
    let within = |text: &str| text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    Ok(query.value("limit", within, &format!("1 to {MOST}"))?.unwrap_or(DEFAULT_LIMIT))
}

/// The tags that functions are asked for.
fn tags(query: &Query) -> Result<BTreeSet<TagFilter>, ApiError> {
    let tags = query.all("tag");
    if tags.len() > MOST_TAGS {
        let detail = format!("tag: must not be given more than {MOST_TAGS} times");
        return Err(ApiError::InvalidParameter(detail));
    }
    let read = |text: &String| {
        text.parse().map_err(|refused: InvalidTagFilter| {
            ApiError::InvalidParameter(format!("tag: must be {refused}"))
        })
    };
    tags.iter().map(read).collect()
}

impl App {
    /// Accepts a change, or plans it, and answers as it was asked.
    async fn change(&self, change: Change<'_>, asked: Asked) -> Result<Answered, ApiError> {
        if asked.dry_run {
            return Ok(json(
                StatusCode::OK,
                &self.control.plan(change, &asked.requester.caller).await?,
            ));
        }
        let decision = self.control.accept(change, &asked.requester).await?;
        Ok(self.outcome(decision, asked.wait, asked.until).await)
    }

    /// The answer to a change: at once, or with its outcome if that comes within `wait` and before
    /// `until`. Once an operation is accepted the answer tells of it, whatever becomes of the wait.
    async fn outcome(&self, decision: Decision, wait: Duration, until: Instant) -> Answered {
        let mut changed = match decision {
            Decision::Unchanged(unchanged) => {
                let mut response =
                    described(StatusCode::OK, &unchanged.function, &unchanged.version_tag);
                mark_replayed(&mut response, unchanged.replayed);
                return response;
            }
            Decision::Accepted(accepted) => *accepted,
        };
        if !wait.is_zero() {
            let operation = changed.operation.clone();
            let (name, id) = (operation.function_name.clone(), operation.operation_id);
            let look = || self.control.operation(&name, id);
            let patience = until.min(Instant::now() + wait);
            changed.operation = outcome(operation, patience, look).await;
            match timeout_at(until, self.ended(&changed.operation)).await {
                Ok(Ok(Some(mut response))) => {
                    name_operation(&mut response, &changed);
                    return response;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(error = %Chain(&error), "the outcome cannot be told");
                }
                Err(_) => tracing::warn!("the outcome cannot be told in time"),
            }
        }
        accepted(&changed)
    }

    /// The answer that an outcome gives; none while there is no outcome.
    async fn ended(&self, operation: &Operation) -> Result<Option<Answered>, Refusal> {
        // An outcome that this release does not know has no answer of its own: the operation tells it.
        let (Some(status), Some(kind)) = (operation.status.known(), operation.kind.known()) else {
            return Ok(None);
        };
        let status = match (status, kind) {
            (OperationStatus::Running, _) => return Ok(None),
            (OperationStatus::Failed, _) => {
                let failed = ApiError::OperationFailed(Box::new(operation.clone()));
                return Ok(Some(failed.into_response()));
            }
            (OperationStatus::Succeeded, OperationKind::Delete) => {
                return Ok(Some(empty(StatusCode::NO_CONTENT)));
            }
            (OperationStatus::Succeeded, OperationKind::Create) => StatusCode::CREATED,
            (
                OperationStatus::Succeeded,
                OperationKind::Update | OperationKind::Repair | OperationKind::Rollback,
            ) => StatusCode::OK,
        };
        match self.control.function(&operation.function_name).await {
            Ok((function, version_tag)) => Ok(Some(described(status, &function, &version_tag))),
            // A repair that finished undoing a create, or a delete that came right behind.
            Err(Refusal::FunctionNotFound(_)) => Ok(Some(empty(StatusCode::NO_CONTENT))),
            Err(error) => Err(error),
        }
    }
}

fn described(status: StatusCode, function: &Function, version_tag: &VersionTag) -> Answered {
    let mut response = json(status, function);
    if status == StatusCode::CREATED {
        set(&mut response, LOCATION, &function_path(&function.spec.function_name));
    }
    set(&mut response, ETAG, &etag(version_tag));
    response
}

fn accepted(accepted: &Accepted) -> Answered {
    let mut response = json(StatusCode::ACCEPTED, &accepted.operation);
    set(&mut response, LOCATION, &function_path(&accepted.operation.function_name));
    if let Some(version_tag) = &accepted.version_tag {
        set(&mut response, ETAG, &etag(version_tag));
    }
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    name_operation(&mut response, accepted);
    response
}

fn name_operation(response: &mut Answered, accepted: &Accepted) {
    let Operation { function_name, operation_id, .. } = &accepted.operation;
    set(response, OPERATION_LOCATION, &operation_path(function_name, *operation_id));
    mark_replayed(response, accepted.replayed);
}

fn mark_replayed(response: &mut Answered, replayed: bool) {
    if replayed {
        set(response, HeaderName::from_static("idempotency-replayed"), "true");
    }
}
