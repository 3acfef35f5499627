//! What a function's role may do for its triggers: read its sources, and tell of what failed.

use super::super::{FunctionSpec, PolicyStatement, Tracing};
use crate::triggers::{EventSource, SourceKind, Trigger, changes};

impl<Code> FunctionSpec<Code> {
    /// Each thing that calls it.
    pub fn triggers(&self) -> Vec<Trigger> {
        self.triggers.set()
    }

    /// Whether anything calls it that Formation makes.
    pub fn has_triggers(&self) -> bool {
        !self.triggers.is_empty()
    }

    /// Whether a change from `former` makes, changes or takes away a trigger, or something of the function that
    /// one carries or depends on: tags, and the timeout, which no queue's visibility timeout may be below.
    pub fn changes_triggers<Other>(&self, former: &FunctionSpec<Other>) -> bool {
        let (own, its) = (self.triggers(), former.triggers());
        let is_queue = |it: &EventSource| it.kind().is_some_and(SourceKind::is_queue);
        let has_queue = self.triggers.event_sources.iter().any(is_queue);
        let waits_longer =
            self.configuration.timeout_seconds > former.configuration.timeout_seconds;
        let is_tagged =
            |it: &Trigger| matches!(it, Trigger::EventRule(_) | Trigger::EventSource(_));
        changes(&its, &own).iter().any(|it| it.is_some())
            || (has_queue && waits_longer)
            || (self.tags != former.tags && own.iter().any(is_tagged))
    }

    /// Everything that its role allows besides writing its log and tracing: what it asks for, then what its
    /// triggers need, each with the JSON pointer of what needs it.
    pub fn needed_statements(&self) -> Vec<(String, PolicyStatement)> {
        let sources = self.triggers.event_sources.iter().enumerate().flat_map(|(at, source)| {
            let at = format!("/eventSources/{at}");
            let failed = source.on_failure_arn.as_deref().and_then(sending);
            let failed = failed.map(|it| (format!("{at}/onFailureArn"), it));
            reading(&source.arn).into_iter().map(move |it| (format!("{at}/arn"), it)).chain(failed)
        });
        let failed = self.triggers.async_invoke.on_failure_arn.as_deref().and_then(sending);
        let needed = sources.chain(failed.map(|it| ("/onFailureArn".to_owned(), it)));
        let mut all = Vec::<(String, PolicyStatement)>::new();
        for (at, statement) in needed {
            // Two may tell the same queue of what failed.
            if all.iter().all(|(_, other)| *other != statement) {
                all.push((at, statement));
            }
        }
        all
    }

    /// Everything that its role allows besides writing its log and tracing: what it asks for, then what its
    /// triggers need.
    pub fn all_statements(&self) -> Vec<PolicyStatement> {
        let needed = self.needed_statements().into_iter().map(|(_, statement)| statement);
        self.permissions.policy_statements.iter().cloned().chain(needed).collect()
    }

    /// Whether its role may do something that the role of `former` may not. Decided from what is recorded alone,
    /// so that it is told alike however often it is asked.
    pub fn widens<Other>(&self, former: &FunctionSpec<Other>) -> bool {
        let its = former.all_statements();
        let traces = self.configuration.tracing == Tracing::Active;
        self.all_statements().iter().any(|it| !its.contains(it))
            || (traces && former.configuration.tracing != Tracing::Active)
    }
}

fn allow(actions: &[&str], resource: String) -> PolicyStatement {
    PolicyStatement {
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: vec![resource],
        ..PolicyStatement::default()
    }
}

/// What Lambda does in the name of the function's role to read a source.
/// Sources: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb.html>.
fn reading(arn: &str) -> Vec<PolicyStatement> {
    let own = |actions| allow(actions, arn.to_owned());
    match SourceKind::of(arn) {
        None => Vec::new(),
        Some(SourceKind::Queue | SourceKind::FifoQueue) => {
            vec![own(&["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"])]
        }
        Some(SourceKind::Stream) => vec![own(&[
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        ])],
        Some(SourceKind::TableStream) => {
            let read = own(&[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
            ]);
            // Listing is asked of the table, whose streams these are:
            // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.Lambda.html>.
            let streams = arn.rsplit_once('/').map_or(arn, |(streams, _)| streams);
            vec![read, allow(&["dynamodb:ListStreams"], format!("{streams}/*"))]
        }
    }
}

/// What Lambda does in the name of the function's role to tell `arn` of what failed; none where it cannot.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
fn sending(arn: &str) -> Option<PolicyStatement> {
    let action = match arn.split(':').nth(2)? {
        "sqs" => "sqs:SendMessage",
        "sns" => "sns:Publish",
        "lambda" => "lambda:InvokeFunction",
        "events" => "events:PutEvents",
        _ => return None,
    };
    Some(allow(&[action], arn.to_owned()))
}
