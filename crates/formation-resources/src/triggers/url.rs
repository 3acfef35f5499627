//! The function's address: one at the alias.

use aws_sdk_lambda::operation::get_function_url_config::GetFunctionUrlConfigOutput;
use aws_sdk_lambda::types::{Cors as SdkCors, FunctionUrlAuthType, InvokeMode as SdkInvokeMode};
use formation_aws::AwsError;
use formation_model::names::LIVE;
use formation_model::triggers::{AuthType, Cors, FunctionUrl, InvokeMode};
use formation_model::{FunctionSpec, Trigger, TriggerKey, TriggerKind};
use jiff::Timestamp;

use super::{Scope, Work, each, take_away_untagged, unless_absent, unless_busy};
use crate::error::ResourceError;
use crate::function::errors::name_is_taken;

/// Makes the address or changes it where that is to be done, and answers it if it was looked at. Before callers have
/// moved it is only made: one that is there goes on as it is.
pub(super) async fn ensure(
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    work: &Work,
) -> Result<Option<String>, ResourceError> {
    let Some(wanted) = &spec.triggers.function_url else { return Ok(None) };
    let touched = each!(work.ensured, FunctionUrl).next().is_some();
    // What is known of an address that nobody touches is recorded.
    if !touched || (scope.only_adds && scope.is_known(&key())) {
        return Ok(None);
    }
    let ensured = async || {
        let mut found = find(scope).await?;
        if found.is_none() {
            let mut new = wanted.clone();
            if scope.only_adds {
                // A statement of somebody else would open it.
                new.auth_type = AuthType::AwsIam;
            }
            match create(scope, &new).await {
                Ok(url) => return Ok(Some(url)),
                // Another try of this step has made it, or somebody else.
                Err(error) if name_is_taken(&error) => found = find(scope).await?,
                Err(error) => return Err(unless_busy(error)),
            }
        }
        let Some(found) = found else {
            return Err(ResourceError::not_ready("Lambda does not show it yet"));
        };
        scope.prove_made(&key(), made(&found))?;
        if !scope.only_adds && shown(&found, wanted) != *wanted {
            update(scope, wanted).await.map_err(unless_busy)?;
        }
        Ok(Some(found.function_url))
    };
    ensured().await.map_err(scope.about(&key()))
}

/// Takes the address away if it is not wanted any more, and is ours.
pub(super) async fn take_away(
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    removed: &[Trigger],
) -> Result<(), ResourceError> {
    let may_be_there = scope.may_be_left(&key()) || each!(removed, FunctionUrl).next().is_some();
    if spec.triggers.function_url.is_some() || !may_be_there {
        return Ok(());
    }
    let made = async || Ok(find(scope).await?.as_ref().map(made));
    take_away_untagged(scope, &key(), made, async || delete(scope).await).await
}

fn key() -> TriggerKey {
    TriggerKey::new(TriggerKind::FunctionUrl, "")
}

fn made(found: &GetFunctionUrlConfigOutput) -> Option<Timestamp> {
    found.creation_time.parse().ok()
}

/// The address as AWS has it; none where there is none.
pub(super) async fn find(
    scope: &Scope<'_>,
) -> Result<Option<GetFunctionUrlConfigOutput>, AwsError> {
    let get = scope.clients.lambda.get_function_url_config();
    let got = get.function_name(scope.function.as_str()).qualifier(LIVE).send().await;
    unless_absent(got.map_err(|error| AwsError::new("lambda:GetFunctionUrlConfig", error)))
}

/// What AWS has, in the model's terms. Lists whose order or case means nothing are as `wanted` has them where they are
/// the same.
pub(super) fn shown(found: &GetFunctionUrlConfigOutput, wanted: &FunctionUrl) -> FunctionUrl {
    let auth_type = match found.auth_type {
        FunctionUrlAuthType::None => AuthType::None,
        _ => AuthType::AwsIam,
    };
    let invoke_mode = match found.invoke_mode {
        Some(SdkInvokeMode::ResponseStream) => InvokeMode::ResponseStream,
        _ => InvokeMode::Buffered,
    };
    let asked = wanted.cors.clone().unwrap_or_default();
    let cors = found.cors.as_ref().map(|it| cors_shown(it, &asked)).unwrap_or_default();
    let is_none = wanted.cors.is_none() && cors == Cors::default();
    FunctionUrl { auth_type, invoke_mode, cors: (!is_none).then_some(cors) }
}

fn cors_shown(found: &SdkCors, wanted: &Cors) -> Cors {
    let list = |found: &[String], wanted: &[String]| {
        let set = |of: &[String]| {
            let mut of: Vec<_> = of.iter().map(|it| it.to_lowercase()).collect();
            of.sort_unstable();
            of
        };
        if set(found) == set(wanted) { wanted.to_vec() } else { found.to_vec() }
    };
    Cors {
        allow_credentials: found.allow_credentials.unwrap_or_default(),
        allow_headers: list(found.allow_headers(), &wanted.allow_headers),
        allow_methods: list(found.allow_methods(), &wanted.allow_methods),
        allow_origins: list(found.allow_origins(), &wanted.allow_origins),
        expose_headers: list(found.expose_headers(), &wanted.expose_headers),
        max_age_seconds: found.max_age.unwrap_or_default().try_into().unwrap_or_default(),
    }
}

/// Lambda keeps what a request leaves out, so it is sent always: an empty one clears it.
fn cors(wanted: &FunctionUrl) -> SdkCors {
    let Some(cors) = &wanted.cors else { return SdkCors::builder().build() };
    let list = |of: &[String]| (!of.is_empty()).then(|| of.to_vec());
    SdkCors::builder()
        .allow_credentials(cors.allow_credentials)
        .set_allow_headers(list(&cors.allow_headers))
        .set_allow_methods(list(&cors.allow_methods))
        .set_allow_origins(list(&cors.allow_origins))
        .set_expose_headers(list(&cors.expose_headers))
        .max_age(i32::try_from(cors.max_age_seconds).unwrap_or(i32::MAX))
        .build()
}

async fn create(scope: &Scope<'_>, wanted: &FunctionUrl) -> Result<String, AwsError> {
    let create = scope.clients.lambda.create_function_url_config();
    let created = create
        .function_name(scope.function.as_str())
        .qualifier(LIVE)
        .auth_type(wanted.auth_type.as_str().into())
        .invoke_mode(wanted.invoke_mode.as_str().into())
        .set_cors(wanted.cors.is_some().then(|| cors(wanted)))
        .send()
        .await;
    let created =
        created.map_err(|error| AwsError::new("lambda:CreateFunctionUrlConfig", error))?;
    Ok(created.function_url)
}

async fn update(scope: &Scope<'_>, becomes: &FunctionUrl) -> Result<(), AwsError> {
    let update = scope.clients.lambda.update_function_url_config();
    let updated = update
        .function_name(scope.function.as_str())
        .qualifier(LIVE)
        .auth_type(becomes.auth_type.as_str().into())
        .invoke_mode(becomes.invoke_mode.as_str().into())
        .cors(cors(becomes))
        .send()
        .await;
    let refused = |error| AwsError::new("lambda:UpdateFunctionUrlConfig", error);
    updated.map(|_| ()).map_err(refused)
}

/// Deletes the address, if it is there.
pub(super) async fn delete(scope: &Scope<'_>) -> Result<(), AwsError> {
    let delete = scope.clients.lambda.delete_function_url_config();
    let deleted = delete.function_name(scope.function.as_str()).qualifier(LIVE).send().await;
    let refused = |error| AwsError::new("lambda:DeleteFunctionUrlConfig", error);
    unless_absent(deleted.map_err(refused)).map(|_| ())
}
