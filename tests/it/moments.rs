//! Operations, and the moments in them: each call that a step makes to AWS is one.

use formation_model::{Operation, OperationStatus};
use formation_tests::World;
use formation_tests::rows::{examples, without_examples};
use futures_util::stream::{self, StreamExt};
use http::Method;
use serde_json::{Value, json};

use crate::requests::{OTHER_CODE, path};

/// An operation on a function. A create gives it the example of each property that AWS has, an update
/// takes them away, and a delete finds them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    Create,
    Update,
    Delete,
}

const ACTS: [Act; 3] = [Act::Create, Act::Update, Act::Delete];

/// How many moments are tried at once.
const AT_ONCE: usize = 8;

/// An operation, and what it comes to where nothing interferes.
pub struct Clean {
    pub act: Act,
    /// How many calls its steps make.
    calls: usize,
    /// See [`World::facts`].
    after: Value,
}

/// Tries `interfere` before the first call of each operation's steps, and after each of them.
pub async fn at_each(world: &World, interfere: impl AsyncFn(&Clean, usize)) {
    for act in ACTS {
        let clean = act.clean(world).await;
        let moments = stream::iter(0..=clean.calls);
        moments.for_each_concurrent(AT_ONCE, async |moment| interfere(&clean, moment).await).await;
    }
}

impl Act {
    async fn clean(self, world: &World) -> Clean {
        let name = world.name("clean");
        self.prepare(world, &name).await;
        let operation = self.ask(world, &name).await;
        assert_eq!(world.ended_unseen(&operation).await.0, OperationStatus::Succeeded, "{self:?}");
        let after = world.facts(&name).await;
        Clean { act: self, calls: made(world, &name).unwrap(), after }
    }

    /// Makes what the operation is to change.
    pub async fn prepare(self, world: &World, name: &str) {
        if self != Self::Create {
            let created = world.ask_for(name, examples(|_| true)).await;
            assert_eq!(created.status, 202, "{created:?}");
            assert_eq!(world.ended_unseen(&created.read()).await.0, OperationStatus::Succeeded);
        }
    }

    /// Asks for the operation, and answers it.
    pub async fn ask(self, world: &World, name: &str) -> Operation {
        let path = path(name);
        let accepted = match self {
            Self::Create => world.ask_for(name, examples(|_| true)).await,
            Self::Update => {
                let mut patch = without_examples(name);
                patch["code"] = json!(OTHER_CODE);
                world.api(Method::PATCH, &path, Some(&patch)).await
            }
            Self::Delete => world.api(Method::DELETE, &path, None).await,
        };
        assert_eq!(accepted.status, 202, "{accepted:?}");
        accepted.read()
    }
}

impl Clean {
    /// That AWS holds for a function what it holds where nothing interfered.
    pub async fn check(&self, world: &World, name: &str, told: &str) {
        assert_eq!(world.facts(name).await, self.after, "{told}");
    }
}

/// How many calls the steps of the operation that was accepted last have made.
fn made(world: &World, name: &str) -> Option<usize> {
    let calls = world.proxy.calls(name);
    let started = calls.iter().rposition(|call| call.operation == "StartExecution")?;
    Some(calls.len() - started - 1)
}

/// Waits until the steps of an operation that was just accepted have made so many calls, or it has
/// ended before.
pub async fn at_call(world: &World, name: &str, operation: &Operation, moment: usize) {
    world
        .until("the moment has come", async || {
            let has_come = made(world, name)? >= moment;
            (has_come || world.has_ended(operation.operation_id)).then_some(())
        })
        .await;
}
