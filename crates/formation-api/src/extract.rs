//! Paths and queries, with problems as problems.

use std::error::Error;

use axum::extract::{FromRequestParts, Path, Query};
use formation_model::{FunctionName, OperationId, ProblemCode};
use http::request::Parts;
use serde::Deserialize;

use crate::problem::ApiError;

/// The function that the path names. What no function can be called names none.
pub(crate) struct FunctionPath(pub FunctionName);

/// The function and the operation that the path names.
pub(crate) struct OperationPath(pub FunctionName, pub OperationId);

impl<S: Send + Sync> FromRequestParts<S> for FunctionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let name = path.ok().and_then(|Path(name)| name.parse().ok());
        name.map(Self).ok_or(ApiError::NotFound(ProblemCode::FunctionNotFound))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OperationPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Ok(Path((function, operation))) = path else {
            return Err(ApiError::NotFound(ProblemCode::OperationNotFound));
        };
        let function =
            function.parse().map_err(|_| ApiError::NotFound(ProblemCode::FunctionNotFound))?;
        let operation =
            operation.parse().map_err(|_| ApiError::NotFound(ProblemCode::OperationNotFound))?;
        Ok(Self(function, operation))
    }
}

/// The query of routes that take none. A parameter that is not known is refused rather than
/// ignored: it may ask for something that must not be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

pub(crate) type NoParameters = Parameters<Nothing>;

/// A query.
pub(crate) struct Parameters<T>(pub T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            // What it wraps names the parameter, without telling how it was read.
            Err(error) => Err(ApiError::InvalidParameter(
                error.source().map_or_else(|| error.body_text(), ToString::to_string),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::functions::ListParameters;

    #[tokio::test]
    async fn a_parameter_without_such_a_value_is_named() {
        let (mut parts, ()) = Request::get("/?limit=many").body(()).unwrap().into_parts();
        let read = Parameters::<ListParameters>::from_request_parts(&mut parts, &()).await;
        let Err(ApiError::InvalidParameter(detail)) = read else { panic!("it was read") };
        assert!(detail.starts_with("limit: "), "{detail}");
    }
}
