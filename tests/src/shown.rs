//! What Lambda itself shows of a function and is told of it, past the types of Formation and of the
//! SDK: so that a property nobody thought of is seen, too.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_lambda::error::BoxError;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::get_function::{GetFunctionError, GetFunctionOutput};
use serde_json::Value;

/// Keeps the body of an answer.
#[derive(Clone, Debug, Default)]
struct Body(Arc<Mutex<Value>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "keeps the body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = serde_json::from_slice(body)?;
        Ok(())
    }
}

/// A function, or what `qualifier` names of it, as the SDK understands what Lambda shows, and all of it; none if
/// there is none.
///
/// # Panics
/// With any other error than that there is none: what cannot be seen is not gone.
pub async fn function(
    lambda: &Client,
    name: &str,
    qualifier: Option<&str>,
) -> Option<(GetFunctionOutput, Value)> {
    let body = Body::default();
    let get = lambda.get_function().function_name(name).set_qualifier(qualifier.map(str::to_owned));
    let get = get.customize().interceptor(body.clone());
    let output = match get.send().await.map_err(SdkError::into_service_error) {
        Ok(output) => output,
        Err(GetFunctionError::ResourceNotFoundException(_)) => return None,
        Err(error) => panic!("{name} cannot be looked at: {error:?}"),
    };
    let body = body.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    Some((output, body))
}

/// Sets `fields` of a function's configuration, in Lambda's words.
///
/// # Panics
/// Where Lambda refuses it.
pub async fn configure(lambda: &Client, name: &str, fields: &Value) {
    let body = fields.to_string();
    let update = lambda.update_function_configuration().function_name(name).customize();
    let update = update.mutate_request(move |request| {
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = body.clone().into();
    });
    update.send().await.expect("Lambda takes the configuration");
}
