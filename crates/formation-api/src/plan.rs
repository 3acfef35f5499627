//! `POST /v1/plan`: what the PUTs of many functions would do.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use formation_aws::Chain;
use formation_control::{Caller, Refusal};
use formation_model::json::{self, FUNCTION};
use formation_model::plans::{self, FunctionPlan, MOST_BYTES, Plans};
use formation_model::{
    Document, FieldProblem, FieldProblemCode, FunctionName, ProblemCode, request,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Answered, etag, json};
use crate::app::App;
use crate::problem::{ApiError, told};
use crate::request::{Request, document};

/// How many functions are planned at once: what each reads is in memory meanwhile.
const AT_ONCE: usize = 8;

/// How long before an answer must be on its way no function is gone on with: the largest archive is
/// judged without a pause, and that takes seconds.
const PLANNED_BEFORE: Duration = Duration::from_secs(5);

/// How long the processor may work for a request before no function is gone on with: a body of few bytes
/// can name a hundred archives that take it long to judge.
const WORKED: Duration = Duration::from_secs(8);

/// Why a function is not gone on with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stopped {
    /// The answer must be on its way soon.
    OutOfTime,
    /// The request has had its share of the processor.
    Worked,
}

/// What the functions of a request may take together.
struct Limits {
    deadline: Instant,
    /// Microseconds for which the processor has worked for them.
    worked: AtomicU64,
}

impl Limits {
    fn new(deadline: Instant) -> Self {
        Self { deadline, worked: AtomicU64::new(0) }
    }

    fn check(&self) -> Result<(), Stopped> {
        if Instant::now() >= self.deadline {
            return Err(Stopped::OutOfTime);
        }
        match Duration::from_micros(self.worked.load(Ordering::Relaxed)) >= WORKED {
            true => Err(Stopped::Worked),
            false => Ok(()),
        }
    }

    /// What `work` comes to within the limits. Unlike with a timeout alone nothing of it is done beyond
    /// them, however long others have kept the thread meanwhile.
    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut work = pin!(timeout_at(self.deadline, work));
        poll_fn(|context| {
            if let Err(stopped) = self.check() {
                return Poll::Ready(Err(stopped));
            }
            let began = Instant::now();
            let polled = work.as_mut().poll(context);
            let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.worked.fetch_add(took, Ordering::Relaxed);
            polled.map_err(|_| Stopped::OutOfTime)
        })
        .await
    }
}

/// `POST /v1/plan`
pub(crate) async fn plan_functions(app: &App, request: Request) -> Result<Answered, ApiError> {
    let body = document(&request, plans::REQUEST)?;
    let asked = plans::requested(&body).map_err(Refusal::InvalidFunction)?;
    let each = MOST_BYTES / asked.len();
    let limits = Limits::new(request.until.checked_sub(PLANNED_BEFORE).unwrap_or(request.until));
    let mut names = HashSet::new();
    let planned = asked.iter().enumerate().map(|(at, place)| {
        // It was read as part of the whole, and is a document itself.
        let function = json::read(&request.body[place.clone()], FUNCTION);
        let is_first = function.as_ref().is_ok_and(|function| match name_in(function) {
            Some(name) => names.insert(name.to_owned()),
            None => true,
        });
        let (caller, limits) = (&request.caller, &limits);
        async move {
            let plan = app.plan_one(function?, is_first, caller, limits).await;
            Ok::<_, ApiError>((at, plan.within(each)))
        }
    });
    // In the order in which they come: one that waits for AWS keeps no other from beginning.
    let planned = stream::iter(planned).buffer_unordered(AT_ONCE);
    let mut planned: Vec<_> = planned.try_collect().await?;
    planned.sort_by_key(|(at, _)| *at);
    let plans = planned.into_iter().map(|(_, plan)| plan).collect();
    Ok(json(StatusCode::OK, &Plans { plans }))
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
        limits: &Limits,
    ) -> FunctionPlan {
        let asked = name_in(&function);
        if !is_first {
            let told = "another function of the request has this name; ask for each once";
            let twice = FieldProblem::new("/functionName", FieldProblemCode::Conflict, told);
            return FunctionPlan::invalid(asked, &twice.into());
        }
        let stopped = match limits.within(self.put_planned(&function, caller)).await {
            Ok(Ok(plan)) => return plan,
            Ok(Err(refusal)) => return refused(asked, &refusal),
            Err(stopped) => stopped,
        };
        let told = match stopped {
            Stopped::OutOfTime => {
                // Archives that take long are stopped earlier, so it is AWS that was waited for.
                tracing::error!(functionName = asked, "a function was not planned in time");
                "was not planned in the time of a request; ask for it again, with fewer beside it"
            }
            Stopped::Worked => {
                "was not planned, since the code of those beside it took too long to check; ask for it \
                 again, with fewer beside it, or with digests instead of code"
            }
        };
        FunctionPlan::refused(asked, ProblemCode::ServiceUnavailable, told.to_owned())
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
    let (code, detail) = told(refusal);
    if code.status() >= 500 {
        tracing::error!(functionName = asked, error = %Chain(refusal), "a function was not planned");
    }
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
        let before = async |deadline, work| Limits::new(deadline).within(work).await;
        let too_late = Err(Stopped::OutOfTime);
        assert_eq!(before(now, work()).await, too_late);
        assert_eq!(steps.get(), 0);
        assert_eq!(before(now + Duration::from_secs(1), work()).await, too_late);
        assert_eq!((steps.get(), now.elapsed()), (1, Duration::from_secs(1)));
        assert_eq!(before(now + Duration::from_secs(9), work()).await, Ok(()));
        assert_eq!(steps.get(), 3);
        // Its pause was over in time, and something else has kept the thread since.
        let late = async {
            let limits = Limits::new(Instant::now() + Duration::from_secs(3));
            let mut held = pin!(limits.within(work()));
            poll_fn(|context| Poll::Ready(held.as_mut().poll(context).is_pending())).await;
            tokio::time::advance(Duration::from_secs(4)).await;
            held.await
        };
        assert_eq!(late.await, too_late);
        assert_eq!(steps.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_processor_works_for_a_request_for_no_longer_than_it_may() {
        let limits = Limits::new(Instant::now() + Duration::from_secs(3600));
        let steps = Cell::new(0);
        // Takes so long without a pause.
        let work = async |time| {
            tokio::time::advance(time).await;
            steps.set(steps.get() + 1);
        };
        let nearly = WORKED - Duration::from_millis(1);
        assert_eq!(limits.within(work(nearly)).await, Ok(()));
        // What AWS is waited for does not count.
        let waits = tokio::time::sleep(Duration::from_secs(600));
        assert_eq!(limits.within(waits).await, Ok(()));
        assert_eq!(limits.within(work(Duration::ZERO)).await, Ok(()));
        assert_eq!(limits.within(work(Duration::from_millis(1))).await, Err(Stopped::Worked));
        assert_eq!(limits.within(work(Duration::ZERO)).await, Err(Stopped::Worked));
        assert_eq!(steps.get(), 2);
    }
}
