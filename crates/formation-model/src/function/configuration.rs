//! What Lambda's configuration of a function is made from, but for logging: see [`super::logs`].

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::environment::Environment;
use super::property::{Compared, Property};
use super::reader::Reader;
use crate::fields::Limits;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::runtime::{self, DEFAULT_HANDLER, DEFAULT_RUNTIME, Runtime, RuntimeStatus};

/// MB. Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MEMORY: Limits = Limits { least: 128, most: 10_240, default: 128, unit: "MB" };
/// Seconds. Source: as for [`MEMORY`].
const TIMEOUT: Limits = Limits { least: 1, most: 900, default: 3, unit: "seconds" };
/// MB of /tmp. Source: as for [`MEMORY`].
const STORAGE: Limits = Limits { least: 512, most: 10_240, default: 512, unit: "MB" };
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
const HANDLER_LENGTH: usize = 128;

/// The instruction set that a function runs on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// AWS Graviton.
    #[serde(rename = "arm64")]
    Arm64,
    /// 64-bit x86: what Lambda chooses.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// Lambda's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

impl FromStr for Architecture {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Arm64, Self::X86_64].into_iter().find(|known| known.as_str() == text).ok_or(())
    }
}

/// Whether Lambda traces invocations to AWS X-Ray.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Tracing {
    /// It traces a sample of them; the function's role may write what it traces.
    Active,
    /// It traces only what its caller traces already, and the role may write nothing of it.
    #[default]
    PassThrough,
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_TracingConfig.html>.
const TRACING: &[&str] = &["ACTIVE", "PASS_THROUGH"];

/// What Lambda's configuration of a function is made from, but for logging.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Configuration {
    /// Lambda's runtime identifier.
    pub runtime: String,
    /// What Lambda calls in the code.
    pub handler: String,
    /// The instruction set. It is changed with the code; a request that names none gets the stack's.
    pub architecture: Architecture,
    /// MB, 128 to 10,240.
    pub memory_megabytes: u32,
    /// Seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// MB of /tmp, 512 to 10,240.
    pub ephemeral_storage_megabytes: u32,
    /// Whether invocations are traced.
    pub tracing: Tracing,
    /// ARNs of the versions of layers, in order, at most 5.
    pub layers: Vec<String>,
    /// Environment variables.
    pub environment: Environment,
    /// At most 256 characters; empty when none was given.
    pub description: String,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            runtime: DEFAULT_RUNTIME.to_owned(),
            handler: DEFAULT_HANDLER.to_owned(),
            architecture: Architecture::default(),
            memory_megabytes: MEMORY.default,
            timeout_seconds: TIMEOUT.default,
            ephemeral_storage_megabytes: STORAGE.default,
            tracing: Tracing::default(),
            layers: Vec::new(),
            environment: Environment::default(),
            description: String::new(),
        }
    }
}

/// What the rows of this facet have in common.
pub(super) const ROW: Property = Property {
    name: "",
    facets: &[Facet::Configuration],
    in_aws: true,
    in_version: true,
    follows: None,
    compared: Compared::Whole,
    schema: || json!({}),
    example: || json!(null),
    read: |_| {},
};

/// What starts the code.
pub(super) const START: &[Property] = &[
    Property {
        name: "runtime",
        schema: || json!({"type": "string", "enum": runtime::supported_names(), "default": DEFAULT_RUNTIME}),
        example: || json!("nodejs22.x"),
        read: read_runtime,
        ..ROW
    },
    Property {
        name: "handler",
        schema: || {
            json!({
                "type": "string", "pattern": "^\\S+$", "maxLength": HANDLER_LENGTH,
                "default": DEFAULT_HANDLER
            })
        },
        example: || json!("index.main"),
        read: read_handler,
        ..ROW
    },
];

/// What the code runs on, and for how long.
pub(super) const SIZE: &[Property] = &[
    Property {
        name: "architecture",
        facets: &[Facet::Code],
        schema: || {
            json!({
                "type": "string", "enum": ["arm64", "x86_64"], "description": "Default: the stack's."
            })
        },
        example: || json!("arm64"),
        read: read_architecture,
        ..ROW
    },
    Property {
        name: "memoryMegabytes",
        schema: || MEMORY.schema(),
        example: || json!(256),
        read: |it| it.number(&MEMORY, |draft| &mut draft.configuration.memory_megabytes),
        ..ROW
    },
    Property {
        name: "timeoutSeconds",
        schema: || TIMEOUT.schema(),
        example: || json!(10),
        read: |it| it.number(&TIMEOUT, |draft| &mut draft.configuration.timeout_seconds),
        ..ROW
    },
    Property {
        name: "ephemeralStorageMegabytes",
        schema: || STORAGE.schema(),
        example: || json!(1024),
        read: |it| it.number(&STORAGE, |to| &mut to.configuration.ephemeral_storage_megabytes),
        ..ROW
    },
];

/// What is told of its invocations to AWS X-Ray. The role needs what the configuration asks for.
pub(super) const TELLING: &[Property] = &[Property {
    name: "tracing",
    facets: &[Facet::Role, Facet::Configuration],
    schema: || json!({"type": "string", "enum": TRACING, "default": "PASS_THROUGH"}),
    example: || json!("ACTIVE"),
    read: |it| {
        if let Some(tracing) = it.choice(TRACING) {
            it.draft.configuration.tracing = tracing;
        }
    },
    ..ROW
}];

/// A runtime that functions may be created with, or that the function has already.
fn read_runtime(it: &mut Reader<'_>) {
    let Some(name) = it.fields.text(it.name, DEFAULT_RUNTIME) else { return };
    let known = it.current.is_some_and(|current| current.configuration.runtime == name);
    if !known && let Some(reason) = why_unusable(&name) {
        return it.fields.note(it.at(), Code::NotSupported, reason);
    }
    it.draft.configuration.runtime = name;
}

/// Why no function may be created with the runtime of that name; none if one may.
fn why_unusable(name: &str) -> Option<String> {
    Some(match runtime::find(name) {
        Some(runtime) if runtime.status == RuntimeStatus::Supported => return None,
        Some(Runtime { status: RuntimeStatus::Deprecated, deprecation, successor, .. }) => format!(
            "AWS ended its support of {name} on {}; use {}",
            deprecation.as_deref().unwrap_or("an earlier day"),
            successor.as_deref().unwrap_or("a newer one"),
        ),
        Some(_) => format!("AWS offers {name} as a preview only; use {}", runtime::supported()),
        None => format!("is no runtime of Lambda's; use {}", runtime::supported()),
    })
}

fn read_handler(it: &mut Reader<'_>) {
    let Some(handler) = it.fields.text(it.name, DEFAULT_HANDLER) else { return };
    let length = handler.chars().count();
    // Lambda hands it over in an environment variable, which no NUL can be in.
    let fits = |c: char| !c.is_whitespace() && c != '\0';
    if !(1..=HANDLER_LENGTH).contains(&length) || !handler.chars().all(fits) {
        let detail = format!("must have 1 to {HANDLER_LENGTH} characters, no white space or NUL");
        return it.fields.note(it.at(), Code::InvalidFormat, detail);
    }
    it.draft.configuration.handler = handler;
}

fn read_architecture(it: &mut Reader<'_>) {
    let Some(text) = it.fields.text(it.name, it.defaults.architecture.as_str()) else { return };
    match text.parse() {
        Ok(architecture) => it.draft.configuration.architecture = architecture,
        Err(()) => {
            it.fields.note(it.at(), Code::NotSupported, "must be \"arm64\" or \"x86_64\"");
        }
    }
}
