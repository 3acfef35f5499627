//! The HTTP door: routes, requests and answers. What a request does is `formation-control`'s.

mod caller;
mod functions;
mod json;
mod precondition;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use formation_control::Control;

use crate::problem::ApiError;

/// The API as a service. Every route that is here must be in `infra/template.yaml` too, where it
/// gets its authorisation.
pub fn router(control: Arc<Control>) -> Router {
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
        .route(
            "/v1/functions/{function_name}/operations/{operation_id}",
            get(functions::describe_operation),
        )
        .fallback(async || ApiError::RouteNotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        // Lambda's own limit, 6 MB, comes first.
        .layer(DefaultBodyLimit::disable())
        .with_state(control)
}
