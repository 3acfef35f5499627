//! Changes: how they are asked for, and what comes of them.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use formation_model::{Function, Operation, OperationId, Plan};
use http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{Method, StatusCode};
use serde::Serialize;
use ulid::Ulid;

use crate::answer::Answer;
use crate::client::{Client, Request};
use crate::error::ClientError;

/// The longest that the API waits for an outcome.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// The most characters of an idempotency key.
const KEY_LENGTH: usize = 128;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The entity tag of a function: it changes with each change that succeeds.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ETag(String);

impl ETag {
    /// Stands for any: the function must be there, at whatever revision.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// As the API writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ETag {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// On what condition [`Client::put`] puts a function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// There is no function of that name: it is created.
    Absent,
    /// The function is at this entity tag: it is replaced.
    Matches(ETag),
}

/// A function and its entity tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The function.
    pub function: Function,
    /// Its entity tag, for conditions.
    pub etag: ETag,
}

impl Described {
    pub(crate) fn read(answer: &Answer) -> Result<Self, ClientError> {
        let function = answer.read()?;
        let etag = answer.header(ETAG).ok_or_else(|| ClientError::Unreadable {
            status: answer.status,
            reason: "it has no ETag".to_owned(),
        })?;
        Ok(Self { function, etag: ETag(etag.to_owned()) })
    }
}

/// What came of a change that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// An operation is under way: see [`Client::wait_for`].
    Accepted(Accepted),
    /// The operation that was waited for has succeeded.
    Done(Done),
    /// Nothing had to be changed, and nothing was.
    Unchanged(Described),
    /// It was a dry run.
    Planned(Plan),
}

/// A change that is under way, or has come to its end since.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The operation.
    pub operation: Operation,
    /// The entity tag that the function has if the operation succeeds; none after a delete.
    pub etag: Option<ETag>,
    /// Whether the change was accepted earlier, under the same key.
    pub replayed: bool,
}

/// A change that has succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The function; none if it is gone.
    pub function: Option<Described>,
    /// The operation that made the change.
    pub operation_id: Option<OperationId>,
    /// Whether the change was accepted earlier, under the same key.
    pub replayed: bool,
}

/// A change to be asked for: `client.delete(&name).wait(time).await`.
///
/// Unless the caller gives it a key, it gets one of its own, and is repeated under it until it is
/// answered: so it acts once, even where answers are lost. A busy function
/// ([`ProblemCode::OperationInProgress`](formation_model::ProblemCode::OperationInProgress)) is an
/// answer; what to do about it is the caller's decision.
#[must_use = "nothing is asked for until it is awaited"]
pub struct Change {
    client: Client,
    request: Result<Request, ClientError>,
    dry_run: bool,
    key: Option<String>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Change {
    pub(crate) fn new(client: &Client, method: Method, path: impl Into<String>) -> Self {
        let request = Ok(Request::new(method, path));
        Self { client: client.clone(), request, dry_run: false, key: None }
    }

    pub(crate) fn body(self, document: &impl Serialize) -> Self {
        self.with(|request| request.json(document))
    }

    /// Waits for the outcome, in whole seconds up to 25: the answer is [`Changed::Done`] if it comes
    /// in time, or the problem that it failed with.
    pub fn wait(self, time: Duration) -> Self {
        let time = Duration::from_secs(time.min(LONGEST_WAIT).as_secs());
        self.with(|request| {
            request.wait(time);
            Ok(())
        })
    }

    /// Changes nothing and answers what would be done: [`Changed::Planned`].
    pub fn dry_run(self) -> Self {
        let asked = self.with(|request| {
            request.query("dryRun", "true");
            Ok(())
        });
        Self { dry_run: true, ..asked }
    }

    /// Asks for the change only if the function is at this entity tag. A create takes none.
    pub fn if_match(self, etag: &ETag) -> Self {
        self.with(|request| request.header(IF_MATCH, &etag.0))
    }

    pub(crate) fn on(self, condition: &Condition) -> Self {
        match condition {
            Condition::Absent => self.with(|request| request.header(IF_NONE_MATCH, "*")),
            Condition::Matches(etag) => self.if_match(etag),
        }
    }

    /// The key under which the change acts once in 48 hours, however often and by whichever process
    /// it is asked for: 1 to 128 visible ASCII characters.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Asks for it.
    ///
    /// # Errors
    /// [`ClientError::InvalidRequest`] for a document, condition or key that cannot be sent, and as
    /// for every request.
    pub async fn send(self) -> Result<Changed, ClientError> {
        let Self { client, request, dry_run, key } = self;
        let mut request = request?;
        match key {
            Some(key) => {
                let visible = key.bytes().all(|b| b.is_ascii_graphic());
                if !visible || !(1..=KEY_LENGTH).contains(&key.len()) {
                    let told = "an idempotency key has 1 to 128 visible ASCII characters";
                    return Err(ClientError::InvalidRequest(told.to_owned()));
                }
                request.header(IDEMPOTENCY_KEY, &key)?;
            }
            None if dry_run => {}
            None => request.header(IDEMPOTENCY_KEY, &Ulid::generate().to_string())?,
        }
        changed(&client.send(&request).await?, dry_run)
    }

    fn with(mut self, change: impl FnOnce(&mut Request) -> Result<(), ClientError>) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            self.request = Err(error);
        }
        self
    }
}

impl IntoFuture for Change {
    type Output = Result<Changed, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// What an answer to a change says.
fn changed(answer: &Answer, dry_run: bool) -> Result<Changed, ClientError> {
    let operation = answer.header("operation-location");
    let done = |function| {
        let operation_id = operation.and_then(|path| path.rsplit('/').next()?.parse().ok());
        Changed::Done(Done { function, operation_id, replayed: is_replayed(answer) })
    };
    Ok(match answer.status {
        StatusCode::ACCEPTED => Changed::Accepted(accepted(answer)?),
        StatusCode::NO_CONTENT => done(None),
        _ if dry_run => Changed::Planned(answer.read()?),
        // Only a change that changes nothing has no operation.
        StatusCode::OK if operation.is_none() => Changed::Unchanged(Described::read(answer)?),
        _ => done(Some(Described::read(answer)?)),
    })
}

pub(crate) fn accepted(answer: &Answer) -> Result<Accepted, ClientError> {
    Ok(Accepted {
        operation: answer.read()?,
        etag: answer.header(ETAG).map(|text| ETag(text.to_owned())),
        replayed: is_replayed(answer),
    })
}

/// Whether the change was accepted earlier, under the same key.
fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}
