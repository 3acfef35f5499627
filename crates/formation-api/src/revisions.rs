//! The routes of revisions.

use http::StatusCode;

use crate::answer::{Answered, json};
use crate::app::App;
use crate::functions::limit;
use crate::problem::ApiError;
use crate::request::Request;

/// `GET /v1/functions/{functionName}/revisions`
pub(crate) async fn list_revisions(app: &App, request: Request) -> Result<Answered, ApiError> {
    let (name, limit) = (request.function()?, limit(&request.query)?);
    let page = app.control.revisions(&name, limit, request.query.text("nextToken")).await?;
    Ok(json(StatusCode::OK, &page))
}

/// `GET /v1/functions/{functionName}/revisions/{revision}`
pub(crate) async fn describe_revision(app: &App, request: Request) -> Result<Answered, ApiError> {
    let (name, revision) = (request.function()?, request.revision()?);
    Ok(json(StatusCode::OK, &app.control.revision(&name, revision).await?))
}
