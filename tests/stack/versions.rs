//! The upgrade from a release that published no versions: its state machine runs on for what has begun there,
//! on the steps of this release, and what it has made becomes like every other function.

use formation_client::Changed;
use formation_model::{
    DriftStatus, FunctionStatus, Operation, OperationStatus, PublishedVersion, Rollback,
};
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::{Value, json};

/// The state machine of 0.3.0, as that release has it.
const PREVIOUS: &str = include_str!("0.3.0/statemachine.asl.json");

const OTHER_CODE: &str = "export const handler = async () => 'second';";

const WELL: (OperationStatus, Rollback) = (OperationStatus::Succeeded, Rollback::NotNeeded);
const BACK: (OperationStatus, Rollback) = (OperationStatus::Failed, Rollback::Complete);

/// The stack's state machine, and what an upgrade makes of it.
struct Machine<'a> {
    world: &'a World,
    previous: String,
    current: String,
}

impl<'a> Machine<'a> {
    async fn new(world: &'a World) -> Self {
        let arn = &world.stack.state_machine_arn;
        let described = world.sfn.describe_state_machine().state_machine_arn(arn).send().await;
        let (region, account) = (&world.stack.region, &world.stack.account_id);
        let mut previous = PREVIOUS.replace("${Partition}", "aws");
        previous = previous.replace("${EventBusName}", &world.stack.event_bus_name);
        while let Some(begin) = previous.find("${") {
            let end = begin + previous[begin..].find('}').unwrap();
            let id = previous[begin + 2..end].strip_suffix("Arn").unwrap();
            let lambda = world.lambda_name(id).await;
            let arn = format!("arn:aws:lambda:{region}:{account}:function:{lambda}");
            previous.replace_range(begin..=end, &arn);
        }
        Self { world, previous, current: described.unwrap().definition }
    }

    async fn is(&self, definition: &str) {
        let arn = &self.world.stack.state_machine_arn;
        let update = self.world.sfn.update_state_machine().state_machine_arn(arn);
        update.definition(definition).send().await.unwrap();
    }

    /// Asks for something under the previous release's machine, and answers it once it is held in `call`, by when
    /// the machine is this release's.
    async fn upgraded_during(
        &self,
        name: &str,
        call: &str,
        ask: impl AsyncFnOnce() -> Operation,
    ) -> Operation {
        let proxy = &self.world.proxy;
        let before = proxy.calls(name).len();
        proxy.inject(Rule::new(call, name, usize::MAX, Fault::Throttle));
        self.is(&self.previous).await;
        let begun = ask().await;
        self.world
            .until("it is held", async || {
                let calls = proxy.calls(name).split_off(before);
                calls.iter().any(|it| it.name() == call).then_some(())
            })
            .await;
        self.is(&self.current).await;
        begun
    }

    /// A function that the previous release's machine has made.
    async fn make(&self, what: &str) -> String {
        let name = self.world.name(what);
        let create = async || self.world.ask_for(&name, json!({})).await.read();
        let begun = self.upgraded_during(&name, "logs:PutRetentionPolicy", create).await;
        self.world.proxy.release(&name);
        assert_eq!(self.world.ended_unseen(&begun).await, WELL);
        let entered = self.world.states_entered(&begun).await;
        assert!(entered.iter().all(|it| it != "Go live"), "{entered:?}");
        assert_unversioned(self.world, &name, 1).await;
        name
    }
}

async fn patch(world: &World, name: &str, patch: &Value) -> Operation {
    let path = format!("/v1/functions/{name}");
    let accepted = world.api(Method::PATCH, &path, Some(patch)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    accepted.read()
}

/// That a function is as it should be, without a version.
async fn assert_unversioned(world: &World, name: &str, revision: u64) {
    let function = world.function(name).await;
    assert_eq!(function.status, FunctionStatus::Available, "{function:#?}");
    assert_eq!((function.revision, function.resources.version), (revision, None));
    let alias = world.lambda.get_alias().function_name(name).name("live").send().await;
    assert!(alias.is_err(), "{alias:?}");
    assert_in_sync(world, name).await;
}

async fn assert_in_sync(world: &World, name: &str) {
    let drift = world.drift(name).await.drift;
    assert_eq!(*drift.status.known().unwrap(), DriftStatus::InSync, "{drift:#?}");
}

/// That callers of a function with a version run this.
async fn assert_answers(world: &World, name: &str, answer: &Value) -> PublishedVersion {
    let function = world.function(name).await;
    assert_eq!(function.status, FunctionStatus::Available, "{function:#?}");
    assert_eq!(world.invoke(&format!("{name}:live"), &json!({})).await.unwrap(), *answer);
    assert_in_sync(world, name).await;
    function.resources.version.unwrap()
}

/// Rolls back to a revision, and answers how that has ended.
async fn roll_back(world: &World, name: &str, to: u64) -> (OperationStatus, Rollback) {
    match world.client.roll_back(&name.parse().unwrap(), Some(to)).await {
        Ok(Changed::Accepted(accepted)) => world.ended_unseen(&accepted.operation).await,
        other => panic!("{other:?}"),
    }
}

pub async fn what_began_without_versions_ends_well_and_gets_one(world: &World) {
    let machine = Machine::new(world).await;
    let first = json!({"statusCode": 200, "body": "\"Hello!\""});
    let change = json!({"code": OTHER_CODE, "memoryMegabytes": 256});
    let held = "lambda:UpdateFunctionCode";

    // A create: the next update gives what is there a version first, so there is one to go back to.
    let created = machine.make("created").await;
    let name = created.clone();
    let before = world.proxy.calls(&name).len();
    let updated = patch(world, &name, &change).await;
    assert_eq!(world.ended_unseen(&updated).await, WELL);
    let calls = world.proxy.calls(&name).split_off(before);
    let at = |call: &str| calls.iter().position(|it| it.operation == call).unwrap();
    assert!(at("CreateAlias") < at("UpdateFunctionConfiguration"), "{calls:?}");
    let second = assert_answers(world, &name, &json!("second")).await;
    assert_eq!(roll_back(world, &name, 1).await, WELL);
    let kept = assert_answers(world, &name, &first).await;
    assert_ne!(kept, second);
    assert_eq!(roll_back(world, &name, 2).await, WELL);
    assert_eq!(assert_answers(world, &name, &json!("second")).await, second, "it was kept");

    // An update: a repair gives it a version, and a revision that has none is published of its bundle.
    let changed = machine.make("changed").await;
    let name = changed.clone();
    let ask = async || patch(world, &name, &change).await;
    let begun = machine.upgraded_during(&name, held, ask).await;
    world.proxy.release(&name);
    assert_eq!(world.ended_unseen(&begun).await, WELL);
    assert_unversioned(world, &name, 2).await;
    let repaired = world.repair(&name).await;
    assert_eq!(repaired.status, OperationStatus::Succeeded, "{repaired:#?}");
    assert_answers(world, &name, &json!("second")).await;
    assert_eq!(roll_back(world, &name, 1).await, WELL);
    assert_answers(world, &name, &first).await;

    // An update that fails there goes back there.
    let name = machine.make("failed").await;
    let ask = async || patch(world, &name, &change).await;
    let begun = machine.upgraded_during(&name, held, ask).await;
    world.proxy.release(&name);
    let refused = Fault::Refuse(400, "InvalidParameterValueException", "injected");
    world.proxy.inject(Rule::new(held, &name, 1, refused));
    assert_eq!(world.ended_unseen(&begun).await, BACK);
    assert_unversioned(world, &name, 1).await;
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), first);

    // One that is stopped there is taken over here, and goes back; and so does a rollback to what it never had.
    let ask = async || patch(world, &name, &change).await;
    let begun = machine.upgraded_during(&name, held, ask).await;
    world.sfn.stop_execution().execution_arn(&begun.execution_arn).send().await.unwrap();
    world
        .until("it is taken over", async || {
            let attempt = world.operation_item(&begun).await["attempt"].as_n().unwrap().clone();
            (attempt == "2").then_some(())
        })
        .await;
    world.proxy.release(&name);
    assert_eq!(world.ended_unseen(&begun).await, BACK);
    assert_unversioned(world, &name, 1).await;
    assert_eq!(world.invoke(&name, &json!({})).await.unwrap(), first);
    let updated = patch(world, &name, &change).await;
    assert_eq!(world.ended_unseen(&updated).await, WELL);
    assert_answers(world, &name, &json!("second")).await;

    // A delete needs no version.
    for name in [machine.make("deleted").await, name, created, changed] {
        assert_eq!(world.delete(&name).await.status, OperationStatus::Succeeded);
        assert!(world.live(&name).await.parts().is_empty());
    }
}
