//! What Lambda does not look at again, or not at all, of the queues that a function reads.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName::{self, KmsMasterKeyId, VisibilityTimeout};
use formation_aws::{AwsError, ErrorKind};
use formation_model::triggers::{EventSource, SourceKind};
use formation_model::{FunctionSpec, Trigger};

use super::{Scope, about, each};
use crate::Target;
use crate::boundary::patterns::overlap;
use crate::error::ResourceError;

/// Looks at the queues that are new or changed, and at all of them where the function may run longer than before:
/// Lambda refuses a queue that hides its messages for a shorter time than the function runs, but only when it is
/// made a source. Of the way back nothing is asked.
/// Source: <https://github.com/philips-labs/terraform-aws-github-runner/issues/465>.
///
/// # Errors
/// [`ResourceError::Rejected`] if a queue does not exist, hides for too short a time or is encrypted by a key that the
/// function's role may not use; otherwise what SQS answered.
pub(super) async fn check(
    sqs: &Client,
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
        if source.kind().is_some_and(SourceKind::is_queue) {
            check_one(sqs, scope, spec, source).await.map_err(about(&key))?;
        }
    }
    Ok(())
}

async fn check_one(
    sqs: &Client,
    scope: &Scope<'_>,
    spec: &FunctionSpec,
    source: &EventSource,
) -> Result<(), ResourceError> {
    let name = source.arn.rsplit(':').next().unwrap_or_default();
    let account = &scope.settings.stack.account_id;
    let found = sqs.get_queue_url().queue_name(name).queue_owner_aws_account_id(account);
    let found = found.send().await;
    let found = found.map_err(|error| refused(AwsError::new("sqs:GetQueueUrl", error)))?;
    let url = found.queue_url.ok_or(AwsError::incomplete("sqs:GetQueueUrl"))?;
    let get = sqs.get_queue_attributes().queue_url(url);
    let got = get.attribute_names(VisibilityTimeout).attribute_names(KmsMasterKeyId).send().await;
    let got = got.map_err(|error| refused(AwsError::new("sqs:GetQueueAttributes", error)))?;
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
    // AWS's own key lets whoever may read the queue.
    let key = attribute(&KmsMasterKeyId).filter(|key| !key.starts_with("alias/aws/"));
    let statements = spec.all_statements();
    let mut actions = statements.iter().flat_map(|it| &it.actions);
    if let Some(key) = key.filter(|_| !actions.any(|action| overlap(action, "kms:Decrypt"))) {
        let reason = format!(
            "the queue is encrypted by the key {key}, and no statement of policyStatements lets the function \
             use kms:Decrypt on it"
        );
        return Err(ResourceError::Rejected { reason });
    }
    Ok(())
}

/// SQS tells by several codes that there is no such queue.
fn refused(error: AwsError) -> ResourceError {
    match error.kind {
        ErrorKind::Refused => ResourceError::Rejected {
            reason: format!("the queue cannot be looked at: {}", error.message),
        },
        _ => error.into(),
    }
}
