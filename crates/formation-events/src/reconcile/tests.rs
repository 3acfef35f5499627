use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_eventbridge::config::http::HttpRequest;
use aws_sdk_eventbridge::config::{
    Credentials, Region, RuntimeComponents, SharedCredentialsProvider,
};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use formation_control::{Bundles, Executions, Records};
use formation_model::function::Architecture;
use formation_model::{Defaults, Facet, StackIdentity};
use formation_resources::Comparer;
use formation_resources::role::RoleSettings;
use serde_json::json;

use super::*;

fn drift(days: Option<u32>) -> Drift {
    let differences =
        days.and_then(|days| Difference::between(Facet::LogGroup, "logRetentionDays", 30, days));
    Drift::found(differences.as_slice(), Timestamp::now())
}

fn function() -> FunctionRecord {
    let id = OperationId::generate();
    serde_json::from_value(json!({
        "spec": {
            "functionName": "hello", "runtime": "nodejs24.x", "handler": "index.handler",
            "code": {"sha256": "", "sizeBytes": 1, "key": "k", "version": "v"},
            "architecture": "arm64", "memoryMegabytes": 128, "timeoutSeconds": 3,
            "logRetentionDays": 30, "environment": {}, "description": "", "tags": {},
            "deletionProtection": false,
        },
        "status": "AVAILABLE", "revision": 1, "committedBy": id, "operationId": id,
        "createdAt": "2026-11-01T00:00:00Z", "updatedAt": "2026-11-01T00:00:00Z",
        "createdBy": "ann",
    }))
    .unwrap()
}

#[test]
fn nobody_is_fought_for_ever() {
    let mut function = function();
    let mut reactions = Vec::new();
    for found in [Some(7), Some(7), Some(7), Some(7), Some(14), None, Some(14)] {
        let (reaction, repaired) = react(&function, &drift(found), DriftMode::Repair);
        reactions.push(reaction);
        function.repaired = repaired;
        if reaction == Repair {
            function.operation_id = OperationId::generate();
        }
    }
    use DriftReaction::{None as Nothing, Repair, Stopped};
    assert_eq!(reactions, [Repair, Repair, Stopped, Stopped, Repair, Nothing, Repair]);
    assert_eq!(react(&function, &drift(Some(7)), DriftMode::Report).0, Nothing);
}

#[test]
fn what_no_repair_takes_back_is_repaired_neither_alone_nor_again() {
    let between = |name, actual: u32| {
        Difference::between(Facet::Configuration, name, Value::Null, actual).unwrap()
    };
    let image = between("packageType", 0);
    let now = Timestamp::now();
    let alone = repairable(std::slice::from_ref(&image), now);
    assert_eq!(react(&function(), &alone, DriftMode::Repair).0, DriftReaction::None);
    let both = repairable(&[image, between("kmsKeyArn", 1)], now);
    assert!(both.is_same(&repairable(&[between("kmsKeyArn", 1)], now)));
    assert_eq!(react(&function(), &both, DriftMode::Repair).0, DriftReaction::Repair);
}

#[test]
fn a_repair_that_never_ran_does_not_count() {
    let mut function = function();
    for _ in 0..5 {
        let (reaction, repaired) = react(&function, &drift(Some(7)), DriftMode::Repair);
        assert_eq!(reaction, DriftReaction::Repair);
        function.repaired = repaired;
    }
    // The first release did not record it, and counted each.
    function.repaired.as_mut().unwrap().after = None;
    let (_, repaired) = react(&function, &drift(Some(7)), DriftMode::Repair);
    assert_eq!(repaired.unwrap().times, 2);
}

#[test]
fn only_changes_are_news() {
    let unknown = Drift::default();
    assert!(!is_news(&unknown, &drift(None)));
    assert!(is_news(&unknown, &drift(Some(7))));
    assert!(!is_news(&drift(Some(7)), &drift(Some(7))));
    assert!(is_news(&drift(Some(7)), &drift(Some(14))));
    assert!(is_news(&drift(Some(7)), &drift(None)));
}

#[test]
fn drift_that_the_first_release_has_announced_is_no_news() {
    let long = "x".repeat(5000);
    let stored = json!({
        "status": "DRIFTED", "checkedAt": "2026-11-01T00:00:00Z",
        "differences": [{
            "part": "CONFIGURATION", "property": "description", "expected": "", "actual": long,
        }],
    });
    let before: Drift = serde_json::from_value(stored).unwrap();
    let found = |actual: &str| {
        let found = Difference::between(Facet::Configuration, "description", "", actual);
        Drift::found(found.as_slice(), Timestamp::now())
    };
    assert!(!is_news(&before, &found(&long)));
    assert!(is_news(&before, &found("y")));
    assert!(is_news(&before, &drift(None)));
}

/// An AWS that takes writes of single items, which are counted, and answers nothing else.
#[derive(Clone, Debug, Default)]
struct Silent(Arc<AtomicUsize>);

impl HttpConnector for Silent {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.headers().get("x-amz-target") != Some("DynamoDB_20120810.UpdateItem") {
            return HttpConnectorFuture::new(std::future::pending());
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let status = StatusCode::try_from(200).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, "{}".into())))
    }
}

impl HttpClient for Silent {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn reconciler(aws: &Silent) -> Reconciler {
    let credentials = Credentials::new("id", "secret", None, None, "test");
    let config = &formation_lambda::sdk_config()
        .into_builder()
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws.clone())
        .build();
    let stack = StackIdentity {
        partition: "aws".into(),
        region: "eu-central-1".into(),
        account_id: "111122223333".into(),
        stack_key: "0a1b2c3d".into(),
    };
    let settings = RoleSettings {
        stack: stack.clone(),
        boundary_arn: "arn".into(),
        has_platforms_boundary: false,
        guarded: Vec::new(),
    };
    Reconciler {
        control: Control::new(
            stack,
            Defaults { architecture: Architecture::Arm64, ..Defaults::default() },
            Records::new(aws_sdk_dynamodb::Client::new(config), "records"),
            Bundles::new(aws_sdk_s3::Client::new(config), "bundles", "111122223333", Vec::new()),
            Executions::new(aws_sdk_sfn::Client::new(config), "arn"),
            Comparer::new(config, settings, String::new()),
        ),
        announcer: Announcer::new(aws_sdk_eventbridge::Client::new(config), "bus"),
        drift_mode: DriftMode::Report,
        check_after: SignedDuration::from_hours(1),
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_gets_no_answer_ends_in_time_and_is_put_off() {
    let name: FunctionName = "hello".parse().unwrap();
    for due in [Due::Function(name.clone()), Due::Operation(name.clone(), OperationId::generate())]
    {
        let aws = Silent::default();
        let began = tokio::time::Instant::now();
        let looked = reconciler(&aws).look_at(&due).await;
        assert!(matches!(looked, Err(ReconcileError::OutOfTime)), "{looked:?}");
        assert!(began.elapsed() < LONGEST_LOOK + Duration::from_secs(1));
        assert_eq!(aws.0.load(Ordering::Relaxed), 1, "{due} is put off");
    }
}
