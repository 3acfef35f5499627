//! The API's description of itself.

use formation_tests::World;
use http::Method;
use serde_json::json;

use crate::requests::FUNCTIONS;

pub async fn the_api_describes_itself(world: &World) {
    let about = world.api(Method::GET, "/v1", None).await.json();
    let machine = about["stateMachineArn"].as_str().unwrap();
    assert!(machine.contains(":stateMachine:"), "{about}");
    let served = world.api(Method::GET, "/v1/openapi.json", None).await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), "application/json");
    let document = served.json();
    assert_eq!(document, formation_api::openapi::document(&world.stack.api_url));
    assert_eq!(document["openapi"], "3.1.0");
    // Its example is real.
    let example = &document["paths"][FUNCTIONS]["post"]["requestBody"]["content"];
    let mut example = example["application/json"]["example"].clone();
    example["functionName"] = json!(world.name("example"));
    let created = world.api(Method::POST, &format!("{FUNCTIONS}?wait=25"), Some(&example)).await;
    assert_eq!(created.status, 201, "{}", created.json());
}
