//! Invoking Lambda functions on local AWS.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{BehaviorVersion, Region};
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;

use crate::error::LocalError;
use crate::stack::Stack;

/// A client of Lambda that signs as the stack's own key. Local AWS speaks HTTP without TLS.
pub fn client(stack: &Stack) -> Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(&stack.endpoint_url)
        .region(Region::new(stack.region.clone()))
        .credentials_provider(stack.credentials());
    Client::from_conf(config.build())
}

/// Invokes a function and answers what it answered.
///
/// # Errors
/// [`LocalError::Answer`] where Lambda refuses, or the function fails: then with what it told.
pub async fn invoke(lambda: &Client, function: &str, payload: &Value) -> Result<Value, LocalError> {
    let payload = Blob::new(payload.to_string());
    let invoked = lambda.invoke().function_name(function).payload(payload).send().await;
    let answer = invoked.map_err(|error| {
        LocalError::Answer(format!("invoking {function}: {}", DisplayErrorContext(error)))
    })?;
    let body = answer.payload().map(AsRef::as_ref).unwrap_or_default();
    match answer.function_error() {
        None => Ok(serde_json::from_slice(body)?),
        Some(_) => {
            let told = String::from_utf8_lossy(body);
            Err(LocalError::Answer(format!("{function} failed: {told}")))
        }
    }
}
