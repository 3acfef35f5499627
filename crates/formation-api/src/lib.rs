//! The HTTP door: routes, requests and answers. What a request does is `formation-control`'s.

mod caller;
mod change;
mod extract;
mod functions;
mod json;
pub mod openapi;
mod outcome;
mod precondition;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use formation_control::Control;
use lambda_http::request::RequestContext;
use tracing::Instrument;

use crate::outcome::Waits;
use crate::problem::{ApiError, REQUEST_ID};

/// What the routes work with.
#[derive(Debug)]
pub struct App {
    control: Control,
    waits: Waits,
}

impl App {
    /// The API of `control`.
    pub fn new(control: Control) -> Self {
        Self { control, waits: Waits::default() }
    }
}

/// The API as a service. Every route that is here must be in `infra/template.yaml` too, where it
/// gets its authorisation, and in [`openapi::ROUTES`], which describes it.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/functions", get(functions::list).post(functions::create))
        .route(
            "/v1/functions/{function_name}",
            get(functions::describe)
                .put(functions::put)
                .patch(functions::patch)
                .delete(functions::delete),
        )
        .route("/v1/functions/{function_name}/repair", post(functions::repair))
        .route("/v1/functions/{function_name}/drift", get(functions::drift))
        .route("/v1/functions/{function_name}/operations", get(functions::list_operations))
        .route(
            "/v1/functions/{function_name}/operations/{operation_id}",
            get(functions::describe_operation),
        )
        .route(
            "/v1/functions/{function_name}/operations/{operation_id}/cancel",
            post(functions::cancel),
        )
        .route("/v1/openapi.json", get(openapi::serve))
        .fallback(async || ApiError::RouteNotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn(log_request))
        // Lambda's own limit, 6 MB, comes first; where it does not, `json` has it.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// One line for each request, with what it is about, and the request's id on every line that is
/// logged under way, and in problems.
async fn log_request(request: Request, next: Next) -> Response {
    let request_id = match request.extensions().get() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", requestId = request_id);
    let answer = REQUEST_ID.scope(request_id, next.run(request));
    let response = answer.instrument(span.clone()).await;
    // /v1/functions/{functionName}/operations/{operationId}
    let operation = response.headers().get("operation-location");
    let about = operation.and_then(|path| path.to_str().ok()).unwrap_or(&path);
    let mut segments = about.split('/').skip(3);
    let (function_name, operation_id) = (segments.next(), segments.nth(1));
    span.in_scope(|| {
        tracing::info!(
            %method,
            path,
            status = response.status().as_u16(),
            functionName = function_name,
            operationId = operation_id,
            "answered"
        );
    });
    response
}
