//! From an event to its answer: the route's handler, within the invocation's time.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::answer::Answered;
use crate::app::App;
use crate::event::{Answer, Event, Http, Payload};
use crate::paths::OPERATION_LOCATION;
use crate::problem::{ApiError, REQUEST_ID};
use crate::request::Request;
use crate::routes::Action;
use crate::{about, functions, openapi, plan, revisions, uploads};

/// How long before Lambda would end the invocation nothing is waited for any more: neither an
/// outcome, nor the start of what is accepted.
pub(crate) const SETTLED_BEFORE: Duration = Duration::from_secs(2);
/// How long before that there is an answer, whatever AWS does.
pub(crate) const ANSWERED_BEFORE: Duration = Duration::from_secs(1);

impl App {
    /// Answers a request, `left` being the time until Lambda ends the invocation.
    ///
    /// One line of the log tells of each request, and its id is on every line that is logged under
    /// way, and in problems.
    pub async fn handle(&self, Event(payload): Event, left: Duration) -> Answer {
        let now = Instant::now();
        let Some(payload) = payload else {
            tracing::info!(status = 400, "answered what cannot be read");
            let detail = "the request cannot be read; send text as UTF-8".to_owned();
            return ApiError::InvalidParameter(detail).into_response().into();
        };
        let request_id = payload.request_context.request_id.clone();
        let Http { method } = &payload.request_context.http;
        let (method, path) = (method.clone(), payload.raw_path.clone());
        let span = tracing::info_span!("request", requestId = request_id);

        let until = now + left.saturating_sub(SETTLED_BEFORE);
        let end = now + left.saturating_sub(ANSWERED_BEFORE);
        let answer = async {
            let answered = timeout_at(end, Box::pin(self.answer(payload, until))).await;
            answered.unwrap_or(Err(ApiError::OutOfTime)).unwrap_or_else(ApiError::into_response)
        };
        let answer = REQUEST_ID.scope(request_id, answer);
        let response = answer.instrument(span.clone()).await;

        // /v1/functions/{functionName}/operations/{operationId}
        let operation = response.headers().get(OPERATION_LOCATION);
        let about = operation.and_then(|path| path.to_str().ok()).unwrap_or(&path);
        let mut segments = about.split('/').skip(3);
        let (function_name, operation_id) = (segments.next(), segments.nth(1));
        span.in_scope(|| {
            tracing::info!(
                method,
                path,
                status = response.status().as_u16(),
                functionName = function_name,
                operationId = operation_id,
                "answered"
            );
        });
        response.into()
    }

    async fn answer(&self, payload: Payload, until: Instant) -> Result<Answered, ApiError> {
        let request = Request::read(payload, until)?;
        match request.route.action {
            Action::DescribeStack => about::describe_stack(self).await,
            Action::PlanFunctions => plan::plan_functions(self, request).await,
            Action::ListFunctions => functions::list_functions(self, request).await,
            Action::CreateFunction => functions::create_function(self, request).await,
            Action::DescribeFunction => functions::describe_function(self, request).await,
            Action::PutFunction => functions::put_function(self, request).await,
            Action::UpdateFunction => functions::update_function(self, request).await,
            Action::DeleteFunction => functions::delete_function(self, request).await,
            Action::RepairFunction => functions::repair_function(self, request).await,
            Action::RollBackFunction => functions::roll_back_function(self, request).await,
            Action::CompareFunction => functions::compare_function(self, request).await,
            Action::DescribeCode => uploads::describe_code(self, request).await,
            Action::ListRevisions => revisions::list_revisions(self, request).await,
            Action::DescribeRevision => revisions::describe_revision(self, request).await,
            Action::ListOperations => functions::list_operations(self, request).await,
            Action::DescribeOperation => functions::describe_operation(self, request).await,
            Action::CancelOperation => functions::cancel_operation(self, request).await,
            Action::CreateUpload => uploads::create_upload(self, request).await,
            Action::DescribeApi => Ok(openapi::describe_api(&request)),
        }
    }
}
