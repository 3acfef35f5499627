//! What a schedule or a rule hands to the function.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::fields::Fields;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::Input;

/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>.
const LONGEST: usize = 8192;

pub(super) fn schema(instead: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": LONGEST,
        "description": format!(
            "What the function is given: JSON text, such as \"{{\\\"job\\\": \\\"nightly\\\"}}\"; {instead}"
        )
    })
}

/// Reads it. What is wrong is told without it.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Input> {
    const AT: &str = "/input";
    let value = fields.take("input")?;
    let Value::String(text) = value else {
        let detail = "must be a string that holds JSON, such as '{\"job\": \"nightly\"}'; leave it out for none";
        return fields.refuse(AT, Code::WrongType, detail);
    };
    if text.chars().count() > LONGEST {
        let detail = format!("must not be longer than {LONGEST} characters");
        return fields.refuse(AT, Code::OutOfRange, detail);
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Some(Input(text.clone())),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let detail = format!(
                "must hold JSON, and is none from line {line}, column {column} on; a text is in quotation marks of \
                 its own"
            );
            fields.refuse(AT, Code::InvalidFormat, detail)
        }
    }
}
