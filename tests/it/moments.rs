//! Operations, and the moments in them: each call that a step makes to AWS is one.

use formation_model::{Operation, OperationStatus};
use formation_tests::World;
use futures_util::stream::{self, StreamExt};
use http::Method;
use serde_json::{Value, json};

use crate::requests::{OTHER_CODE, path};

/// An operation on a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    Create,
    Update,
    Delete,
}

const ACTS: [Act; 3] = [Act::Create, Act::Update, Act::Delete];

/// How many moments are tried at once.
const AT_ONCE: usize = 8;

/// Tries `interfere` at each of the first `moments` calls of each operation.
pub async fn at_each_of(moments: usize, interfere: impl AsyncFn(Act, usize)) {
    for act in ACTS {
        let moments = stream::iter(0..moments);
        moments.for_each_concurrent(AT_ONCE, async |moment| interfere(act, moment).await).await;
    }
}

impl Act {
    /// Makes what the operation is to change.
    pub async fn prepare(self, world: &World, name: &str) {
        if self != Self::Create {
            let created = world.ask_for(name, json!({"tags": {"team": "a"}})).await;
            assert_eq!(created.status, 202, "{created:?}");
            assert_eq!(world.ended_unseen(&created.read()).await.0, OperationStatus::Succeeded);
        }
    }

    /// Asks for the operation, and answers it.
    pub async fn ask(self, world: &World, name: &str) -> Operation {
        let path = path(name);
        let patch = json!({
            "code": OTHER_CODE, "memoryMegabytes": 512, "logRetentionDays": 7, "tags": {"team": "b"}
        });
        let accepted = match self {
            Self::Create => world.ask_for(name, json!({"memoryMegabytes": 512})).await,
            Self::Update => world.api(Method::PATCH, &path, Some(&patch)).await,
            Self::Delete => world.api(Method::DELETE, &path, None).await,
        };
        assert_eq!(accepted.status, 202, "{accepted:?}");
        accepted.read()
    }

    /// What AWS holds after it has succeeded.
    pub fn check(self, facts: &Value, told: &str) {
        let memory = &facts["function"]["MemorySize"];
        let retention = &facts["logGroup"]["retention"];
        match self {
            Self::Create => assert_eq!((memory, retention), (&json!(512), &json!(30)), "{told}"),
            Self::Update => assert_eq!((memory, retention), (&json!(512), &json!(7)), "{told}"),
            Self::Delete => {
                let nothing = json!({"function": null, "role": null, "logGroup": null});
                assert_eq!(facts, &nothing, "{told}");
            }
        }
        if self != Self::Delete {
            assert!(facts["role"].is_object(), "{told}");
        }
    }
}

/// Waits until the steps of an operation that was just accepted have made so many calls, or it has
/// ended before.
pub async fn at_call(world: &World, name: &str, operation: &Operation, moment: usize) {
    world
        .until("the moment has come", async || {
            let calls = world.proxy.calls(name);
            let started = calls.iter().rposition(|call| call.operation == "StartExecution")?;
            let made = calls.len() - started - 1;
            (made >= moment || world.has_ended(operation.operation_id)).then_some(())
        })
        .await;
}
