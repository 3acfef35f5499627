use serde_json::json;

use super::*;
use crate::drift::HIDDEN;
use crate::part::Facet;

fn triggers() -> Triggers {
    serde_json::from_value(json!({
        "functionUrl": {"authType": "AWS_IAM"},
        "invokers": [{"principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::b", "sourceAccount": "111122223333"}],
        "schedules": [{"name": "nightly", "expression": "rate(1 hour)", "input": "{\"token\":\"s3cr3t\"}"}],
        "eventRules": [{"name": "orders", "pattern": {"source": ["shop"]}}],
        "eventSources": [{"arn": "arn:aws:sqs:eu-west-1:111122223333:q", "batchSize": 10}],
        "asyncRetries": 1
    }))
    .unwrap()
}

#[test]
fn a_function_that_nothing_calls_has_none_of_the_fields() {
    assert_eq!(json!(Triggers::default()), json!({}));
    let none: Triggers = serde_json::from_value(json!({})).unwrap();
    assert!(none.is_empty() && none.set().is_empty());
}

#[test]
fn triggers_can_be_read_again_and_are_known_by_kind_and_name() {
    let all = triggers();
    assert_eq!(serde_json::from_value::<Triggers>(json!(all)).unwrap(), all);
    let keys: Vec<_> = all.set().iter().map(|it| it.key().to_string()).collect();
    assert_eq!(
        keys,
        [
            "FUNCTION_URL",
            "INVOKER s3.amazonaws.com arn:aws:s3:::b 111122223333",
            "SCHEDULE nightly",
            "EVENT_RULE orders",
            "EVENT_SOURCE arn:aws:sqs:eu-west-1:111122223333:q",
            "ASYNC_INVOKE",
        ]
    );
    let kinds: Vec<_> = all.set().iter().map(|it| it.key().kind).collect();
    assert_eq!(kinds, TriggerKind::ALL);
    for kind in TriggerKind::ALL {
        assert_eq!(json!(kind), kind.as_str());
        assert_eq!(json!(kind.facet()), kind.as_str());
    }
}

#[test]
fn what_is_handed_to_a_function_never_shows() {
    let all = triggers();
    assert!(!format!("{all:?}").contains("s3cr3t"));
    let mut other = all.clone();
    other.schedules[0].input = Some(Input("{}".to_owned()));
    for (from, to) in [(&all, &other), (&all, &Triggers::default()), (&Triggers::default(), &all)] {
        let differences: Vec<_> =
            changes(&from.set(), &to.set()).iter().flat_map(Change::differences).collect();
        let text = json!(differences).to_string();
        assert!(text.contains(HIDDEN) && !text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn each_change_is_told_of_its_trigger_alone() {
    let all = triggers();
    let mut other = all.clone();
    other.schedules[0].expression = "rate(2 hours)".to_owned();
    other.event_rules[0].name = "refunds".to_owned();
    other.async_invoke.async_maximum_age_seconds = Some(60);
    let found = changes(&all.set(), &other.set());
    let told: Vec<_> = found
        .iter()
        .flat_map(Change::differences)
        .map(|it| (*it.facet.known().unwrap(), it.property, it.expected, it.actual))
        .collect();
    let rule = json!({"eventBusName": "default", "pattern": {"source": ["shop"]}});
    assert_eq!(
        told,
        [
            (
                Facet::Schedule,
                "schedules/nightly/expression".to_owned(),
                json!("rate(2 hours)"),
                json!("rate(1 hour)")
            ),
            (Facet::EventRule, "eventRules/refunds".to_owned(), rule.clone(), json!(null)),
            (Facet::AsyncInvoke, "asyncMaximumAgeSeconds".to_owned(), json!(60), json!(null)),
            (Facet::EventRule, "eventRules/orders".to_owned(), json!(null), rule),
        ]
    );
    assert!(changes(&all.set(), &all.set()).iter().all(|it| !it.is_some()));
}

#[test]
fn a_trigger_that_is_not_ours_is_told_without_a_value() {
    let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/owner";
    let key = TriggerKey::new(TriggerKind::EventSource, arn);
    assert!(key.not_owned().is_not_owned());
    // A name is no owner.
    assert!(!key.difference("", json!({}), json!(null)).is_not_owned());
}
