//! What a function is to be, property by property, and the change of one.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use formation_model::FunctionName;
use formation_model::function::{self, Property, properties};
use serde_json::Value;

use super::change::{Asked, done, show};
use super::{Frame, Head, described, field, html, wrong};
use crate::ui::App;
use crate::ui::changes::{Input, Setting, can_change, is_merged, text};
use crate::ui::trouble::Trouble;
use crate::ui::values::shown;

#[derive(Template)]
#[template(path = "settings.html")]
struct Whole {
    frame: Frame,
    head: Head,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    about: String,
    value: String,
    can_change: bool,
}

#[derive(Template)]
#[template(path = "setting.html")]
struct One {
    frame: Frame,
    head: Head,
    name: &'static str,
    about: String,
    value: String,
    input: Input,
    merged: bool,
    example: String,
}

/// What a property is, in words.
fn about(property: &Property) -> String {
    (property.schema)()["description"].as_str().unwrap_or_default().to_owned()
}

/// The values of a function, those of its environment masked.
fn values(function: &formation_model::Function) -> Result<Value, Trouble> {
    let mut values = crate::shown::document(function)?;
    crate::shown::mask(&mut values);
    Ok(values)
}

/// `GET /functions/{name}/settings`
pub async fn all(
    State(app): State<Arc<App>>,
    Path(name): Path<FunctionName>,
) -> Result<Response, Trouble> {
    let function = described(&app, &name).await?;
    let values = values(&function)?;
    let all = properties().filter(|property| property.name != "functionName");
    let rows = all.map(|property| Row {
        name: property.name,
        about: about(property),
        value: shown(&values[property.name]),
        can_change: app.writable && can_change(property),
    });
    html(&Whole {
        frame: Frame::of(&app, format!("{name}: settings"), "functions"),
        head: Head::of(&app, &function, "settings"),
        rows: rows.collect(),
    })
}

fn property(name: &str) -> Result<&'static Property, Trouble> {
    let found = function::property(name).filter(|property| can_change(property));
    found.ok_or_else(Trouble::not_found)
}

/// `GET /functions/{name}/settings/{property}`
pub async fn one(
    State(app): State<Arc<App>>,
    Path((name, of)): Path<(FunctionName, String)>,
) -> Result<Response, Trouble> {
    let property = property(&of)?;
    let function = described(&app, &name).await?;
    let values = values(&function)?;
    let merged = is_merged(property);
    html(&One {
        frame: Frame::of(&app, format!("{name}: {of}"), "functions"),
        head: Head::of(&app, &function, "settings"),
        name: property.name,
        about: about(property),
        // What is merged begins with nothing: only what is typed changes.
        value: if merged { String::new() } else { text(&values[property.name]) },
        input: Input::of(property),
        merged,
        example: (property.example)().to_string(),
    })
}

/// `POST /functions/{name}/settings/{property}`: the plan, and then the change.
pub async fn plan(
    State(app): State<Arc<App>>,
    Path((name, of)): Path<(FunctionName, String)>,
    form: Bytes,
) -> Result<Response, Trouble> {
    let property = property(&of)?;
    let setting = Setting::read(property, &field(&form, "value")).map_err(|told| wrong(&told))?;
    let asked = Asked::Setting(setting);
    if field(&form, "sure") == "yes" {
        return done(&app, &name, &asked, &form).await;
    }
    show(&app, &name, &asked, format!("/functions/{name}/settings/{of}")).await
}
