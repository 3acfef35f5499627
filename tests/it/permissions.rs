//! Who may do what: the callers of the API, and the Lambdas among themselves.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::ProvideErrorMetadata;
use formation_api::routes::{Access, ROUTES};
use formation_client::{Changed, Client};
use formation_local::Project;
use formation_tests::{World, ask, ask_unsigned};
use http::Method;
use serde_json::{Value, json};
use tokio::process::Command;

/// A call that one step makes, tried with the credentials of another.
async fn try_call(
    world: &World,
    config: &SdkConfig,
    call: &str,
    name: &str,
) -> Result<(), Option<String>> {
    fn code<E: ProvideErrorMetadata>(error: &E) -> Option<String> {
        error.code().map(str::to_owned)
    }
    let group = format!("/aws/lambda/{name}");
    let tags = world.tags(name);
    let other = world.name("other");
    match call {
        "iam:CreateRole" => {
            let tag = |(key, value): (&String, &String)| {
                aws_sdk_iam::types::Tag::builder().key(key).value(value).build().unwrap()
            };
            let create = aws_sdk_iam::Client::new(config)
                .create_role()
                .role_name(world.role_name(&other))
                .assume_role_policy_document("{}")
                .set_tags(Some(tags.iter().map(tag).collect()));
            create.send().await.map(|_| ()).map_err(|error| code(&error))
        }
        "iam:DeleteRole" => {
            let delete = aws_sdk_iam::Client::new(config).delete_role();
            let delete = delete.role_name(world.role_name(name)).send().await;
            delete.map(|_| ()).map_err(|error| code(&error))
        }
        "logs:CreateLogGroup" => {
            let create = aws_sdk_cloudwatchlogs::Client::new(config)
                .create_log_group()
                .log_group_name(format!("/aws/lambda/{other}"))
                .set_tags(Some(tags.into_iter().collect()));
            create.send().await.map(|_| ()).map_err(|error| code(&error))
        }
        "logs:DeleteLogGroup" => {
            let delete = aws_sdk_cloudwatchlogs::Client::new(config).delete_log_group();
            let delete = delete.log_group_name(group).send().await;
            delete.map(|_| ()).map_err(|error| code(&error))
        }
        "lambda:UpdateFunctionConfiguration" => {
            let update = aws_sdk_lambda::Client::new(config).update_function_configuration();
            let update = update.function_name(name).timeout(900).send().await;
            update.map(|_| ()).map_err(|error| code(&error))
        }
        "lambda:DeleteFunction" => {
            let delete = aws_sdk_lambda::Client::new(config).delete_function();
            let delete = delete.function_name(name).send().await;
            delete.map(|_| ()).map_err(|error| code(&error))
        }
        "dynamodb:DeleteItem" => {
            let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
            let delete = aws_sdk_dynamodb::Client::new(config)
                .delete_item()
                .table_name(&world.stack.table_name)
                .key("pk", key("FUNCTION"))
                .key("sk", key(name));
            delete.send().await.map(|_| ()).map_err(|error| code(&error))
        }
        "states:StartExecution" => {
            let start = aws_sdk_sfn::Client::new(config).start_execution();
            let start = start.state_machine_arn(&world.stack.state_machine_arn).input("{}");
            start.send().await.map(|_| ()).map_err(|error| code(&error))
        }
        other => panic!("no such call {other}"),
    }
}

pub async fn no_step_can_do_another_steps_work(world: &World) {
    let name = world.name("guarded");
    world.create(&name, json!({})).await;
    let own = [
        ("EnsureRole", "iam:CreateRole"),
        ("RemoveRole", "iam:DeleteRole"),
        ("EnsureLogGroup", "logs:CreateLogGroup"),
        ("RemoveLogGroup", "logs:DeleteLogGroup"),
        ("EnsureFunction", "lambda:UpdateFunctionConfiguration"),
        ("RemoveFunction", "lambda:DeleteFunction"),
        ("RecordSuccess", "dynamodb:DeleteItem"),
        ("RecordFailure", "dynamodb:DeleteItem"),
        ("Api", "states:StartExecution"),
    ];
    for (step, own_call) in own {
        let lambda = world.lambda_name(&format!("{step}Function")).await;
        let found = world.lambda.get_function().function_name(&lambda).send().await.unwrap();
        let role = found.configuration.unwrap().role.unwrap();
        let assumed = world.sts.assume_role().role_arn(role).role_session_name("test");
        let keys = assumed.send().await.unwrap().credentials.unwrap();
        let credentials = Credentials::from_keys(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
        );
        let config = formation_lambda::sdk_config()
            .into_builder()
            .endpoint_url(&world.stack.endpoint_url)
            .region(aws_config::Region::new(world.stack.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        // The credentials are good: every Lambda reads records.
        let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let read = aws_sdk_dynamodb::Client::new(&config)
            .get_item()
            .table_name(&world.stack.table_name)
            .key("pk", key("FUNCTION"))
            .key("sk", key(&name));
        assert!(read.send().await.unwrap().item.is_some(), "{step} reads no record");

        for (_, call) in own.iter().filter(|(_, call)| *call != own_call) {
            match try_call(world, &config, call, &name).await {
                Err(Some(code)) if code.starts_with("AccessDenied") => {}
                other => panic!("{step} may do {call}: {other:?}"),
            }
        }
    }
    assert_eq!(world.live(&name).await.parts(), ["function", "role", "log group"]);
}

pub async fn an_unsigned_request_is_forbidden(world: &World) {
    let name = world.name("unsigned");
    let body = json!({"functionName": name, "code": "x"});
    for (method, path, body) in [
        (Method::GET, "/v1/functions", None),
        (Method::POST, "/v1/functions", Some(&body)),
        (Method::GET, "/v1/nothing", None),
    ] {
        let status = ask_unsigned(&world.client, method.clone(), path, body).await;
        assert_eq!(status, 403, "{method} {path}");
    }
    assert!(world.live(&name).await.parts().is_empty());
}

/// An IAM user that has these statements and nothing else.
pub async fn user_who_may(world: &World, what: &str, statements: &[Value]) -> Credentials {
    let (name, identity) = new_user(world, what).await;
    let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let put = world.iam.put_user_policy().user_name(name).policy_name("may");
    put.policy_document(document).send().await.unwrap();
    identity
}

async fn new_user(world: &World, what: &str) -> (String, Credentials) {
    let name = world.name(what);
    world.iam.create_user().user_name(&name).send().await.unwrap();
    let key = world.iam.create_access_key().user_name(&name).send().await.unwrap();
    let key = key.access_key.unwrap();
    (name, Credentials::from_keys(key.access_key_id, key.secret_access_key, None))
}

/// A client of another caller.
fn client_of(world: &World, credentials: Credentials) -> Client {
    world.client.with_credentials(SharedCredentialsProvider::new(credentials))
}

/// An IAM user with these managed policies of the stack, and how it signs.
pub async fn user(world: &World, what: &str, policies: &[&str]) -> (String, Client) {
    let (name, identity) = holder(world, what, policies).await;
    (name, client_of(world, identity))
}

/// An IAM user with these managed policies of the stack.
pub async fn holder(world: &World, what: &str, policies: &[&str]) -> (String, Credentials) {
    let (name, identity) = new_user(world, what).await;
    for policy in policies {
        let account = &world.stack.account_id;
        let (stack, region) = (&world.stack.stack_name, &world.stack.region);
        let arn = format!("arn:aws:iam::{account}:policy/{stack}-{region}-{policy}");
        let attach = world.iam.attach_user_policy().user_name(&name).policy_arn(arn);
        attach.send().await.unwrap();
    }
    (name, identity)
}

/// The value of an SSM parameter, as somebody reads it with the AWS CLI; or what that says.
async fn parameter(world: &World, identity: &Credentials, name: &str) -> Result<String, String> {
    let aws = Project::find().unwrap().tool("aws").unwrap();
    let mut command = Command::new(aws);
    command
        .args(["ssm", "get-parameter", "--name", name, "--query", "Parameter.Value"])
        .args(["--output", "text"])
        .env("AWS_ENDPOINT_URL", &world.stack.endpoint_url)
        .env("AWS_ACCESS_KEY_ID", identity.access_key_id())
        .env("AWS_SECRET_ACCESS_KEY", identity.secret_access_key())
        .env("AWS_DEFAULT_REGION", &world.stack.region)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    let output = command.output().await.unwrap();
    let printed = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(printed(output.stdout)) } else { Err(printed(output.stderr)) }
}

pub async fn whoever_has_a_policy_of_the_stack_finds_the_api_by_name(world: &World) {
    let own = |name: &str| format!("/formation/{}/{name}", world.stack.stack_name);
    for policy in ["Plan", "ReadOnly", "FullAccess"] {
        let (_, identity) = holder(world, "finder", &[policy]).await;
        let found = parameter(world, &identity, &own("api-url")).await;
        assert_eq!(found.as_ref(), Ok(&world.stack.api_url), "{policy}");
        let other = parameter(world, &identity, &own("stack-key")).await.unwrap_err();
        assert!(other.contains("AccessDenied"), "{policy}: {other}");
    }
    let (_, stranger) = holder(world, "stranger", &[]).await;
    let refused = parameter(world, &stranger, &own("api-url")).await.unwrap_err();
    assert!(refused.contains("AccessDenied"), "{refused}");
}

pub async fn readers_read_operators_operate_and_strangers_do_neither(world: &World) {
    let (_, planner) = user(world, "planner", &["Plan"]).await;
    let (_, reader) = user(world, "reader", &["ReadOnly"]).await;
    let (operator_name, operator) = user(world, "operator", &["FullAccess"]).await;
    let (_, stranger) = user(world, "stranger", &[]).await;
    let name = world.name("shared");
    let path = format!("/v1/functions/{name}");
    let body = json!({"functionName": name, "code": formation_tests::world::EXAMPLE_CODE});

    let Changed::Accepted(accepted) = operator.create(&body).await.unwrap() else { panic!() };
    let operation = world.ended_operation(&accepted.operation).await;
    let arn = format!("arn:aws:iam::{}:user/{operator_name}", world.stack.account_id);
    assert_eq!(operation.requested_by, arn);
    let described = reader.describe(&name.parse().unwrap()).await.unwrap();
    assert_eq!(described.function.created_by, arn);

    let operation_id = operation.operation_id.to_string();
    for route in ROUTES {
        let path =
            route.path.replace("{functionName}", &name).replace("{operationId}", &operation_id);
        let method: Method = route.method.parse().unwrap();
        let body = route.body.map(|_| &body);
        let text = body.map(Value::to_string).unwrap_or_default();
        let ask = async |client| {
            ask(client, method.clone(), &path, &[], text.clone()).await.status.as_u16()
        };
        let told = route.key();
        let nobody = ask_unsigned(&world.client, method.clone(), &path, body).await;
        assert_eq!(nobody, 403, "{told} by nobody");
        assert_eq!(ask(&stranger).await, 403, "{told} by a stranger");
        let (plans, reads) = (route.access == Access::Plan, route.access != Access::Change);
        assert_eq!(ask(&planner).await != 403, plans, "{told} by a planner");
        assert_eq!(ask(&reader).await != 403, reads, "{told} by a reader");
    }
    // Keys are a caller's own: another may use the same.
    let key = [("idempotency-key", name.as_str())];
    let changed = json!({"memoryMegabytes": 256}).to_string();
    let patched = ask(&operator, Method::PATCH, &path, &key, changed.clone()).await;
    assert_eq!(patched.status, 202, "{}", patched.json());
    world.ended(&patched).await;
    let again = world.api_raw(Method::PATCH, &path, &key, changed).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, ""));

    let deleted = ask(&operator, Method::DELETE, &path, &[], "").await;
    world.ended(&deleted).await;
}

/// A client of a session of a role, with its session token.
pub async fn session(world: &World, role: &str, name: &str) -> Client {
    let arn = format!("arn:aws:iam::{}:role/{role}", world.stack.account_id);
    let assumed = world.sts.assume_role().role_arn(arn).role_session_name(name).send().await;
    let keys = assumed.unwrap().credentials.unwrap();
    let token = Some(keys.session_token);
    client_of(world, Credentials::from_keys(keys.access_key_id, keys.secret_access_key, token))
}

/// Two roles that may call the API, for sessions of anybody in the account.
pub async fn roles(world: &World) -> [String; 2] {
    let account = &world.stack.account_id;
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
    }]});
    let may = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*",
    }]});
    let roles = ["deployer", "other"].map(|what| world.name(what));
    for role in &roles {
        let create = world.iam.create_role().role_name(role);
        create.assume_role_policy_document(trust.to_string()).send().await.unwrap();
        let put = world.iam.put_role_policy().role_name(role).policy_name("may");
        put.policy_document(may.to_string()).send().await.unwrap();
    }
    roles
}

pub async fn a_key_is_a_roles_own_in_every_session(world: &World) {
    let account = &world.stack.account_id;
    let roles = roles(world).await;
    let name = world.name("sessions");
    let body = json!({"functionName": name, "code": formation_tests::world::EXAMPLE_CODE});
    let create = async |role: &str, at: &str, query: &str| {
        let client = session(world, role, at).await;
        let key = [("idempotency-key", name.as_str())];
        let path = format!("/v1/functions{query}");
        ask(&client, Method::POST, &path, &key, body.to_string()).await
    };
    let first = create(&roles[0], "monday", "").await;
    assert_eq!(first.status, 202, "{}", first.json());
    let session = format!("arn:aws:sts::{account}:assumed-role/{}/monday", roles[0]);
    assert_eq!(world.ended(&first).await.requested_by, session);

    // The same request, from the next session and with a wait.
    let again = create(&roles[0], "tuesday", "?wait=5").await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.header("operation-location"), first.header("operation-location"));
    assert_eq!(again.json()["createdBy"], session);
    let other = create(&roles[1], "monday", "").await;
    assert_eq!(other.json()["code"], "FUNCTION_EXISTS", "another role's key is another");
}
