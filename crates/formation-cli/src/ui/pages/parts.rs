//! The parts of a function, each beside what AWS has of it now.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use formation_model::function::properties;
use formation_model::{Difference, FunctionName, Part};
use futures_util::future::try_join;
use serde_json::Value;

use super::{Badge, html};
use crate::ui::App;
use crate::ui::trouble::Trouble;
use crate::ui::values::{at, shown, word};

#[derive(Template)]
#[template(path = "parts.html")]
struct Parts {
    base: String,
    name: String,
    parts: Vec<Shown>,
    compared: String,
    more: usize,
}

/// A part.
struct Shown {
    title: String,
    what: &'static str,
    badge: Badge,
    /// Whether AWS has it, and as it is recorded.
    is_well: bool,
    /// Whether what has its name is somebody else's.
    is_foreign: bool,
    id: String,
    rows: Vec<Row>,
}

/// A property: as it is recorded, and as AWS has it.
struct Row {
    property: String,
    recorded: String,
    actual: String,
    differs: bool,
}

/// `GET /functions/{name}/parts`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
) -> Result<Response, Trouble> {
    let client = &app.connected.client;
    let (report, described) = try_join(client.drift(&name), client.describe(&name)).await?;
    let function = described.function;
    let mut recorded = crate::shown::document(&function)?;
    crate::shown::mask(&mut recorded);
    let resources = &function.resources;
    let id = |part| match part {
        Part::Role => resources.role_arn.clone(),
        Part::LogGroup => resources.log_group_name.clone(),
        Part::Function => resources.function_arn.clone(),
        Part::Live => resources.live_arn.clone(),
        Part::Triggers => resources.function_url.clone().unwrap_or_default(),
    };
    let differing = |part| {
        let of_part = report.drift.differences.iter().filter(|it| it.part == part);
        of_part.collect::<Vec<_>>()
    };
    // A function that nothing calls has no such part.
    let is_there = |part: &Part| {
        *part != Part::Triggers
            || !function.spec.triggers.is_empty()
            || !differing(*part).is_empty()
    };
    let parts = Part::ALL.into_iter().filter(is_there).map(|part| {
        let of_part = differing(part);
        let title = crate::shown::document(&part).ok();
        let title = title.as_ref().and_then(Value::as_str).map(word).unwrap_or_default();
        Shown {
            title,
            what: what(part),
            badge: badge(&of_part),
            is_well: of_part.is_empty(),
            is_foreign: of_part.iter().any(|it| it.is_not_owned()),
            id: id(part),
            rows: rows(part, &recorded, &of_part),
        }
    });
    html(&Parts {
        base: app.base().to_owned(),
        name: name.to_string(),
        parts: parts.collect(),
        compared: report.drift.checked_at.map(at).unwrap_or_default(),
        more: report.drift.more,
    })
}

/// What a part is for.
fn what(part: Part) -> &'static str {
    match part {
        Part::Role => "what the function may do",
        Part::LogGroup => "what it has logged",
        Part::Function => "the workbench, $LATEST, on which updates are prepared",
        Part::Live => "what callers run: the alias live and its version",
        Part::Triggers => "what calls it, each by its kind and name",
    }
}

fn badge(differences: &[&Difference]) -> Badge {
    let badge = |text: &str, class| Badge { text: text.to_owned(), class };
    if differences.iter().any(|it| it.is_not_owned()) {
        badge("Not Formation's", "bad")
    } else if differences.iter().any(|it| it.is_missing()) {
        badge("Gone", "bad")
    } else if differences.is_empty() {
        badge("As recorded", "good")
    } else {
        badge("Differs", "warn")
    }
}

/// The properties of a part that are recorded, and what AWS has besides.
fn rows(part: Part, recorded: &Value, differences: &[&Difference]) -> Vec<Row> {
    let whole = differences.iter().any(|it| it.is_missing() || it.is_not_owned());
    let of_part = properties().filter(|property| {
        property.in_aws && property.facets.iter().any(|facet| facet.part() == part)
    });
    let mut told = vec![false; differences.len()];
    let mut rows = Vec::new();
    for property in of_part {
        let begins = format!("{}/", property.name);
        let mut own = Vec::new();
        for (at, difference) in differences.iter().enumerate() {
            if difference.property == property.name || difference.property.starts_with(&begins) {
                told[at] = true;
                own.push(row(difference));
            }
        }
        if own.is_empty() {
            let value = shown(&recorded[property.name]);
            let actual = if whole { "\u{2013}".to_owned() } else { value.clone() };
            own.push(Row {
                property: property.name.to_owned(),
                recorded: value,
                actual,
                differs: whole,
            });
        }
        rows.extend(own);
    }
    let besides = differences
        .iter()
        .zip(told)
        .filter(|(it, told)| !told && !it.is_missing() && !it.is_not_owned());
    rows.extend(besides.map(|(difference, _)| row(difference)));
    // What differs is what one looks for.
    rows.sort_by_key(|row| !row.differs);
    rows
}

fn row(difference: &Difference) -> Row {
    Row {
        property: difference.property.clone(),
        recorded: shown(&difference.expected),
        actual: shown(&difference.actual),
        differs: true,
    }
}
