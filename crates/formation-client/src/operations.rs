//! The routes of operations.

use std::time::Duration;

use formation_model::{FunctionName, Operation, OperationId, Page, ProblemCode};
use futures_util::Stream;
use http::Method;

use crate::change::{Accepted, LONGEST_WAIT, accepted};
use crate::client::{Client, Request};
use crate::error::ClientError;
use crate::functions;
use crate::pages::{items, page};

fn path(name: &FunctionName, operation: OperationId) -> String {
    format!("{}/operations/{operation}", functions::path(name))
}

/// How an operation is looked at; at once and without its steps by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether its steps are told, too, which costs more: they are read from Step Functions.
    pub steps: bool,
    /// How long the API waits for it to end: whole seconds, 25 at most.
    pub wait: Duration,
}

impl Client {
    /// A function's operations, newest first, page after page as they are asked for.
    pub fn operations(
        &self,
        name: FunctionName,
    ) -> impl Stream<Item = Result<Operation, ClientError>> + Send + use<> {
        let client = self.clone();
        items(move |token| {
            let (client, name) = (client.clone(), name.clone());
            async move { client.operations_page(&name, None, token.as_deref()).await }
        })
    }

    /// One page of a function's operations: the first, or the one that `token` of the page before
    /// leads to. It holds `page_size` operations at the most, 1 to 100.
    ///
    /// # Errors
    /// The problem `FUNCTION_NOT_FOUND`, and as for every request: see [`ClientError`].
    pub async fn operations_page(
        &self,
        name: &FunctionName,
        page_size: Option<u32>,
        token: Option<&str>,
    ) -> Result<Page<Operation>, ClientError> {
        let mut request = Request::get(format!("{}/operations", functions::path(name)));
        page(&mut request, page_size, token);
        self.send(&request).await?.read()
    }

    /// Describes an operation.
    ///
    /// # Errors
    /// The problems `FUNCTION_NOT_FOUND` and `OPERATION_NOT_FOUND`, and as for every request: see
    /// [`ClientError`].
    pub async fn operation(
        &self,
        name: &FunctionName,
        operation: OperationId,
    ) -> Result<Operation, ClientError> {
        self.describe_operation(name, operation, Look::default()).await
    }

    /// Describes an operation in the way that `look` asks for. One that still runs when the wait is over
    /// is told as it is: [`Client::wait_for`] has more patience.
    ///
    /// # Errors
    /// As for [`Client::operation`].
    pub async fn describe_operation(
        &self,
        name: &FunctionName,
        operation: OperationId,
        look: Look,
    ) -> Result<Operation, ClientError> {
        let mut request = Request::get(path(name, operation));
        if look.steps {
            request.query("steps", "true");
        }
        let wait = Duration::from_secs(look.wait.min(LONGEST_WAIT).as_secs());
        if !wait.is_zero() {
            request.wait(wait);
        }
        self.send(&request).await?.read()
    }

    /// Describes an operation with its steps, which are read from Step Functions: that costs more, so
    /// ask for them when somebody looks.
    ///
    /// # Errors
    /// As for [`Client::operation`].
    pub async fn operation_with_steps(
        &self,
        name: &FunctionName,
        operation: OperationId,
    ) -> Result<Operation, ClientError> {
        self.describe_operation(name, operation, Look { steps: true, ..Look::default() }).await
    }

    /// Stops an operation while it goes forward, and undoes what it has changed. Of an operation that
    /// was cancelled before, it answers the same.
    ///
    /// # Errors
    /// The problems `FUNCTION_NOT_FOUND`, `OPERATION_NOT_FOUND` and `NOT_CANCELLABLE`, and as for
    /// every request: see [`ClientError`].
    pub async fn cancel(
        &self,
        name: &FunctionName,
        operation: OperationId,
    ) -> Result<Accepted, ClientError> {
        let request = Request::new(Method::POST, format!("{}/cancel", path(name, operation)));
        let error = match self.send(&request).await {
            Ok(answer) => return accepted(&answer),
            Err(error) => error,
        };
        // It may have been cancelled by a try whose answer was lost, and have ended since.
        if error.code() == Some(ProblemCode::NotCancellable)
            && let Ok(operation) = self.operation(name, operation).await
            && operation.is_cancelled()
        {
            return Ok(Accepted { operation, etag: None, replayed: true });
        }
        Err(error)
    }
}
