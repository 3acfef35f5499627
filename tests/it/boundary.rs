//! What the boundary of `examples/boundary.yaml`, which the stack is deployed with, allows.

use formation_tests::World;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::policies::matches;

/// Whether a policy allows an action on a resource, its conditions taken to hold.
fn allows(policy: &Value, action: &str, resource: &str) -> bool {
    let any = |patterns: &Value, text: &str| match patterns {
        Value::Array(patterns) => patterns.iter().any(|it| matches(it.as_str().unwrap(), text)),
        pattern => matches(pattern.as_str().unwrap(), text),
    };
    policy["Statement"].as_array().unwrap().iter().any(|it| {
        it["Effect"] == "Allow" && any(&it["Action"], action) && any(&it["Resource"], resource)
    })
}

pub async fn the_example_of_a_boundary_lets_functions_use_data_and_change_nothing(world: &World) {
    let about = world.api(Method::GET, "/v1", None).await.json();
    let boundary = about["functionBoundaryArn"].as_str().unwrap();
    let version = world.iam.get_policy().policy_arn(boundary).send().await.unwrap();
    let version = version.policy.unwrap().default_version_id.unwrap();
    let get = world.iam.get_policy_version().policy_arn(boundary).version_id(version);
    let document = get.send().await.unwrap().policy_version.unwrap().document.unwrap();
    let document = percent_decode_str(&document).decode_utf8().unwrap();
    let policy: Value = serde_json::from_str(&document).unwrap();
    let (region, account) = (&world.stack.region, &world.stack.account_id);
    let of = |service: &str, resource: &str| match service {
        "s3" => format!("arn:aws:s3:::{resource}"),
        _ => format!("arn:aws:{service}:{region}:{account}:{resource}"),
    };
    for (action, resource, expected) in [
        ("logs:PutLogEvents", "log-group:/aws/lambda/orders:log-stream:x", true),
        ("xray:PutTraceSegments", "*", true),
        ("s3:GetObject", "orders/2026/1.json", true),
        ("s3:PutObject", "orders/2026/1.json", true),
        ("s3:ListBucket", "orders", true),
        ("sqs:SendMessage", "orders", true),
        ("sqs:ReceiveMessage", "orders", true),
        ("sqs:DeleteMessage", "orders", true),
        ("sns:Publish", "orders", true),
        ("dynamodb:PutItem", "table/orders", true),
        ("dynamodb:Query", "table/orders/index/by-date", true),
        ("dynamodb:GetRecords", "table/orders/stream/2026-11-26T00:00:00.000", true),
        ("dynamodb:ListStreams", "*", true),
        ("kinesis:GetRecords", "stream/orders", true),
        ("kinesis:SubscribeToShard", "stream/orders/consumer/x:1", true),
        ("dynamodb:DeleteTable", "table/orders", false),
        ("s3:PutBucketPolicy", "orders", false),
        ("sqs:CreateQueue", "orders", false),
        ("sqs:SetQueueAttributes", "orders", false),
        ("sns:AddPermission", "orders", false),
        ("logs:PutLogEvents", "log-group:/audit:log-stream:x", false),
        ("events:PutPermission", "*", false),
        ("lambda:InvokeFunction", "function:orders", false),
    ] {
        let service = action.split(':').next().unwrap();
        let arn = if resource == "*" { resource.to_owned() } else { of(service, resource) };
        assert_eq!(allows(&policy, action, &arn), expected, "{action} on {arn}");
    }
    // Nobody else's.
    let foreign = format!("arn:aws:sqs:{region}:444455556666:orders");
    assert!(!allows(&policy, "sqs:SendMessage", &foreign));
}
