//! What a function's role may do for its triggers: read its sources, and tell of what failed.

use serde_json::{Value, json};

use super::super::permissions::characters;
use super::super::reader::Reader;
use super::super::{FunctionSpec, PolicyStatement, Tracing, property};
use crate::drift::Difference;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::triggers::{
    Change, EventSource, SourceKind, Trigger, TriggerKey, TriggerKind, Triggers, changes,
};

/// What a trigger needs of the function's role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Needed {
    /// Which of the function's properties needs it: a JSON pointer.
    pub pointer: String,
    /// The same as a difference names it.
    pub property: String,
    /// What it needs.
    pub statement: PolicyStatement,
}

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
    /// triggers need.
    pub fn all_statements(&self) -> Vec<PolicyStatement> {
        let needed = needed(&self.triggers).into_iter().map(|needed| needed.statement);
        self.permissions.policy_statements.iter().cloned().chain(needed).collect()
    }

    /// What its triggers need.
    pub fn needed_statements(&self) -> Vec<Needed> {
        needed(&self.triggers)
    }

    /// How `found`, the statements that its role has besides, differ from [`Self::all_statements`]: its own by their
    /// places, the others by what needs them.
    pub fn statement_differences(&self, found: &[Value]) -> Vec<Difference> {
        let own = &self.permissions.policy_statements;
        let (first, rest) = found.split_at(found.len().min(own.len()));
        let (own, first) = (json!(own), json!(first));
        let row = property("policyStatements");
        let of_own = row.map(|row| row.differences(Facet::Role, &own, &first));
        let needed = needed(&self.triggers);
        let of_needed = needed.iter().enumerate().filter_map(|(at, needed)| {
            let found = rest.get(at).cloned().unwrap_or_default();
            Difference::between(Facet::Role, &needed.property, json!(needed.statement), found)
        });
        let more = rest.iter().enumerate().skip(needed.len()).map(|(at, found)| {
            let at = self.permissions.policy_statements.len() + at;
            Difference::new(
                Facet::Role,
                format!("policyStatements/{at}"),
                Value::Null,
                found.clone(),
            )
        });
        of_own.unwrap_or_default().into_iter().chain(of_needed).chain(more).collect()
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

/// What triggers need of the function's role.
fn needed(triggers: &Triggers) -> Vec<Needed> {
    const ON_FAILURE: &str = "onFailureArn";
    let sources = triggers.event_sources.iter().enumerate().flat_map(|(at, source)| {
        let key = TriggerKey::new(TriggerKind::EventSource, &source.arn);
        let reading = reading(&source.arn).map(|statement| Needed {
            pointer: format!("/eventSources/{at}/arn"),
            property: key.property(""),
            statement,
        });
        let sending = source.on_failure_arn.as_deref().and_then(sending).map(|statement| Needed {
            pointer: format!("/eventSources/{at}/{ON_FAILURE}"),
            property: key.property(ON_FAILURE),
            statement,
        });
        reading.into_iter().chain(sending)
    });
    let sending = triggers.async_invoke.on_failure_arn.as_deref().and_then(sending);
    let sending = sending.map(|statement| Needed {
        pointer: format!("/{ON_FAILURE}"),
        property: ON_FAILURE.to_owned(),
        statement,
    });
    sources.chain(sending).collect()
}

/// Refuses triggers for which the function's role cannot do what they need: where the stack names no boundary, or
/// its statements are too long in all.
pub(in super::super) fn refuse_beyond_the_role(it: &mut Reader<'_>) {
    let own = &it.draft.permissions.policy_statements;
    let needed = needed(&it.draft.triggers);
    let all: Vec<_> =
        own.iter().chain(needed.iter().map(|needed| &needed.statement)).cloned().collect();
    // What a function has, it keeps, whatever has become of the stack since.
    let has = it.current.map(FunctionSpec::all_statements).unwrap_or_default();
    if needed.is_empty() || all == has {
        return;
    }
    let Some(most) = it.defaults.policy_characters else {
        for needed in needed.into_iter().filter(|needed| !has.contains(&needed.statement)) {
            let detail = "the stack has no FunctionBoundaryArn, so its functions can neither read a queue or a stream \
                          nor tell anybody of what failed; whoever deploys the stack can name a policy there";
            it.fields.note(needed.pointer, Code::NotSupported, detail);
        }
        return;
    };
    let (in_all, of_own) = (characters(&all), characters(own));
    let of_needed = in_all - of_own;
    if in_all > most && of_own <= most {
        let detail = format!(
            "need {of_needed} characters of the policy of the function's role beside the {of_own} of \
             policyStatements; {most} is the most in all"
        );
        let pointer = needed.first().map(|needed| needed.pointer.clone()).unwrap_or_default();
        let field = pointer.split('/').nth(1).unwrap_or_default();
        it.fields.note(format!("/{field}"), Code::OutOfRange, detail);
    }
}

/// How two values of the property `name`, which is one of [`Triggers`]'s, differ under `facet`.
pub(in super::super) fn differences(
    facet: Facet,
    name: &str,
    expected: &Value,
    actual: &Value,
) -> Vec<Difference> {
    let triggers = |value: &Value| match value {
        Value::Null => Triggers::default(),
        // What was stored can be read; of what cannot, nothing is told.
        value => serde_json::from_value(json!({name: value})).unwrap_or_default(),
    };
    let (expected, actual) = (triggers(expected), triggers(actual));
    if facet != Facet::Role {
        let changes = changes(&actual.set(), &expected.set());
        return changes.iter().flat_map(Change::differences).collect();
    }
    let (expected, actual) = (needed(&expected), needed(&actual));
    let value = |of: &[Needed], property: &str| {
        let found = of.iter().find(|needed| needed.property == property);
        found.map(|needed| json!(needed.statement)).unwrap_or_default()
    };
    let mut properties: Vec<_> =
        expected.iter().chain(&actual).map(|needed| needed.property.as_str()).collect();
    let mut seen = std::collections::BTreeSet::new();
    properties.retain(|property| seen.insert(*property));
    let difference = |property: &str| {
        Difference::between(facet, property, value(&expected, property), value(&actual, property))
    };
    properties.into_iter().filter_map(difference).collect()
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
fn reading(arn: &str) -> Option<PolicyStatement> {
    Some(match SourceKind::of(arn)? {
        SourceKind::Queue | SourceKind::FifoQueue => allow(
            &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            arn.to_owned(),
        ),
        SourceKind::Stream => allow(
            &[
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            arn.to_owned(),
        ),
        // Of ListStreams IAM knows no resource, but Lambda asks only whether the role may do all of it with this
        // stream:
        // <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/iam-policy-example-lamda-process-dynamodb-streams.html>.
        SourceKind::TableStream => allow(
            &[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            arn.to_owned(),
        ),
    })
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
