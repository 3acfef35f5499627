//! Why there is no page, as a page, or in place of the part of one that was asked for.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::response::{Html, IntoResponse, Response};
use formation_client::ClientError;
use http::{HeaderName, HeaderValue, StatusCode};

use super::App;
use crate::failure::{Failure, of_api};

/// The header by which an answer keeps htmx from showing it in place of what is there.
const RESWAP: HeaderName = HeaderName::from_static("hx-reswap");

/// Why there is no page.
#[derive(Clone, Debug)]
pub struct Trouble {
    status: StatusCode,
    what: String,
    why: Why,
    /// Where to go on: paths of pages, and what they are called.
    ways: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Why {
    Said(String),
    /// The API, or what stands before it, has no other answer.
    Api(Arc<ClientError>),
    Failed(Arc<Failure>),
}

/// Who asked for what there is none of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asker {
    /// Whoever knows no page of this server: nothing is told of where they are.
    Stranger,
    /// A browser, for a page.
    Browser,
    /// A page, for a part of itself.
    Page,
    /// A page, for what keeps it up to date: it keeps what it has.
    Stream,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Page<'a> {
    what: &'a str,
    lines: Vec<String>,
    ways: &'a [(String, String)],
    /// Where the pages and what they load are, for whom they are.
    places: Option<(&'a str, String)>,
}

#[derive(Template)]
#[template(path = "trouble-part.html")]
struct Part<'a> {
    what: &'a str,
    lines: Vec<String>,
}

impl Trouble {
    /// With a heading, and what there is to say besides, line by line.
    pub fn new(status: StatusCode, what: &str, told: impl Into<String>) -> Self {
        Self { status, what: what.to_owned(), why: Why::Said(told.into()), ways: Vec::new() }
    }

    /// With a page to go on to.
    pub fn leading_to(mut self, path: String, text: String) -> Self {
        self.ways.push((path, text));
        self
    }

    /// For whom the page is not.
    pub fn forbidden(what: &str, told: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, what, told)
    }

    /// There is no such page.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such page", "")
    }

    /// The answer to whoever has asked.
    pub fn shown(&self, app: &App, asker: Asker) -> Response {
        let Self { status, what, why, ways } = self;
        let told = match why {
            Why::Said(told) => told.clone(),
            Why::Api(error) => of_client(error, app),
            Why::Failed(failure) => words(failure, app),
        };
        let lines = told.lines().map(str::to_owned).collect();
        let page = match asker {
            Asker::Page | Asker::Stream => Part { what, lines }.render(),
            Asker::Stranger => Page { what, lines, ways, places: None }.render(),
            Asker::Browser => {
                let places = Some((app.base(), super::assets::folder(app)));
                Page { what, lines, ways, places }.render()
            }
        };
        let mut answer = match page {
            Ok(page) => (*status, Html(page)).into_response(),
            Err(_) => (*status, what.clone()).into_response(),
        };
        if asker == Asker::Stream {
            answer.headers_mut().insert(RESWAP, HeaderValue::from_static("none"));
        }
        answer
    }
}

/// What a command says of a failure, without the mark that a terminal needs.
pub fn words(failure: &Failure, app: &App) -> String {
    unmarked(&failure.told(app.connected.aws.profile.as_deref()))
}

/// What a command says of what the API answers.
pub fn of_client(error: &ClientError, app: &App) -> String {
    unmarked(&of_api(error, app.connected.aws.profile.as_deref()))
}

fn unmarked(told: &str) -> String {
    told.strip_prefix("error: ").unwrap_or(told).replace("\nhelp: ", "\n")
}

/// The status of a page in whose place the API has said this, and its heading.
fn heading(error: &ClientError) -> (StatusCode, &'static str) {
    let status = match error {
        ClientError::Problem { problem, .. } => StatusCode::from_u16(problem.status).ok(),
        ClientError::Gateway { status, .. } => Some(*status),
        ClientError::InvalidRequest(_) => Some(StatusCode::BAD_REQUEST),
        ClientError::Credentials(_) => {
            return (StatusCode::BAD_GATEWAY, "Your AWS credentials do not work");
        }
        _ => None,
    };
    match status {
        Some(StatusCode::NOT_FOUND) => (StatusCode::NOT_FOUND, "There is no such thing"),
        Some(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) => {
            (StatusCode::CONFLICT, "Something is in the way")
        }
        // Who may see the page is another question: the session goes on.
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            (StatusCode::FORBIDDEN, "AWS does not let you do this")
        }
        Some(StatusCode::TOO_MANY_REQUESTS) => {
            (StatusCode::TOO_MANY_REQUESTS, "The API is asked for too much")
        }
        Some(status) if status.is_client_error() => {
            (StatusCode::BAD_REQUEST, "The API does not take this")
        }
        _ => (StatusCode::BAD_GATEWAY, "The API has no answer"),
    }
}

impl From<Arc<ClientError>> for Trouble {
    fn from(error: Arc<ClientError>) -> Self {
        let (status, what) = heading(&error);
        Self { status, what: what.to_owned(), why: Why::Api(error), ways: Vec::new() }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Arc::new(error).into()
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let (status, what) = match failure {
            Failure::Client(error) => return (*error).into(),
            Failure::Denied(_) => (StatusCode::FORBIDDEN, "AWS does not let you do this"),
            Failure::Usage(_) | Failure::Refused(_) | Failure::Manifest(_) => {
                (StatusCode::BAD_REQUEST, "This cannot be asked for")
            }
            Failure::Running | Failure::Other(_) => (StatusCode::BAD_GATEWAY, "AWS has no answer"),
        };
        let why = Why::Failed(Arc::new(failure));
        Self { status, what: what.to_owned(), why, ways: Vec::new() }
    }
}

/// Not yet what is shown: [`super::safety::guard`] knows who has asked.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        (self.status, Extension(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use formation_model::Problem;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_refuses_is_told_apart_from_what_it_does_not_answer() {
        for (status, expected, words) in [
            (400, 400, "The API does not take this"),
            (401, 403, "AWS does not let you"),
            (403, 403, "AWS does not let you"),
            (404, 404, "There is no such thing"),
            (409, 409, "Something is in the way"),
            (412, 409, "Something is in the way"),
            (422, 400, "The API does not take this"),
            (429, 429, "too much"),
            (500, 502, "The API has no answer"),
            (503, 502, "The API has no answer"),
        ] {
            let problem: Problem = serde_json::from_value(json!({
                "type": "about:blank", "title": "T", "status": status, "detail": "D", "code": "X",
            }))
            .unwrap();
            let trouble = Trouble::from(ClientError::Problem {
                problem: Box::new(problem),
                retry_after: None,
            });
            assert_eq!(trouble.status.as_u16(), expected, "{status}");
            assert!(trouble.what.contains(words), "{status}: {trouble:?}");
        }
    }
}
