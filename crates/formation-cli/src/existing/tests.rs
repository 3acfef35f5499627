//! What AWS may answer about a function, on the wire.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Asked, Reply, Stub, reply};

const ROLE: &str = "arn:aws:iam::111122223333:role/service-role/old-role";

fn function() -> Value {
    json!({
        "Configuration": {
            "FunctionName": "old", "FunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:old",
            "Runtime": "python3.13", "Role": ROLE, "Handler": "app.main", "CodeSize": 5, "Description": "Says ${HELLO}",
            "Timeout": 10, "MemorySize": 512, "LastModified": "2026-01-01T00:00:00.000+0000", "CodeSha256": "abc=",
            "Version": "$LATEST", "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
            "Environment": {"Variables": {"TABLE": "s3cr3t-1", "PATH": "s3cr3t-2"}}, "TracingConfig": {"Mode": "Active"},
            "RevisionId": "r", "Layers": [{"Arn": "arn:aws:lambda:eu-west-1:111122223333:layer:a:1", "CodeSize": 1}],
            "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip", "Architectures": ["arm64"],
            "EphemeralStorage": {"Size": 1024}, "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN", "LogGroup": "/aws/lambda/old"},
        },
        "Code": {"RepositoryType": "S3", "Location": "https://example.org/code?X-Amz-Signature=s3cr3t"},
        "Tags": {"team": "blue", "aws:cloudformation:stack-name": "x"},
        "Concurrency": {"ReservedConcurrentExecutions": 3},
    })
}

/// Answers as AWS does for a function without anything around it.
fn plain_aws(asked: &Asked) -> Reply {
    let xml = |action: &str, inner: &str| {
        let text = format!(
            "<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"
        );
        reply(200, text)
    };
    let document = |statement: Value| {
        let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        document.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()
    };
    match asked.call().as_str() {
        "GET /2015-03-31/functions/old" => reply(200, function().to_string()),
        "DescribeLogGroups" => reply(
            200,
            json!({"logGroups": [
                {"logGroupName": "/aws/lambda/older", "retentionInDays": 1},
                {"logGroupName": "/aws/lambda/old", "retentionInDays": 7},
            ]})
            .to_string(),
        ),
        "ListRolePolicies" if asked.body.contains("Marker=next") => xml(
            "ListRolePolicies",
            "<PolicyNames><member>second</member></PolicyNames><IsTruncated>false</IsTruncated>",
        ),
        "ListRolePolicies" => xml(
            "ListRolePolicies",
            "<PolicyNames><member>first</member></PolicyNames><IsTruncated>true</IsTruncated><Marker>next</Marker>",
        ),
        "GetRolePolicy" if asked.body.contains("PolicyName=second") => {
            xml("GetRolePolicy", "<PolicyDocument>%7B</PolicyDocument>")
        }
        "GetRolePolicy" => {
            let table = json!({"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/t"});
            xml("GetRolePolicy", &format!("<PolicyDocument>{}</PolicyDocument>", document(table)))
        }
        "ListAttachedRolePolicies" => xml(
            "ListAttachedRolePolicies",
            "<AttachedPolicies><member><PolicyName>a</PolicyName><PolicyArn>arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole</PolicyArn></member>\
             <member><PolicyName>b</PolicyName><PolicyArn>arn:aws:iam::111122223333:policy/b</PolicyArn></member></AttachedPolicies>",
        ),
        "GetPolicy" => xml("GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>"),
        "GetPolicyVersion" if asked.body.contains("VersionId=v3") => {
            let traces = json!([
                {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "no-arn"},
            ]);
            xml(
                "GetPolicyVersion",
                &format!(
                    "<PolicyVersion><Document>{}</Document></PolicyVersion>",
                    document(traces)
                ),
            )
        }
        "GetRole" => xml("GetRole", "<Role><Arn>a</Arn></Role>"),
        call if call.starts_with("GET ") => (
            404,
            vec![("x-amzn-errortype", "ResourceNotFoundException:http://x/".to_owned())],
            b"{\"Message\": \"none\"}".to_vec(),
        ),
        _ => reply(500, "{}"),
    }
}

fn taken(name: &str) -> bool {
    name == "PATH"
}

async fn found(
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Stub, Result<Found, Failure>) {
    let stub = Stub::start(answer);
    let (old, new) = ("old".parse().unwrap(), "new-one".parse().unwrap());
    let found = find(&stub.aws(), &old, &new, &taken).await;
    (stub, found)
}

/// The same, where one call is answered otherwise.
async fn with(call: &'static str, answer: Reply) -> Result<Found, Failure> {
    let answered = move |asked: &Asked| {
        if asked.call() == call { answer.clone() } else { plain_aws(asked) }
    };
    found(answered).await.1
}

fn denied(call: &str) -> Reply {
    // Each protocol in its own way.
    if call.starts_with("GET ") || call.starts_with("Describe") {
        let error = json!({"__type": "AccessDeniedException", "Message": "User is not authorized"});
        return reply(403, error.to_string());
    }
    reply(
        403,
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User is not authorized</Message></Error></ErrorResponse>",
    )
}

#[tokio::test]
async fn a_function_is_read_in_the_fields_of_the_api_and_no_value_of_its_environment() {
    let (stub, found) = found(plain_aws).await;
    let Found { existing, code_location, code_sha256 } = found.unwrap();
    let expected = json!({
        "runtime": "python3.13", "handler": "app.main", "architecture": "arm64", "memoryMegabytes": 512,
        "timeoutSeconds": 10, "ephemeralStorageMegabytes": 1024, "tracing": "ACTIVE",
        "layers": ["arn:aws:lambda:eu-west-1:111122223333:layer:a:1"], "reservedConcurrency": 3,
        "logFormat": "JSON", "applicationLogLevel": "DEBUG", "systemLogLevel": "WARN",
        "description": "Says $${HELLO}", "tags": {"team": "blue"}, "logRetentionDays": 7,
        "policyStatements": [{"actions": ["dynamodb:GetItem"], "resources": ["arn:aws:dynamodb:eu-west-1:111122223333:table/t"]}],
        "environment": {"PATH": "${NEW_ONE_PATH}", "TABLE": "${TABLE}"},
    });
    assert_eq!(Value::Object(existing.fields.clone()), expected);
    assert_eq!(existing.variables["PATH"], "NEW_ONE_PATH");
    assert!(!format!("{existing:?}").contains("s3cr3t"));
    assert!(code_location.unwrap().starts_with("https://example.org/"));
    assert_eq!(code_sha256.as_deref(), Some("abc="));
    let notes = existing.notes.join("\n");
    assert!(notes.contains("policy second: its document cannot be read"), "{notes}");
    assert!(notes.contains("a statement is left out") && notes.contains("no-arn"), "{notes}");
    assert_eq!(existing.notes.len(), 2, "{notes}");
    for asked in stub.asked() {
        assert!(asked.head.contains("authorization: AWS4-HMAC-SHA256"), "{asked:?}");
        let service =
            if asked.body.starts_with("Action=") { "/us-east-1/iam/" } else { "/eu-west-1/" };
        assert!(asked.head.contains(service), "{asked:?}");
        assert!(asked.line.starts_with("GET ") || asked.line == "POST /", "{asked:?}");
    }
}

#[tokio::test]
async fn what_is_not_told_is_noted_by_the_action_that_is_missing() {
    for (call, action) in [
        ("DescribeLogGroups", "logs:DescribeLogGroups"),
        ("ListRolePolicies", "iam:ListRolePolicies"),
        ("GetRolePolicy", "iam:GetRolePolicy"),
        ("ListAttachedRolePolicies", "iam:ListAttachedRolePolicies"),
        ("GetPolicy", "iam:GetPolicy"),
        ("GetPolicyVersion", "iam:GetPolicyVersion"),
        ("GetRole", "iam:GetRole"),
        ("GET /2015-03-31/event-source-mappings/", "lambda:ListEventSourceMappings"),
        ("GET /2021-10-31/functions/old/urls", "lambda:ListFunctionUrlConfigs"),
        ("GET /2015-03-31/functions/old/policy", "lambda:GetPolicy"),
        ("GET /2015-03-31/functions/old/aliases", "lambda:ListAliases"),
        ("GET /2015-03-31/functions/old/versions", "lambda:ListVersionsByFunction"),
        (
            "GET /2019-09-30/functions/old/provisioned-concurrency",
            "lambda:ListProvisionedConcurrencyConfigs",
        ),
        (
            "GET /2019-09-25/functions/old/event-invoke-config/list",
            "lambda:ListFunctionEventInvokeConfigs",
        ),
        (
            "GET /2020-06-30/functions/old/code-signing-config",
            "lambda:GetFunctionCodeSigningConfig",
        ),
        ("GET /2024-08-31/functions/old/recursion-config", "lambda:GetFunctionRecursionConfig"),
        (
            "GET /2021-07-20/functions/old/runtime-management-config",
            "lambda:GetRuntimeManagementConfig",
        ),
    ] {
        let notes = with(call, denied(call))
            .await
            .unwrap_or_else(|it| panic!("{call}: {it}"))
            .existing
            .notes;
        let told = format!("not known, since {action} is not allowed to you");
        assert!(notes.iter().any(|note| note.contains(&told)), "{call}: {notes:?}");
    }
}

#[tokio::test]
async fn without_the_function_there_is_nothing_and_the_reason_is_told() {
    const GET: &str = "GET /2015-03-31/functions/old";
    let json = |status, code: &str, message: &str| {
        reply(status, json!({"__type": code, "Message": message}).to_string())
    };
    let changed = |pointer: &str, value: Value| {
        let mut function = function();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        function.pointer_mut(parent).unwrap()[name] = value;
        reply(200, function.to_string())
    };
    for (answer, code, told) in [
        (denied(GET), 77, "lambda:GetFunction is needed"),
        (json(403, "ExpiredTokenException", "expired\nt0ken"), 77, "aws sso login"),
        (
            json(403, "InvalidSignatureException", "Signature expired: 20260101"),
            77,
            "Signature expired",
        ),
        (
            json(404, "ResourceNotFoundException", "no"),
            4,
            "there is no Lambda function old in eu-west-1",
        ),
        (json(400, "ValidationException", "no"), 1, "ValidationException"),
        (reply(200, "<html>"), 1, "cannot be read"),
        (changed("/Configuration/PackageType", json!("Image")), 4, "container image"),
        (
            changed("/Tags/formation:stack", json!("0a1b2c3d")),
            4,
            "is Formation's own already: `formation get old`",
        ),
    ] {
        let Err(failure) = with(GET, answer).await else { panic!("{told}") };
        assert_eq!(failure.outcome().code(), code, "{failure}");
        let failure = failure.to_string();
        assert!(failure.contains(told) && !failure.contains("t0ken"), "{failure}");
    }
    // Credentials that end on the way are no missing permission.
    let Err(failure) = with("DescribeLogGroups", json(400, "ExpiredTokenException", "over")).await
    else {
        panic!()
    };
    assert_eq!(failure.outcome().code(), 77, "{failure}");
}

#[tokio::test]
async fn tags_that_are_not_told_are_noted_and_say_nothing_of_whose_the_function_is() {
    let mut function = function();
    let members = function.as_object_mut().unwrap();
    members.remove("Tags");
    let error = json!({"ErrorCode": "AccessDeniedException", "Message": "not authorized"});
    members.insert("TagsError".to_owned(), error);
    let answer = reply(200, function.to_string());
    let existing = with("GET /2015-03-31/functions/old", answer).await.unwrap().existing;
    let notes = existing.notes.join("\n");
    for told in ["tags: not known (AccessDeniedException", "lambda:ListTags", "`formation get old`"]
    {
        assert!(notes.contains(told), "{told}: {notes}");
    }
}

#[tokio::test]
async fn what_no_manifest_can_hold_is_told() {
    let mut function = function();
    let configuration = &mut function["Configuration"];
    configuration["VpcConfig"] =
        json!({"SubnetIds": ["s"], "SecurityGroupIds": ["g"], "VpcId": "vpc-1"});
    configuration["KMSKeyArn"] = json!("arn:key");
    configuration["DeadLetterConfig"] = json!({"TargetArn": "arn:dlq"});
    configuration["FileSystemConfigs"] = json!([{"Arn": "a", "LocalMountPath": "/mnt/a"}]);
    configuration["SnapStart"] =
        json!({"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"});
    configuration["DurableConfig"] = json!({"ExecutionTimeout": 60});
    configuration["OfALaterYear"] = json!({"Mode": "x\u{1b}[31m"});
    configuration["Runtime"] = json!("python3.8");
    configuration["Environment"] =
        json!({"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}});
    configuration.as_object_mut().unwrap().remove("LoggingConfig");
    let many: Vec<_> =
        (0..7).map(|it| json!({"EventSourceArn": format!("arn:queue-{it}")})).collect();
    let answered = move |asked: &Asked| {
        let tell = |document: Value| reply(200, document.to_string());
        match asked.call().as_str() {
            "GET /2015-03-31/functions/old" => tell(function.clone()),
            "GET /2015-03-31/event-source-mappings/" => tell(json!({"EventSourceMappings": many})),
            "GET /2021-10-31/functions/old/urls" => {
                tell(json!({"FunctionUrlConfigs": [{"FunctionUrl": "https://u/"}]}))
            }
            "GET /2015-03-31/functions/old/policy" => tell(json!({"Policy": json!({"Statement": [
                    {"Principal": {"Service": "events.amazonaws.com"}},
                    {"Principal": "*"},
                    {"Principal": {"Service": "events.amazonaws.com"}},
                ]}).to_string()})),
            "GET /2015-03-31/functions/old/aliases" => {
                tell(json!({"Aliases": [{"Name": "prod"}], "NextMarker": "m"}))
            }
            "GET /2015-03-31/functions/old/versions" => {
                tell(json!({"Versions": [{"Version": "$LATEST"}, {"Version": "7"}]}))
            }
            "GET /2019-09-30/functions/old/provisioned-concurrency" => {
                tell(json!({"ProvisionedConcurrencyConfigs": [{"FunctionArn": "arn:old:prod"}]}))
            }
            "GET /2019-09-25/functions/old/event-invoke-config/list" => {
                tell(json!({"FunctionEventInvokeConfigs": [{"FunctionArn": "arn:old:prod"}]}))
            }
            "GET /2020-06-30/functions/old/code-signing-config" => {
                tell(json!({"CodeSigningConfigArn": "arn:csc"}))
            }
            "GET /2024-08-31/functions/old/recursion-config" => {
                tell(json!({"RecursiveLoop": "Allow"}))
            }
            "GET /2021-07-20/functions/old/runtime-management-config" => {
                tell(json!({"UpdateRuntimeOn": "Manual"}))
            }
            "DescribeLogGroups" => {
                tell(json!({"logGroups": [{"logGroupName": "/aws/lambda/old"}]}))
            }
            "GetRole" => reply(
                200,
                "<R><GetRoleResult><Role><PermissionsBoundary><PermissionsBoundaryArn>arn:bound</PermissionsBoundaryArn></PermissionsBoundary></Role></GetRoleResult></R>",
            ),
            _ => plain_aws(asked),
        }
    };
    let existing = found(answered).await.1.unwrap().existing;
    let notes = existing.notes.join("\n");
    for told in [
        "VPC vpc-1",
        "KMS key",
        "dead-letter target arn:dlq",
        "file systems",
        "SnapStart",
        "durable execution",
        "OfALaterYear: Formation has no field",
        "runtime",
        "environment: Lambda cannot decrypt it",
        "arn:queue-4 and 2 more",
        "function URLs: https://u/",
        "resource policy: *, events.amazonaws.com: ",
        "aliases (and there are more than these): prod: the new function has one, live",
        "versions: 7",
        "provisioned concurrency: arn:old:prod",
        "settings of asynchronous invocations",
        "code signing: arn:csc",
        "recursive loops: allowed",
        "runtime updates: Manual",
        "log retention: logs are kept for ever",
        "permissions boundary arn:bound",
    ] {
        assert!(notes.contains(told), "{told}: {notes}");
    }
    assert!(!notes.contains('\u{1b}'), "{notes}");
    assert!(existing.variables.is_empty() && !existing.fields.contains_key("environment"));
    assert!(!existing.fields.contains_key("logRetentionDays"), "{:?}", existing.fields);
    assert_eq!(existing.fields["runtime"], "python3.8");
}

#[tokio::test]
async fn permissions_beyond_what_a_function_may_have_are_told() {
    let all: Vec<_> =
        (0..90).map(|it| format!("arn:aws:s3:::bucket-with-a-long-name-{it}/*")).collect();
    let large =
        json!({"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": all}});
    let answer = format!(
        "<R><GetRolePolicyResult><PolicyDocument>{large}</PolicyDocument></GetRolePolicyResult></R>"
    );
    let existing = with("GetRolePolicy", reply(200, answer)).await.unwrap().existing;
    let notes = existing.notes.join("\n");
    assert!(notes.contains("policyStatements: must not be more than 3000 characters"), "{notes}");
}

#[tokio::test]
async fn what_calls_it_is_written_as_far_as_a_manifest_can_hold_it() {
    const OLD: &str = "arn:aws:lambda:eu-west-1:111122223333:function:old";
    let tell = |document: Value| reply(200, document.to_string());
    let answered = move |asked: &Asked| match asked.call().as_str() {
        "GET /2015-03-31/event-source-mappings/" => tell(json!({"EventSourceMappings": [
            {
                "EventSourceArn": "arn:aws:sqs:eu-west-1:111122223333:jobs", "UUID": "u", "BatchSize": 5,
                "MaximumBatchingWindowInSeconds": 0, "FunctionArn": OLD, "State": "Enabled",
                "FilterCriteria": {"Filters": [{"Pattern": "{\"body\":{\"a\":[1]}}"}]},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 4}
            },
            {
                "EventSourceArn": "arn:aws:kinesis:eu-west-1:111122223333:stream/s", "BatchSize": 100,
                "StartingPosition": "LATEST", "ParallelizationFactor": 2, "MaximumRetryAttempts": -1,
                "BisectBatchOnFunctionError": true, "TumblingWindowInSeconds": 0
            },
            {"EventSourceArn": "arn:aws:kafka:eu-west-1:111122223333:cluster/c"}
        ]})),
        "GET /2021-10-31/functions/old/urls" => tell(json!({"FunctionUrlConfigs": [{
            "FunctionUrl": "https://u/", "FunctionArn": OLD, "AuthType": "AWS_IAM", "InvokeMode": "BUFFERED",
            "Cors": {"AllowOrigins": ["*"], "MaxAge": 60}
        }]})),
        "GET /2015-03-31/functions/old/policy" => tell(json!({"Policy": json!({"Statement": [
            {
                "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction",
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::${b}"},
                    "StringEquals": {"AWS:SourceAccount": "111122223333"}
                }
            },
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "lambda:InvokeFunction"},
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "lambda:InvokeFunction"},
            {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl"}
        ]}).to_string()})),
        "GET /2019-09-25/functions/old/event-invoke-config/list" => {
            tell(json!({"FunctionEventInvokeConfigs": [{
                "FunctionArn": format!("{OLD}:$LATEST"), "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60,
                "DestinationConfig": {
                    "OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:111122223333:failed"},
                    "OnSuccess": {"Destination": "arn:aws:sns:eu-west-1:111122223333:done"}
                }
            }]}))
        }
        _ => plain_aws(asked),
    };
    let existing = found(answered).await.1.unwrap().existing;
    let fields = &existing.fields;
    assert_eq!(
        fields["eventSources"],
        json!([
            {
                "arn": "arn:aws:sqs:eu-west-1:111122223333:jobs", "enabled": false, "batchSize": 5,
                "filterPatterns": [{"body": {"a": [1]}}], "maximumConcurrency": 4,
                "reportBatchItemFailures": true
            },
            {
                "arn": "arn:aws:kinesis:eu-west-1:111122223333:stream/s", "enabled": false, "batchSize": 100,
                "startingPosition": "LATEST"
            }
        ])
    );
    let cors = json!({"allowOrigins": ["*"], "maxAgeSeconds": 60});
    assert_eq!(fields["functionUrl"], json!({"authType": "AWS_IAM", "cors": cors}));
    assert_eq!(
        fields["invokers"],
        json!([
            // As it is, and no variable.
            {
                "principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::$${b}",
                "sourceAccount": "111122223333"
            },
            {"principal": "arn:aws:iam::444455556666:root"}
        ])
    );
    let calls = ["asyncRetries", "asyncMaximumAgeSeconds", "onFailureArn"].map(|it| &fields[it]);
    let failed = json!("arn:aws:sqs:eu-west-1:111122223333:failed");
    assert_eq!(calls, [&json!(0), &json!(60), &failed]);
    let notes = existing.notes.join("\n");
    for told in [
        "both functions would share what comes",
        "BisectBatchOnFunctionError of arn:aws:kinesis",
        "ParallelizationFactor of arn:aws:kinesis",
        "arn:aws:kafka:eu-west-1:111122223333:cluster/c: make them anew",
        "https://u/: the new function has another",
        "s3.amazonaws.com: they may invoke the new one, too",
        "*, events.amazonaws.com: they may invoke it; allow",
        "arn:aws:sns:eu-west-1:111122223333:done is told of those that succeed",
    ] {
        assert!(notes.contains(told), "{told}: {notes}");
    }
    assert!(!notes.contains("the API will refuse"), "{notes}");
}
