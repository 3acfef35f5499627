//! Why there is no page, as a page.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use formation_client::ClientError;
use http::StatusCode;

use crate::failure::Failure;

/// Why there is no page.
#[derive(Debug)]
pub struct Trouble {
    status: StatusCode,
    what: String,
    lines: Vec<String>,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Page<'a> {
    what: &'a str,
    lines: &'a [String],
    assets: &'a str,
}

impl Trouble {
    /// With a heading, and what there is to say besides, line by line.
    pub fn new(status: StatusCode, what: &str, told: String) -> Self {
        let lines = told.lines().map(str::to_owned).collect();
        Self { status, what: what.to_owned(), lines }
    }

    /// For whom the page is not.
    pub fn forbidden(what: &str, told: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, what, told)
    }

    /// There is no such page.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such page", String::new())
    }

    /// What was to be done cannot be, for this reason.
    pub fn refused(what: &str, failure: &Failure) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, what, words(failure, None))
    }
}

/// What a command says of a failure, without the mark that a terminal needs.
pub fn words(failure: &Failure, profile: Option<&str>) -> String {
    unmarked(&failure.told(profile))
}

fn unmarked(told: &str) -> String {
    told.strip_prefix("error: ").unwrap_or(told).replace("\nhelp: ", "\n")
}

impl Trouble {
    /// What the API says in place of a page.
    pub fn of_api(error: &ClientError) -> Self {
        let status = error.problem().and_then(|it| StatusCode::from_u16(it.status).ok());
        // A refusal of the API's is not this server's own word on who may see the page.
        let status = match status {
            Some(StatusCode::NOT_FOUND) => StatusCode::NOT_FOUND,
            Some(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) => StatusCode::CONFLICT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let what = match status {
            StatusCode::NOT_FOUND => "There is no such thing",
            StatusCode::CONFLICT => "Something is in the way",
            _ => "The API has no answer",
        };
        Self::new(status, what, unmarked(&crate::failure::of_api(error, None)))
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::of_api(&error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Client(error) => (*error).into(),
            other => Self::refused("AWS has no answer", &other),
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let Self { status, what, lines } = &self;
        let page = Page { what, lines, assets: super::assets::version() };
        match page.render() {
            Ok(page) => (*status, Html(page)).into_response(),
            Err(_) => (*status, what.clone()).into_response(),
        }
    }
}
