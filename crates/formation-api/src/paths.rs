//! Where functions and operations are found.

use formation_model::{FunctionName, OperationId};
use http::HeaderName;

/// The header that tells where an operation can be followed.
pub(crate) const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");

/// The path of a function.
pub(crate) fn function_path(function: &FunctionName) -> String {
    format!("/v1/functions/{function}")
}

/// The path of an operation.
pub(crate) fn operation_path(function: &FunctionName, operation: OperationId) -> String {
    format!("{}/operations/{operation}", function_path(function))
}
