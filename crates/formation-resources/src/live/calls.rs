//! The calls about versions and aliases, in Formation's terms. Each that changes something answers what it left.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, FunctionConfiguration, State};
use formation_aws::AwsError;
use formation_model::names::LIVE;
use formation_model::{FunctionName, PublishedVersion};

use crate::function::errors::does_not_exist;

/// The alias `live`, as a look has found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Where it leads; none where somebody has led it to `$LATEST`.
    pub version: Option<PublishedVersion>,
    /// Other versions that somebody has given a share of the calls, by their numbers, 0 to 1.
    pub weights: BTreeMap<String, f64>,
    /// What tells this state of it from any other: every UpdateAlias makes another, one that changes nothing, too.
    pub revision_id: Option<String>,
}

impl Alias {
    fn shown(
        version: Option<&str>,
        routing: Option<&AliasRoutingConfiguration>,
        revision_id: Option<&str>,
    ) -> Self {
        let weights = routing.and_then(|it| it.additional_version_weights());
        Self {
            version: version.and_then(|it| it.parse().ok()),
            weights: weights.into_iter().flatten().map(|(to, it)| (to.clone(), *it)).collect(),
            revision_id: revision_id.map(str::to_owned),
        }
    }

    /// Whether every call goes to `version`.
    pub(super) fn is_wholly_on(&self, version: PublishedVersion) -> bool {
        self.version == Some(version) && self.weights.is_empty()
    }
}

/// A version that was just published, or had been: see [`publish`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Published {
    pub version: PublishedVersion,
    /// Whether it can be invoked already.
    pub is_active: bool,
    /// Whether it has the description that was asked for: not if somebody has published the same before.
    pub has_mark: bool,
}

/// The alias `live` of a function; none where there is none, or no such function.
///
/// # Errors
/// What Lambda answered.
pub async fn alias(lambda: &Client, function: &FunctionName) -> Result<Option<Alias>, AwsError> {
    match lambda.get_alias().function_name(function.as_str()).name(LIVE).send().await {
        Ok(it) => {
            let (version, revision_id) = (it.function_version(), it.revision_id());
            Ok(Some(Alias::shown(version, it.routing_config(), revision_id)))
        }
        Err(error) => unless_absent(AwsError::new("lambda:GetAlias", error)),
    }
}

/// The configuration of what `qualifier` names, a version or an alias; none where there is none.
pub(crate) async fn qualified(
    lambda: &Client,
    function: &FunctionName,
    qualifier: &str,
) -> Result<Option<FunctionConfiguration>, AwsError> {
    let get = lambda.get_function().function_name(function.as_str()).qualifier(qualifier);
    match get.send().await {
        Ok(it) => {
            let found = it.configuration.ok_or(AwsError::incomplete("lambda:GetFunction"));
            found.map(Some)
        }
        Err(error) => unless_absent(AwsError::new("lambda:GetFunction", error)),
    }
}

/// Publishes `$LATEST` as it was seen: Lambda refuses it where code or anything else has changed since. Where
/// nobody has called for an update since a version was published, Lambda answers that one.
pub(super) async fn publish(
    lambda: &Client,
    function: &FunctionName,
    seen: &FunctionConfiguration,
    description: &str,
) -> Result<Published, AwsError> {
    let published = lambda
        .publish_version()
        .function_name(function.as_str())
        .set_code_sha256(seen.code_sha256().map(str::to_owned))
        .set_revision_id(seen.revision_id().map(str::to_owned))
        .description(description)
        .send()
        .await;
    let published = published.map_err(|error| AwsError::new("lambda:PublishVersion", error))?;
    let version = published.version().and_then(|it| it.parse().ok());
    let version = version.ok_or(AwsError::incomplete("lambda:PublishVersion"))?;
    let is_active = published.state() == Some(&State::Active);
    let has_mark = published.description() == Some(description);
    Ok(Published { version, is_active, has_mark })
}

/// Makes the alias, which must not be there.
pub(super) async fn create_alias(
    lambda: &Client,
    function: &FunctionName,
    version: PublishedVersion,
) -> Result<Alias, AwsError> {
    let created = lambda
        .create_alias()
        .function_name(function.as_str())
        .name(LIVE)
        .function_version(version.to_string())
        .send()
        .await;
    let it = created.map_err(|error| AwsError::new("lambda:CreateAlias", error))?;
    Ok(Alias::shown(it.function_version(), it.routing_config(), it.revision_id()))
}

/// Leads the alias to `version` and, with these shares, to others. The shares are sent always: Lambda keeps
/// those that a request leaves out, and refuses a version that stands in both places.
///
/// Lambda refuses it, with 412, unless `revision_id` is the alias's own still.
///
/// Sources: <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html> and
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html>, which clears shares by
/// `AdditionalVersionWeights={}`.
pub(super) async fn update_alias(
    lambda: &Client,
    function: &FunctionName,
    version: PublishedVersion,
    weights: &BTreeMap<String, f64>,
    revision_id: &str,
) -> Result<Alias, AwsError> {
    let weights = weights.iter().map(|(to, it)| (to.clone(), *it)).collect();
    let routing =
        AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights));
    let updated = lambda
        .update_alias()
        .function_name(function.as_str())
        .name(LIVE)
        .function_version(version.to_string())
        .routing_config(routing.build())
        .revision_id(revision_id)
        .send()
        .await;
    let it = updated.map_err(|error| AwsError::new("lambda:UpdateAlias", error))?;
    Ok(Alias::shown(it.function_version(), it.routing_config(), it.revision_id()))
}

/// The versions of a function that have one of these descriptions.
pub(super) async fn described_as(
    lambda: &Client,
    function: &FunctionName,
    descriptions: &[String],
) -> Result<Vec<PublishedVersion>, AwsError> {
    let list = lambda.list_versions_by_function().function_name(function.as_str());
    let mut versions = list.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(version) = versions.next().await {
        match version {
            Ok(it) if descriptions.iter().any(|mark| it.description() == Some(mark)) => {
                found.extend(it.version().and_then(|it| it.parse::<PublishedVersion>().ok()));
            }
            Ok(_) => {}
            Err(error) => match AwsError::new("lambda:ListVersionsByFunction", error) {
                error if does_not_exist(&error) => break,
                error => return Err(error),
            },
        }
    }
    Ok(found)
}

/// Deletes a version, if it is there. Without a qualifier the call would delete the function: nothing else makes it.
///
/// AWS answers 204 where there is none: <https://github.com/floci-io/floci/issues/2824>.
pub(super) async fn delete_version(
    lambda: &Client,
    function: &FunctionName,
    version: PublishedVersion,
) -> Result<(), AwsError> {
    let delete = lambda.delete_function().function_name(function.as_str());
    match delete.qualifier(version.to_string()).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            unless_absent::<()>(AwsError::new("lambda:DeleteFunction", error)).map(|_| ())
        }
    }
}

fn unless_absent<T>(error: AwsError) -> Result<Option<T>, AwsError> {
    if does_not_exist(&error) { Ok(None) } else { Err(error) }
}

/// Whether what a call was to change is not as it was seen any more.
pub(super) fn is_stale(error: &AwsError) -> bool {
    error.has_code("PreconditionFailedException")
}
