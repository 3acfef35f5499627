//! The routes below `/v1/functions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use formation_control::records::ListFilter;
use formation_control::{Accepted, Changed, Control, Refusal};
use formation_model::function::{Function, FunctionStatus};
use formation_model::{FunctionName, Operation, OperationId, ProblemCode, request};
use http::header::{ETAG, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::json::JsonBody;
use crate::precondition::Precondition;
use crate::problem::{ApiError, RETRY_AFTER_SECONDS};

const DEFAULT_LIMIT: i32 = 50;
const MOST: i32 = 100;

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
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Caller(caller): Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let request =
        request::read(&body, &control.defaults, None).map_err(Refusal::InvalidFunction)?;
    Ok(accepted(&control.create(request, &caller).await?))
}

/// `GET /v1/functions`
pub(crate) async fn list(
    State(control): State<Arc<Control>>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<FunctionList>, ApiError> {
    let limit = parameters.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::InvalidParameter(format!("limit must be 1 to {MOST}")));
    }
    let filter =
        ListFilter { prefix: parameters.prefix.unwrap_or_default(), status: parameters.status };
    let page = control.list(&filter, limit, parameters.next_token.as_deref()).await?;
    Ok(Json(FunctionList { functions: page.functions, next_token: page.next_token }))
}

/// `GET /v1/functions/{functionName}`
pub(crate) async fn describe(
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Path(function): Path<String>,
) -> Result<Response, ApiError> {
    let (function, etag) = control.function(&function_name(&function)?).await?;
    Ok(described(function, &etag))
}

/// `PUT /v1/functions/{functionName}`
pub(crate) async fn put(
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Path(function): Path<String>,
    precondition: Precondition,
    Caller(caller): Caller,
    JsonBody(mut body): JsonBody,
) -> Result<Response, ApiError> {
    let name = function_name(&function)?;
    // The path has named it already.
    if let Some(body) = body.as_object_mut() {
        body.entry("functionName").or_insert_with(|| name.as_str().into());
    }
    match precondition {
        Precondition::None => Err(ApiError::PreconditionRequired),
        Precondition::Absent => {
            let request =
                request::read(&body, &control.defaults, None).map_err(Refusal::InvalidFunction)?;
            if request.function_name != name {
                return Err(ApiError::OtherName(name));
            }
            match control.create(request, &caller).await {
                Err(Refusal::FunctionExists(name)) => {
                    Err(Refusal::PreconditionFailed(format!("a revision: {name} exists")).into())
                }
                created => Ok(accepted(&created?)),
            }
        }
        Precondition::Expected(expected) => {
            let request = |current: &_| request::read(&body, &control.defaults, Some(current));
            Ok(changed(control.update(&name, Some(&expected), request, &caller).await?))
        }
    }
}

/// `PATCH /v1/functions/{functionName}`
pub(crate) async fn patch(
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Path(function): Path<String>,
    precondition: Precondition,
    Caller(caller): Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let name = function_name(&function)?;
    let expected = precondition.of_what_exists()?;
    let request = |current: &_| request::patched(&body, &control.defaults, current);
    Ok(changed(control.update(&name, expected.as_ref(), request, &caller).await?))
}

/// `POST /v1/functions/{functionName}/repair`
pub(crate) async fn repair(
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Path(function): Path<String>,
    precondition: Precondition,
    Caller(caller): Caller,
) -> Result<Response, ApiError> {
    let name = function_name(&function)?;
    let expected = precondition.of_what_exists()?;
    Ok(accepted(&control.repair(&name, expected.as_ref(), &caller).await?))
}

/// `DELETE /v1/functions/{functionName}`
pub(crate) async fn delete(
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Path(function): Path<String>,
    precondition: Precondition,
    Caller(caller): Caller,
) -> Result<Response, ApiError> {
    let name = function_name(&function)?;
    let expected = precondition.of_what_exists()?;
    Ok(accepted(&control.delete(&name, expected.as_ref(), &caller).await?))
}

/// `GET /v1/functions/{functionName}/operations/{operationId}`
pub(crate) async fn describe_operation(
    State(control): State<Arc<Control>>,
    _: NoParameters,
    Path((function, operation)): Path<(String, String)>,
) -> Result<Json<Operation>, ApiError> {
    let operation =
        operation.parse().map_err(|_| ApiError::NotFound(ProblemCode::OperationNotFound))?;
    Ok(Json(control.operation(&function_name(&function)?, operation).await?))
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

/// Answer of `GET /v1/functions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FunctionList {
    functions: Vec<Function>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// The query of routes that take none. A parameter that is not known is refused rather than
/// ignored: it may ask for something that must not be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

type NoParameters = Parameters<Nothing>;

/// A query, with problems as problems.
pub(crate) struct Parameters<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(ApiError::InvalidParameter(error.body_text())),
        }
    }
}

/// A name that no function can have names none.
fn function_name(text: &str) -> Result<FunctionName, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound(ProblemCode::FunctionNotFound))
}

fn changed(changed: Changed) -> Response {
    match changed {
        Changed::Accepted(operation) => accepted(&operation),
        Changed::Already(function, etag) => described(*function, &etag),
    }
}

fn described(function: Function, etag: &str) -> Response {
    let mut response = Json(function).into_response();
    set(&mut response, ETAG, etag);
    response
}

fn accepted(accepted: &Accepted) -> Response {
    let Accepted { operation, etag } = accepted;
    let function = &operation.function_name;
    let mut response = (StatusCode::ACCEPTED, Json(operation)).into_response();
    set(&mut response, LOCATION, &function_path(function));
    let operation_location = HeaderName::from_static("operation-location");
    set(&mut response, operation_location, &operation_path(function, operation.operation_id));
    if let Some(etag) = etag {
        set(&mut response, ETAG, etag);
    }
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    response
}

/// Paths and entity tags are made of characters that headers take.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
