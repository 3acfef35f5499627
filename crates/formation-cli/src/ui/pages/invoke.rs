//! Invoking a function.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use formation_model::FunctionName;
use http::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use super::{Badge, Frame, Head, described, field, html};
use crate::invoking::{LARGEST, checked, refusal, send as sent};
use crate::logs::lines_of_tail;
use crate::output::bare;
use crate::ui::App;
use crate::ui::trouble::{Trouble, words};
use crate::ui::values::cut;

/// How much of an answer is shown.
const LONGEST: usize = 60_000;

#[derive(Template)]
#[template(path = "invoke.html")]
struct Whole {
    frame: Frame,
    head: Head,
    payload: String,
    answered: Option<Answered>,
}

/// What came of it.
struct Answered {
    badge: Badge,
    text: String,
    log: Vec<String>,
    version: String,
    took: String,
}

/// `GET /functions/{name}/invoke`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
) -> Result<Response, Trouble> {
    let function = described(&app, &name).await?;
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: invoke"), "functions"),
        head: Head::of(&app, &function, "invoke"),
        payload: "{}".to_owned(),
        answered: None,
    })
}

/// `POST /functions/{name}/invoke`
pub async fn send(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    form: Bytes,
) -> Result<Response, Trouble> {
    let function = described(&app, &name).await?;
    let payload = field(&form, "payload");
    let began = Instant::now();
    let refused = |text: String| Answered {
        badge: Badge { text: "Not invoked".to_owned(), class: "bad" },
        text,
        log: Vec::new(),
        version: String::new(),
        took: String::new(),
    };
    let answered = match checked(payload.clone().into_bytes(), LARGEST) {
        Err(failure) => refused(words(&failure, &app)),
        Ok(bytes) => match sent(&app.connected, &function, Some(bytes), false).await {
            Err(failure) => refused(words(&failure, &app)),
            Ok(answer) if answer.status != StatusCode::OK => {
                refused(words(&refusal(&app.connected, &function, &answer), &app))
            }
            Ok(answer) => {
                let tail = answer.header("x-amz-log-result");
                let tail =
                    tail.and_then(|log| BASE64_STANDARD.decode(log).ok()).unwrap_or_default();
                let log = lines_of_tail(&String::from_utf8_lossy(&tail));
                let (text, class) = match answer.header("x-amz-function-error") {
                    Some(_) => ("The function failed", "bad"),
                    None => ("Answered", "good"),
                };
                Answered {
                    badge: Badge { text: text.to_owned(), class },
                    text: cut(&pretty(&answer.body), LONGEST),
                    log: log.iter().map(|line| plain(line)).collect(),
                    version: answer.header("x-amz-executed-version").unwrap_or_default().to_owned(),
                    took: format!("{} ms", began.elapsed().as_millis()),
                }
            }
        },
    };
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: invoke"), "functions"),
        head: Head::of(&app, &function, "invoke"),
        payload,
        answered: Some(answered),
    })
}

/// JSON on lines of its own, or the text as it came.
fn pretty(body: &[u8]) -> String {
    let value = serde_json::from_slice::<Value>(body).ok();
    let text = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

/// A line without a terminal's colours.
fn plain(line: &str) -> String {
    bare(&anstream::adapter::strip_str(line).to_string())
}
