//! What Lambda does not look at again, or not at all, of the queues and streams that a function reads.

use aws_sdk_kinesis::types::EncryptionType;
use aws_sdk_sqs::types::QueueAttributeName::{self, KmsMasterKeyId, VisibilityTimeout};
use formation_aws::{AwsError, ErrorKind};
use formation_model::triggers::{EventSource, SourceKind};
use formation_model::{FunctionSpec, Trigger};

use super::{Scope, each};
use crate::Target;
use crate::boundary::patterns::overlap;
use crate::error::ResourceError;

/// The services whose queues and streams are looked at. Of a table's stream nothing is: DynamoDB decrypts it for
/// whoever may read it, and does not tell a key of AWS's from a customer's.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Streams.
    pub kinesis: aws_sdk_kinesis::Client,
}

/// Looks at the queues and streams that are new or changed, and at all queues where the function may run longer than
/// before: Lambda refuses a queue that hides its messages for a shorter time than the function runs, but only when it
/// is made a source. Of the way back nothing is asked.
/// Source: <https://github.com/philips-labs/terraform-aws-github-runner/issues/465>.
///
/// # Errors
/// [`ResourceError::Rejected`] if a source does not exist, hides for too short a time or is encrypted by a key that
/// the function's role may not use; otherwise what AWS answered.
pub(super) async fn check(
    sources: &Sources,
    scope: &Scope<'_>,
    target: &Target<'_>,
    ensured: &[Trigger],
) -> Result<(), ResourceError> {
    let Target { spec, formerly, only_adds, restores, .. } = *target;
    if restores || (formerly.is_some() && !only_adds) {
        return Ok(());
    }
    let timeout = |of: &FunctionSpec| of.configuration.timeout_seconds;
    let runs_longer = formerly.is_some_and(|former| timeout(spec) > timeout(former));
    let all = spec.triggers();
    let looked_at = if runs_longer { &all[..] } else { ensured };
    for (key, source) in each!(looked_at, EventSource) {
        let checked = match source.kind() {
            Some(SourceKind::Queue | SourceKind::FifoQueue) => {
                check_queue(&sources.sqs, scope, spec, source).await
            }
            Some(SourceKind::Stream) => check_stream(&sources.kinesis, scope, spec, source).await,
            Some(SourceKind::TableStream) | None => Ok(()),
        };
        checked.map_err(scope.about(&key))?;
    }
    Ok(())
}

async fn check_queue(
    sqs: &aws_sdk_sqs::Client,
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    source: &EventSource,
) -> Result<(), ResourceError> {
    let name = source.arn.rsplit(':').next().unwrap_or_default();
    let account = &scope.settings.stack.account_id;
    let found = sqs.get_queue_url().queue_name(name).queue_owner_aws_account_id(account);
    let found = found.send().await;
    let found = found.map_err(|error| refused("queue", AwsError::new("sqs:GetQueueUrl", error)))?;
    let url = found.queue_url.ok_or(AwsError::incomplete("sqs:GetQueueUrl"))?;
    let get = sqs.get_queue_attributes().queue_url(url);
    let got = get.attribute_names(VisibilityTimeout).attribute_names(KmsMasterKeyId).send().await;
    let got =
        got.map_err(|error| refused("queue", AwsError::new("sqs:GetQueueAttributes", error)))?;
    let attribute = |name: &QueueAttributeName| got.attributes().and_then(|all| all.get(name));
    let hides = attribute(&VisibilityTimeout).and_then(|it| it.parse::<u32>().ok());
    let timeout = spec.configuration.timeout_seconds;
    if let Some(hides) = hides.filter(|hides| *hides < timeout) {
        // Lambda's own words.
        let reason = format!(
            "Queue visibility timeout: {hides} seconds is less than Function timeout: {timeout} seconds"
        );
        return Err(ResourceError::Rejected { reason });
    }
    match attribute(&KmsMasterKeyId) {
        Some(key) => check_key(scope, spec, "queue", key),
        None => Ok(()),
    }
}

async fn check_stream(
    kinesis: &aws_sdk_kinesis::Client,
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    source: &EventSource,
) -> Result<(), ResourceError> {
    let described = kinesis.describe_stream_summary().stream_arn(&source.arn).send().await;
    let described = described.map_err(|error| {
        refused("stream", AwsError::new("kinesis:DescribeStreamSummary", error))
    })?;
    let Some(found) = described.stream_description_summary else { return Ok(()) };
    match found.key_id.filter(|_| found.encryption_type == Some(EncryptionType::Kms)) {
        Some(key) => check_key(scope, spec, "stream", &key),
        None => Ok(()),
    }
}

/// That the function's statements let it use the key of a source. AWS's own key lets whoever may read the source.
fn check_key(
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    what: &str,
    key: &str,
) -> Result<(), ResourceError> {
    let name = key.rsplit_once(':').map_or(key, |(_, name)| name);
    if name.starts_with("alias/aws/") {
        return Ok(());
    }
    let stack = &scope.settings.stack;
    // An alias does not tell which key it is: any will do.
    let arn = match (key.starts_with("arn:"), name.starts_with("alias/")) {
        (_, true) => format!("arn:{}:kms:{}:*:key/*", stack.partition, stack.region),
        (true, false) => key.to_owned(),
        (false, false) => {
            let id = name.strip_prefix("key/").unwrap_or(name);
            let (partition, region, account) = (&stack.partition, &stack.region, &stack.account_id);
            format!("arn:{partition}:kms:{region}:{account}:key/{id}")
        }
    };
    let statements = spec.all_statements();
    let may_decrypt = statements.iter().any(|it| {
        it.actions.iter().any(|action| overlap(action, "kms:Decrypt"))
            && it.resources.iter().any(|resource| overlap(resource, &arn))
    });
    if may_decrypt {
        return Ok(());
    }
    let reason = format!(
        "the {what} is encrypted by the key {key}, and no statement of policyStatements lets the function use \
         kms:Decrypt on it"
    );
    Err(ResourceError::Rejected { reason })
}

/// SQS tells by several codes that there is no such queue.
fn refused(what: &str, error: AwsError) -> ResourceError {
    match error.kind {
        ErrorKind::Refused => ResourceError::Rejected {
            reason: format!("the {what} cannot be looked at: {}", error.message),
        },
        _ => error.into(),
    }
}
