//! A function's own address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address under which HTTP clients call the function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionUrl {
    /// Who may call it.
    pub auth_type: AuthType,
    /// How it answers.
    #[serde(default)]
    pub invoke_mode: InvokeMode,
    /// Which web pages of other origins may call it; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

/// Who may call a function's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthType {
    /// Whom IAM lets.
    AwsIam,
    /// Everybody.
    None,
}

impl AuthType {
    /// Lambda's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwsIam => "AWS_IAM",
            Self::None => "NONE",
        }
    }
}

/// How a function's address answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InvokeMode {
    /// Once the answer is whole: up to 6 MB.
    #[default]
    Buffered,
    /// As the function writes it.
    ResponseStream,
}

impl InvokeMode {
    /// Lambda's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "BUFFERED",
            Self::ResponseStream => "RESPONSE_STREAM",
        }
    }
}

/// Which web pages of other origins may call a function's address.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html>.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Cors {
    /// Whether they may send cookies and the like.
    pub allow_credentials: bool,
    /// Headers that they may send, at most 100.
    pub allow_headers: Vec<String>,
    /// Methods that they may use, or `*`, at most 6.
    pub allow_methods: Vec<String>,
    /// Their origins, or `*`, at most 100.
    pub allow_origins: Vec<String>,
    /// Headers of the answer that they may read, at most 100.
    pub expose_headers: Vec<String>,
    /// Seconds for which a browser may keep all this, 0 to 86,400.
    pub max_age_seconds: u32,
}
