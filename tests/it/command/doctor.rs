//! `formation doctor` on local AWS.

use aws_credential_types::Credentials;
use formation_tests::World;
use serde_json::Value;
use tempfile::TempDir;

use super::{Project, Said, command};
use crate::permissions::holder;

/// Which checks there are of which status.
fn statuses(said: &Said) -> Vec<(String, String)> {
    let checks = said.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = checks.as_array().unwrap().iter();
    checks.map(|check| (text(&check["check"]), text(&check["status"]))).collect()
}

fn of<'a>(statuses: &'a [(String, String)], check: &str) -> &'a str {
    &statuses.iter().find(|(name, _)| name == check).unwrap().1
}

pub async fn nothing_is_wrong_with_local_aws(world: &World) {
    let project = Project::new(world, "functions: {}");
    let said = project.run("doctor -o json").await.with(0);
    let statuses = statuses(&said);
    assert_eq!(statuses.len(), 8);
    assert!(statuses.iter().all(|(_, status)| status == "ok"), "{said:?}");
    let said = project.run("doctor").await.with(0);
    for told in ["CHECK", &world.stack.stack_name, "FullAccess", env!("CARGO_PKG_VERSION"), "root"]
    {
        assert!(said.out.contains(told), "{told}: {said:?}");
    }
    assert_eq!(project.run("doctor -o name").await.with(0).out, "");
}

pub async fn what_is_wrong_is_told_with_its_remedy_and_decides_the_exit_code(world: &World) {
    let stack = &world.stack;
    let folder = TempDir::with_prefix("formation-").unwrap();
    let doctor = |variables: Vec<(&'static str, String)>| {
        let mut command = command(folder.path(), ["doctor", "-o", "json"]);
        command.envs(variables);
        async move { Said::from(command.output().await.unwrap()) }
    };
    let region = || ("AWS_REGION", stack.region.clone());
    let key = || ("AWS_ACCESS_KEY_ID", stack.access_key_id.clone());
    let secret = || ("AWS_SECRET_ACCESS_KEY", stack.secret_access_key.clone());
    let aws = || ("AWS_ENDPOINT_URL", stack.endpoint_url.clone());
    let api = || ("FORMATION_API_URL", stack.api_url.clone());
    for (variables, check, code, told) in [
        (vec![region(), aws(), api()], "credentials", 77, "there are no AWS credentials"),
        (
            vec![
                region(),
                aws(),
                api(),
                ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
                secret(),
            ],
            "credentials",
            77,
            "AKIAIOSF...",
        ),
        (vec![key(), secret(), aws(), api()], "region", 64, "no Region is chosen"),
        (
            vec![("AWS_REGION", "europe".to_owned()), key(), secret(), aws(), api()],
            "region",
            64,
            "europe, from AWS_REGION",
        ),
        (
            vec![
                region(),
                key(),
                secret(),
                api(),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned()),
            ],
            "network",
            1,
            "does not answer",
        ),
        (
            vec![region(), key(), secret(), aws(), ("FORMATION_STACK", "no-such".to_owned())],
            "stack",
            4,
            "there is no stack no-such",
        ),
        (
            vec![
                region(),
                key(),
                secret(),
                aws(),
                ("FORMATION_API_URL", stack.endpoint_url.clone()),
            ],
            "version",
            4,
            "no such route",
        ),
    ] {
        let said = doctor(variables).await;
        let checks = said.json();
        let failed: Vec<_> =
            checks.as_array().unwrap().iter().filter(|it| it["status"] == "FAILED").collect();
        assert_eq!(failed.len(), 1, "{said:?}");
        assert_eq!((said.code, failed[0]["check"].as_str()), (code, Some(check)), "{said:?}");
        assert!(failed[0]["detail"].as_str().unwrap().contains(told), "{said:?}");
        assert!(!failed[0]["remedy"].as_str().unwrap().is_empty(), "{said:?}");
    }
}

pub async fn what_a_caller_may_do_is_told_by_the_policy_that_allows_it(world: &World) {
    let folder = TempDir::with_prefix("formation-").unwrap();
    let doctor = async |caller: &Credentials| {
        let mut command = command(folder.path(), ["doctor", "-o", "json"]);
        command.env("AWS_ACCESS_KEY_ID", caller.access_key_id());
        command.env("AWS_SECRET_ACCESS_KEY", caller.secret_access_key());
        command.env("AWS_REGION", &world.stack.region);
        command.env("AWS_ENDPOINT_URL", &world.stack.endpoint_url);
        command.env("FORMATION_API_URL", &world.stack.api_url);
        let said = Said::from(command.output().await.unwrap());
        assert!(!said.out.contains(caller.secret_access_key()), "{said:?}");
        assert!(!said.out.contains(caller.access_key_id()), "{said:?}");
        said
    };
    let (_, stranger) = holder(world, "doctor", &[]).await;
    let said = doctor(&stranger).await.with(77);
    assert_eq!(of(&statuses(&said), "permissions"), "FAILED", "{said:?}");
    assert!(said.out.contains("-ReadOnly"), "{said:?}");
    for policy in ["Plan", "ReadOnly", "FullAccess"] {
        let (name, caller) = holder(world, "doctor", &[policy]).await;
        let said = doctor(&caller).await.with(0);
        let checks = said.json();
        let mut checks = checks.as_array().unwrap().iter();
        let permissions = checks.find(|it| it["check"] == "permissions").unwrap();
        let detail = permissions["detail"].as_str().unwrap();
        assert!(detail.ends_with(&format!("({policy})")), "{said:?}");
        assert!(said.out.contains(&format!(":user/{name}")), "{said:?}");
    }
}
