//! How a function's logs are written and kept.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::configuration::ROW;
use super::property::Property;
use super::reader::Reader;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;

/// What PutRetentionPolicy takes.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
pub const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
const DEFAULT_RETENTION_DAYS: u32 = 30;

/// How a function's log events are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogFormat {
    /// As they come.
    #[default]
    Text,
    /// As JSON objects, of which those below a level can be left out.
    Json,
}

/// The least important of a function's own log events that are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ApplicationLogLevel {
    /// The most detailed.
    Trace,
    /// For debugging.
    Debug,
    /// The normal course of things.
    #[default]
    Info,
    /// What may lead to an error.
    Warn,
    /// What went wrong.
    Error,
    /// What ends the function.
    Fatal,
}

/// The least important of Lambda's own log events that are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SystemLogLevel {
    /// For debugging.
    Debug,
    /// Beginning and end of each invocation.
    #[default]
    Info,
    /// What went wrong.
    Warn,
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html>.
const FORMATS: &[&str] = &["TEXT", "JSON"];
/// Source: as for [`FORMATS`].
const APPLICATION_LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
/// Source: as for [`FORMATS`].
const SYSTEM_LEVELS: &[&str] = &["DEBUG", "INFO", "WARN"];

/// How a function's logs are written and kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Logs {
    /// Days, one of those that CloudWatch Logs offers.
    pub log_retention_days: u32,
    /// How log events are written.
    pub log_format: LogFormat,
    /// The least important of the function's own events that are kept; absent with the format TEXT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<ApplicationLogLevel>,
    /// The least important of Lambda's own events that are kept; absent with the format TEXT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<SystemLogLevel>,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            log_retention_days: DEFAULT_RETENTION_DAYS,
            log_format: LogFormat::default(),
            application_log_level: None,
            system_log_level: None,
        }
    }
}

pub(super) const PROPERTIES: &[Property] = &[
    Property {
        name: "logRetentionDays",
        facets: &[Facet::LogGroup],
        schema: || json!({"type": "integer", "enum": RETENTION_DAYS, "default": DEFAULT_RETENTION_DAYS}),
        example: || json!(14),
        read: read_retention,
        ..ROW
    },
    Property {
        name: "logFormat",
        schema: || json!({"type": "string", "enum": FORMATS, "default": "TEXT"}),
        example: || json!("JSON"),
        read: |it| {
            if let Some(format) = it.choice(FORMATS) {
                it.draft.logs.log_format = format;
            }
        },
        ..ROW
    },
    Property {
        name: "applicationLogLevel",
        schema: || level_schema(APPLICATION_LEVELS),
        example: || json!("DEBUG"),
        read: |it| read_level(it, APPLICATION_LEVELS, |logs| &mut logs.application_log_level),
        ..LEVEL
    },
    Property {
        name: "systemLogLevel",
        schema: || level_schema(SYSTEM_LEVELS),
        example: || json!("WARN"),
        read: |it| read_level(it, SYSTEM_LEVELS, |logs| &mut logs.system_log_level),
        ..LEVEL
    },
];

/// What the rows of the levels have in common.
const LEVEL: Property = Property { follows: Some("logFormat"), ..ROW };

fn level_schema(names: &[&str]) -> Value {
    json!({
        "type": "string", "enum": names,
        "description": "With the logFormat JSON only; default there: INFO."
    })
}

fn read_level<Level: DeserializeOwned + Default>(
    it: &mut Reader<'_>,
    names: &[&str],
    place: fn(&mut Logs) -> &mut Option<Level>,
) {
    let level = it.choice(names);
    match it.draft.logs.log_format {
        LogFormat::Json => *place(&mut it.draft.logs) = Some(level.unwrap_or_default()),
        LogFormat::Text if level.is_some() && !it.fields.has_problem_at("/logFormat") => {
            let detail = "goes with the logFormat JSON only; leave it out, or choose that";
            it.fields.note(it.at(), Code::Conflict, detail);
        }
        LogFormat::Text => {}
    }
}

fn read_retention(it: &mut Reader<'_>) {
    let Some(days) = it.fields.whole_number(it.name, DEFAULT_RETENTION_DAYS) else { return };
    if let Some(offered) = RETENTION_DAYS.iter().find(|offered| i64::from(**offered) == days) {
        it.draft.logs.log_retention_days = *offered;
        return;
    }
    let offered = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
    it.fields.note(it.at(), Code::NotSupported, format!("CloudWatch Logs offers {offered} days"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::tests::{DEFAULTS, current, hello_with, problems};
    use crate::request::{patched, read};

    #[test]
    fn levels_go_with_the_format_json_and_have_a_default_there() {
        let mut body = hello_with("logFormat", json!("JSON"));
        let logs = read(&body, &DEFAULTS, None).unwrap().logs;
        assert_eq!(logs.application_log_level, Some(ApplicationLogLevel::Info));
        assert_eq!(logs.system_log_level, Some(SystemLogLevel::Info));
        body["systemLogLevel"] = json!("ERROR");
        assert_eq!(problems(body.clone()), [("/systemLogLevel".to_owned(), Code::NotSupported)]);
        body["systemLogLevel"] = json!("DEBUG");
        body["applicationLogLevel"] = json!(1);
        assert_eq!(problems(body.clone()), [("/applicationLogLevel".to_owned(), Code::WrongType)]);
        body["applicationLogLevel"] = json!("FATAL");
        assert!(read(&body, &DEFAULTS, None).is_ok());
        let conflict = |field: &str| (format!("/{field}"), Code::Conflict);
        body["logFormat"] = json!("TEXT");
        let both = [conflict("applicationLogLevel"), conflict("systemLogLevel")];
        assert_eq!(problems(body.clone()), both);
        body["logFormat"] = json!("XML");
        assert_eq!(problems(body), [("/logFormat".to_owned(), Code::NotSupported)]);
    }

    #[test]
    fn a_patch_to_text_takes_the_levels_away_unless_it_names_them() {
        let to_json = json!({"logFormat": "JSON", "applicationLogLevel": "DEBUG"});
        let request = patched(&to_json, &DEFAULTS, &current()).unwrap();
        let in_json = request.with_code(current().code);
        for patch in [json!({"logFormat": "TEXT"}), json!({"logFormat": null})] {
            let patched = patched(&patch, &DEFAULTS, &in_json).unwrap();
            assert_eq!(patched.logs, Logs::default(), "{patch}");
        }
        let both = json!({"logFormat": "TEXT", "systemLogLevel": "INFO"});
        let found = patched(&both, &DEFAULTS, &in_json).unwrap_err();
        let told = (found[0].pointer.as_str(), found[0].code.known());
        assert_eq!(told, ("/systemLogLevel", Some(&Code::Conflict)));
        // The same format changes nothing.
        let same = patched(&json!({"logFormat": "JSON"}), &DEFAULTS, &in_json).unwrap();
        assert_eq!(same.logs, in_json.logs);
        // What GET returns can be PUT.
        let mut body = in_json.values();
        body["code"] = json!("x");
        assert_eq!(read(&body, &DEFAULTS, Some(&in_json)).unwrap().logs, in_json.logs);
    }
}
