//! The routes below `/v1/functions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use formation_control::records::ListFilter;
use formation_control::{Accepted, Changed, FunctionRecord, Refusal};
use formation_model::function::{Function, FunctionStatus};
use formation_model::{
    Drift, FunctionName, Operation, OperationId, OperationKind, OperationStatus, request,
};
use http::header::{ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::caller::Caller;
use crate::change::Change;
use crate::extract::{FunctionPath, NoParameters, OperationPath, Parameters};
use crate::precondition::Precondition;
use crate::problem::{ApiError, RETRY_AFTER_SECONDS};

/// How many things a page of a list holds, and may hold at the most.
pub(crate) const DEFAULT_LIMIT: i32 = 50;
pub(crate) const MOST: i32 = 100;

/// The path of a function.
pub(crate) fn function_path(function: &FunctionName) -> String {
    format!("/v1/functions/{function}")
}

/// The path of an operation.
pub(crate) fn operation_path(function: &FunctionName, operation: OperationId) -> String {
    format!("{}/operations/{operation}", function_path(function))
}

/// `POST /v1/functions`
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    change: Change,
) -> Result<Response, ApiError> {
    if !matches!(change.precondition, Precondition::None) {
        let detail =
            "conditions go with PUT, PATCH and DELETE; POST creates only what is not there";
        return Err(ApiError::InvalidParameter(detail.to_owned()));
    }
    let request = change
        .body?
        .read_with(|body| request::read(body, &app.control.defaults, None))
        .map_err(Refusal::InvalidFunction)?;
    let changed = app.control.create(request, &change.requester).await?;
    app.answer(changed, change.wait).await
}

/// `GET /v1/functions`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<FunctionList>, ApiError> {
    let limit = limit(parameters.limit)?;
    let filter =
        ListFilter { prefix: parameters.prefix.unwrap_or_default(), status: parameters.status };
    let page = app.control.list(&filter, limit, parameters.next_token.as_deref()).await?;
    Ok(Json(FunctionList { functions: page.functions, next_token: page.next_token }))
}

/// `GET /v1/functions/{functionName}`
pub(crate) async fn describe(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    _: NoParameters,
) -> Result<Response, ApiError> {
    let (function, etag) = app.control.function(&name).await?;
    Ok(described(StatusCode::OK, function, &etag))
}

/// `PUT /v1/functions/{functionName}`
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    change: Change,
) -> Result<Response, ApiError> {
    let mut body = change.body?;
    // The path has named it already.
    if let Some(body) = body.value.as_object_mut() {
        body.entry("functionName").or_insert_with(|| name.as_str().into());
    }
    let changed = match change.precondition {
        Precondition::None => return Err(ApiError::PreconditionRequired),
        Precondition::Absent => {
            let request = body
                .read_with(|body| request::read(body, &app.control.defaults, None))
                .map_err(Refusal::InvalidFunction)?;
            if request.function_name != name {
                return Err(ApiError::OtherName(name));
            }
            match app.control.create(request, &change.requester).await {
                Err(Refusal::FunctionExists(name)) => {
                    let there = format!("there is a function {name}");
                    return Err(Refusal::PreconditionFailed(there).into());
                }
                created => created?,
            }
        }
        Precondition::Expected(expected) => {
            let request = |current: &_| {
                body.read_with(|body| request::read(body, &app.control.defaults, Some(current)))
            };
            match app.control.update(&name, Some(&expected), request, &change.requester).await {
                // PUT would create it otherwise.
                Err(Refusal::FunctionNotFound(name)) => {
                    let there = format!("there is no function {name}");
                    return Err(Refusal::PreconditionFailed(there).into());
                }
                updated => updated?,
            }
        }
    };
    app.answer(changed, change.wait).await
}

/// `PATCH /v1/functions/{functionName}`
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    change: Change,
) -> Result<Response, ApiError> {
    let (body, expected) = (change.body?, change.precondition.of_what_exists()?);
    let request =
        |current: &_| body.read_with(|body| request::patched(body, &app.control.defaults, current));
    let changed = app.control.update(&name, expected.as_ref(), request, &change.requester).await?;
    app.answer(changed, change.wait).await
}

/// `POST /v1/functions/{functionName}/repair`
pub(crate) async fn repair(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    change: Change,
) -> Result<Response, ApiError> {
    let expected = change.precondition.of_what_exists()?;
    let changed = app.control.repair(&name, expected.as_ref(), &change.requester).await?;
    app.answer(changed, change.wait).await
}

/// `DELETE /v1/functions/{functionName}`
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    change: Change,
) -> Result<Response, ApiError> {
    let expected = change.precondition.of_what_exists()?;
    let changed = app.control.delete(&name, expected.as_ref(), &change.requester).await?;
    app.answer(changed, change.wait).await
}

/// `GET /v1/functions/{functionName}/drift`
pub(crate) async fn drift(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    _: NoParameters,
) -> Result<Json<DriftReport>, ApiError> {
    let function = app.control.function_record(&name).await?;
    let FunctionRecord { spec, role_id, .. } = &function;
    let found = app.control.comparer.compare(spec, role_id.as_deref()).await;
    let differences = found.map_err(Refusal::from)?;
    let drift = Drift::found(&differences, Timestamp::now());
    Ok(Json(DriftReport { function_name: name, revision: function.revision, drift }))
}

/// `GET /v1/functions/{functionName}/operations`
pub(crate) async fn list_operations(
    State(app): State<Arc<App>>,
    FunctionPath(name): FunctionPath,
    Parameters(parameters): Parameters<OperationListParameters>,
) -> Result<Json<OperationList>, ApiError> {
    let limit = limit(parameters.limit)?;
    let page = app.control.operations(&name, limit, parameters.next_token.as_deref()).await?;
    Ok(Json(OperationList { operations: page.operations, next_token: page.next_token }))
}

/// `GET /v1/functions/{functionName}/operations/{operationId}`
pub(crate) async fn describe_operation(
    State(app): State<Arc<App>>,
    OperationPath(name, operation): OperationPath,
    Parameters(parameters): Parameters<OperationParameters>,
) -> Result<Response, ApiError> {
    let operation = if parameters.steps.unwrap_or_default() {
        app.control.operation_with_steps(&name, operation).await?
    } else {
        app.control.operation(&name, operation).await?
    };
    let running = operation.status == OperationStatus::Running;
    let mut response = Json(operation).into_response();
    if running {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    Ok(response)
}

/// `POST /v1/functions/{functionName}/operations/{operationId}/cancel`
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    OperationPath(name, operation): OperationPath,
    _: NoParameters,
    Caller(caller): Caller,
) -> Result<Response, ApiError> {
    Ok(accepted(&app.control.cancel(&name, operation, &caller).await?))
}

/// Query of `GET /v1/functions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListParameters {
    limit: Option<i32>,
    next_token: Option<String>,
    status: Option<FunctionStatus>,
    prefix: Option<String>,
}

/// Query of `GET /v1/functions/{functionName}/operations`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OperationListParameters {
    limit: Option<i32>,
    next_token: Option<String>,
}

/// Query of `GET /v1/functions/{functionName}/operations/{operationId}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationParameters {
    steps: Option<bool>,
}

fn limit(asked: Option<i32>) -> Result<i32, ApiError> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(ApiError::InvalidParameter(format!("limit must be 1 to {MOST}")))
    }
}

/// One page of functions.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FunctionList {
    /// The functions, ordered by name. A page may hold fewer than asked for, even none: there are
    /// more as long as there is a `nextToken`.
    functions: Vec<Function>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// One page of a function's operations.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationList {
    /// The operations, newest first.
    operations: Vec<Operation>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// What a comparison with AWS, made for this request, has found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriftReport {
    /// The function.
    function_name: FunctionName,
    /// The revision that AWS was compared with.
    revision: u64,
    /// What was found.
    #[serde(flatten)]
    drift: Drift,
}

impl App {
    /// The answer to a change: at once, or with its outcome if that comes within `wait`.
    async fn answer(
        &self,
        changed: Changed,
        wait: std::time::Duration,
    ) -> Result<Response, ApiError> {
        let mut changed = match changed {
            Changed::Planned(plan) => return Ok(Json(plan).into_response()),
            Changed::Already(already) => {
                let mut response = described(StatusCode::OK, already.function, &already.etag);
                mark_replayed(&mut response, already.replayed);
                return Ok(response);
            }
            Changed::Accepted(accepted) => *accepted,
        };
        if !wait.is_zero() {
            let Operation { function_name: name, operation_id: id, .. } = &changed.operation;
            let look = || self.control.operation(name, *id);
            let operation = self.waits.outcome(changed.operation.clone(), wait, look).await?;
            changed.operation = operation;
            if let Some(mut response) = self.ended(&changed.operation).await? {
                name_operation(&mut response, &changed);
                return Ok(response);
            }
        }
        Ok(accepted(&changed))
    }

    /// The answer that an outcome gives; none while there is no outcome.
    async fn ended(&self, operation: &Operation) -> Result<Option<Response>, ApiError> {
        let status = match (operation.status, operation.kind) {
            (OperationStatus::Running, _) => return Ok(None),
            (OperationStatus::Failed, _) => {
                return Err(ApiError::OperationFailed(Box::new(operation.clone())));
            }
            (OperationStatus::Succeeded, OperationKind::Delete) => {
                return Ok(Some(StatusCode::NO_CONTENT.into_response()));
            }
            (OperationStatus::Succeeded, OperationKind::Create) => StatusCode::CREATED,
            (OperationStatus::Succeeded, OperationKind::Update | OperationKind::Repair) => {
                StatusCode::OK
            }
        };
        match self.control.function(&operation.function_name).await {
            Ok((function, etag)) => Ok(Some(described(status, function, &etag))),
            // A repair that finished undoing a create, or a delete that came right behind.
            Err(Refusal::FunctionNotFound(_)) => Ok(Some(StatusCode::NO_CONTENT.into_response())),
            Err(error) => Err(error.into()),
        }
    }
}

fn described(status: StatusCode, function: Function, etag: &str) -> Response {
    let location = function_path(&function.spec.function_name);
    let mut response = (status, Json(function)).into_response();
    if status == StatusCode::CREATED {
        set(&mut response, LOCATION, &location);
    }
    set(&mut response, ETAG, etag);
    response
}

fn accepted(accepted: &Accepted) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(&accepted.operation)).into_response();
    set(&mut response, LOCATION, &function_path(&accepted.operation.function_name));
    if let Some(etag) = &accepted.etag {
        set(&mut response, ETAG, etag);
    }
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    name_operation(&mut response, accepted);
    response
}

fn name_operation(response: &mut Response, accepted: &Accepted) {
    let Operation { function_name, operation_id, .. } = &accepted.operation;
    let operation_location = HeaderName::from_static("operation-location");
    set(response, operation_location, &operation_path(function_name, *operation_id));
    mark_replayed(response, accepted.replayed);
}

fn mark_replayed(response: &mut Response, replayed: bool) {
    if replayed {
        set(response, HeaderName::from_static("idempotency-replayed"), "true");
    }
}

/// Paths and entity tags are made of characters that headers take.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
