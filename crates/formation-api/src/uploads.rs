//! Code that is too large for a request or an answer: it goes to and from S3 by a link.

use formation_control::Refusal;
use formation_model::UploadRequest;
use formation_model::json::UPLOAD;
use http::StatusCode;

use crate::answer::{Answered, json};
use crate::app::App;
use crate::problem::ApiError;
use crate::request::{Request, document, revision};

/// `POST /v1/uploads`
pub(crate) async fn create_upload(app: &App, request: Request) -> Result<Answered, ApiError> {
    let body = document(&request, UPLOAD)?;
    let asked = body.read_with(UploadRequest::read).map_err(Refusal::InvalidFunction)?;
    let upload = app.control.offer_upload(&asked, &request.caller).await?;
    Ok(json(StatusCode::CREATED, &upload))
}

/// `GET /v1/functions/{functionName}/code`
pub(crate) async fn describe_code(app: &App, request: Request) -> Result<Answered, ApiError> {
    let name = request.function()?;
    let revision = request.query.value("revision", revision, "the number of a revision")?;
    Ok(json(StatusCode::OK, &app.control.code_link(&name, revision).await?))
}
