//! `formation revisions`.

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
