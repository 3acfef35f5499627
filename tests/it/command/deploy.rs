//! `formation plan` and `apply`, and what is done to functions that are there.

use std::time::Duration;

use formation_tests::{Fault, Rule, World};
use serde_json::json;

use super::{CODE, Project, Said, command, interrupt};

pub async fn a_manifest_is_planned_applied_changed_and_pruned(world: &World) {
    let [folder, inline] = ["folder", "inline"].map(|what| world.name(what));
    // A manifest is known by its name, of which there is one in the account.
    let name = world.name("shop");
    let manifest = |fields: &str, more: &str| {
        format!(
            "name: {name}\ndefaults: {{logRetentionDays: 7}}\nfunctions:\n  {folder}:\n    code: \
             {{folder: app, build: 'cp source.mjs index.mjs'}}\n    environment: {{GREETING: \
             s3cr3t}}\n{fields}{more}"
        )
    };
    let second = format!("  {inline}:\n    code: |\n      {CODE}\n");
    let project = Project::new(world, &manifest("", &second));
    project.write("app/source.mjs", CODE);
    project.write("app/node_modules/.keep", "");

    let planned = project.run("plan --exit-code -o json").await.with(2).json();
    let kinds = planned["plans"].as_array().unwrap().iter().map(|plan| &plan["kind"]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["CREATE", "CREATE"]);
    let asked = project.run("apply").await.with(64);
    assert!(asked.err.contains("--yes"), "{asked:?}");
    assert!(!world.is_known(&folder).await);

    let applied = project.run("apply --yes -o json").await.with(0);
    assert_eq!(applied.json().as_array().unwrap().len(), 2, "{applied:?}");
    assert!(applied.err.contains("Ensure function done"), "{applied:?}");
    assert!(!applied.err.contains("s3cr3t") && !applied.out.contains("s3cr3t"), "{applied:?}");
    assert_eq!(world.invoke(&folder, &json!({})).await.unwrap(), json!("s3cr3t"));
    let shown = project.run(&format!("get {folder} -o json")).await.with(0).json();
    assert_eq!(shown["environment"], json!({"GREETING": "****"}));
    assert_eq!(shown["tags"], json!({"formation-manifest": name}));
    let shown = project.run(&format!("get {folder} --show-environment -o json")).await.with(0);
    assert_eq!(shown.json()["environment"], json!({"GREETING": "s3cr3t"}));

    // The same again: the archive has the same bytes, so that nothing is uploaded and nothing done.
    let before = [&folder, &inline].map(|name| world.proxy.calls(name).len());
    let again = project.run("apply --yes").await.with(0);
    assert!(again.err.contains("2 unchanged"), "{again:?}");
    for (name, before) in [&folder, &inline].into_iter().zip(before) {
        let calls = world.proxy.calls(name).split_off(before);
        assert!(calls.iter().all(|call| !call.changes_a_part()), "{calls:?}");
        assert_eq!(world.function(name).await.revision, 1);
    }

    // A change, and one function fewer.
    project.write("formation.yaml", &manifest("    memoryMegabytes: 256\n", ""));
    let planned = project.run("plan --prune").await.with(0);
    assert!(planned.out.contains("memoryMegabytes: 128 -> 256"), "{planned:?}");
    assert!(planned.out.contains(&format!("- {inline}: delete")), "{planned:?}");
    project.run("apply --prune --yes").await.with(0);
    assert_eq!(world.function(&folder).await.spec.configuration.memory_megabytes, 256);
    assert!(!world.is_known(&inline).await);

    let listed =
        project.run(&format!("list --tag formation-manifest:{name} -o name")).await.with(0);
    assert_eq!(listed.out, format!("{folder}\n"));
    let history = project.run(&format!("operations {folder} -o json")).await.with(0).json();
    let kinds = history.as_array().unwrap().iter().map(|operation| &operation["kind"]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["UPDATE", "CREATE"]);
    project.run(&format!("drift {folder} --exit-code")).await.with(0);
    project.run(&format!("delete {folder} --yes")).await.with(0);
    assert!(!world.is_known(&folder).await);
}

pub async fn a_function_of_another_manifest_is_left_alone(world: &World) {
    let name = world.name("shared");
    let of = |owner: &str| {
        format!(
            "name: {owner}\nfunctions:\n  {name}:\n    code: |\n      {CODE}\n    memoryMegabytes: 256\n"
        )
    };
    Project::new(world, &of("one")).run("apply --yes").await.with(0);
    let other = Project::new(world, &of("other"));
    let refused = other.run("apply --yes").await.with(4);
    assert!(refused.err.contains("belongs to the manifest `one`"), "{refused:?}");
    assert!(refused.err.contains("formation.yaml:3:3"), "{refused:?}");
    other.run("apply --yes --take-over").await.with(0);
    let tags = world.function(&name).await.spec.tags;
    assert_eq!(tags["formation-manifest"], "other");
}

pub async fn what_is_wrong_with_a_manifest_is_told_at_its_place(world: &World) {
    let name = world.name("wrong");
    let project = Project::new(
        world,
        &format!("functions:\n  {name}:\n    code: x\n    environment: {{PORT: 8080}}\n"),
    );
    let refused = project.run("apply --yes").await.with(4);
    assert!(refused.err.contains("formation.yaml:4:19"), "{refused:?}");
    assert!(refused.err.contains("put that of PORT in quotes"), "{refused:?}");
    // What only the API knows.
    project.write(
        "formation.yaml",
        &format!("defaults:\n  memoryMegabytes: 64\nfunctions:\n  {name}:\n    code: x\n    runtime: nodejs18.x\n"),
    );
    let refused = project.run("apply --yes").await.with(4);
    assert!(refused.err.contains("formation.yaml:2:20"), "{refused:?}");
    assert!(refused.err.contains("formation.yaml:6:14"), "{refused:?}");
    // Of a variable its name is shown, and not what may be secret.
    project.write(
        "formation.yaml",
        &format!("functions:\n  {name}:\n    code: x\n    environment: {{AWS_REGION: s3cr3t}}\n"),
    );
    let refused = project.run("apply --yes").await.with(4);
    assert!(refused.err.contains("formation.yaml:4:19"), "{refused:?}");
    assert!(refused.err.contains("{AWS_REGION: ******}"), "{refused:?}");
    assert!(!world.is_known(&name).await);
    project.run("apply --yes --file missing.yaml").await.with(4);
    project.run("get no-such-function").await.with(4);
    project.run("lsit").await.with(64);
}

pub async fn the_exit_code_tells_how_an_operation_ended(world: &World) {
    let name = world.name("fails");
    let project =
        Project::new(world, &format!("functions:\n  {name}:\n    code: |\n      {CODE}\n"));
    let refusal = || Fault::Refuse(400, "InvalidParameterValueException", "no");
    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal()));
    let failed = project.run("apply --yes").await.with(1);
    assert!(failed.err.contains("everything is as it was before"), "{failed:?}");
    assert!(!world.is_known(&name).await);

    world.proxy.inject(Rule::new("lambda:CreateFunction", &name, 1, refusal()));
    world.proxy.inject(Rule::new(
        "iam:DeleteRole",
        &name,
        usize::MAX,
        Fault::Refuse(403, "AccessDenied", "no"),
    ));
    let failed = project.run("apply --yes -o json").await.with(5);
    assert!(failed.err.contains("left over: ROLE"), "{failed:?}");
    assert_eq!(failed.json()[0]["leftovers"][0], "ROLE");
    let waited = project.run(&format!("wait {name}")).await.with(5);
    assert!(waited.err.contains("left over: ROLE"), "{waited:?}");
    world.proxy.release(&name);
}

pub async fn interrupted_it_leaves_the_operation_running_and_finds_it_again(world: &World) {
    let name = world.name("interrupted");
    let project =
        Project::new(world, &format!("functions:\n  {name}:\n    code: |\n      {CODE}\n"));
    world.proxy.inject(Rule::new(
        "lambda:CreateFunction",
        &name,
        1,
        Fault::Delay(Duration::from_secs(5)),
    ));
    let running = command(project.0.path(), ["--local", "apply", "--yes"]).spawn().unwrap();
    world
        .until("the function is claimed", async || world.is_known(&name).await.then_some(()))
        .await;
    interrupt(&running);
    let said: Said = running.wait_with_output().await.unwrap().into();
    let said = said.with(3);
    assert!(said.err.contains(&format!("`formation wait {name}")), "{said:?}");
    let again = project.run("apply --yes").await.with(0);
    assert!(again.err.contains("following that first"), "{again:?}");
    assert!(again.err.contains("1 unchanged"), "{again:?}");
    assert_eq!(world.function(&name).await.revision, 1);
}
