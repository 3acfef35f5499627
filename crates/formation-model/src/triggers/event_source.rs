//! The queues and streams that a function reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schedule::enabled;

/// A queue or a stream that Lambda reads, and whose messages it gives to the function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSource {
    /// The ARN of an SQS queue, a Kinesis stream or a DynamoDB table's stream.
    pub arn: String,
    /// How many messages a batch has at the most.
    pub batch_size: u32,
    /// Seconds for which Lambda gathers a batch, 0 to 300.
    #[serde(default)]
    pub maximum_batching_window_seconds: u32,
    /// Which messages the function is given, each a pattern of which one has to fit; all if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter_patterns: Vec<Map<String, Value>>,
    /// How many invocations the queue may cause at once, 2 to 1,000; absent for no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_concurrency: Option<u32>,
    /// Where reading a stream begins. A queue has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_position: Option<StartingPosition>,
    /// Whether the function answers which messages of a batch have failed.
    #[serde(default)]
    pub report_batch_item_failures: bool,
    /// The ARN of a queue or a topic that is told of batches of a stream that were given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure_arn: Option<String>,
    /// Whether Lambda reads.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

/// Where reading a stream begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    /// With the oldest record that the stream has.
    TrimHorizon,
    /// With the next record.
    Latest,
}

impl StartingPosition {
    /// Lambda's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
        }
    }
}

/// What a source is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceKind {
    /// An SQS queue.
    Queue,
    /// An SQS queue that keeps the order.
    FifoQueue,
    /// A Kinesis data stream.
    Stream,
    /// The stream of a DynamoDB table.
    TableStream,
}

impl SourceKind {
    /// What `arn` is the ARN of; none if it is of no source.
    pub fn of(arn: &str) -> Option<Self> {
        let parts: Vec<_> = arn.splitn(6, ':').collect();
        let ["arn", _, service, _, _, resource] = parts[..] else { return None };
        match service {
            "sqs" if resource.ends_with(".fifo") => Some(Self::FifoQueue),
            "sqs" => Some(Self::Queue),
            "kinesis" => Some(Self::Stream),
            "dynamodb" => Some(Self::TableStream),
            _ => None,
        }
    }

    /// Whether it is a queue, and no stream.
    pub const fn is_queue(self) -> bool {
        matches!(self, Self::Queue | Self::FifoQueue)
    }
}

impl EventSource {
    /// What the source is. Every ARN that a request was accepted with is of one.
    pub fn kind(&self) -> Option<SourceKind> {
        SourceKind::of(&self.arn)
    }
}
