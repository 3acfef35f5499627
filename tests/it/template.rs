//! `infra/template.yaml`: what local AWS does not enforce must stand there all the same.

use formation_tests::World;
use http::Method;
use serde_json::{Value, json};

fn of_type<'a>(world: &'a World, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let resources = world.template["Resources"].as_object().unwrap().iter();
    let found = resources.filter(|(_, resource)| resource["Type"] == kind);
    found.map(|(id, resource)| (id.as_str(), resource)).collect()
}

fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Properties"]["Policies"].as_array().unwrap().iter();
    let statements =
        policies.map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    // A statement may stand in an Fn::If.
    statements.flatten().map(|statement| statement["Fn::If"].get(1).unwrap_or(statement)).collect()
}

fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::String(action) => vec![action],
        Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap()).collect(),
        other => panic!("no action: {other}"),
    }
}

pub async fn every_lambda_has_a_role_of_its_own_with_just_its_calls(world: &World) {
    // Services that a Lambda may call besides writing its log, traces, and reading records.
    let services = [
        ("EnsureRoleFunction", vec!["iam", "lambda"]),
        ("EnsureLogGroupFunction", vec!["logs"]),
        ("EnsureFunctionFunction", vec!["iam", "lambda", "s3"]),
        ("RemoveFunctionFunction", vec!["lambda"]),
        ("RemoveRoleFunction", vec!["iam"]),
        ("RemoveLogGroupFunction", vec!["lambda", "logs"]),
        ("RecordSuccessFunction", vec!["dynamodb", "s3"]),
        ("RecordFailureFunction", vec!["dynamodb", "s3"]),
        ("IntakeFunction", vec!["dynamodb", "events", "lambda", "s3", "sqs", "states"]),
        ("ReconcileFunction", vec!["dynamodb", "events", "iam", "lambda", "logs", "states"]),
        ("ApiFunction", vec!["dynamodb", "iam", "lambda", "logs", "s3", "states"]),
    ];
    let functions = of_type(world, "AWS::Serverless::Function");
    assert_eq!(functions.len(), services.len());
    let shared = ["logs:CreateLogStream", "logs:PutLogEvents", "dynamodb:GetItem"];
    for (id, function) in functions {
        let role_id = function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        assert_eq!(role_id, id.strip_suffix("Function").unwrap().to_owned() + "LambdaRole");
        let role = &world.template["Resources"][role_id];
        assert!(role["Properties"]["ManagedPolicyArns"].is_null(), "{role_id}");
        let allowed = &services.iter().find(|(name, _)| *name == id).unwrap().1;
        for statement in statements(role) {
            for action in actions(statement) {
                assert!(!action.contains('*'), "{role_id} may do {action}");
                let service = action.split(':').next().unwrap();
                let fits =
                    shared.contains(&action) || service == "xray" || allowed.contains(&service);
                assert!(fits, "{role_id} may do {action}");
                check_conditions(role_id, action, statement);
            }
        }
    }
}

/// What creates asks for our tag in the request, what changes for our tag on the resource.
fn check_conditions(role: &str, action: &str, statement: &Value) {
    let key = json!({"Fn::GetAtt": ["StackKey", "Value"]});
    let condition = |operator: &str, name: &str| statement["Condition"][operator][name].clone();
    let equals = |name: &str| condition("StringEquals", name);
    match action {
        "iam:CreateRole" | "logs:CreateLogGroup" | "lambda:CreateFunction" => {
            assert_eq!(equals("aws:RequestTag/formation:stack"), key, "{role}: {action}");
        }
        "iam:TagRole" | "logs:TagResource" | "lambda:TagResource" => {
            assert_eq!(equals("aws:RequestTag/formation:stack"), key, "{role}: {action}");
            let existing = condition("StringEqualsIfExists", "aws:ResourceTag/formation:stack");
            assert_eq!(existing, key, "{role}: {action}");
        }
        "iam:PassRole" => {
            assert_eq!(equals("iam:PassedToService"), "lambda.amazonaws.com");
        }
        "logs:CreateLogStream" | "logs:PutLogEvents" | "logs:DescribeLogGroups" => {}
        _ => {
            let (service, operation) = action.split_once(':').unwrap();
            let reads = ["Get", "List", "Describe"].iter().any(|it| operation.starts_with(it));
            if ["iam", "logs", "lambda"].contains(&service) && !reads {
                assert_eq!(equals("aws:ResourceTag/formation:stack"), key, "{role}: {action}");
            }
        }
    }
    let any_resource = ["xray:", "logs:DescribeLogGroups", "lambda:CreateFunction"];
    if statement["Resource"] == "*" {
        assert!(any_resource.iter().any(|known| action.starts_with(known)), "{role}: {action}");
    } else if statement["Resource"]["Fn::GetAtt"] == json!(["IdleRole", "Arn"]) {
        assert_eq!(action, "iam:PassRole", "{role}: {action}");
    } else if action.starts_with("iam:") {
        let resource = &statement["Resource"]["Fn::Sub"];
        assert_eq!(
            resource,
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/formation_${StackKey.Value}_*",
            "{role}: {action}"
        );
    }
}

pub async fn the_role_that_functions_have_for_a_moment_may_do_nothing(world: &World) {
    let role = &world.template["Resources"]["IdleRole"]["Properties"];
    assert!(role["Policies"].is_null() && role["ManagedPolicyArns"].is_null(), "{role:#}");
    let trust = &role["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trust.as_array().unwrap().len(), 1);
    assert_eq!(trust[0]["Principal"], json!({"Service": "lambda.amazonaws.com"}));
    let account = &trust[0]["Condition"]["StringEquals"]["aws:SourceAccount"];
    assert_eq!(account, &json!({"Ref": "AWS::AccountId"}));
}

pub async fn what_local_aws_cannot_evaluate_is_in_the_template(world: &World) {
    let role = &world.template["Resources"]["EnsureRoleLambdaRole"];
    for wanted in ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"] {
        let statement =
            statements(role).into_iter().find(|statement| actions(statement).contains(&wanted));
        assert_eq!(
            statement.unwrap()["Condition"]["StringEquals"]["iam:PermissionsBoundary"],
            json!({"Ref": "FunctionBoundary"}),
            "{wanted}"
        );
    }
    let policy = &world.template["Resources"]["ArtifactBucketPolicy"]["Properties"];
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");

    let boundary = &world.template["Resources"]["FunctionBoundary"]["Properties"]["PolicyDocument"];
    let boundary = boundary["Statement"].as_array().unwrap();
    assert_eq!(boundary.len(), 1);
    assert_eq!(actions(&boundary[0]), ["logs:CreateLogStream", "logs:PutLogEvents"]);
}

pub async fn every_route_is_authorised_and_handled(world: &World) {
    let routes = of_type(world, "AWS::ApiGatewayV2::Route");
    assert!(routes.iter().any(|(_, route)| route["Properties"]["RouteKey"] == "$default"));
    for (id, route) in routes {
        assert_eq!(route["Properties"]["AuthorizationType"], "AWS_IAM", "{id}");
        let key = route["Properties"]["RouteKey"].as_str().unwrap();
        let Some((method, path)) = key.split_once(' ') else { continue };
        let path = path.replace("{functionName}", "nobody").replace("{operationId}", "nothing");
        let answer = world.api(method.parse::<Method>().unwrap(), &path, None).await;
        let code = answer.json()["code"].clone();
        assert!(code != "ROUTE_NOT_FOUND" && code != "METHOD_NOT_ALLOWED", "{key}: {code}");
    }
}

pub async fn only_formation_announces_on_the_bus(world: &World) {
    // Local AWS evaluates no policy of a bus.
    let policy = &world.template["Resources"]["EventBus"]["Properties"]["Policy"];
    let deny = &policy["Statement"][0];
    assert_eq!((&deny["Effect"], &deny["Principal"]), (&json!("Deny"), &json!("*")));
    assert_eq!(deny["Action"], "events:PutEvents");
    assert_eq!(deny["Condition"]["StringEquals"]["events:source"], "formation");
    let ours = ["StateMachineRole", "IntakeLambdaRole", "ReconcileLambdaRole"];
    let ours = ours.map(|role| json!({"Fn::GetAtt": [role, "Arn"]}));
    assert_eq!(deny["Condition"]["ArnNotEquals"]["aws:PrincipalArn"], json!(ours));
    // And the rule lets none of ours back in.
    let pattern = &world.template["Resources"]["RequestRule"]["Properties"]["EventPattern"];
    assert_eq!(pattern["source"], json!([{"anything-but": "formation"}]));
}

pub async fn nothing_that_was_asked_for_by_event_is_lost(world: &World) {
    let resources = &world.template["Resources"];
    let dead = json!({"Fn::GetAtt": ["DeadLetterQueue", "Arn"]});
    let redrive = &resources["RequestQueue"]["Properties"]["RedrivePolicy"];
    assert_eq!((&redrive["deadLetterTargetArn"], &redrive["maxReceiveCount"]), (&dead, &json!(10)));
    for rule in ["RequestRule", "ExecutionEndedRule"] {
        let target = &resources[rule]["Properties"]["Targets"][0];
        assert_eq!(target["DeadLetterConfig"]["Arn"], dead, "{rule}");
    }
    let source = &resources["RequestSource"]["Properties"];
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let timeout = resources["IntakeFunction"]["Properties"]["Timeout"].as_u64().unwrap();
    let hidden = resources["RequestQueue"]["Properties"]["VisibilityTimeout"].as_u64().unwrap();
    assert!(hidden >= 6 * timeout, "AWS advises six times the Lambda's timeout");
    for (alarm, metric) in [
        ("FailedExecutions", "ExecutionsFailed"),
        ("DeadLetters", "ApproximateNumberOfMessagesVisible"),
        ("ApiErrors", "5xx"),
        ("ReconcileErrors", "Errors"),
    ] {
        let properties = &resources[format!("{alarm}Alarm")]["Properties"];
        assert_eq!(properties["MetricName"], metric, "{alarm}");
    }
    assert!(resources["IncompleteRollbacksAlarm"].is_object());
    let body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body["widgets"].as_array().unwrap().len() >= 6);
}

pub async fn logs_and_records_are_kept_as_designed(world: &World) {
    let groups = of_type(world, "AWS::Logs::LogGroup");
    for (id, group) in &groups {
        assert_eq!(
            group["Properties"]["RetentionInDays"],
            json!({"Ref": "LogRetentionDays"}),
            "{id}"
        );
    }
    for (id, function) in of_type(world, "AWS::Serverless::Function") {
        let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap();
        assert!(groups.iter().any(|(id, _)| *id == group), "{id} logs to {group}");
    }
    for id in ["Table", "ArtifactBucket", "FunctionBoundary"] {
        let resource = &world.template["Resources"][id];
        assert_eq!(resource["DeletionPolicy"], "Retain", "{id}");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
    }
    let table = &world.template["Resources"]["Table"]["Properties"];
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], "expiresAt");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["DeletionProtectionEnabled"], json!({"Ref": "TableDeletionProtection"}));

    let bucket = &world.template["Resources"]["ArtifactBucket"]["Properties"];
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    assert!(bucket["BucketEncryption"].is_object());
    let public = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert!(public.len() == 4 && public.values().all(|blocked| blocked == true));
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    for state in ["pending", "expired"] {
        let rule = rules.iter().find(|rule| rule["TagFilters"][0]["Value"] == state).unwrap();
        assert_eq!(rule["TagFilters"][0]["Key"], "state");
        assert_eq!(rule["ExpirationInDays"], 7);
    }
    assert!(!rules.iter().any(|rule| rule["TagFilters"][0]["Value"] == "kept"));

    let machine = &world.template["Resources"]["StateMachine"]["Properties"];
    assert_eq!(machine["Logging"]["Level"], "ALL");
    assert_eq!(machine["Tracing"]["Enabled"], true);
}
