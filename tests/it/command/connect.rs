//! Which stack a command is about, and as whom it asks.

use formation_tests::World;
use tempfile::TempDir;

use super::{Said, command};

pub async fn where_the_api_is_and_who_asks_is_found_or_told(world: &World) {
    let stack = &world.stack;
    let folder = TempDir::with_prefix("formation-").unwrap();
    let list = |variables: &[(&str, &str)]| {
        let mut command = command(folder.path(), ["list", "--prefix", "no-such-function"]);
        command.envs(variables.iter().copied());
        async move { Said::from(command.output().await.unwrap()) }
    };
    let region = ("AWS_REGION", stack.region.as_str());
    let key = ("AWS_ACCESS_KEY_ID", stack.access_key_id.as_str());
    let secret = ("AWS_SECRET_ACCESS_KEY", stack.secret_access_key.as_str());
    let api = ("FORMATION_API_URL", stack.api_url.as_str());
    let aws = ("AWS_ENDPOINT_URL", stack.endpoint_url.as_str());
    let listed = list(&[region, key, secret, api]).await.with(0);
    assert_eq!(listed.out, "no functions\n");
    for (variables, code, told) in [
        (vec![key, secret, api], 64, "no AWS Region"),
        (vec![region, api], 77, "credentials"),
        (vec![region, key, secret, ("FORMATION_API_URL", "nonsense")], 64, "URL must be"),
        (
            vec![region, key, secret, aws, ("FORMATION_STACK", "no-such")],
            4,
            "there is no stack no-such",
        ),
        // Only a person may send secrets elsewhere than to API Gateway; a parameter may not.
        (
            vec![region, key, secret, aws, ("FORMATION_STACK", &stack.stack_name)],
            4,
            "give the URL explicitly",
        ),
    ] {
        let said = list(&variables).await.with(code);
        assert!(said.err.contains(told), "{said:?}");
        assert_eq!(said.out, "");
    }
    let lost: Said = command(folder.path(), ["--local", "list"]).output().await.unwrap().into();
    assert!(lost.with(4).err.contains("make run"));
}
