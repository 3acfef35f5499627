//! The calls about event source mappings, in Formation's terms.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_lambda::types::{
    DestinationConfig, EventSourceMappingConfiguration, Filter, FilterCriteria,
    FunctionResponseType, OnFailure, ScalingConfig,
};
use formation_aws::AwsError;
use formation_model::triggers::{EventSource, SourceKind};
use serde_json::Value;

use super::{Scope, is_absent, unless_absent};
use crate::function::errors::says_one_of;

/// A mapping, as AWS shows it.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub uuid: String,
    pub arn: String,
    /// `Creating`, `Enabling`, `Enabled`, `Disabling`, `Disabled`, `Updating` or `Deleting`.
    pub state: String,
    pub configuration: EventSourceMappingConfiguration,
}

impl Mapping {
    /// The ARN of the queue or the stream that it reads.
    pub fn source(&self) -> &str {
        self.configuration.event_source_arn().unwrap_or_default()
    }
}

/// The mappings of the function's alias, whosever they are: by the function, or where Lambda does not know the alias
/// any more by these sources, since mappings outlive it.
pub(super) async fn all(scope: &Scope<'_>, sources: &[String]) -> Result<Vec<Mapping>, AwsError> {
    match list(scope, None).await? {
        Some(found) => Ok(found),
        None => of_sources(scope, sources).await,
    }
}

/// Those of these sources.
pub(super) async fn of_sources(
    scope: &Scope<'_>,
    sources: &[String],
) -> Result<Vec<Mapping>, AwsError> {
    let mut all = Vec::new();
    for source in sources {
        all.extend(list(scope, Some(source)).await?.unwrap_or_default());
    }
    Ok(all)
}

async fn list(scope: &Scope<'_>, source: Option<&str>) -> Result<Option<Vec<Mapping>>, AwsError> {
    let list = scope.clients.lambda.list_event_source_mappings();
    let list = match source {
        Some(source) => list.event_source_arn(source),
        None => list.function_name(scope.live_arn()),
    };
    let mut mappings = list.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(mapping) = mappings.next().await {
        let refused = |error| AwsError::new("lambda:ListEventSourceMappings", error);
        let it = match mapping.map_err(refused) {
            // It has two ways to tell that there is no such function.
            Err(error)
                if is_absent(&error) || says_one_of(&error, &["function does not exist"]) =>
            {
                return Ok(None);
            }
            mapping => mapping?,
        };
        if it.function_arn() == Some(scope.live_arn().as_str()) {
            found.extend(mapping_of(scope, it));
        }
    }
    Ok(Some(found))
}

fn mapping_of(scope: &Scope<'_>, it: EventSourceMappingConfiguration) -> Option<Mapping> {
    let uuid = it.uuid.clone()?;
    let stack = &scope.settings.stack;
    let derived = || {
        format!(
            "arn:{}:lambda:{}:{}:event-source-mapping:{uuid}",
            stack.partition, stack.region, stack.account_id
        )
    };
    let arn = it.event_source_mapping_arn.clone().unwrap_or_else(derived);
    let state = it.state.clone().unwrap_or_default();
    Some(Mapping { uuid, arn, state, configuration: it })
}

/// A mapping; none where there is none any more.
pub(super) async fn get(scope: &Scope<'_>, uuid: &str) -> Result<Option<Mapping>, AwsError> {
    let got = scope.clients.lambda.get_event_source_mapping().uuid(uuid).send().await;
    let refused = |error| AwsError::new("lambda:GetEventSourceMapping", error);
    let Some(it) = unless_absent(got.map_err(refused))? else { return Ok(None) };
    let listed = EventSourceMappingConfiguration::builder()
        .uuid(uuid)
        .set_event_source_mapping_arn(it.event_source_mapping_arn)
        .set_event_source_arn(it.event_source_arn)
        .set_function_arn(it.function_arn)
        .set_state(it.state)
        .set_last_modified(it.last_modified)
        .set_starting_position(it.starting_position)
        .set_batch_size(it.batch_size)
        .set_maximum_batching_window_in_seconds(it.maximum_batching_window_in_seconds)
        .set_filter_criteria(it.filter_criteria)
        .set_scaling_config(it.scaling_config)
        .set_function_response_types(it.function_response_types)
        .set_destination_config(it.destination_config)
        .set_maximum_retry_attempts(it.maximum_retry_attempts)
        .set_maximum_record_age_in_seconds(it.maximum_record_age_in_seconds)
        .set_parallelization_factor(it.parallelization_factor)
        .set_tumbling_window_in_seconds(it.tumbling_window_in_seconds)
        .set_bisect_batch_on_function_error(it.bisect_batch_on_function_error);
    Ok(mapping_of(scope, listed.build()))
}

/// Whether a mapping has nothing that we do not give it: what fails is tried until it is too old for its stream, in whole
/// batches, one after the other.
pub(super) fn is_plain(mapping: &Mapping) -> bool {
    let it = &mapping.configuration;
    let is = |found: Option<i32>, default: i32| found.is_none_or(|found| found == default);
    is(it.maximum_retry_attempts, FOR_EVER)
        && is(it.maximum_record_age_in_seconds, FOR_EVER)
        && is(it.parallelization_factor, 1)
        && is(it.tumbling_window_in_seconds, 0)
        && !it.bisect_batch_on_function_error.unwrap_or_default()
}

/// How Lambda spells that it does not give up.
const FOR_EVER: i32 = -1;

/// The tags of a mapping; none where there is no such mapping.
pub(super) async fn tags(
    scope: &Scope<'_>,
    arn: &str,
) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    let listed = scope.clients.lambda.list_tags().resource(arn).send().await;
    let listed = listed.map_err(|error| AwsError::new("lambda:ListTags", error));
    Ok(unless_absent(listed)?.map(|it| it.tags.unwrap_or_default().into_iter().collect()))
}

pub(super) async fn tag(
    scope: &Scope<'_>,
    arn: &str,
    tags: BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let tag = scope.clients.lambda.tag_resource().resource(arn);
    let tagged = tag.set_tags(Some(tags.into_iter().collect())).send().await;
    tagged.map(|_| ()).map_err(|error| AwsError::new("lambda:TagResource", error))
}

pub(super) async fn untag(scope: &Scope<'_>, arn: &str, keys: Vec<String>) -> Result<(), AwsError> {
    let untag = scope.clients.lambda.untag_resource().resource(arn);
    let untagged = untag.set_tag_keys(Some(keys)).send().await;
    untagged.map(|_| ()).map_err(|error| AwsError::new("lambda:UntagResource", error))
}

fn number(it: u32) -> i32 {
    i32::try_from(it).unwrap_or(i32::MAX)
}

/// What can be changed of a mapping. Lambda keeps what an update leaves out, so all is sent, and what is empty
/// clears.
struct Settings {
    filters: FilterCriteria,
    scaling: ScalingConfig,
    responses: Vec<FunctionResponseType>,
    failed: DestinationConfig,
}

fn settings(it: &EventSource) -> Settings {
    let filters = it.filter_patterns.iter().map(|pattern| {
        Filter::builder().pattern(Value::Object(pattern.clone()).to_string()).build()
    });
    let filters = FilterCriteria::builder().set_filters(Some(filters.collect())).build();
    let most = it.maximum_concurrency.map(number);
    let scaling = ScalingConfig::builder().set_maximum_concurrency(most).build();
    let reports = it.report_batch_item_failures;
    let responses = reports.then_some(FunctionResponseType::ReportBatchItemFailures);
    // The empty text takes a destination away:
    // <https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html>.
    let failed = it.on_failure_arn.clone().unwrap_or_default();
    let failed = OnFailure::builder().destination(failed).build();
    let failed = DestinationConfig::builder().on_failure(failed).build();
    Settings { filters, scaling, responses: responses.into_iter().collect(), failed }
}

/// Queues that keep the order have no window: nothing is said of it.
fn window(it: &EventSource) -> Option<i32> {
    let is_fifo = it.kind() == Some(SourceKind::FifoQueue);
    (!is_fifo).then(|| number(it.maximum_batching_window_seconds))
}

fn is_queue(it: &EventSource) -> bool {
    it.kind().is_some_and(|kind| kind.is_queue())
}

pub(super) async fn create(
    scope: &Scope<'_>,
    it: &EventSource,
    enabled: bool,
    tags: HashMap<String, String>,
) -> Result<(), AwsError> {
    let Settings { filters, scaling, responses, failed } = settings(it);
    let create = scope.clients.lambda.create_event_source_mapping();
    let created = create
        .function_name(scope.live_arn())
        .event_source_arn(&it.arn)
        .enabled(enabled)
        .batch_size(number(it.batch_size))
        .set_maximum_batching_window_in_seconds(window(it))
        .set_starting_position(it.starting_position.map(|at| at.as_str().into()))
        .set_filter_criteria((!it.filter_patterns.is_empty()).then_some(filters))
        .set_scaling_config(it.maximum_concurrency.map(|_| scaling))
        .set_function_response_types((!responses.is_empty()).then_some(responses))
        .set_destination_config(it.on_failure_arn.as_ref().map(|_| failed))
        .set_tags(Some(tags))
        .send()
        .await;
    let refused = |error| AwsError::new("lambda:CreateEventSourceMapping", error);
    created.map(|_| ()).map_err(refused)
}

pub(super) async fn update(
    scope: &Scope<'_>,
    uuid: &str,
    it: &EventSource,
) -> Result<(), AwsError> {
    let Settings { filters, scaling, responses, failed } = settings(it);
    let update = scope.clients.lambda.update_event_source_mapping().uuid(uuid);
    let updated = update
        .function_name(scope.live_arn())
        .enabled(it.enabled)
        .batch_size(number(it.batch_size))
        .set_maximum_batching_window_in_seconds(window(it))
        .filter_criteria(filters)
        // Only queues have the one, only streams the other.
        .set_scaling_config(is_queue(it).then_some(scaling))
        .set_destination_config((!is_queue(it)).then_some(failed))
        // And what is not named is Lambda's default.
        .set_maximum_retry_attempts((!is_queue(it)).then_some(FOR_EVER))
        .set_maximum_record_age_in_seconds((!is_queue(it)).then_some(FOR_EVER))
        .set_parallelization_factor((!is_queue(it)).then_some(1))
        .set_tumbling_window_in_seconds((!is_queue(it)).then_some(0))
        .set_bisect_batch_on_function_error((!is_queue(it)).then_some(false))
        .set_function_response_types(Some(responses))
        .send()
        .await;
    let refused = |error| AwsError::new("lambda:UpdateEventSourceMapping", error);
    updated.map(|_| ()).map_err(refused)
}

/// Asks for a mapping to be deleted, if it is there.
pub(super) async fn delete(scope: &Scope<'_>, uuid: &str) -> Result<(), AwsError> {
    let deleted = scope.clients.lambda.delete_event_source_mapping().uuid(uuid).send().await;
    let refused = |error| AwsError::new("lambda:DeleteEventSourceMapping", error);
    unless_absent(deleted.map_err(refused)).map(|_| ())
}
