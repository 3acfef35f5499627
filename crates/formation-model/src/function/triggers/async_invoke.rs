//! What becomes of asynchronous invocations that fail.
//!
//! Source of the limits: <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>.

use serde_json::json;

use super::super::property::Property;
use super::super::reader::Reader;
use super::{ROW, arn};
use crate::part::Facet;

const MOST_RETRIES: u32 = 2;
const LEAST_AGE: u32 = 60;
const MOST_AGE: u32 = 21_600;

pub(super) const RETRIES: Property = Property {
    name: "asyncRetries",
    schema: || {
        json!({
            "type": "integer", "minimum": 0, "maximum": MOST_RETRIES,
            "description": "How often Lambda tries an asynchronous invocation again that failed: a schedule's, a \
                            rule's, an InvocationType Event. Lambda's default, 2, if absent."
        })
    },
    example: || json!(1),
    read: |it| {
        it.draft.triggers.async_invoke.async_retries =
            it.fields.optional_number(it.name, 0..=MOST_RETRIES, "");
    },
    ..ROW
};

pub(super) const MAXIMUM_AGE: Property = Property {
    name: "asyncMaximumAgeSeconds",
    schema: || {
        json!({
            "type": "integer", "minimum": LEAST_AGE, "maximum": MOST_AGE,
            "description": "How long Lambda keeps an event for an asynchronous invocation. Lambda's default, 6 \
                            hours, if absent."
        })
    },
    example: || json!(3600),
    read: |it| {
        it.draft.triggers.async_invoke.async_maximum_age_seconds =
            it.fields.optional_number(it.name, LEAST_AGE..=MOST_AGE, "seconds");
    },
    ..ROW
};

pub(super) const ON_FAILURE: Property = Property {
    name: "onFailureArn",
    facets: &[Facet::Role, Facet::AsyncInvoke],
    schema: || {
        json!({
            "type": "string", "maxLength": 350, "pattern": "^arn:aws[a-z-]*:(sqs|sns|lambda|events):[!-~]+$",
            "description": "The ARN of a queue, a topic, a function or an event bus that is told of asynchronous \
                            invocations that failed for good: one that the stack's parameter \
                            FailureDestinationArns allows. The function's role may send there."
        })
    },
    example: || json!("arn:aws:sqs:us-east-1:123456789012:example-failed"),
    read,
    ..ROW
};

fn read(it: &mut Reader<'_>) {
    const TOLD: &str = "must be the ARN of an SQS queue or an SNS topic, neither of them FIFO, of a Lambda function or \
                        of an event bus";
    let has =
        it.current.and_then(|current| current.triggers.async_invoke.on_failure_arn.as_deref());
    let limits = &it.defaults.triggers;
    it.draft.triggers.async_invoke.on_failure_arn = arn::destination(
        &mut it.fields,
        &["sqs", "sns", "lambda", "events"],
        TOLD,
        limits,
        |arn| has == Some(arn),
    );
}
