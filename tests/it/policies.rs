//! What functions are allowed: within the boundary of `examples/boundary.yaml`, beside the guard.

use std::collections::BTreeMap;
use std::process::Command;

use formation_local::Project;
use formation_model::{Difference, OperationStatus, Rollback};
use formation_tests::world::EVENT_BUS;
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

/// Makes the calls that its event lists, and answers what became of each.
const ATTEMPTS: &str = include_str!("attempts.py");

fn path(name: &str) -> String {
    format!("/v1/functions/{name}")
}

/// A function that attempts calls, with these statements.
async fn attempting(world: &World, name: &str, statements: Value) {
    let fields = json!({
        "runtime": "python3.13", "code": ATTEMPTS, "timeoutSeconds": 120,
        "memoryMegabytes": 512, "policyStatements": statements
    });
    let created = world.create(name, fields).await;
    assert_eq!(created.status, OperationStatus::Succeeded, "{created:?}");
}

/// What becomes of `calls`: service, operation and arguments as boto3 has them.
async fn outcomes(world: &World, name: &str, calls: &Value) -> Vec<String> {
    let answer = world.invoke(name, calls).await.unwrap();
    serde_json::from_value(answer.clone()).unwrap_or_else(|_| panic!("{answer:#}"))
}

fn allowing(actions: &[&str], resource: &str) -> Value {
    json!({"actions": actions, "resources": [resource]})
}

async fn table(world: &World, what: &str) -> String {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let name = world.name(what);
    let id = AttributeDefinition::builder().attribute_name("id");
    let id = id.attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let create = world.dynamodb.create_table().table_name(&name).attribute_definitions(id);
    let create = create.key_schema(key.build().unwrap()).billing_mode(BillingMode::PayPerRequest);
    create.send().await.unwrap();
    name
}

fn table_arn(world: &World, table: &str) -> String {
    let (region, account) = (&world.stack.region, &world.stack.account_id);
    format!("arn:aws:dynamodb:{region}:{account}:table/{table}")
}

/// The name and the document of what a function is allowed.
async fn permissions(world: &World, name: &str) -> (String, Value) {
    let mut policies = world.live(name).await.inline_policies.into_iter();
    policies.find(|(name, _)| name.starts_with("permissions-")).unwrap()
}

async fn drifted(world: &World, name: &str) -> Vec<Difference> {
    let answer = world.api(Method::GET, &format!("{}/drift", path(name)), None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    serde_json::from_value(answer.json()["differences"].clone()).unwrap()
}

fn properties(differences: &[Difference]) -> Vec<&str> {
    differences.iter().map(|it| it.property.as_str()).collect()
}

pub async fn a_function_uses_what_it_is_allowed_and_nothing_else(world: &World) {
    let (mine, other) = (table(world, "mine").await, table(world, "other").await);
    let name = world.name("writer");
    let statement = allowing(&["dynamodb:PutItem"], &table_arn(world, &mine));
    attempting(world, &name, json!([statement])).await;
    let item = json!({"id": {"S": "1"}});
    let calls = json!([
        ["dynamodb", "put_item", {"TableName": mine, "Item": item}],
        ["dynamodb", "put_item", {"TableName": other, "Item": item}],
        ["dynamodb", "get_item", {"TableName": mine, "Key": item}],
        ["s3", "list_buckets", {}]
    ]);
    let denied = "AccessDeniedException";
    assert_eq!(outcomes(world, &name, &calls).await, ["done", denied, denied, "AccessDenied"]);
    let kept = world.dynamodb.scan().table_name(&mine).send().await.unwrap();
    assert_eq!(kept.count, 1);

    // What is not allowed any more is denied at once, and the last of it takes the policy with it.
    let patch =
        json!({"policyStatements": [allowing(&["dynamodb:GetItem"], &table_arn(world, &mine))]});
    let answer = world.api(Method::PATCH, &format!("{}?wait=25", path(&name)), Some(&patch)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.json()["policyStatements"], patch["policyStatements"]);
    assert_eq!(outcomes(world, &name, &calls).await, [denied, denied, "done", "AccessDenied"]);
    let patch = json!({"policyStatements": null});
    let answer = world.api(Method::PATCH, &format!("{}?wait=25", path(&name)), Some(&patch)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["policyStatements"]), (200, &json!([])));
    let policies: Vec<_> = world.live(&name).await.inline_policies.into_keys().collect();
    assert_eq!(policies, ["write-own-logs"]);
}

pub async fn what_the_boundary_cannot_allow_is_refused_at_once(world: &World) {
    let name = world.name("beyond");
    let statements = json!([
        allowing(&["s3:GetObject"], "*"),
        allowing(&["dynamodb:PutItem", "iam:*", "sts:AssumeRole"], "*")
    ]);
    let body = json!({"functionName": name, "code": "x", "policyStatements": statements});
    for query in ["", "?dryRun=true"] {
        let answer = world.api(Method::POST, &format!("/v1/functions{query}"), Some(&body)).await;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["code"]), (422, &json!("INVALID_FUNCTION")));
        let errors = problem["errors"].as_array().unwrap();
        let places: Vec<_> = errors.iter().map(|error| &error["pointer"]).collect();
        let expected = ["/policyStatements/1/actions/1", "/policyStatements/1/actions/2"];
        assert_eq!(places, expected);
        let detail = errors[0]["detail"].as_str().unwrap();
        assert!(detail.contains("dynamodb:PutItem") && detail.contains(":policy/"), "{detail}");
    }
    let id = world.put_request(json!({"kind": "CREATE", "function": body})).await;
    let announced = world.announced("the event is answered", |event| {
        event["detail"]["idempotencyKey"] == id && event["source"] == "formation"
    });
    let detail = &announced.await["detail"];
    assert_eq!(detail["status"], "REJECTED", "{detail:#}");
    assert_eq!(detail["problem"]["errors"][0]["pointer"], "/policyStatements/1/actions/1");
    assert!(world.live(&name).await.parts().is_empty());

    for (statement, place, told) in [
        (
            json!({"Effect": "Deny", "actions": ["s3:GetObject"], "resources": ["*"]}),
            "/Effect",
            "allows",
        ),
        (
            json!({"NotAction": ["s3:*"], "actions": ["s3:*"], "resources": ["*"]}),
            "/NotAction",
            "actions",
        ),
        (json!({"actions": ["s3:GetObject"], "resources": ["bucket"]}), "/resources/0", "ARN"),
    ] {
        let body = json!({"functionName": name, "code": "x", "policyStatements": [statement]});
        let answer = world.api(Method::POST, "/v1/functions", Some(&body)).await;
        let error = &answer.json()["errors"][0];
        assert_eq!(answer.status, 422);
        assert_eq!(error["pointer"], format!("/policyStatements/0{place}"));
        assert!(error["detail"].as_str().unwrap().contains(told), "{error}");
    }
    let long = allowing(&["s3:GetObject"], &format!("arn:aws:s3:::{}", "x".repeat(3000)));
    let body = json!({"functionName": name, "code": "x", "policyStatements": [long]});
    let answer = world.api(Method::POST, "/v1/functions", Some(&body)).await;
    assert_eq!(answer.status, 422);
    let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("3000 characters"), "{detail}");
}

pub async fn permissions_are_planned_told_as_drift_and_restored_statement_by_statement(
    world: &World,
) {
    let name = world.name("statements");
    let first = allowing(&["s3:GetObject"], "arn:aws:s3:::a/*");
    let second = allowing(&["sqs:SendMessage"], "*");
    let other = allowing(&["sqs:ReceiveMessage"], "*");
    world.create(&name, json!({"policyStatements": [first, second]})).await;
    let before = permissions(world, &name).await;

    let patch = json!({"policyStatements": [first, other]});
    let plan =
        world.api(Method::PATCH, &format!("{}?dryRun=true", path(&name)), Some(&patch)).await;
    let planned = plan.json()["parts"][0]["differences"].clone();
    let planned: Vec<Difference> = serde_json::from_value(planned).unwrap();
    assert_eq!(properties(&planned), ["policyStatements/1"]);
    assert_eq!((&planned[0].expected, &planned[0].actual), (&other, &second));

    // An update that fails after the new policy is there, and the old one gone.
    let mut both = patch.clone();
    both["memoryMegabytes"] = json!(512);
    let refuse = Fault::Refuse(400, "InvalidParameterValueException", "injected");
    world.proxy.inject(Rule::new("lambda:UpdateFunctionConfiguration", &name, 1, refuse));
    let accepted = world.api(Method::PATCH, &path(&name), Some(&both)).await;
    let operation = world.ended(&accepted).await;
    let ended = (operation.status.clone(), operation.rollback.clone());
    assert_eq!(ended, (OperationStatus::Failed.into(), Rollback::Complete.into()), "{operation:?}");
    assert_eq!(permissions(world, &name).await, before);
    assert_eq!(drifted(world, &name).await, []);

    // By hand: another statement, no guard, one more policy.
    let role = world.role_name(&name);
    let put = async |policy: &str, document: &Value| {
        let put = world.iam.put_role_policy().role_name(&role).policy_name(policy);
        put.policy_document(document.to_string()).send().await.unwrap();
    };
    let (policy, mut document) = before.clone();
    document["Statement"][1]["Action"] = json!(["sqs:*"]);
    document["Statement"].as_array_mut().unwrap().pop();
    put(&policy, &document).await;
    put("permissions-12345678", &document).await;
    let found = drifted(world, &name).await;
    assert_eq!(properties(&found), ["otherInlinePolicies", "policyStatements/1", "guard"]);
    assert_eq!(found[1].actual, allowing(&["sqs:*"], "*"));
    let repair = format!("{}/repair?wait=25", path(&name));
    let answer = world.api(Method::POST, &repair, None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(drifted(world, &name).await, []);
    assert_eq!(permissions(world, &name).await, before);
    assert_eq!(world.live(&name).await.inline_policies.len(), 2);

    // What is there already is neither written nor asked for again.
    let calls = world.proxy.calls(&name).len();
    let patch = json!({"memoryMegabytes": 256});
    let answer = world.api(Method::PATCH, &format!("{}?wait=25", path(&name)), Some(&patch)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let changed =
        ["lambda:PublishVersion", "lambda:UpdateAlias", "lambda:UpdateFunctionConfiguration"];
    world.assert_changed_once(&name, calls, &changed);
}

/// The stack's resources: type, logical id and physical id.
fn resources(world: &World) -> Vec<(String, String, String)> {
    let project = Project::find().unwrap();
    let listed = Command::new(project.tool("aws").unwrap())
        .args(["cloudformation", "list-stack-resources", "--stack-name", &world.stack.stack_name])
        .env("AWS_ENDPOINT_URL", &world.stack.endpoint_url)
        .env("AWS_ACCESS_KEY_ID", &world.stack.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &world.stack.secret_access_key)
        .env("AWS_DEFAULT_REGION", &world.stack.region)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let resources = listed["StackResourceSummaries"].as_array().unwrap().iter();
    let named = ["ResourceType", "LogicalResourceId", "PhysicalResourceId"];
    resources.map(|it| named.map(|name| text(&it[name])).into()).collect()
}

/// What has no ARN of its own: it is a policy or a part of what has one, which is guarded.
const WITHOUT_ARN: [(&str, &str); 4] = [
    ("AWS::Lambda::Permission", "a statement of a Lambda's policy"),
    ("AWS::Lambda::EventInvokeConfig", "a setting of a Lambda"),
    ("AWS::SQS::QueuePolicy", "the policy of a queue"),
    ("AWS::Logs::MetricFilter", "a part of a log group"),
];

/// The ARN of a resource.
fn arn(world: &World, kind: &str, id: &str) -> String {
    let (region, account) = (&world.stack.region, &world.stack.account_id);
    let of = |service: &str, resource: String| {
        format!("arn:aws:{service}:{region}:{account}:{resource}")
    };
    let name = id.trim_start_matches('/');
    match kind {
        _ if id.starts_with("arn:") => id.to_owned(),
        "AWS::SSM::Parameter" => of("ssm", format!("parameter/{name}")),
        "AWS::DynamoDB::Table" => of("dynamodb", format!("table/{id}")),
        "AWS::S3::Bucket" => format!("arn:aws:s3:::{id}"),
        "AWS::IAM::Role" => format!("arn:aws:iam::{account}:role/{id}"),
        "AWS::Events::EventBus" => of("events", format!("event-bus/{id}")),
        "AWS::Events::Rule" => of("events", format!("rule/{}", id.replace('|', "/"))),
        "AWS::Lambda::Function" => of("lambda", format!("function:{id}")),
        "AWS::Lambda::EventSourceMapping" => of("lambda", format!("event-source-mapping:{id}")),
        "AWS::Logs::LogGroup" => of("logs", format!("log-group:{id}")),
        "AWS::SQS::Queue" => of("sqs", id.rsplit('/').next().unwrap().to_owned()),
        "AWS::CloudWatch::Alarm" => of("cloudwatch", format!("alarm:{id}")),
        "AWS::CloudWatch::Dashboard" => format!("arn:aws:cloudwatch::{account}:dashboard/{id}"),
        "AWS::Scheduler::ScheduleGroup" => of("scheduler", format!("schedule-group/{id}")),
        "AWS::ApiGatewayV2::Api" => format!("arn:aws:apigateway:{region}::/apis/{id}"),
        other => panic!("what is the ARN of a {other}, {id}?"),
    }
}

/// Whether `text` is what `pattern` stands for, with `*` for any characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((first, rest)) => text.strip_prefix(first).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }),
    }
}

/// What the guard of a function denies everything on.
async fn guarded(world: &World, name: &str) -> Vec<String> {
    let (_, document) = permissions(world, name).await;
    let statements = document["Statement"].as_array().unwrap().iter();
    let mut denials = statements.filter(|it| it["Effect"] == "Deny" && it["Resource"].is_array());
    serde_json::from_value(denials.next().unwrap()["Resource"].clone()).unwrap()
}

pub async fn every_resource_of_the_stack_is_guarded(world: &World) {
    let name = world.name("guarded-by");
    world.create(&name, json!({"policyStatements": [allowing(&["sqs:SendMessage"], "*")]})).await;
    let guarded = guarded(world, &name).await;
    let is_guarded = |arn: &str| guarded.iter().any(|pattern| matches(pattern, arn));
    let resources = resources(world);
    assert!(resources.len() > 60, "{resources:?}");
    let mut parts = 0;
    for (kind, logical, id) in &resources {
        // Of the API.
        let is_part = ["Stage", "Integration", "Route"].iter().any(|it| kind.ends_with(it));
        if is_part || WITHOUT_ARN.iter().any(|(known, _)| known == kind) {
            parts += 1;
            continue;
        }
        let arn = arn(world, kind, id);
        assert!(is_guarded(&arn), "{logical}, {arn}, is not guarded by {guarded:#?}");
    }
    assert!(parts < resources.len() / 2);
    let (region, account) = (&world.stack.region, &world.stack.account_id);
    let api = resources.iter().find(|(kind, ..)| kind == "AWS::ApiGatewayV2::Api").unwrap();
    let machine = &world.stack.state_machine_arn;
    for arn in [
        format!("arn:aws:execute-api:{region}:{account}:{}/$default/GET/v1/functions", api.2),
        format!("arn:aws:apigateway:{region}::/apis/{}/routes/x", api.2),
        format!("{}:x", machine.replace(":stateMachine:", ":execution:")),
        format!("arn:aws:s3:::{}/bundles/x/1.zip", world.stack.artifact_bucket),
        format!("{}/index/due", table_arn(world, &world.stack.table_name)),
        format!("arn:aws:cloudformation:{region}:{account}:stack/{}/1", world.stack.stack_name),
        format!("arn:aws:iam::{account}:role/{}", world.role_name(&name)),
        // Schedules have no tags.
        format!("arn:aws:scheduler:{region}:{account}:schedule/formation_{}/x", world.stack_key),
        // Passing a role is not judged by its tags, so roles of other stacks are guarded by their names.
        format!("arn:aws:iam::{account}:role/formation_ffffffff_other"),
    ] {
        assert!(is_guarded(&arn), "{arn} is not guarded by {guarded:#?}");
    }
    for arn in [
        format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        table_arn(world, "orders"),
        format!("arn:aws:events:{region}:{account}:event-bus/default"),
    ] {
        assert!(!is_guarded(&arn), "{arn} is guarded by {guarded:#?}");
    }
}

/// A managed policy that allows everything, and its ARN.
async fn everything(world: &World) -> String {
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}
    ]});
    let create = world.iam.create_policy().policy_name(world.name("everything"));
    let created = create.policy_document(document.to_string()).send().await.unwrap();
    created.policy.unwrap().arn.unwrap()
}

// Of event source mappings local AWS judges no change: that their ARNs are guarded is told above.
pub async fn under_a_boundary_of_everything_the_guard_keeps_formation_from_its_functions(
    world: &World,
) {
    let name = world.name("almighty");
    attempting(world, &name, json!([allowing(&["*"], "*")])).await;
    let role = world.role_name(&name);
    let boundary = everything(world).await;
    let bound = world.iam.put_role_permissions_boundary().role_name(&role);
    bound.permissions_boundary(boundary).send().await.unwrap();

    let victim = world.name("victim");
    world.create(&victim, json!({})).await;
    let resources = resources(world);
    let physical = |logical: &str| {
        let found = resources.iter().find(|(_, id, _)| id == logical);
        found.unwrap_or_else(|| panic!("no {logical}")).2.clone()
    };
    let stack = &world.stack;
    let (region, account) = (&stack.region, &stack.account_id);
    let lambda = physical("ApiFunction");
    let role_arn = |role: &str| format!("arn:aws:iam::{account}:role/{role}");
    let victim_arn = format!("arn:aws:lambda:{region}:{account}:function:{victim}");
    let rule = physical("ExecutionEndedRule");
    let rule = rule.rsplit('|').next().unwrap();
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let group = format!("/aws/lambda/{name}");
    let group_arn = format!("arn:aws:logs:{region}:{account}:log-group:{group}");
    let foreign = table(world, "foreign").await;
    let foreign_arn = table_arn(world, &foreign);
    let tag = json!([{"Key": "Formation:Stack", "Value": "x"}]);
    let calls = json!([
        ["dynamodb", "scan", {"TableName": stack.table_name}],
        ["dynamodb", "delete_item", {"TableName": stack.table_name, "Key": {"pk": {"S": "x"}, "sk": {"S": "x"}}}],
        ["dynamodb", "query", {
            "TableName": stack.table_name, "IndexName": "due",
            "KeyConditionExpression": "due = :d", "ExpressionAttributeValues": {":d": {"S": "x"}}
        }],
        ["dynamodb", "delete_table", {"TableName": stack.table_name}],
        ["s3", "list_objects_v2", {"Bucket": stack.artifact_bucket}],
        ["s3", "put_object", {"Bucket": stack.artifact_bucket, "Key": "bundles/x", "Body": "x"}],
        ["sqs", "send_message", {"QueueUrl": physical("RequestQueue"), "MessageBody": "{}"}],
        ["sqs", "purge_queue", {"QueueUrl": physical("DeadLetterQueue")}],
        ["events", "put_events", {"Entries": [{
            "EventBusName": stack.event_bus_name, "Source": "x", "DetailType": "x", "Detail": "{}"
        }]}],
        ["events", "disable_rule", {"Name": rule}],
        ["execute-api", "", {"url": format!("{}/v1/functions", stack.api_url)}],
        ["apigatewayv2", "delete_api", {"ApiId": physical("HttpApi")}],
        ["ssm", "get_parameter", {"Name": physical("StackKey")}],
        ["ssm", "put_parameter", {"Name": physical("StackKey"), "Value": "x", "Overwrite": true}],
        ["stepfunctions", "start_execution", {"stateMachineArn": stack.state_machine_arn, "input": "{}"}],
        ["stepfunctions", "delete_state_machine", {"stateMachineArn": stack.state_machine_arn}],
        ["lambda", "get_function", {"FunctionName": lambda}],
        ["lambda", "invoke", {"FunctionName": lambda}],
        ["lambda", "update_function_code", {"FunctionName": lambda, "S3Bucket": "bucket", "S3Key": "key"}],
        ["iam", "attach_role_policy", {"RoleName": role, "PolicyArn": admin}],
        ["iam", "delete_role_permissions_boundary", {"RoleName": role}],
        ["iam", "delete_role_policy", {"RoleName": role, "PolicyName": "write-own-logs"}],
        ["iam", "attach_role_policy", {"RoleName": physical("ApiLambdaRole"), "PolicyArn": admin}],
        ["iam", "delete_policy", {"PolicyArn": physical("FullAccessPolicy")}],
        ["sts", "assume_role", {
            "RoleArn": role_arn(&physical("EnsureRoleLambdaRole")), "RoleSessionName": "session"
        }],
        ["sts", "assume_role", {"RoleArn": role_arn(&world.role_name(&victim)), "RoleSessionName": "session"}],
        ["logs", "delete_log_group", {"logGroupName": group}],
        ["logs", "put_retention_policy", {"logGroupName": group, "retentionInDays": 1}],
        ["logs", "untag_resource", {"resourceArn": group_arn, "tagKeys": ["formation:stack"]}],
        ["logs", "delete_log_group", {"logGroupName": format!("/formation/{}/formation-api", stack.stack_name)}],
        ["lambda", "delete_function", {"FunctionName": victim}],
        ["lambda", "update_function_configuration", {"FunctionName": victim, "Timeout": 9}],
        ["lambda", "tag_resource", {"Resource": victim_arn, "Tags": {"team": "x"}}],
        ["iam", "create_role", {
            "RoleName": world.name("taken"), "AssumeRolePolicyDocument": "{}",
            "Tags": [{"Key": "formation:FUNCTION", "Value": "x"}]
        }],
        ["dynamodb", "tag_resource", {"ResourceArn": foreign_arn, "Tags": tag}],
        ["lambda", "create_event_source_mapping", {
            "FunctionName": world.name("nobody"), "EventSourceArn": format!("{foreign_arn}/stream/x"),
            "StartingPosition": "LATEST"
        }]
    ]);
    let found = outcomes(world, &name, &calls).await;
    let all = calls.as_array().unwrap().iter().zip(&found);
    let denied = ["AccessDenied", "AccessDeniedException", "403"];
    let not_denied: BTreeMap<_, _> = all
        .filter(|(_, outcome)| !denied.contains(&outcome.as_str()))
        .map(|(call, outcome)| (call.to_string(), outcome))
        .collect();
    assert!(not_denied.is_empty(), "{not_denied:#?}");

    // Everything else it may: it is the guard that denies.
    let elsewhere = json!([
        ["dynamodb", "put_item", {"TableName": foreign, "Item": {"id": {"S": "1"}}}],
        ["dynamodb", "tag_resource", {"ResourceArn": foreign_arn, "Tags": [{"Key": "team", "Value": "x"}]}],
        ["lambda", "invoke", {"FunctionName": victim}],
        ["lambda", "get_function", {"FunctionName": victim}],
        ["iam", "get_role", {"RoleName": world.name("nobody")}]
    ]);
    let found = outcomes(world, &name, &elsewhere).await;
    assert_eq!(found, ["done", "done", "done", "done", "NoSuchEntity"]);
    assert_eq!(drifted(world, &victim).await, []);
}

pub async fn the_stack_tells_what_its_functions_can_be_allowed(world: &World) {
    let about = world.api(Method::GET, "/v1", None).await.json();
    let arn = about["functionBoundaryArn"].as_str().unwrap();
    let policy = world.iam.get_policy().policy_arn(arn).send().await.unwrap().policy.unwrap();
    assert!(policy.policy_name.unwrap().starts_with("function-boundary-"), "{arn}");
    let actions = about["boundaryActions"].as_array().unwrap();
    for action in
        ["logs:CreateLogStream", "dynamodb:PutItem", "sns:Publish", "xray:PutTraceSegments"]
    {
        assert!(actions.contains(&json!(action)), "{action}");
    }
    let service = |action: &Value| action.as_str().unwrap().split(':').next().unwrap().to_owned();
    let services: Vec<_> = actions.iter().map(service).collect();
    for other in ["iam", "sts", "organizations", "lambda", "*"] {
        assert!(!services.contains(&other.to_owned()), "{other}");
    }
    assert_eq!(about["limits"]["policyStatementsCharacters"], 3000);
    assert_eq!(about["eventBusNames"], json!(["default", EVENT_BUS]));
    // It is what functions have.
    let name = world.name("told");
    let statement = allowing(&["sqs:SendMessage"], "*");
    let created = world.create(&name, json!({"policyStatements": [statement]})).await;
    assert_eq!(created.status, OperationStatus::Succeeded);
    let (_, document) = permissions(world, &name).await;
    let guard = about["guard"].as_array().unwrap();
    assert_eq!(document["Statement"].as_array().unwrap()[1..], guard[..]);
    assert_eq!(guard.len(), 4);
    // What has no resource that a pattern could guard.
    let without = json!(["events:*Permission", "lambda:CreateEventSourceMapping"]);
    assert_eq!((&guard[3]["Action"], &guard[3]["Resource"]), (&without, &json!("*")));
    let role = world.live(&name).await.role.unwrap();
    let boundary = role.permissions_boundary.unwrap().permissions_boundary_arn.unwrap();
    assert_eq!(boundary, arn);
}
