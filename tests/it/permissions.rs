//! Who may do what: the callers of the API, and the Lambdas among themselves.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::ProvideErrorMetadata;
use formation_tests::World;
use http::Method;
use serde_json::json;

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
        let config = formation_aws::sdk_config()
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
    let unsigned = world.client.as_caller(None);
    let name = world.name("unsigned");
    let body = json!({"functionName": name, "code": "x"});
    for (method, path, body) in [
        (Method::GET, "/v1/functions", None),
        (Method::POST, "/v1/functions", Some(&body)),
        (Method::GET, "/v1/nothing", None),
    ] {
        let answer = unsigned.api(method.clone(), path, body).await.unwrap();
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    assert!(world.live(&name).await.parts().is_empty());
}
