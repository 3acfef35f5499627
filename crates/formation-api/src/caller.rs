//! Who calls, as API Gateway verified it.

use axum::extract::FromRequestParts;
use http::request::Parts;
use lambda_http::request::RequestContext;

use crate::problem::ApiError;

/// The verified caller: the ARN of an IAM user, of an assumed role's session, or of the root user.
pub(crate) struct Caller(pub String);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Every route asks for IAM authorisation, so only a wrong deployment has no caller.
        let Some(RequestContext::ApiGatewayV2(context)) = parts.extensions.get() else {
            return Err(ApiError::NoCaller);
        };
        let iam = context.authorizer.as_ref().and_then(|authorizer| authorizer.iam.as_ref());
        let arn = iam.and_then(|iam| iam.user_arn.clone());
        arn.map(Self).ok_or(ApiError::NoCaller)
    }
}
