//! A function's own address.

use serde_json::{Value, json};

use super::super::property::Property;
use super::super::reader::Reader;
use super::ROW;
use crate::fields::Fields;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::{AuthType, Cors, FunctionUrl};

/// Source of these limits: <https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html>.
const METHODS: &[&str] = &["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "*"];
const MOST_METHODS: usize = 6;
const MOST_LISTED: usize = 100;
const LONGEST_HEADER: usize = 1024;
const LONGEST_ORIGIN: usize = 253;
const LONGEST_AGE: u32 = 86_400;

const AUTH_TYPES: &[&str] = &["AWS_IAM", "NONE"];
const INVOKE_MODES: &[&str] = &["BUFFERED", "RESPONSE_STREAM"];

pub(super) const PROPERTY: Property = Property {
    name: "functionUrl",
    facets: &[Facet::FunctionUrl],
    schema: || {
        let headers = json!({
            "type": "array", "maxItems": MOST_LISTED,
            "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_HEADER}
        });
        let origins = json!({
            "type": "array", "maxItems": MOST_LISTED,
            "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_ORIGIN}
        });
        let methods = json!({
            "type": "array", "maxItems": MOST_METHODS,
            "items": {"type": "string", "enum": METHODS}
        });
        json!({
            "type": "object",
            "properties": {
                "authType": {
                    "type": "string", "enum": AUTH_TYPES,
                    "description": "Who may call it: whom IAM lets, or everybody, where the stack's parameter \
                                    AllowPublicUrls says so."
                },
                "invokeMode": {
                    "type": "string", "enum": INVOKE_MODES, "default": "BUFFERED",
                    "description": "Whether it answers once the answer is whole, or as the function writes it."
                },
                "cors": {
                    "type": "object",
                    "properties": {
                        "allowCredentials": {"type": "boolean", "default": false},
                        "allowHeaders": headers,
                        "allowMethods": methods,
                        "allowOrigins": origins,
                        "exposeHeaders": headers,
                        "maxAgeSeconds": {
                            "type": "integer", "minimum": 0, "maximum": LONGEST_AGE, "default": 0
                        }
                    },
                    "additionalProperties": false,
                    "description": "Which web pages of other origins may call it; none if absent."
                }
            },
            "required": ["authType"],
            "additionalProperties": false,
            "description": "An address of its own, under which HTTP clients call the function; none if absent. \
                            `resources.functionUrl` tells it."
        })
    },
    example: || json!({"authType": "AWS_IAM", "invokeMode": "BUFFERED"}),
    read,
    ..ROW
};

fn read(it: &mut Reader<'_>) {
    let object = match it.fields.take(it.name) {
        None => return,
        Some(Value::Object(object)) => object,
        Some(_) => {
            let detail = "must be an object: authType, and invokeMode and cors if need be; leave it out for none";
            return it.fields.note(it.at(), Code::WrongType, detail);
        }
    };
    let has = it.current.and_then(|current| current.triggers.function_url.as_ref());
    let may_be_public =
        it.defaults.triggers.public_urls || has.is_some_and(|has| has.auth_type == AuthType::None);
    let at = it.at();
    let read = it.fields.inner(&at, object, |fields| url(fields, may_be_public));
    it.draft.triggers.function_url = read;
}

fn url(fields: &mut Fields<'_>, may_be_public: bool) -> Option<FunctionUrl> {
    let auth_type = fields.choice("authType", AUTH_TYPES);
    if auth_type.is_none() && !fields.has_problem_at("/authType") {
        fields.note("/authType", Code::Required, "must be given: AWS_IAM or NONE");
    }
    if auth_type == Some(AuthType::None) && !may_be_public {
        let detail = "cannot be NONE: the stack's parameter AllowPublicUrls is not true, so no address is \
                      everybody's; take AWS_IAM";
        fields.note("/authType", Code::NotSupported, detail);
    }
    let invoke_mode = fields.choice("invokeMode", INVOKE_MODES).unwrap_or_default();
    let cors = match fields.take("cors") {
        None => None,
        Some(Value::Object(object)) => fields.inner("/cors", object, cors),
        Some(_) => {
            fields.refuse("/cors", Code::WrongType, "must be an object; leave it out for none")
        }
    };
    // One that lets nobody is none, as Lambda shows it.
    let cors = cors.filter(|cors| *cors != Cors::default());
    Some(FunctionUrl { auth_type: auth_type?, invoke_mode, cors })
}

fn cors(fields: &mut Fields<'_>) -> Option<Cors> {
    let within = |most: usize| {
        move |text: &str| match text.chars().count() {
            length if (1..=most).contains(&length) => Ok(()),
            _ => Err(format!("must have 1 to {most} characters")),
        }
    };
    let method = |text: &str| match METHODS.contains(&text) {
        true => Ok(()),
        false => Err(format!("must be one of {}", METHODS.join(", "))),
    };
    // Each is read before any is missed, or what comes behind it would be unknown.
    let allow_headers = fields.strings("allowHeaders", MOST_LISTED, within(LONGEST_HEADER));
    let allow_methods = fields.strings("allowMethods", MOST_METHODS, method);
    let allow_origins = fields.strings("allowOrigins", MOST_LISTED, within(LONGEST_ORIGIN));
    let expose_headers = fields.strings("exposeHeaders", MOST_LISTED, within(LONGEST_HEADER));
    let allow_credentials = fields.flag("allowCredentials", false);
    let max_age_seconds = fields.optional_number("maxAgeSeconds", 0..=LONGEST_AGE, "seconds");
    Some(Cors {
        allow_credentials,
        allow_headers: allow_headers?,
        allow_methods: allow_methods?,
        allow_origins: allow_origins?,
        expose_headers: expose_headers?,
        max_age_seconds: max_age_seconds.unwrap_or_default(),
    })
}
