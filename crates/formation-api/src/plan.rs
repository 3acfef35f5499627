//! `POST /v1/plan`: what the PUTs of many functions would do.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use formation_aws::Chain;
use formation_control::{Caller, Refusal};
use formation_model::json::{self, FUNCTION};
use formation_model::plans::{self, FunctionPlan, MOST_BYTES, Plans};
use formation_model::{
    Document, FieldProblem, FieldProblemCode, FunctionName, ProblemCode, request,
};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Answered, etag, json};
use crate::app::App;
use crate::problem::{ApiError, REQUEST_ID};
use crate::request::{Request, document};

/// How many functions are planned at once: what each reads is in memory meanwhile.
const AT_ONCE: usize = 8;

/// How long before an answer must be on its way no function is gone on with: the largest archive is
/// judged without a pause, and that takes seconds.
const PLANNED_BEFORE: Duration = Duration::from_secs(5);

/// `POST /v1/plan`
pub(crate) async fn plan_functions(app: &App, request: Request) -> Result<Answered, ApiError> {
    let body = document(&request, plans::REQUEST)?;
    let asked = plans::requested(&body).map_err(Refusal::InvalidFunction)?;
    let each = MOST_BYTES / asked.len();
    let mut names = HashSet::new();
    let planned = asked.iter().map(|place| {
        // It was read as part of the whole, and is a document itself.
        let function = json::read(&request.body[place.clone()], FUNCTION);
        let is_first = function.as_ref().is_ok_and(|function| match name_in(function) {
            Some(name) => names.insert(name.to_owned()),
            None => true,
        });
        let (caller, until) = (&request.caller, request.until);
        async move {
            Ok::<_, ApiError>(app.plan_one(function?, is_first, caller, until).await.within(each))
        }
    });
    let planned: Vec<_> = stream::iter(planned).buffered(AT_ONCE).collect().await;
    let plans = planned.into_iter().collect::<Result<_, _>>()?;
    Ok(json(StatusCode::OK, &Plans { plans }))
}

/// What `work` comes to, if that is before `deadline`. Unlike with a timeout alone nothing of it is done
/// after that, however long others have kept the thread meanwhile.
async fn before<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(timeout_at(deadline, work));
    poll_fn(|context| match Instant::now() < deadline {
        true => work.as_mut().poll(context).map(Result::ok),
        false => Poll::Ready(None),
    })
    .await
}

/// The name that a function is given, if it is a text.
fn name_in(function: &Document) -> Option<&str> {
    function.value.get("functionName").and_then(Value::as_str)
}

impl App {
    /// The plan of one function of several; `is_first`: none before it has its name.
    async fn plan_one(
        &self,
        function: Document,
        is_first: bool,
        caller: &Caller,
        until: Instant,
    ) -> FunctionPlan {
        let asked = name_in(&function);
        if !is_first {
            let told = "another function of the request has this name; ask for each once";
            let twice = FieldProblem::new("/functionName", FieldProblemCode::Conflict, told);
            return FunctionPlan::invalid(asked, &twice.into());
        }
        let deadline = until.checked_sub(PLANNED_BEFORE).unwrap_or(until);
        match before(deadline, self.put_planned(&function, caller)).await {
            Some(Ok(plan)) => plan,
            Some(Err(refusal)) => refused(asked, &refusal),
            None => {
                let told = "was not planned in the time of a request; ask for it again, with fewer beside it";
                FunctionPlan::refused(asked, ProblemCode::ServiceUnavailable, told.to_owned())
            }
        }
    }

    async fn put_planned(
        &self,
        function: &Document,
        caller: &Caller,
    ) -> Result<FunctionPlan, Refusal> {
        let defaults = self.control.defaults();
        let read = |current: Option<&_>| {
            function.read_with(|body| request::planned(body, defaults, current))
        };
        let Some(name) = name_in(function).and_then(|name| name.parse::<FunctionName>().ok())
        else {
            // Nothing can have this name: that is told, with all else.
            let problems = read(None).err().unwrap_or_default();
            return Err(Refusal::InvalidFunction(problems));
        };
        let (plan, version_tag) = self.control.plan_put(&name, Box::new(read), caller).await?;
        Ok(FunctionPlan::of(plan, version_tag.as_ref().map(etag)))
    }
}

/// What a refusal says of a function.
fn refused(asked: Option<&str>, refusal: &Refusal) -> FunctionPlan {
    if let Some(problems) = refusal.errors() {
        return FunctionPlan::invalid(asked, problems);
    }
    let code = refusal.code();
    if code.status() >= 500 {
        tracing::error!(functionName = asked, error = %Chain(refusal), "a function was not planned");
    }
    let detail = match (code, REQUEST_ID.try_with(Clone::clone).ok().flatten()) {
        (ProblemCode::InternalError, Some(id)) => {
            format!("the cause is in the API's log, under the request id {id}")
        }
        (ProblemCode::InternalError, None) => "the cause is in the API's log".to_owned(),
        _ => refusal.to_string(),
    };
    FunctionPlan::refused(asked, code, detail)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_gone_on_with_after_its_time() {
        let steps = Cell::new(0);
        let work = async || {
            steps.set(steps.get() + 1);
            tokio::time::sleep(Duration::from_secs(2)).await;
            steps.set(steps.get() + 1);
        };
        let now = Instant::now();
        assert!(before(now, work()).await.is_none());
        assert_eq!(steps.get(), 0);
        assert!(before(now + Duration::from_secs(1), work()).await.is_none());
        assert_eq!((steps.get(), now.elapsed()), (1, Duration::from_secs(1)));
        assert!(before(now + Duration::from_secs(9), work()).await.is_some());
        assert_eq!(steps.get(), 3);
        // Its pause was over in time, and something else has kept the thread since.
        let late = async {
            let mut held = pin!(before(Instant::now() + Duration::from_secs(3), work()));
            poll_fn(|context| Poll::Ready(held.as_mut().poll(context).is_pending())).await;
            tokio::time::advance(Duration::from_secs(4)).await;
            held.await
        };
        assert!(late.await.is_none());
        assert_eq!(steps.get(), 4);
    }
}
