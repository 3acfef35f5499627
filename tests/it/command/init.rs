//! `formation init`: a folder that works, and a manifest from what exists in AWS.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime, TracingConfig, TracingMode};
use formation_tests::World;
use serde_json::{Value, json};

use super::{Project, Said, command};
use crate::permissions::user_who_may;

/// Runs `formation --local` with these arguments, apart by spaces, in a folder of a project.
async fn run(folder: &Path, arguments: &str, variables: &[(&str, &str)]) -> Said {
    let arguments = ["--local"].into_iter().chain(arguments.split(' '));
    let mut command = command(folder, arguments);
    command.envs(variables.iter().copied());
    command.output().await.unwrap().into()
}

/// The files of a folder and below, by their names within it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let inner = files(&path).into_iter();
            found.extend(inner.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

pub async fn a_new_folder_is_applied_as_it_is_and_works(world: &World) {
    for language in ["nodejs", "python"] {
        let name = world.name(language);
        let project = Project::new(world, "functions: {}");
        let said = project.run(&format!("init {name} --runtime {language}")).await.with(0);
        assert!(said.err.contains("formation apply") && said.err.contains(&name), "{said:?}");
        let folder = project.0.path().join(&name);
        let written: Vec<_> =
            files(&folder).into_keys().map(|file| format!("{name}/{file}")).collect();
        let mut told: Vec<_> = said.out.lines().collect();
        told.sort_unstable();
        assert_eq!(told, written);
        run(&folder, "apply --yes", &[]).await.with(0);
        let answer = world.invoke(&name, &json!({"name": "Ann"})).await.unwrap();
        assert_eq!(answer, json!({"message": "Hello, Ann!"}));
        run(&folder, "plan --exit-code", &[]).await.with(0);
        // What the function is deployed with, the command's environment says.
        run(&folder, "apply --yes", &[("GREETING", "Moin")]).await.with(0);
        assert_eq!(
            world.invoke(&name, &json!({})).await.unwrap(),
            json!({"message": "Moin, world!"})
        );
        run(&folder, &format!("delete {name} --yes"), &[]).await.with(0);
    }
}

pub async fn nothing_is_overwritten(world: &World) {
    let project = Project::new(world, "functions: {}");
    project.write("shop/src/index.mjs", "mine");
    let refused = project.run("init shop").await.with(4);
    assert!(refused.err.contains("shop/src/index.mjs is there already"), "{refused:?}");
    assert_eq!(files(&project.0.path().join("shop")).len(), 1);
    let refused = project.run("init").await.with(4);
    assert!(refused.err.contains("formation.yaml is there already"), "{refused:?}");
    // The same in a folder where only the manifest is missing.
    project.write("other/notes.txt", "mine");
    project.run("init other --runtime rust").await.with(0);
    let written = files(&project.0.path().join("other"));
    assert_eq!(written["notes.txt"], b"mine");
    assert!(
        written.contains_key("Cargo.toml") && written.contains_key("src/main.rs"),
        "{written:?}"
    );
    project.run("init --from a").await.with(64);
    project.run("init shop --from a --as b").await.with(64);
    let missing = project.run("plan --file missing.yaml").await.with(4);
    assert!(missing.err.contains("`formation init`"), "{missing:?}");
}

/// Somebody's function with a role of its own, which may do this and that.
async fn make_function(world: &World, name: &str) {
    let role = format!("theirs-{name}");
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let create = world.iam.create_role().role_name(&role).assume_role_policy_document(trust);
    create.send().await.unwrap();
    let own = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/example"},
        {"Sid": "Never", "Effect": "Deny", "Action": "dynamodb:DeleteTable", "Resource": "*"},
    ]});
    let put = world.iam.put_role_policy().role_name(&role).policy_name("own");
    put.policy_document(own.to_string()).send().await.unwrap();
    let logging = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"
    }]});
    let policy = world.iam.create_policy().policy_name(format!("logs-{name}"));
    let policy = policy.policy_document(logging.to_string()).send().await.unwrap().policy.unwrap();
    let attach = world.iam.attach_role_policy().role_name(&role);
    attach.policy_arn(policy.arn.unwrap()).send().await.unwrap();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (file, text) in [
        (
            "app.mjs",
            "import { greet } from './lib/greet.mjs'; export const main = (event) => greet(event.name);",
        ),
        ("lib/greet.mjs", "export const greet = (name) => `${process.env.GREETING} ${name}`;"),
    ] {
        archive.start_file(file, options).unwrap();
        std::io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
    }
    let archive = archive.finish().unwrap().into_inner();
    let environment = Environment::builder().variables("GREETING", "s3cr3t").build();
    world
        .lambda
        .create_function()
        .function_name(name)
        .runtime(Runtime::Nodejs22x)
        .handler("app.main")
        .role(format!("arn:aws:iam::{}:role/{role}", world.stack.account_id))
        .code(FunctionCode::builder().zip_file(archive.into()).build())
        .environment(environment)
        .memory_size(512)
        .timeout(7)
        .description("Says ${GREETING}")
        .tracing_config(TracingConfig::builder().mode(TracingMode::Active).build())
        .tags("team", "theirs")
        .publish(true)
        .send()
        .await
        .unwrap();
    let alias = world.lambda.create_alias().function_name(name).name("prod").function_version("1");
    alias.send().await.unwrap();
    let group = format!("/aws/lambda/{name}");
    // An invocation may have made it.
    let _made = world.logs.create_log_group().log_group_name(&group).send().await;
    let retention = world.logs.put_retention_policy().log_group_name(&group).retention_in_days(60);
    retention.send().await.unwrap();
}

pub async fn a_function_that_exists_is_deployed_under_a_new_name(world: &World) {
    let [old, new] = ["old", "new"].map(|what| world.name(what));
    make_function(world, &old).await;
    let project = Project::new(world, "functions: {}");
    let init = format!("init --from {old} --as {new} --file {new}.yaml --download");
    let refused = project.run(&format!("init --from {old} --as {old} --file x.yaml")).await.with(4);
    assert!(refused.err.contains("--as must be another name"), "{refused:?}");
    let refused = project.run(&format!("init --from {old} --as {new}")).await.with(4);
    assert!(refused.err.contains("formation.yaml is there already"), "{refused:?}");
    let refused =
        project.run(&format!("init --from no-such --as {new} --file x.yaml")).await.with(4);
    assert!(refused.err.contains("there is no Lambda function no-such"), "{refused:?}");

    let said = project.run(&format!("{init} -o json")).await.with(0);
    assert_eq!(said.json()["variables"], json!({"GREETING": "GREETING"}));
    for told in [
        "the statement Never is left out",
        "aliases: prod",
        "versions: 1",
        "export GREETING",
        &format!(":function:{new}:live\n"),
    ] {
        assert!(said.err.contains(told), "{told}: {said:?}");
    }
    let manifest = fs::read_to_string(project.0.path().join(format!("{new}.yaml"))).unwrap();
    assert!(
        !manifest.contains("s3cr3t")
            && !said.err.contains("s3cr3t")
            && !said.out.contains("s3cr3t")
    );
    assert!(
        !said.err.contains("X-Amz-Signature") && !said.out.contains("X-Amz-Signature"),
        "{said:?}"
    );
    assert!(manifest.contains("# - aliases: prod"), "{manifest}");
    let code = files(&project.0.path().join(&new));
    assert_eq!(code.keys().collect::<Vec<_>>(), ["app.mjs", "lib/greet.mjs"]);
    assert!(code["lib/greet.mjs"].starts_with(b"export const greet"));
    let again = project.run(&init).await.with(4);
    assert!(again.err.contains(&format!("{new}.yaml, {new} are there already")), "{again:?}");

    let apply = format!("apply --yes --file {new}.yaml");
    let unset = run(project.0.path(), &apply, &[]).await.with(4);
    assert!(unset.err.contains("the variable GREETING is not set"), "{unset:?}");
    run(project.0.path(), &apply, &[("GREETING", "Moin")]).await.with(0);
    assert_eq!(world.invoke(&new, &json!({"name": "Ann"})).await.unwrap(), json!("Moin Ann"));
    let spec = world.function(&new).await.spec.values();
    for (field, expected) in [
        ("runtime", json!("nodejs22.x")),
        ("handler", json!("app.main")),
        ("memoryMegabytes", json!(512)),
        ("timeoutSeconds", json!(7)),
        ("tracing", json!("ACTIVE")),
        ("logRetentionDays", json!(60)),
        ("description", json!("Says ${GREETING}")),
        ("tags", json!({"team": "theirs"})),
        (
            "policyStatements",
            json!([{
                "actions": ["dynamodb:PutItem"], "resources": ["arn:aws:dynamodb:us-east-1:123456789012:table/example"]
            }]),
        ),
    ] {
        assert_eq!(spec[field], expected, "{field}");
    }
    let ours = project.run(&format!("init --from {new} --as other --file x.yaml")).await.with(4);
    assert!(ours.err.contains(&format!("`formation get {new}`")), "{ours:?}");
    // Nobody has touched the old one.
    assert_eq!(world.invoke(&old, &json!({"name": "Ann"})).await.unwrap(), json!("s3cr3t Ann"));
}

pub async fn what_a_caller_may_not_read_is_told(world: &World) {
    let old = world.name("theirs");
    make_function(world, &old).await;
    let project = Project::new(world, "functions: {}");
    let init = async |statements: &[Value], file: &str| -> Said {
        let caller = user_who_may(world, "init", statements).await;
        let arguments = ["init", "--from", &old, "--as", "mine", "--file", file];
        let mut command = command(project.0.path(), arguments);
        command.env("AWS_ACCESS_KEY_ID", caller.access_key_id());
        command.env("AWS_SECRET_ACCESS_KEY", caller.secret_access_key());
        command.env("AWS_REGION", &world.stack.region);
        command.env("AWS_ENDPOINT_URL", &world.stack.endpoint_url);
        command.output().await.unwrap().into()
    };
    let none = json!({"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"});
    let denied = init(&[none], "none.yaml").await.with(77);
    assert!(denied.err.contains("lambda:GetFunction is needed"), "{denied:?}");
    assert!(!project.0.path().join("none.yaml").exists());
    let one = json!({"Effect": "Allow", "Action": "lambda:GetFunction", "Resource": "*"});
    let said = init(&[one], "one.yaml").await.with(0);
    for action in [
        "iam:ListRolePolicies",
        "iam:ListAttachedRolePolicies",
        "lambda:ListAliases",
        "logs:DescribeLogGroups",
    ] {
        assert!(
            said.err.contains(&format!("{action} is not allowed to you")),
            "{action}: {said:?}"
        );
    }
    assert!(said.err.contains("put the code into mine"), "{said:?}");
    assert!(
        fs::read_to_string(project.0.path().join("one.yaml"))
            .unwrap()
            .contains("memoryMegabytes: 512")
    );
}
