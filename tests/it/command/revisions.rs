//! `formation revisions` and `formation rollback`.

use formation_tests::World;
use serde_json::json;

use super::Project;

pub async fn a_functions_revisions_are_shown(world: &World) {
    let name = world.name("shown");
    world.create(&name, json!({"environment": {"KEY": "s3cr3t"}})).await;
    world.patch(&name, json!({"memoryMegabytes": 256})).await;
    let project = Project::new(world, "functions: {}\n");
    let listed = project.run(&format!("revisions {name}")).await.with(0);
    assert!(listed.out.contains("REVISION") && listed.out.contains("UPDATE"), "{listed:?}");
    let numbers = project.run(&format!("revisions {name} -o name")).await.with(0);
    assert_eq!(numbers.out, "2\n1\n");
    let shown = project.run(&format!("revisions {name} 1")).await.with(0);
    assert!(
        shown.out.lines().any(|it| it.starts_with("memoryMegabytes") && it.ends_with("128")),
        "{shown:?}"
    );
    assert!(!shown.out.contains("s3cr3t"), "{shown:?}");
    let shown =
        project.run(&format!("revisions {name} 1 --show-environment -o json")).await.with(0);
    assert_eq!(shown.json()["specification"]["environment"], json!({"KEY": "s3cr3t"}));
    project.run(&format!("revisions {name} 9")).await.with(4);
}

pub async fn a_function_goes_back_to_the_revision_that_was_shown(world: &World) {
    let name = world.name("back");
    let project = Project::new(world, "functions: {}\n");
    world.create(&name, json!({"memoryMegabytes": 256})).await;
    let first = project.run(&format!("rollback {name} --yes")).await.with(4);
    assert!(first.err.contains("no revision before its first"), "{first:?}");
    world.patch(&name, json!({"memoryMegabytes": 512, "logRetentionDays": 7})).await;

    // Nobody can be asked.
    let unasked = project.run(&format!("rollback {name}")).await.with(64);
    assert!(unasked.out.is_empty(), "{unasked:?}");
    project.run(&format!("rollback {name} --to 99 --yes")).await.with(4);
    let current = project.run(&format!("rollback {name} --to 2 --yes -o json")).await.with(0);
    assert_eq!(current.json(), json!([]), "{current:?}");
    assert!(current.err.contains("nothing is to be done"), "{current:?}");
    assert_eq!(world.function(&name).await.revision, 2);

    let back = project.run(&format!("rollback {name} --yes -o json")).await.with(0);
    for shown in ["from revision 2 to 1", "512 -> 256", "LIVE", "callers move"] {
        assert!(back.err.contains(shown), "{shown}: {back:?}");
    }
    assert_eq!(back.json()[0]["kind"], "ROLLBACK");
    let function = world.function(&name).await;
    assert_eq!((function.revision, function.spec.configuration.memory_megabytes), (3, 256));
    let revisions = project.run(&format!("revisions {name} -o json")).await.with(0).json();
    let versions: Vec<_> = revisions.as_array().unwrap().iter().map(|it| &it["version"]).collect();
    assert_eq!(versions, ["1", "2", "1"], "the version that was kept");
}
