//! Somebody else changes a function between its plan and the answer to the question.

use formation_client::Changed;
use formation_tests::World;
use serde_json::{Value, json};

use super::{CODE, Project};

/// Changes a function, and waits until it is done.
async fn patch(world: &World, name: &str, change: &Value) {
    let name = name.parse().unwrap();
    let done = world.client.patch(&name, change).wait(std::time::Duration::from_secs(25)).await;
    assert!(matches!(done, Ok(Changed::Done(_))), "{done:?}");
}

pub async fn what_somebody_changes_after_the_plan_is_shown_and_left_alone(world: &World) {
    let [name, other] = ["conflict", "beside"].map(|what| world.name(what));
    let manifest = |memory: u32| {
        let function = format!("{{code: {CODE:?}, memoryMegabytes: {memory}}}");
        format!("functions:\n  {name}: {function}\n  {other}: {function}\n")
    };
    let project = Project::new(world, &manifest(128));
    project.run("apply --yes").await.with(0);
    project.write("formation.yaml", &manifest(256));

    // Changed, while the question is open.
    let mut terminal = project.at_terminal("apply");
    terminal.until("Do this? [y/N]").await;
    patch(world, &name, &json!({"memoryMegabytes": 512, "timeoutSeconds": 9})).await;
    terminal.types("y\r").await;
    let left = terminal.ends().await.with(4);
    let text = left.text();
    for told in [
        "somebody has changed it since the plan, and nothing was done:",
        "    memoryMegabytes: 128 -> 512",
        "    timeoutSeconds: 3 -> 9",
        "memoryMegabytes: 512 -> 256",
        "timeoutSeconds: 9 -> 3",
        "`formation apply` plans anew",
    ] {
        assert!(text.contains(told), "{told}: {left:#?}");
    }
    let function = world.function(&name).await;
    assert_eq!((function.revision, function.spec.configuration.memory_megabytes), (2, 512));
    // What nobody has changed is as agreed.
    assert_eq!(world.function(&other).await.spec.configuration.memory_megabytes, 256);

    // Being changed, when the answer comes.
    let mut terminal = project.at_terminal("apply");
    terminal.until("Do this? [y/N]").await;
    let function = name.parse().unwrap();
    let asked = world.client.patch(&function, &json!({"description": "theirs"})).await;
    assert!(matches!(asked, Ok(Changed::Accepted(_))), "{asked:?}");
    terminal.types("y\r").await;
    let left = terminal.ends().await.with(4);
    assert!(left.text().contains("description: \"theirs\""), "{left:#?}");
    assert_eq!(world.function(&name).await.spec.configuration.memory_megabytes, 512);

    // Gone, when the answer comes; and the same command makes it anew.
    let mut terminal = project.at_terminal("apply");
    terminal.until("Do this? [y/N]").await;
    project.run(&format!("delete {name} --yes")).await.with(0);
    terminal.types("y\r").await;
    let left = terminal.ends().await.with(4);
    assert!(left.text().contains("    it was deleted"), "{left:#?}");
    assert!(!world.is_known(&name).await);
    project.run("apply --yes").await.with(0);
    assert_eq!(world.function(&name).await.spec.configuration.memory_megabytes, 256);
}
