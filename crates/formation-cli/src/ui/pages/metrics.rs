//! How often a function ran, failed, and how long it took.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use formation_model::FunctionName;
use jiff::Timestamp;
use serde::Deserialize;

use super::{Frame, Head, described, html};
use crate::failure::Failure;
use crate::ui::App;
use crate::ui::plot::{Asked, Kind, Plot, Span};
use crate::ui::trouble::{Trouble, words};

#[derive(Deserialize)]
pub struct Over {
    #[serde(default)]
    span: String,
}

#[derive(Template)]
#[template(path = "metrics.html")]
struct Whole {
    frame: Frame,
    head: Head,
    span: String,
    spans: [&'static str; 4],
    plots: Vec<Plot>,
    trouble: Option<String>,
}

/// `GET /functions/{name}/metrics`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
    Query(Over { span: asked }): Query<Over>,
) -> Result<Response, Trouble> {
    let span = Span::NAMES.into_iter().find(|it| *it == asked).unwrap_or(Span::NAMES[1]);
    let function = described(&app, &name).await?;
    let of = |metric, stat| Asked {
        namespace: "AWS/Lambda",
        metric,
        of: ("FunctionName", name.to_string()),
        stat,
    };
    let all = vec![
        of("Invocations", "Sum"),
        of("Errors", "Sum"),
        of("Duration", "p50"),
        of("Duration", "p99"),
    ];
    let over = Span::named(span, Timestamp::now());
    let found = app.metrics(all, over).await;
    let (plots, trouble) = match found {
        Ok(found) => match found.as_slice() {
            [invocations, errors, p50, p99] => {
                let plots = vec![
                    Plot::of(
                        "Invocations",
                        Kind::Count,
                        over,
                        &[("invocations", "a", invocations)],
                    ),
                    Plot::of("Errors", Kind::Count, over, &[("errors", "bad", errors)]),
                    Plot::of(
                        "Duration",
                        Kind::Milliseconds,
                        over,
                        &[("p99", "b", p99), ("p50", "a", p50)],
                    ),
                ];
                (plots, None)
            }
            _ => (Vec::new(), None),
        },
        Err(error) => (Vec::new(), Some(denied(&app, &error))),
    };
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: metrics"), "functions"),
        head: Head::of(&app, &function, "metrics"),
        span: span.to_owned(),
        spans: Span::NAMES,
        plots,
        trouble,
    })
}

/// Why CloudWatch tells nothing.
pub fn denied(app: &App, error: &crate::aws::AwsError) -> String {
    let failure = if error.is_denied() {
        Failure::Denied(format!(
            "AWS does not let you read metrics: the managed policies {} and {} allow it",
            app.connected.policy("ReadOnly"),
            app.connected.policy("FullAccess")
        ))
    } else {
        app.connected.aws.failure("CloudWatch has no answer", error)
    };
    words(&failure, app)
}
