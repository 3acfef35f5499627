//! `infra/template.yaml`: what local AWS does not enforce must stand there all the same.

use std::collections::BTreeSet;

use formation_api::routes::{Access, ROUTES, Route};
use formation_model::function::RETENTION_DAYS;
use formation_tests::World;
use serde_json::{Map, Value, json};

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

/// What a Lambda may do besides writing its log, traces, and reading a record; `intake` and the API read
/// users' code, too, if the stack takes any.
const CALLS: [(&str, &str); 16] = [
    (
        "EnsureRole",
        "dynamodb:UpdateItem iam:CreateRole iam:DeleteRolePolicy iam:DetachRolePolicy iam:GetRole iam:GetRolePolicy \
         iam:ListAttachedRolePolicies iam:ListRolePolicies iam:PutRolePermissionsBoundary \
         iam:PutRolePolicy iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy lambda:GetFunction \
         lambda:ListTags",
    ),
    (
        "EnsureLogGroup",
        "logs:CreateLogGroup logs:DescribeLogGroups logs:ListTagsForResource \
         logs:PutRetentionPolicy logs:TagResource logs:UntagResource",
    ),
    (
        "EnsureFunction",
        "iam:PassRole lambda:CreateFunction lambda:DeleteFunctionConcurrency lambda:GetFunction \
         lambda:GetLayerVersion lambda:ListTags lambda:PublishVersion \
         lambda:PutFunctionConcurrency lambda:TagResource lambda:UntagResource lambda:UpdateFunctionCode \
         lambda:UpdateFunctionConfiguration s3:GetObject s3:GetObjectVersion",
    ),
    (
        "GoLive",
        "dynamodb:UpdateItem lambda:CreateAlias lambda:DeleteFunctionConcurrency lambda:GetAlias lambda:GetFunction \
         lambda:ListTags lambda:PublishVersion lambda:PutFunctionConcurrency lambda:UpdateAlias",
    ),
    (
        "RestoreLive",
        "lambda:CreateAlias lambda:GetAlias lambda:GetFunction lambda:ListTags lambda:UpdateAlias",
    ),
    (
        "EnsureTriggers",
        "dynamodb:UpdateItem events:DeleteRule events:DescribeRule events:ListRuleNamesByTarget events:ListTagsForResource \
         events:ListTargetsByRule events:PutRule events:PutTargets events:RemoveTargets events:TagResource \
         events:TestEventPattern kinesis:DescribeStreamSummary \
         events:UntagResource iam:PassRole lambda:AddPermission lambda:CreateEventSourceMapping \
         lambda:CreateFunctionUrlConfig lambda:DeleteEventSourceMapping lambda:DeleteFunctionEventInvokeConfig \
         lambda:DeleteFunctionUrlConfig lambda:GetEventSourceMapping lambda:GetFunction \
         lambda:GetFunctionEventInvokeConfig lambda:GetFunctionUrlConfig lambda:GetPolicy \
         lambda:ListEventSourceMappings lambda:ListTags lambda:PutFunctionEventInvokeConfig \
         lambda:RemovePermission lambda:TagResource lambda:UntagResource lambda:UpdateEventSourceMapping \
         lambda:UpdateFunctionUrlConfig scheduler:CreateSchedule scheduler:DeleteSchedule scheduler:GetSchedule \
         scheduler:ListSchedules scheduler:UpdateSchedule sqs:GetQueueAttributes sqs:GetQueueUrl",
    ),
    (
        "RemoveTriggers",
        "events:DeleteRule events:DescribeRule events:ListRuleNamesByTarget events:ListTagsForResource \
         events:ListTargetsByRule events:RemoveTargets lambda:DeleteEventSourceMapping \
         lambda:DeleteFunctionUrlConfig lambda:GetEventSourceMapping lambda:GetFunction \
         lambda:ListEventSourceMappings lambda:ListTags scheduler:DeleteSchedule scheduler:ListSchedules",
    ),
    ("RemoveFunction", "lambda:DeleteFunction lambda:GetFunction lambda:ListTags"),
    (
        "RemoveRole",
        "iam:DeleteRole iam:DeleteRolePolicy iam:DetachRolePolicy iam:GetRole \
         iam:ListAttachedRolePolicies iam:ListRolePolicies",
    ),
    (
        "RemoveLogGroup",
        "lambda:GetFunction lambda:ListTags logs:DeleteLogGroup logs:DeleteRetentionPolicy \
         logs:DescribeLogGroups logs:DescribeLogStreams logs:ListTagsForResource \
         logs:UntagResource",
    ),
    (
        "RecordSuccess",
        "dynamodb:DeleteItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem s3:ListBucket \
         s3:PutObjectTagging s3:PutObjectVersionTagging",
    ),
    (
        "RecordFailure",
        "dynamodb:DeleteItem dynamodb:PutItem dynamodb:UpdateItem s3:ListBucket \
         s3:PutObjectTagging s3:PutObjectVersionTagging",
    ),
    (
        "Intake",
        "dynamodb:BatchGetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem events:PutEvents \
         iam:GetPolicy iam:GetPolicyVersion lambda:GetFunction lambda:ListTags s3:DeleteObjectVersion s3:GetObjectVersion s3:ListBucket \
         s3:PutObject s3:PutObjectTagging sqs:ChangeMessageVisibility sqs:DeleteMessage \
         sqs:GetQueueAttributes sqs:ReceiveMessage states:StartExecution",
    ),
    (
        "PruneVersions",
        "dynamodb:DeleteItem dynamodb:Query dynamodb:UpdateItem lambda:DeleteFunction lambda:GetFunction \
         lambda:ListTags lambda:ListVersionsByFunction sqs:SendMessage",
    ),
    (
        "Reconcile",
        "dynamodb:BatchGetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem events:PutEvents \
         events:DescribeRule events:ListTagsForResource events:ListTargetsByRule \
         iam:GetPolicy iam:GetPolicyVersion iam:GetRole iam:GetRolePolicy \
         iam:ListAttachedRolePolicies iam:ListRolePolicies lambda:GetAlias lambda:GetFunction \
         lambda:GetFunctionEventInvokeConfig lambda:GetFunctionUrlConfig lambda:GetPolicy \
         lambda:ListEventSourceMappings lambda:ListTags logs:DescribeLogGroups logs:ListTagsForResource \
         scheduler:GetSchedule sqs:SendMessage states:DescribeExecution states:GetExecutionHistory states:StartExecution \
         states:StopExecution",
    ),
    (
        "Api",
        "dynamodb:BatchGetItem dynamodb:ConditionCheckItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem \
         events:DescribeRule events:ListTagsForResource events:ListTargetsByRule iam:GetPolicy \
         iam:GetPolicyVersion iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies lambda:GetAlias lambda:GetFunction \
         lambda:GetFunctionEventInvokeConfig lambda:GetFunctionUrlConfig lambda:GetPolicy \
         lambda:ListEventSourceMappings lambda:ListTags logs:DescribeLogGroups logs:ListTagsForResource \
         s3:DeleteObjectVersion \
         s3:GetObject s3:GetObjectVersion s3:ListBucket s3:PutObject s3:PutObjectTagging s3:PutObjectVersionTagging \
         scheduler:GetSchedule states:GetExecutionHistory states:StartExecution states:StopExecution",
    ),
];

pub async fn every_lambda_has_a_role_of_its_own_with_just_its_calls(world: &World) {
    let functions = of_type(world, "AWS::Serverless::Function");
    assert_eq!(functions.len(), CALLS.len());
    let shared = [
        "dynamodb:GetItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ];
    for (id, function) in functions {
        let name = id.strip_suffix("Function").unwrap();
        let role_id = function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        assert_eq!(role_id, format!("{name}LambdaRole"));
        let role = &world.template["Resources"][role_id];
        assert!(role["Properties"]["ManagedPolicyArns"].is_null(), "{role_id}");
        let mut may = BTreeSet::new();
        for statement in statements(role) {
            if statement["Effect"] == "Deny" {
                continue;
            }
            for action in actions(statement) {
                check_conditions(role_id, action, statement);
            }
            if statement["Sid"] == "ReadCode" {
                assert_eq!(
                    actions(statement),
                    ["s3:GetObject", "s3:GetObjectVersion"],
                    "{role_id}"
                );
            } else {
                may.extend(actions(statement));
            }
        }
        let (_, calls) = CALLS.iter().find(|(own, _)| *own == name).unwrap();
        let calls: BTreeSet<_> = calls.split(' ').chain(shared).collect();
        assert_eq!(may, calls, "{role_id}");
    }
}

/// What creates asks for our tag in the request, what changes for our tag on the resource.
fn check_conditions(role: &str, action: &str, statement: &Value) {
    let key = json!({"Fn::GetAtt": ["StackKey", "Value"]});
    let condition = |operator: &str, name: &str| statement["Condition"][operator][name].clone();
    let equals = |name: &str| condition("StringEquals", name);
    match action {
        "iam:CreateRole"
        | "logs:CreateLogGroup"
        | "lambda:CreateFunction"
        | "lambda:CreateEventSourceMapping" => {
            assert_eq!(equals("aws:RequestTag/formation:stack"), key, "{role}: {action}");
        }
        "iam:TagRole" | "logs:TagResource" | "lambda:TagResource" | "events:TagResource"
        | "events:PutRule" => {
            assert_eq!(equals("aws:RequestTag/formation:stack"), key, "{role}: {action}");
            let existing = condition("StringEqualsIfExists", "aws:ResourceTag/formation:stack");
            assert_eq!(existing, key, "{role}: {action}");
        }
        // Of a function that is being made, which has no tags yet.
        "lambda:PublishVersion" if statement["Sid"] == "PublishWithCreate" => {
            let existing = condition("StringEqualsIfExists", "aws:ResourceTag/formation:stack");
            assert_eq!(existing, key, "{role}: {action}");
        }
        "iam:PassRole" => {
            let scheduler = statement["Resource"]["Fn::GetAtt"] == json!(["SchedulerRole", "Arn"]);
            let service = if scheduler { "scheduler" } else { "lambda" };
            assert_eq!(equals("iam:PassedToService"), format!("{service}.amazonaws.com"));
        }
        "logs:CreateLogStream" | "logs:PutLogEvents" | "logs:DescribeLogGroups" => {}
        _ => {
            let (service, operation) = action.split_once(':').unwrap();
            let reads = ["Get", "List", "Describe"].iter().any(|it| operation.starts_with(it));
            // What a call announces carries no tag, and neither does a schedule.
            let is_rule =
                service == "events" && !["PutEvents", "TestEventPattern"].contains(&operation);
            if (is_rule || ["iam", "logs", "lambda"].contains(&service)) && !reads {
                assert_eq!(equals("aws:ResourceTag/formation:stack"), key, "{role}: {action}");
            }
        }
    }
    let any_resource = [
        "xray:",
        "logs:DescribeLogGroups",
        "lambda:CreateFunction",
        "lambda:CreateEventSourceMapping",
        "lambda:ListEventSourceMappings",
        "events:ListRuleNamesByTarget",
        "events:TestEventPattern",
        "scheduler:ListSchedules",
    ];
    if action.starts_with("scheduler:") && !action.starts_with("scheduler:List") {
        let resource = statement["Resource"]["Fn::Sub"].as_str().unwrap();
        assert!(resource.ends_with(":schedule/formation_${StackKey.Value}/*"), "{role}: {action}");
    }
    if statement["Resource"] == "*" {
        assert!(any_resource.iter().any(|known| action.starts_with(known)), "{role}: {action}");
    } else if ["IdleRole", "SchedulerRole"]
        .iter()
        .any(|it| statement["Resource"]["Fn::GetAtt"] == json!([it, "Arn"]))
    {
        assert_eq!(action, "iam:PassRole", "{role}: {action}");
    } else if action.starts_with("iam:GetPolicy") {
        let boundary = json!({"Ref": "FunctionBoundaryArn"});
        assert_eq!(statement["Resource"], boundary, "{role}: {action}");
    } else if action.starts_with("iam:") {
        let resource = &statement["Resource"]["Fn::Sub"];
        assert_eq!(
            resource,
            "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/formation_${StackKey.Value}_*",
            "{role}: {action}"
        );
    }
}

pub async fn what_prunes_versions_can_delete_no_function(world: &World) {
    let role = &world.template["Resources"]["PruneVersionsLambdaRole"];
    let deletes = |statement: &&Value| actions(statement).contains(&"lambda:DeleteFunction");
    let found: Vec<_> = statements(role).into_iter().filter(deletes).collect();
    assert_eq!(found.len(), 1);
    let resource = found[0]["Resource"]["Fn::Sub"].as_str().unwrap();
    assert!(resource.ends_with(":function:*:*"), "{resource}");
}

pub async fn schedules_invoke_what_callers_run_of_the_stacks_functions_and_nothing_else(
    world: &World,
) {
    let role = &world.template["Resources"]["SchedulerRole"];
    let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trust.as_array().unwrap().len(), 1);
    assert_eq!(trust[0]["Principal"], json!({"Service": "scheduler.amazonaws.com"}));
    let account = &trust[0]["Condition"]["StringEquals"]["aws:SourceAccount"];
    assert_eq!(account, &json!({"Ref": "AWS::AccountId"}));
    let found = statements(role);
    assert_eq!(found.len(), 1);
    assert_eq!(actions(found[0]), ["lambda:InvokeFunction"]);
    assert!(found[0]["Resource"]["Fn::Sub"].as_str().unwrap().ends_with(":function:*:live"));
    let key = json!({"Fn::GetAtt": ["StackKey", "Value"]});
    let condition = json!({"StringEquals": {"aws:ResourceTag/formation:stack": key}});
    assert_eq!(found[0]["Condition"], condition);
    let group = &world.template["Resources"]["ScheduleGroup"]["Properties"]["Name"];
    assert_eq!(group, &json!({"Fn::Sub": "formation_${StackKey.Value}"}));
    assert_eq!(world.identity().schedule_group(), format!("formation_{}", world.stack_key));
}

/// Whoever has a rule there reads what is asked of Formation, secrets included.
pub async fn no_function_has_a_rule_on_the_stacks_own_bus(world: &World) {
    let bus = &world.template["Resources"]["EventBus"]["Properties"]["Name"];
    assert_eq!(bus, &json!({"Ref": "AWS::StackName"}));
    let roles = of_type(world, "AWS::IAM::Role").into_iter();
    for (id, role) in roles.filter(|(id, _)| id.ends_with("LambdaRole")) {
        let makes = |it: &&&Value| {
            ["events:PutRule", "events:PutTargets"]
                .iter()
                .any(|action| actions(it).contains(action))
        };
        let found = statements(role);
        let found: Vec<_> = found.iter().filter(makes).collect();
        let denies = found.iter().find(|it| it["Effect"] == "Deny");
        assert_eq!(denies.is_some(), id == "EnsureTriggersLambdaRole", "{id}");
        let Some(denies) = denies else {
            assert!(found.is_empty(), "{id}");
            continue;
        };
        assert_eq!(actions(denies), ["events:PutRule", "events:PutTargets"], "{id}");
        assert!(denies["Condition"].is_null(), "{id}");
        assert!(resources(denies)[0].ends_with(":rule/${AWS::StackName}/*"), "{id}");
    }
    let names = &world.template["Parameters"]["EventBusNames"];
    assert_eq!(names["Default"], "default");
    for id in ["ApiFunction", "IntakeFunction", "ReconcileFunction"] {
        let function = &world.template["Resources"][id]["Properties"];
        let variables = &function["Environment"]["Variables"];
        let named = json!({"Fn::Join": [",", {"Ref": "EventBusNames"}]});
        assert_eq!(variables["EVENT_BUS_NAMES"], named, "{id}");
        assert_eq!(variables["EVENT_BUS_NAME"], json!({"Ref": "EventBus"}), "{id}");
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

/// The platform team's boundary, or the stack's own.
fn boundary_in_force() -> Value {
    json!({"Fn::If": [
        "HasFunctionBoundary", {"Ref": "FunctionBoundaryArn"}, {"Ref": "FunctionBoundary"}
    ]})
}

pub async fn all_that_make_or_compare_roles_have_the_same_boundary_and_guard(world: &World) {
    let own = "FunctionBoundaryArn";
    assert_eq!(world.template["Parameters"][own]["Default"], "");
    let condition = &world.template["Conditions"]["HasFunctionBoundary"];
    assert_eq!(condition, &json!({"Fn::Not": [{"Fn::Equals": [{"Ref": own}, ""]}]}));
    let mut guards = Vec::new();
    for (id, function) in of_type(world, "AWS::Serverless::Function") {
        let variables = &function["Properties"]["Environment"]["Variables"];
        if variables["PERMISSIONS_BOUNDARY_ARN"].is_null() {
            assert!(variables["GUARDED_ARNS"].is_null(), "{id}");
            continue;
        }
        assert_eq!(variables["PERMISSIONS_BOUNDARY_ARN"], boundary_in_force(), "{id}");
        assert_eq!(variables["FUNCTION_BOUNDARY_ARN"], json!({"Ref": own}), "{id}");
        guards.push((id, &variables["GUARDED_ARNS"]));
    }
    let ids: BTreeSet<_> = guards.iter().map(|(id, _)| *id).collect();
    let wanted = ["ApiFunction", "EnsureRoleFunction", "IntakeFunction", "ReconcileFunction"];
    assert_eq!(ids, wanted.into());
    assert!(guards.iter().all(|(_, guard)| *guard == guards[0].1));
}

pub async fn what_local_aws_cannot_evaluate_is_in_the_template(world: &World) {
    let role = &world.template["Resources"]["EnsureRoleLambdaRole"];
    for wanted in ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"] {
        let statement =
            statements(role).into_iter().find(|statement| actions(statement).contains(&wanted));
        assert_eq!(
            statement.unwrap()["Condition"]["StringEquals"]["iam:PermissionsBoundary"],
            boundary_in_force(),
            "{wanted}"
        );
    }
    let key = json!({"Fn::GetAtt": ["StackKey", "Value"]});
    let role = &world.template["Resources"]["EnsureTriggersLambdaRole"];
    let of = |sid: &str| statements(role).into_iter().find(|it| it["Sid"] == sid).unwrap();
    let arn = |function: &str| {
        let at = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:";
        json!({"Fn::Sub": format!("{at}{function}")})
    };
    let targets = of("TargetWhatCallersRun");
    assert_eq!(actions(targets), ["events:PutTargets"]);
    let wanted = json!({
        "StringEquals": {"aws:ResourceTag/formation:stack": key},
        "ForAllValues:ArnLike": {"events:TargetArn": arn("*:live")},
        "Null": {"events:TargetArn": "false"}
    });
    assert_eq!(targets["Condition"], wanted);
    let feeds = of("FeedNoOwnLambda");
    let mappings = ["lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping"];
    assert_eq!((actions(feeds), &feeds["Effect"]), (mappings.to_vec(), &json!("Deny")));
    let own = json!({"ArnLike": {"lambda:FunctionArn": arn("${AWS::StackName}-*Function-*")}});
    assert_eq!((&feeds["Condition"], &feeds["Resource"]), (&own, &json!("*")));
    let opens = of("OpenToNobody");
    assert_eq!((actions(opens), &opens["Effect"]), (vec!["lambda:AddPermission"], &json!("Deny")));
    let everybody = json!({"StringEquals": {"lambda:Principal": "*"}});
    assert_eq!((&opens["Condition"], &opens["Resource"]), (&everybody, &json!("*")));
    let condition = &world.template["Conditions"]["HasNoPublicUrls"];
    assert_eq!(condition, &json!({"Fn::Equals": [{"Ref": "AllowPublicUrls"}, "false"]}));

    let policy = &world.template["Resources"]["ArtifactBucketPolicy"]["Properties"];
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
    let statement = &policy["PolicyDocument"]["Statement"][1];
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(statement["Condition"], json!({"Null": {"s3:DataAccessPointArn": "false"}}));

    let boundary = &world.template["Resources"]["FunctionBoundary"]["Properties"]["PolicyDocument"];
    let boundary = boundary["Statement"].as_array().unwrap();
    let may: Vec<_> = boundary.iter().flat_map(actions).collect();
    let tracing = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];
    assert_eq!(may, [["logs:CreateLogStream", "logs:PutLogEvents"], tracing].concat());
}

pub async fn the_routes_are_those_of_the_table_and_each_is_authorised(world: &World) {
    let routes = of_type(world, "AWS::ApiGatewayV2::Route");
    let mut keys = BTreeSet::new();
    for (id, route) in &routes {
        assert_eq!(route["Properties"]["AuthorizationType"], "AWS_IAM", "{id}");
        keys.insert(route["Properties"]["RouteKey"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys.len(), routes.len(), "two routes have one key");
    let table = ROUTES.iter().map(Route::key).chain(["$default".to_owned()]);
    assert_eq!(keys, table.collect());
}

/// The statements of a policy that is attached to people.
fn policy_statements(policy: &Value) -> &[Value] {
    policy["Properties"]["PolicyDocument"]["Statement"].as_array().unwrap()
}

/// What a statement is about, as it is spelled.
fn resources(statement: &Value) -> Vec<&str> {
    let listed = match &statement["Resource"] {
        Value::Array(listed) => listed.iter().collect(),
        one => vec![one],
    };
    listed.into_iter().map(|it| it["Fn::Sub"].as_str().unwrap()).collect()
}

/// Whether IAM takes `text` for what `pattern` means: `*` stands for anything, slashes too.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| fits(tail, &rest[at..]))
        }),
    }
}

/// Whether a policy of the stack lets its holder call a route, by the ARN that API Gateway asks IAM
/// about.
fn holds(policy: &Value, route: &Route) -> bool {
    let asked = format!("/$default/{}{}", route.method, route.path);
    let says = |effect: &str| {
        let mut statements = policy_statements(policy).iter();
        statements.any(|it| {
            it["Effect"] == effect
                && actions(it).contains(&"execute-api:Invoke")
                && resources(it)
                    .iter()
                    .any(|it| fits(it.split_once("${HttpApi}").unwrap().1, &asked))
        })
    };
    says("Allow") && !says("Deny")
}

pub async fn the_managed_policies_hold_the_routes_that_the_table_says(world: &World) {
    let resources = &world.template["Resources"];
    for route in ROUTES {
        let key = route.key();
        let (plans, reads) = (route.access == Access::Plan, route.access != Access::Change);
        assert_eq!(holds(&resources["PlanPolicy"], route), plans, "Plan: {key}");
        assert_eq!(holds(&resources["ReadOnlyPolicy"], route), reads, "ReadOnly: {key}");
        assert!(holds(&resources["FullAccessPolicy"], route), "FullAccess: {key}");
    }
}

pub async fn whoever_may_call_the_api_may_find_it(world: &World) {
    let all = &world.template["Resources"];
    let parameter = &all["ApiUrlParameter"]["Properties"];
    assert_eq!(parameter["Name"]["Fn::Sub"], "/formation/${AWS::StackName}/api-url");
    assert_eq!(parameter["Value"], world.template["Outputs"]["ApiUrl"]["Value"]);
    for policy in ["PlanPolicy", "ReadOnlyPolicy", "FullAccessPolicy"] {
        let of_parameters = |it: &&Value| actions(it).iter().any(|it| it.starts_with("ssm:"));
        let found: Vec<_> = policy_statements(&all[policy]).iter().filter(of_parameters).collect();
        assert_eq!(found.len(), 1, "{policy}");
        assert_eq!(
            (&found[0]["Effect"], actions(found[0])),
            (&json!("Allow"), vec!["ssm:GetParameter"])
        );
        let own = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/formation/${AWS::StackName}/api-url";
        assert_eq!(resources(found[0]), [own], "{policy}");
    }
    // Planning is all that it is for.
    assert_eq!(policy_statements(&all["PlanPolicy"]).len(), 2);
}

/// What the managed policies allow besides the API: the policies that have it, the call, on what, and
/// whether only where the stack's tag is.
const DAILY_CALLS: [(&[&str], &str, &str, bool); 3] = [
    (
        &["ReadOnlyPolicy", "FullAccessPolicy"],
        "logs:FilterLogEvents",
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/*",
        true,
    ),
    (&["ReadOnlyPolicy", "FullAccessPolicy"], "cloudwatch:GetMetricData", "*", false),
    (
        &["FullAccessPolicy"],
        "lambda:InvokeFunction",
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*",
        true,
    ),
];

pub async fn the_managed_policies_read_logs_and_invoke_by_the_stacks_tag(world: &World) {
    let all = &world.template["Resources"];
    let of_the_api = ["execute-api:Invoke", "ssm:GetParameter", "events:PutEvents"];
    for policy in ["PlanPolicy", "ReadOnlyPolicy", "FullAccessPolicy"] {
        let statements = policy_statements(&all[policy]).iter();
        let mut found: Vec<_> = statements
            .filter(|statement| !of_the_api.contains(&actions(statement)[0]))
            .map(|statement| {
                let resource = &statement["Resource"];
                let resource = resource["Fn::Sub"].as_str().or(resource.as_str()).unwrap();
                let tag = json!({"StringEquals": {
                    "aws:ResourceTag/formation:stack": {"Fn::GetAtt": ["StackKey", "Value"]}
                }});
                let tagged = statement.get("Condition").inspect(|it| assert_eq!(**it, tag));
                assert_eq!(statement["Effect"], "Allow");
                (actions(statement).join(" "), resource, tagged.is_some())
            })
            .collect();
        found.sort_unstable();
        let expected = DAILY_CALLS.iter().filter(|(policies, ..)| policies.contains(&policy));
        let mut expected: Vec<_> = expected
            .map(|(_, call, resource, tagged)| ((*call).to_owned(), *resource, *tagged))
            .collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{policy}");
    }
}

pub async fn a_reader_is_denied_code_whatever_else_it_holds(world: &World) {
    let policy = &world.template["Resources"]["ReadOnlyPolicy"];
    let mut statements = policy_statements(policy).iter();
    let denial = statements.find(|statement| statement["Effect"] == "Deny").unwrap();
    assert_eq!(actions(denial), ["execute-api:Invoke"]);
    let [denied] = resources(denial)[..] else { panic!("{denial:#}") };
    assert_eq!(denied.split_once("/$default/").unwrap().1, "GET/v1/functions/*/code");
}

pub async fn the_api_reaches_uploads_and_bundles_and_nothing_else_of_the_bucket(world: &World) {
    let role = &world.template["Resources"]["ApiLambdaRole"];
    let stored = |statement: &&Value| actions(statement).iter().any(|it| it.starts_with("s3:"));
    let mut found = BTreeSet::new();
    for statement in statements(role).into_iter().filter(stored) {
        if statement["Sid"] != "ReadCode" && statement["Sid"] != "TellMissingBundles" {
            let resource = statement["Resource"]["Fn::Sub"].as_str().unwrap();
            found.insert((resource, actions(statement).join(" ")));
        }
    }
    let expected = [
        (
            "${ArtifactBucket.Arn}/bundles/*",
            "s3:DeleteObjectVersion s3:GetObject s3:GetObjectVersion s3:PutObject s3:PutObjectTagging \
             s3:PutObjectVersionTagging",
        ),
        ("${ArtifactBucket.Arn}/uploads/*", "s3:GetObject s3:PutObject s3:PutObjectTagging"),
    ];
    assert_eq!(found, expected.map(|(at, calls)| (at, calls.to_owned())).into());
}

pub async fn every_lambda_logs_as_json_and_its_errors_are_charted(world: &World) {
    let globals = &world.template["Globals"]["Function"];
    assert_eq!(globals["LoggingConfig"]["LogFormat"], "JSON");
    let dashboard = &world.template["Resources"]["Dashboard"]["Properties"]["DashboardBody"];
    let dashboard: Value = serde_json::from_str(dashboard["Fn::Sub"].as_str().unwrap()).unwrap();
    let mut widgets = dashboard["widgets"].as_array().unwrap().iter();
    let chart = widgets.find(|it| it["properties"]["title"] == "Errors of Lambdas").unwrap();
    let charted = chart["properties"]["metrics"].as_array().unwrap().iter();
    let charted: BTreeSet<_> = charted
        .map(|metric| metric.as_array().unwrap().last().unwrap().as_str().unwrap())
        .collect();
    let functions = of_type(world, "AWS::Serverless::Function").into_iter();
    let functions: Vec<_> = functions
        .map(|(id, function)| {
            assert!(function["Properties"]["LoggingConfig"]["LogFormat"].is_null(), "{id}");
            format!("${{{id}}}")
        })
        .collect();
    assert_eq!(charted, functions.iter().map(String::as_str).collect());
}

/// Seconds after which Lambda ends an invocation: the Lambda's own limit, or that of all.
pub fn timeout_of(world: &World, id: &str) -> u64 {
    let own = &world.template["Resources"][id]["Properties"]["Timeout"];
    let common = &world.template["Globals"]["Function"]["Timeout"];
    own.as_u64().or(common.as_u64()).unwrap()
}

pub async fn requests_that_wait_can_be_kept_from_starving_the_steps(world: &World) {
    let parameter = &world.template["Parameters"]["ApiReservedConcurrency"];
    assert_eq!(parameter["Default"], "");
    let api = &world.template["Resources"]["ApiFunction"]["Properties"];
    assert_eq!(
        api["ReservedConcurrentExecutions"],
        json!({"Fn::If": [
            "HasApiReservedConcurrency", {"Ref": "ApiReservedConcurrency"}, {"Ref": "AWS::NoValue"}
        ]})
    );
    // The gateway gives up last, so that there is an answer of ours.
    let gateway = &world.template["Resources"]["ApiIntegration"]["Properties"]["TimeoutInMillis"];
    assert!(timeout_of(world, "ApiFunction") * 1000 < gateway.as_u64().unwrap());
}

pub async fn only_formation_announces_on_the_bus(world: &World) {
    // Local AWS evaluates no policy of a bus.
    let policy = &world.template["Resources"]["EventBus"]["Properties"]["Policy"];
    let deny = &policy["Statement"][0];
    assert_eq!((&deny["Effect"], &deny["Principal"]), (&json!("Deny"), &json!("*")));
    assert_eq!(deny["Action"], "events:PutEvents");
    assert_eq!(deny["Condition"]["ForAnyValue:StringEquals"]["events:source"], "formation");
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
    // And nothing comes in that was not: no queue that fails passes on its messages to it.
    let takes = &resources["RequestQueue"]["Properties"]["RedriveAllowPolicy"];
    assert_eq!(takes, &json!({"redrivePermission": "denyAll"}));
    for rule in ["RequestRule", "ExecutionEndedRule"] {
        let target = &resources[rule]["Properties"]["Targets"][0];
        assert_eq!(target["DeadLetterConfig"]["Arn"], dead, "{rule}");
    }
    // What a rule has handed over to Lambda is Lambda's to keep.
    let targets = of_type(world, "AWS::Events::Rule").into_iter();
    let targets = targets.flat_map(|(_, rule)| rule["Properties"]["Targets"].as_array().unwrap());
    let invoked = targets.filter_map(|target| target["Arn"]["Fn::GetAtt"][0].as_str());
    let invoked: BTreeSet<_> =
        invoked.filter(|id| resources[*id]["Type"] == "AWS::Serverless::Function").collect();
    assert_eq!(invoked, ["PruneVersionsFunction", "ReconcileFunction"].into());
    for id in invoked {
        let config = &resources[id]["Properties"]["EventInvokeConfig"];
        assert_eq!(config["MaximumRetryAttempts"], 0, "{id}");
        let kept = json!({"Type": "SQS", "Destination": dead});
        assert_eq!(config["DestinationConfig"]["OnFailure"], kept, "{id}");
        let role = resources[id]["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        let may = statements(&resources[role]).into_iter().any(|statement| {
            actions(statement).contains(&"sqs:SendMessage") && statement["Resource"] == dead
        });
        assert!(may, "{role} may not keep what {id} failed at");
    }
    let source = &resources["RequestSource"]["Properties"];
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let timeout = timeout_of(world, "IntakeFunction");
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
    let widgets = body["widgets"].as_array().unwrap();
    // What an operator asks first is charted, and what is charted has a source.
    for (title, metric, groups) in [
        ("Seconds from a request to AVAILABLE", "SecondsToAvailable", 1),
        ("Throttled calls", "Throttled", 8),
        ("Incomplete rollbacks", "IncompleteRollbacks", 1),
        ("Drift found", "Drift", 1),
    ] {
        let widget = widgets.iter().find(|it| it["properties"]["title"] == title).unwrap();
        let name = format!("${{AWS::StackName}}-{metric}");
        assert_eq!(widget["properties"]["metrics"][0][1], name.as_str(), "{title}");
        let filters = of_type(world, "AWS::Logs::MetricFilter").into_iter();
        let filters = filters.map(|(_, filter)| filter).filter(|filter| {
            filter["Properties"]["MetricTransformations"][0]["MetricName"]["Fn::Sub"]
                == name.as_str()
        });
        let sources: BTreeSet<_> =
            filters.map(|it| it["Properties"]["LogGroupName"]["Ref"].to_string()).collect();
        assert_eq!(sources.len(), groups, "{title}: {sources:?}");
    }
    assert!(widgets.iter().any(|it| it["properties"]["title"] == "Operations by outcome"));
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
    // A first deploy that fails leaves nothing that it can take back: a table that refuses to be
    // deleted would fail the rollback itself.
    for (id, policy) in [
        ("Table", "Retain"),
        ("ArtifactBucket", "RetainExceptOnCreate"),
        ("ArtifactBucketPolicy", "RetainExceptOnCreate"),
        ("FunctionBoundary", "RetainExceptOnCreate"),
    ] {
        let resource = &world.template["Resources"][id];
        assert_eq!(resource["DeletionPolicy"], policy, "{id}");
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
    let uploads = rules.iter().find(|rule| rule["Prefix"] == "uploads/").unwrap();
    assert_eq!((&uploads["Status"], &uploads["TagFilters"]), (&json!("Enabled"), &Value::Null));
    assert_eq!(uploads["ExpirationInDays"], 1);
    assert_eq!(uploads["NoncurrentVersionExpiration"]["NoncurrentDays"], 1);

    let machine = &world.template["Resources"]["StateMachine"]["Properties"];
    assert_eq!(machine["Logging"]["Level"], "ALL");
    assert_eq!(machine["Tracing"]["Enabled"], true);
}

/// Every object below `value`, and `value` itself if it is one.
fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    let (own, parts): (_, Vec<&Value>) = match value {
        Value::Object(object) => (Some(object), object.values().collect()),
        Value::Array(array) => (None, array.iter().collect()),
        _ => (None, Vec::new()),
    };
    own.into_iter().chain(parts.into_iter().flat_map(objects)).collect()
}

/// Every statement of every policy: of roles, of callers, of resources.
fn all_statements(world: &World) -> impl Iterator<Item = &Map<String, Value>> {
    objects(&world.template["Resources"]).into_iter().filter(|object| object.contains_key("Effect"))
}

pub async fn every_name_that_all_regions_share_carries_its_own(world: &World) {
    let shared = [
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::IAM::User", "UserName"),
        ("AWS::IAM::Group", "GroupName"),
        ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
        ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
        ("AWS::CloudWatch::Dashboard", "DashboardName"),
        ("AWS::S3::Bucket", "BucketName"),
    ];
    let mut names = 0;
    for (kind, property) in shared {
        for (id, resource) in of_type(world, kind) {
            // CloudFormation makes up a name that is nobody else's.
            let Some(name) = resource["Properties"].get(property) else { continue };
            let name = name["Fn::Sub"].as_str().unwrap_or_default();
            assert!(name.contains("${AWS::StackName}-${AWS::Region}"), "{id}: {name}");
            names += 1;
        }
    }
    assert!(names >= 4, "three policies and a dashboard");
}

pub async fn every_log_group_that_aws_delivers_to_is_outside_of_its_resource_policy(world: &World) {
    let stages = of_type(world, "AWS::ApiGatewayV2::Stage").into_iter();
    let stages =
        stages.map(|(_, stage)| &stage["Properties"]["AccessLogSettings"]["DestinationArn"]);
    let machines = of_type(world, "AWS::Serverless::StateMachine").into_iter();
    let machines = machines.map(|(_, machine)| {
        &machine["Properties"]["Logging"]["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"]
    });
    let delivered: BTreeSet<_> =
        stages.chain(machines).map(|arn| arn["Fn::GetAtt"][0].as_str().unwrap()).collect();
    for (id, group) in of_type(world, "AWS::Logs::LogGroup") {
        let name = group["Properties"]["LogGroupName"]["Fn::Sub"].as_str().unwrap();
        let prefix = if delivered.contains(id) { "/aws/vendedlogs/" } else { "/formation/" };
        assert!(name.starts_with(prefix), "{id}: {name}");
    }
    assert_eq!(delivered.len(), 2, "the gateway's and the state machine's");
}

pub async fn every_condition_on_a_key_of_many_values_says_which_of_them(world: &World) {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    let multivalued = ["aws:TagKeys", "events:TargetArn", "events:source", "events:detail-type"];
    let mut found = 0;
    for statement in all_statements(world) {
        let sid = statement.get("Sid");
        let none = Map::new();
        let condition = statement.get("Condition").and_then(Value::as_object).unwrap_or(&none);
        for (operator, keys) in condition.iter().filter(|(operator, _)| *operator != "Null") {
            for key in keys.as_object().unwrap().keys() {
                let set = operator.starts_with("ForA");
                assert_eq!(set, multivalued.contains(&key.as_str()), "{sid:?}: {operator} {key}");
                found += usize::from(set);
                // Over no values at all ForAllValues is true.
                if operator.starts_with("ForAllValues:") && statement["Effect"] == "Allow" {
                    let absent = condition.get("Null").and_then(|null| null.get(key));
                    assert_eq!(absent, Some(&json!("false")), "{sid:?}: {operator} {key}");
                }
            }
        }
    }
    assert!(found >= 5, "{found}");
}

pub async fn nobody_may_announce_who_may_ask(world: &World) {
    let policy = &world.template["Resources"]["FullAccessPolicy"]["Properties"]["PolicyDocument"];
    let statements = policy["Statement"].as_array().unwrap().iter();
    let puts: Vec<_> =
        statements.filter(|statement| actions(statement).contains(&"events:PutEvents")).collect();
    assert_eq!(puts.len(), 1);
    let condition = &puts[0]["Condition"];
    let key = "events:detail-type";
    assert_eq!(condition["ForAllValues:StringEquals"][key], "Formation Operation Request");
    assert_eq!(condition["ForAllValues:StringNotEquals"]["events:source"], "formation");
}

pub async fn every_partition_has_its_arns(world: &World) {
    let literal = |text: &str| text.contains("arn:aws");
    let roles = ["IntakeLambdaRole", "ApiLambdaRole"];
    for (id, resource) in world.template["Resources"].as_object().unwrap() {
        if !roles.contains(&id.as_str()) {
            assert!(!literal(&resource.to_string()), "{id} names a partition");
        }
    }
    for id in roles {
        let role = &world.template["Resources"][id];
        let read_code: Vec<_> = statements(role)
            .into_iter()
            .filter(|statement| literal(&statement.to_string()))
            .collect();
        assert_eq!(read_code.len(), 1, "{id}");
        let china = &read_code[0]["Resource"]["Fn::If"];
        let gov = &china[2]["Fn::If"];
        assert_eq!((&china[0], &gov[0]), (&json!("InChina"), &json!("InGovCloud")));
        for (buckets, partition) in
            [(&china[1], "aws-cn"), (&gov[1], "aws-us-gov"), (&gov[2], "aws")]
        {
            let first = format!("arn:{partition}:s3:::");
            let names = json!({"Fn::Join": [format!("/*,{first}"), {"Ref": "CodeBuckets"}]});
            let all = json!({"Fn::Split": [",", {"Fn::Join": ["", [first, names, "/*"]]}]});
            assert_eq!(buckets, &all, "{id} in {partition}");
        }
    }
    for (condition, partition) in [("InChina", "aws-cn"), ("InGovCloud", "aws-us-gov")] {
        let equals = json!({"Fn::Equals": [{"Ref": "AWS::Partition"}, partition]});
        assert_eq!(world.template["Conditions"][condition], equals);
    }
    let definition = include_str!("../../statemachine.asl.json");
    assert!(!literal(definition), "the state machine names a partition");
}

pub async fn a_parameter_of_few_values_names_them(world: &World) {
    let allowed = &world.template["Parameters"]["LogRetentionDays"]["AllowedValues"];
    assert_eq!(allowed, &json!(RETENTION_DAYS));
}

pub async fn whoever_marks_or_stores_bundles_is_told_which_are_missing(world: &World) {
    for (id, function) in of_type(world, "AWS::Serverless::Function") {
        let role = function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        let statements = statements(&world.template["Resources"][role]);
        let does = |wanted: &str| {
            statements.iter().find(|statement| actions(statement).contains(&wanted)).copied()
        };
        // Lambda's own reading of bundles needs no such distinction.
        if does("s3:PutObjectTagging").is_none() {
            continue;
        }
        let lists = does("s3:ListBucket").unwrap_or_else(|| panic!("{role} may not list bundles"));
        assert_eq!(lists["Resource"], json!({"Fn::GetAtt": ["ArtifactBucket", "Arn"]}), "{id}");
        // The api alone asks for uploads.
        let prefixes = if id == "ApiFunction" {
            json!(["bundles/*", "uploads/*"])
        } else {
            json!("bundles/*")
        };
        assert_eq!(lists["Condition"], json!({"StringLike": {"s3:prefix": prefixes}}), "{id}");
    }
}
