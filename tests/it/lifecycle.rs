//! Create, read, list and delete, as a user sees them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use formation_client::FunctionFilter;
use formation_model::{
    FunctionStatus, Operation, OperationKind, OperationStatus, ProblemCode, Rollback, bundle,
};
use formation_tests::World;
use formation_tests::live::policy;
use formation_tests::world::{CODE_BUCKET, EXAMPLE_CODE};
use futures_util::TryStreamExt;
use http::Method;
use serde_json::json;

/// The fewest states that a create or a delete can enter.
const STATES: usize = 8;

pub async fn the_examples_function_answers_and_everything_is_as_designed(world: &World) {
    let name = world.name("example");
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202);
    let operation: Operation = accepted.read();
    let id = operation.operation_id;
    assert_eq!(accepted.header("location"), format!("/v1/functions/{name}"));
    assert_eq!(
        accepted.header("operation-location"),
        format!("/v1/functions/{name}/operations/{id}")
    );
    assert_eq!(accepted.header("etag"), format!("\"1-{id}\""));
    assert!(!accepted.header("retry-after").is_empty());
    assert_eq!(operation.kind, OperationKind::Create);
    assert_eq!(operation.status, OperationStatus::Running);

    // The new status shows at once.
    let path = format!("/v1/functions/{name}");
    let status = world.function(&name).await.status;
    assert!(status == FunctionStatus::Creating || status == FunctionStatus::Available, "{status}");

    let operation = world.ended(&accepted).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(operation.rollback, Rollback::NotNeeded);
    assert_eq!(operation.requested_by, "arn:aws:iam::000000000000:root");
    let states = world.states_entered(&operation).await;
    assert!(states.len() <= STATES, "{states:?}");
    let once = [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "lambda:CreateAlias",
        "lambda:CreateFunction",
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
    ];
    world.assert_changed_once(&name, 0, &once);

    let answer = world.invoke(&name, &json!({})).await.unwrap();
    assert_eq!(answer, json!({"statusCode": 200, "body": "\"Hello!\""}));

    let described = world.api(Method::GET, &path, None).await;
    assert_eq!(described.header("etag"), accepted.header("etag"));
    let function = described.json();
    let archive = bundle::from_source("index.mjs", EXAMPLE_CODE).unwrap();
    assert_eq!(
        function["code"],
        json!({"sha256": bundle::sha256(&archive), "sizeBytes": archive.len(), "inline": true})
    );
    assert_eq!(function["status"], "AVAILABLE");
    assert_eq!(function["revision"], 1);
    assert_eq!(function["operationId"], json!(id));
    assert_eq!(function["createdBy"], "arn:aws:iam::000000000000:root");
    assert_eq!(world.bundle_states(&name).await, ["kept"]);

    let live = world.live(&name).await;
    let role_name = world.role_name(&name);
    let role_arn = format!("arn:aws:iam::000000000000:role/{role_name}");
    let group = format!("/aws/lambda/{name}");
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
    assert_eq!(
        function["resources"],
        json!({
            "functionArn": arn, "liveArn": format!("{arn}:live"), "invokeArn": format!("{arn}:live"),
            "version": "1", "roleArn": role_arn, "logGroupName": group,
        })
    );

    let lambda = live.function.unwrap();
    let tags: BTreeMap<_, _> = lambda.tags.unwrap().into_iter().collect();
    assert_eq!(tags, world.tags(&name));
    let configuration = lambda.configuration.unwrap();
    assert_eq!(configuration.role.as_deref(), Some(role_arn.as_str()));
    assert_eq!(configuration.runtime.unwrap().as_str(), "nodejs24.x");
    assert_eq!(configuration.handler.as_deref(), Some("index.handler"));
    assert_eq!((configuration.memory_size, configuration.timeout), (Some(128), Some(3)));
    assert_eq!(configuration.code_sha256, Some(bundle::sha256(&archive)));
    assert_eq!(configuration.logging_config.unwrap().log_group, Some(group.clone()));

    let (retention, tags) = live.log_group.unwrap();
    assert_eq!(retention, Some(30));
    assert_eq!(tags, world.tags(&name));

    let role = live.role.unwrap();
    let tags: BTreeMap<_, _> =
        role.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    assert_eq!(tags, world.tags(&name));
    assert_eq!(
        policy(role.assume_role_policy_document().unwrap()),
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}
        }]})
    );
    let boundary = role.permissions_boundary().unwrap().permissions_boundary_arn().unwrap();
    assert!(boundary.contains("FunctionBoundary"), "{boundary}");

    let inline = world.iam.list_role_policies().role_name(&role_name).send().await.unwrap();
    assert_eq!(inline.policy_names(), ["write-own-logs"]);
    let attached = world.iam.list_attached_role_policies().role_name(&role_name).send().await;
    assert!(attached.unwrap().attached_policies().is_empty());
    let logging = world.iam.get_role_policy().role_name(&role_name);
    let logging = logging.policy_name("write-own-logs").send().await.unwrap();
    assert_eq!(
        policy(logging.policy_document()),
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}:*")
        }]})
    );
}

pub async fn every_field_reaches_aws(world: &World) {
    let name = world.name("fields");
    let archive = bundle::from_source(
        "main.py",
        "import os\ndef answer(event, context):\n    return os.environ['GREETING']\n",
    )
    .unwrap();
    let operation = world
        .create(
            &name,
            json!({
                "code": {"zipFile": STANDARD.encode(&archive)},
                "runtime": "python3.12",
                "handler": "main.answer",
                "architecture": "arm64",
                "memoryMegabytes": 256,
                "timeoutSeconds": 17,
                "logRetentionDays": 7,
                "environment": {"GREETING": "hello"},
                "description": "Answers with a greeting",
                "tags": {"team": "blue"},
            }),
        )
        .await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");

    let live = world.live(&name).await;
    let lambda = live.function.unwrap();
    assert_eq!(lambda.tags.unwrap()["team"], "blue");
    let configuration = lambda.configuration.unwrap();
    assert_eq!(configuration.runtime.unwrap().as_str(), "python3.12");
    assert_eq!(configuration.handler.as_deref(), Some("main.answer"));
    assert_eq!(configuration.architectures.unwrap()[0].as_str(), "arm64");
    assert_eq!((configuration.memory_size, configuration.timeout), (Some(256), Some(17)));
    assert_eq!(configuration.environment.unwrap().variables.unwrap()["GREETING"], "hello");
    assert_eq!(configuration.description.as_deref(), Some("Answers with a greeting"));
    assert_eq!(configuration.code_sha256, Some(bundle::sha256(&archive)));
    let (retention, tags) = live.log_group.unwrap();
    assert_eq!(retention, Some(7));
    assert_eq!(tags["team"], "blue");
    assert!(live.role.unwrap().tags().iter().any(|tag| tag.key == "team" && tag.value == "blue"));
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "hello");
}

pub async fn code_from_s3_is_taken_over_when_it_is_accepted(world: &World) {
    let name = world.name("from-s3");
    let key = format!("{name}.zip");
    let archive =
        bundle::from_source("index.mjs", "export const handler = () => 'first';").unwrap();
    let put = world.s3.put_object().bucket(CODE_BUCKET).key(&key);
    put.body(archive.clone().into()).send().await.unwrap();

    let code = json!({"s3Bucket": CODE_BUCKET, "s3Key": key});
    let accepted = world.ask_for(&name, json!({"code": code})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    // Whatever becomes of the object now.
    world.s3.delete_object().bucket(CODE_BUCKET).key(&key).send().await.unwrap();

    let operation = world.ended(&accepted).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    let configuration = world.live(&name).await.function.unwrap().configuration.unwrap();
    assert_eq!(configuration.code_sha256, Some(bundle::sha256(&archive)));
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "first");
}

pub async fn code_that_is_too_large_to_be_read_is_copied_within_s3(world: &World) {
    let name = world.name("large");
    let key = format!("{name}.zip");
    let source = format!("export const handler = () => 'large'; // {}", "x".repeat(17 << 20));
    let archive = bundle::from_source("index.mjs", &source).unwrap();
    let put = world.s3.put_object().bucket(CODE_BUCKET).key(&key);
    // Local AWS keeps the source's checksum in a copy and computes none of its own.
    let put = put.checksum_sha256(bundle::sha256(&archive)).body(archive.clone().into());
    put.send().await.unwrap();

    let operation =
        world.create(&name, json!({"code": {"s3Bucket": CODE_BUCKET, "s3Key": key}})).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    assert_eq!(
        json!(world.function(&name).await.spec.code),
        json!({"sha256": bundle::sha256(&archive), "sizeBytes": archive.len(), "inline": false})
    );
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), "large");
    assert_eq!(world.bundle_states(&name).await, ["kept"]);
}

pub async fn delete_removes_all_parts_and_frees_the_name(world: &World) {
    let name = world.name("deleted");
    world.create(&name, json!({})).await;
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);

    let created = world.proxy.calls(&name).len();
    let operation = world.delete(&name).await;
    let once =
        ["iam:DeleteRole", "iam:DeleteRolePolicy", "lambda:DeleteFunction", "logs:DeleteLogGroup"];
    world.assert_changed_once(&name, created, &once);
    assert_eq!(operation.kind, OperationKind::Delete);
    assert_eq!(operation.status, OperationStatus::Succeeded, "{operation:#?}");
    let states = world.states_entered(&operation).await;
    assert!(states.len() <= STATES, "{states:?}");
    assert!(world.live(&name).await.parts().is_empty());
    assert_eq!(world.bundle_states(&name).await, ["expired"]);
    assert!(!world.is_known(&name).await);

    let again = world.create(&name, json!({})).await;
    assert_eq!(again.status, OperationStatus::Succeeded, "{again:#?}");
}

pub async fn lists_are_ordered_paged_and_filtered(world: &World) {
    let prefix = world.name("list");
    let mut names: Vec<_> = (0..3).map(|n| format!("{prefix}-{n}")).collect();
    for name in names.iter().rev() {
        assert_eq!(world.create(name, json!({})).await.status, OperationStatus::Succeeded);
    }

    names.sort();
    let filter = |status| FunctionFilter {
        prefix: Some(prefix.clone()),
        page_size: Some(2),
        status,
        tags: BTreeMap::new(),
    };
    let found = world.client.functions(filter(None)).map_ok(|it| it.spec.function_name.to_string());
    assert_eq!(found.try_collect::<Vec<_>>().await.unwrap(), names);
    let first = world.client.functions_page(&filter(None), None).await.unwrap();
    assert_eq!(first.items.len(), 2);

    let other_filter = FunctionFilter { prefix: Some("other".to_owned()), ..filter(None) };
    let token = first.next_token.as_deref();
    assert!(token.is_some());
    let refused = world.client.functions_page(&other_filter, token).await.unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::InvalidNextToken));
    let failed = format!("/v1/functions?status=FAILED&prefix={prefix}");
    assert_eq!(world.api(Method::GET, &failed, None).await.json(), json!({"functions": []}));
}

pub async fn functions_are_listed_by_their_tags(world: &World) {
    let prefix = world.name("tagged");
    let tags = [
        json!({"team": "a", "app:tier": "web:1"}),
        json!({"team": "a"}),
        json!({"team": "b", "app:tier": "web:1"}),
    ];
    let named = |index: usize| format!("{prefix}-{index}");
    for (index, tags) in tags.iter().enumerate() {
        let created = world.create(&named(index), json!({"tags": tags})).await;
        assert_eq!(created.status, OperationStatus::Succeeded, "{created:#?}");
    }
    let filter = |tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        // Pages that hold nothing lead on.
        FunctionFilter {
            prefix: Some(prefix.clone()),
            page_size: Some(1),
            tags: tags.collect(),
            status: None,
        }
    };
    for (tags, expected) in [
        (vec![("team", "a")], vec![0, 1]),
        (vec![("app:tier", "web:1")], vec![0, 2]),
        (vec![("app", "tier:web:1")], vec![]),
        (vec![("team", "b"), ("app:tier", "web:1")], vec![2]),
        (vec![("team", "A")], vec![]),
        (vec![("formation:stack", world.stack_key.as_str())], vec![]),
    ] {
        let found = world.client.functions(filter(&tags));
        let found = found.map_ok(|it| it.spec.function_name.to_string());
        let expected: Vec<_> = expected.into_iter().map(named).collect();
        assert_eq!(found.try_collect::<Vec<_>>().await.unwrap(), expected, "{tags:?}");
    }
    // The client answers those that have the tag; the query cannot tell where it is split.
    let query = format!("/v1/functions?prefix={prefix}&tag=app%3Atier%3Aweb%3A1");
    let listed = world.api(Method::GET, &query, None).await.json();
    assert_eq!(listed["functions"].as_array().unwrap().len(), 2, "{listed:#}");
    let first = world.client.functions_page(&filter(&[("team", "a")]), None).await.unwrap();
    let token = first.next_token.as_deref();
    let other = world.client.functions_page(&filter(&[("team", "b")]), token).await.unwrap_err();
    assert_eq!(other.code(), Some(ProblemCode::InvalidNextToken));
    // What is committed counts.
    let patch = json!({"tags": {"team": "b"}});
    world.patch(&named(1), patch).await;
    let found = world.client.functions(filter(&[("team", "b")])).try_collect::<Vec<_>>().await;
    assert_eq!(found.unwrap().len(), 2);
    let refused = world.api(Method::GET, "/v1/functions?tag=team", None).await;
    assert_eq!(refused.json()["code"], "INVALID_PARAMETER");
}

pub async fn eight_simultaneous_creates_of_one_name_give_one_operation(world: &World) {
    let name = world.name("race");
    let asked = || world.ask_for(&name, json!({}));
    let answers =
        tokio::join!(asked(), asked(), asked(), asked(), asked(), asked(), asked(), asked());
    let (a, b, c, d, e, f, g, h) = answers;
    let (won, lost): (Vec<_>, Vec<_>) =
        [a, b, c, d, e, f, g, h].into_iter().partition(|answer| answer.status == 202);
    assert_eq!(won.len(), 1);
    let id = won[0].json()["operationId"].clone();
    for answer in lost {
        assert_eq!(answer.status, 409);
        let problem = answer.json();
        // Whoever came late may have met the function done.
        if problem["code"] == "OPERATION_IN_PROGRESS" {
            assert_eq!(problem["operationId"], id);
            assert_eq!(answer.header("operation-location"), won[0].header("operation-location"));
            assert!(!answer.header("retry-after").is_empty());
        } else {
            assert_eq!(problem["code"], "FUNCTION_EXISTS");
        }
    }
    assert_eq!(world.ended(&won[0]).await.status, OperationStatus::Succeeded);
    // The losers' code is gone.
    assert_eq!(world.bundle_states(&name).await, ["kept"]);
}
