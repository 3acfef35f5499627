//! The queues and streams that a function reads.
//!
//! Source of the limits: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>.

use serde_json::{Map, Value, json};

use super::super::property::Property;
use super::super::reader::Reader;
use super::arn::{Allowed, Arn, destination, is_name};
use super::event_rules::read_pattern;
use super::{MOST, ROW, TriggerLimits};
use crate::fields::Fields;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::{EventSource, SourceKind, StartingPosition};

const MOST_PATTERNS: usize = 5;
const MOST_SECONDS: u32 = 300;
const LEAST_CONCURRENCY: u32 = 2;
const MOST_CONCURRENCY: u32 = 1000;
const POSITIONS: &[&str] = &["TRIM_HORIZON", "LATEST"];

/// What Lambda takes of a kind of source.
struct Limits {
    most_of_a_batch: u32,
    /// Where the request names no size.
    batch: u32,
    /// Beyond this a window has to be given.
    most_without_window: u32,
    has_window: bool,
}

impl Limits {
    const fn of(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Queue => Self {
                most_of_a_batch: 10_000,
                batch: 10,
                most_without_window: 10,
                has_window: true,
            },
            SourceKind::FifoQueue => {
                Self { most_of_a_batch: 10, batch: 10, most_without_window: 10, has_window: false }
            }
            SourceKind::Stream | SourceKind::TableStream => Self {
                most_of_a_batch: 10_000,
                batch: 100,
                most_without_window: 10_000,
                has_window: true,
            },
        }
    }
}

pub(super) const PROPERTY: Property = Property {
    name: "eventSources",
    facets: &[Facet::Role, Facet::EventSource],
    schema: || {
        json!({
            "type": "array", "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {
                    "arn": {
                        "type": "string", "maxLength": 350,
                        "pattern": "^arn:aws[a-z-]*:(sqs|kinesis|dynamodb):[a-z0-9-]+:[0-9]{12}:[!-~]+$",
                        "description": "The ARN of an SQS queue, a Kinesis stream or a DynamoDB table's stream: one \
                                        that the stack's parameter EventSourceArns allows. The function's role may \
                                        read it."
                    },
                    "batchSize": {
                        "type": "integer", "minimum": 1, "maximum": 10_000,
                        "description": "How many messages a batch has at the most: 10 by default of a queue, 100 of \
                                        a stream; at most 10 of a FIFO queue."
                    },
                    "maximumBatchingWindowSeconds": {
                        "type": "integer", "minimum": 0, "maximum": MOST_SECONDS, "default": 0,
                        "description": "How long Lambda gathers a batch; at least 1 where a queue's batch has more \
                                        than 10."
                    },
                    "filterPatterns": {
                        "type": "array", "maxItems": MOST_PATTERNS,
                        "items": {"type": "object", "minProperties": 1},
                        "description": "Patterns of which a message has to fit one; those that fit none are dropped."
                    },
                    "maximumConcurrency": {
                        "type": "integer", "minimum": LEAST_CONCURRENCY, "maximum": MOST_CONCURRENCY,
                        "description": "How many invocations a queue may cause at once."
                    },
                    "startingPosition": {
                        "type": "string", "enum": POSITIONS,
                        "description": "Where reading a stream begins: with the oldest record, or with the next. A \
                                        stream needs it, a queue has none."
                    },
                    "reportBatchItemFailures": {
                        "type": "boolean", "default": false,
                        "description": "Whether the function answers which messages of a batch have failed, so that \
                                        only these come again."
                    },
                    "onFailureArn": {
                        "type": "string", "maxLength": 350, "pattern": "^arn:aws[a-z-]*:(sqs|sns):[!-~]+$",
                        "description": "The ARN of a queue or a topic that is told of batches of a stream that were \
                                        given up: one that the stack's parameter FailureDestinationArns allows. A \
                                        queue has a dead-letter queue of its own."
                    },
                    "enabled": {"type": "boolean", "default": true}
                },
                "required": ["arn"],
                "additionalProperties": false
            },
            "description": "The queues and streams that Lambda reads, and whose messages it gives to the function."
        })
    },
    example: || {
        json!([{
            "arn": "arn:aws:sqs:us-east-1:123456789012:example", "batchSize": 5,
            "maximumBatchingWindowSeconds": 0, "reportBatchItemFailures": true, "enabled": true
        }])
    },
    read,
    ..ROW
};

fn read(it: &mut Reader<'_>) {
    let has = it.current.map(|current| current.triggers.event_sources.as_slice());
    let (has, limits) = (has.unwrap_or_default(), &it.defaults.triggers);
    let mut arns = Vec::new();
    let read = it.fields.each(it.name, MOST, |_, fields| {
        let text = fields.required_text("arn");
        let has = has.iter().find(|has| Some(has.arn.as_str()) == text);
        if let Some(text) = text {
            if arns.contains(&text) {
                fields.note("/arn", Code::Conflict, "is the source of another one in the list");
            }
            arns.push(text);
        }
        source(fields, text, has, limits)
    });
    it.draft.triggers.event_sources = read.unwrap_or_default();
}

fn source(
    fields: &mut Fields<'_>,
    text: Option<&str>,
    has: Option<&EventSource>,
    limits: &TriggerLimits,
) -> Option<EventSource> {
    let kind = text.and_then(|text| kind_of(fields, text, has.is_some(), limits));
    let (batch_size, maximum_batching_window_seconds) = batch(fields, kind);
    let filter_patterns = filter_patterns(fields);
    let maximum_concurrency = fields.optional_number(
        "maximumConcurrency",
        LEAST_CONCURRENCY..=MOST_CONCURRENCY,
        "invocations",
    );
    let starting_position = fields.choice("startingPosition", POSITIONS);
    let report_batch_item_failures = fields.flag("reportBatchItemFailures", false);
    let on_failure_arn = destination(
        fields,
        &["sqs", "sns"],
        "must be the ARN of an SQS queue or an SNS topic, neither of them FIFO",
        limits,
        |arn| has.is_some_and(|has| has.on_failure_arn.as_deref() == Some(arn)),
    );
    let enabled = fields.flag("enabled", true);
    let kind = kind?;
    let of_its_kind = OfItsKind { kind, maximum_concurrency, starting_position };
    of_its_kind.check(fields, on_failure_arn.is_some());
    Some(EventSource {
        arn: text?.to_owned(),
        batch_size: batch_size?,
        maximum_batching_window_seconds,
        filter_patterns: filter_patterns?,
        maximum_concurrency,
        starting_position,
        report_batch_item_failures,
        on_failure_arn,
        enabled,
    })
}

/// What the source is, if it is one that the function may read.
fn kind_of(
    fields: &mut Fields<'_>,
    text: &str,
    has: bool,
    limits: &TriggerLimits,
) -> Option<SourceKind> {
    let found = Arn::read(text).and_then(|arn| {
        let kind = SourceKind::of(text)?;
        let (resource, in_paths) = (arn.resource, |text| is_name(text, 255, "_.-"));
        let fits = match kind {
            SourceKind::Queue => is_name(resource, 80, "_-"),
            SourceKind::FifoQueue => {
                resource.strip_suffix(".fifo").is_some_and(|name| is_name(name, 75, "_-"))
            }
            SourceKind::Stream => resource.strip_prefix("stream/").is_some_and(in_paths),
            SourceKind::TableStream => {
                let parts: Vec<_> = resource.split('/').collect();
                match parts[..] {
                    ["table", table, "stream", label] => {
                        in_paths(table) && is_name(label, 64, ":.-")
                    }
                    _ => false,
                }
            }
        };
        fits.then_some((arn, kind))
    });
    let Some((arn, kind)) = found else {
        let detail = "must be the ARN of an SQS queue, a Kinesis stream (arn:aws:kinesis:...:stream/NAME) or the stream \
                      of a DynamoDB table (arn:aws:dynamodb:...:table/NAME/stream/LABEL)";
        return fields.refuse("/arn", Code::InvalidFormat, detail);
    };
    // What a function has, it keeps, whatever the stack has allowed since.
    if !has {
        let patterns = &limits.event_source_arns;
        Allowed { parameter: "EventSourceArns", patterns, limits }.check(fields, "arn", text, arn);
    }
    Some(kind)
}

/// Size and window of a batch.
fn batch(fields: &mut Fields<'_>, kind: Option<SourceKind>) -> (Option<u32>, u32) {
    const SIZE: &str = "batchSize";
    const WINDOW: &str = "maximumBatchingWindowSeconds";
    // Of what is no source the widest limits hold.
    let limits = Limits::of(kind.unwrap_or(SourceKind::Stream));
    let is_given = fields.body.contains_key(SIZE);
    let size = fields.optional_number(SIZE, 1..=limits.most_of_a_batch, "messages");
    let size = size.or_else(|| (!is_given).then_some(limits.batch));
    let window = fields.optional_number(WINDOW, 0..=MOST_SECONDS, "seconds").unwrap_or_default();
    if window > 0 && !limits.has_window {
        let detail = "must be 0: a FIFO queue's batches are not gathered";
        fields.note(format!("/{WINDOW}"), Code::Conflict, detail);
    }
    let needs_window = limits.has_window && size > Some(limits.most_without_window);
    if needs_window && window == 0 && !fields.has_problem_at(&format!("/{WINDOW}")) {
        let detail = "must be at least 1, since batchSize is more than 10";
        fields.note(format!("/{WINDOW}"), Code::Conflict, detail);
    }
    (size, window)
}

fn filter_patterns(fields: &mut Fields<'_>) -> Option<Vec<Map<String, Value>>> {
    const NAME: &str = "filterPatterns";
    let at = format!("/{NAME}");
    let items = match fields.take(NAME) {
        None => return Some(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => {
            let detail = "must be a list of patterns; leave it out for none";
            return fields.refuse(at, Code::WrongType, detail);
        }
    };
    if items.len() > MOST_PATTERNS {
        let detail = format!("must not have more than {MOST_PATTERNS}");
        return fields.refuse(at, Code::OutOfRange, detail);
    }
    let places = items.iter().enumerate();
    let read: Vec<_> = places
        .filter_map(|(place, item)| read_pattern(fields, &format!("{at}/{place}"), item))
        .collect();
    (read.len() == items.len()).then_some(read)
}

/// What only a queue, or only a stream, has.
struct OfItsKind {
    kind: SourceKind,
    maximum_concurrency: Option<u32>,
    starting_position: Option<StartingPosition>,
}

impl OfItsKind {
    fn check(&self, fields: &mut Fields<'_>, tells_of_failures: bool) {
        const POSITION: &str = "/startingPosition";
        if self.kind.is_queue() {
            if self.starting_position.is_some() {
                fields.note(POSITION, Code::Conflict, "only a stream has one; leave it out");
            }
            if tells_of_failures && !fields.has_problem_at("/onFailureArn") {
                let detail =
                    "only a stream has one: give the queue a dead-letter queue of its own instead";
                fields.note("/onFailureArn", Code::Conflict, detail);
            }
            return;
        }
        if self.starting_position.is_none() && !fields.has_problem_at(POSITION) {
            let detail = "must be given for a stream: TRIM_HORIZON or LATEST";
            fields.note(POSITION, Code::Required, detail);
        }
        if self.maximum_concurrency.is_some() {
            let detail = "only a queue has one; leave it out";
            fields.note("/maximumConcurrency", Code::Conflict, detail);
        }
    }
}
