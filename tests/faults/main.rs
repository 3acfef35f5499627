//! The fault matrix: every call that an operation makes to AWS, failing in every way.
//!
//! The calls are not listed here. A clean run of each operation is recorded, and each of its calls
//! becomes a row: a call that is added to a step is covered without anyone adding it.
//!
//! After each case AWS is compared with the record: it holds either exactly what was asked for or
//! exactly what was there before, the operation tells which, and the name can be used again.

#![expect(clippy::expect_used, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use formation_model::{Facet, FunctionStatus, Operation, OperationStatus, Rollback};
use formation_tests::rows::{examples, without_examples};
use formation_tests::{Answer, Fault, Rule, WAIT_SCALE, World, run};
use http::Method;
use serde_json::{Value, json};

const OTHER_CODE: &str = "export const handler = async () => 'second';";

/// Cases mostly wait for pauses of the state machine, so many of them run at once.
const AT_ONCE: usize = 24;

/// Examples with members besides their own: from stage to stage one is changed, and where only
/// the later has the examples, others are new.
fn at_stage(mut fields: Value, stage: &str) -> Value {
    for property in ["environment", "tags"] {
        fields[property]["STAGE"] = json!(stage);
    }
    fields
}

/// An operation on a function, and what it is done to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Create,
    UpdateConfiguration,
    UpdateCode,
    UpdateBoth,
    Delete,
    Repair,
    RepairRole,
    Rollback,
    // Of a function that one thing of each kind calls.
    CreateCalled,
    UpdateCalled,
    RollbackCalled,
    DeleteCalled,
}

const ACTS: [Act; 12] = [
    Act::Create,
    Act::UpdateConfiguration,
    Act::UpdateCode,
    Act::UpdateBoth,
    Act::Delete,
    Act::Repair,
    Act::RepairRole,
    Act::Rollback,
    Act::CreateCalled,
    Act::UpdateCalled,
    Act::RollbackCalled,
    Act::DeleteCalled,
];

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::UpdateConfiguration => "update of configuration",
            Self::UpdateCode => "update of code",
            Self::UpdateBoth => "update of both",
            Self::Delete => "delete",
            Self::Repair => "repair",
            Self::RepairRole => "repair of the role",
            Self::Rollback => "rollback",
            Self::CreateCalled => "create with triggers",
            Self::UpdateCalled => "update of triggers",
            Self::RollbackCalled => "rollback of triggers",
            Self::DeleteCalled => "delete with triggers",
        }
    }

    /// Whether it is about what calls a function.
    const fn is_called(self) -> bool {
        match self {
            Self::CreateCalled | Self::UpdateCalled | Self::RollbackCalled | Self::DeleteCalled => {
                true
            }
            Self::Create
            | Self::UpdateConfiguration
            | Self::UpdateCode
            | Self::UpdateBoth
            | Self::Delete
            | Self::Repair
            | Self::RepairRole
            | Self::Rollback => false,
        }
    }

    /// Makes what the operation is to change.
    async fn prepare(self, world: &World, name: &str) {
        if [Self::Create, Self::CreateCalled].contains(&self) {
            return;
        }
        let fields = match self {
            // What gives every property begins with their defaults.
            Self::UpdateConfiguration => json!({}),
            _ if self.is_called() => world.one_of_each(name).await,
            _ => examples(|_| true),
        };
        let created = match self {
            _ if self.is_called() => world.ask_for(name, fields).await,
            _ => world.ask_for(name, at_stage(fields, "first")).await,
        };
        assert_eq!(created.status, 202, "{}", created.json());
        assert_eq!(world.ended_unseen(&created.read()).await.0, OperationStatus::Succeeded);
        match self {
            // What is to be repaired: one part gone, one changed.
            Self::Repair => {
                world.lambda.delete_function().function_name(name).send().await.expect("deleted");
                let retention = world.logs.put_retention_policy();
                let retention = retention.log_group_name(format!("/aws/lambda/{name}"));
                retention.retention_in_days(365).send().await.expect("changed");
            }
            // The function is to get its grant anew.
            Self::RepairRole => {
                let role = world.role_name(name);
                let policies = world.iam.list_role_policies().role_name(&role).send().await;
                for policy in policies.expect("listed").policy_names {
                    let delete = world.iam.delete_role_policy().role_name(&role);
                    delete.policy_name(policy).send().await.expect("deleted");
                }
                world.iam.delete_role().role_name(&role).send().await.expect("deleted");
            }
            Self::Rollback | Self::RollbackCalled => {
                let update = if self.is_called() { Self::UpdateCalled } else { Self::UpdateBoth };
                let updated = update.ask(world, name).await;
                assert_eq!(updated.status, 202, "{}", updated.json());
                let ended = world.ended_unseen(&updated.read()).await;
                assert_eq!(ended.0, OperationStatus::Succeeded);
            }
            _ => {}
        }
    }

    /// Asks for the operation.
    async fn ask(self, world: &World, name: &str) -> Answer {
        let path = format!("/v1/functions/{name}");
        match self {
            Self::Create => world.ask_for(name, examples(|_| true)).await,
            Self::UpdateConfiguration => {
                // Of code there is an update of its own.
                let fields = examples(|property| !property.facets.contains(&Facet::Code));
                world.api(Method::PATCH, &path, Some(&at_stage(fields, "second"))).await
            }
            Self::UpdateCode => {
                world.api(Method::PATCH, &path, Some(&json!({"code": OTHER_CODE}))).await
            }
            Self::UpdateBoth => {
                // Taken away, so that the calls which do that are rows, too.
                let mut both = without_examples(name);
                both["code"] = json!(OTHER_CODE);
                world.api(Method::PATCH, &path, Some(&both)).await
            }
            Self::Delete | Self::DeleteCalled => world.api(Method::DELETE, &path, None).await,
            Self::CreateCalled => {
                let fields = world.one_of_each(name).await;
                world.ask_for(name, fields).await
            }
            Self::UpdateCalled => {
                let (region, account) = (&world.stack.region, &world.stack.account_id);
                let queue = format!("arn:aws:sqs:{region}:{account}:{name}_jobs");
                // Some are changed, some made, some taken away, and the address stays.
                let change = json!({
                    "functionUrl": {"authType": "AWS_IAM"},
                    "invokers": [],
                    "schedules": [
                        {"name": "nightly", "expression": "rate(1 hour)"},
                        {"name": "weekly", "expression": "rate(7 days)"}
                    ],
                    "eventRules": [
                        {"name": "on-payment", "pattern": {"source": ["bank"]}},
                        {"name": "on-order", "pattern": {"source": ["elsewhere"]}}
                    ],
                    "eventSources": [{"arn": queue, "batchSize": 5}],
                    "asyncRetries": 1
                });
                world.api(Method::PATCH, &path, Some(&change)).await
            }
            Self::Repair | Self::RepairRole => {
                world.api(Method::POST, &format!("{path}/repair"), None).await
            }
            Self::Rollback | Self::RollbackCalled => {
                world.api(Method::POST, &format!("{path}/rollback"), None).await
            }
        }
    }
}

/// A call of a clean run.
#[derive(Clone, Debug)]
struct Place {
    call: String,
    /// How many calls of this name come before it.
    before: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// The API's calls, until the execution is started.
    Accept,
    /// The steps' calls.
    Step,
    /// The last step's calls, which record the outcome.
    Record,
}

/// What a clean run shows: its calls, and what AWS holds before and after it, as [`World::facts`] has it.
struct Clean {
    places: Vec<Place>,
    before: Value,
    after: Value,
}

async fn clean_run(world: &World, act: Act) -> Clean {
    let name = world.name("clean");
    act.prepare(world, &name).await;
    let before = world.facts(&name).await;
    let prepared = world.proxy.calls(&name).len();
    let accepted = act.ask(world, &name).await;
    assert_eq!(accepted.status, 202, "{}", accepted.json());
    let ended = world.ended_unseen(&accepted.read()).await;
    assert_eq!(ended.0, OperationStatus::Succeeded, "a clean {}", act.name());
    let after = world.facts(&name).await;
    let recorded = &after["role"]["idIsRecorded"];
    assert_eq!(recorded == &json!(true), after["role"].is_object(), "a clean {}", act.name());

    let calls = world.proxy.calls(&name).split_off(prepared);
    let start = calls.iter().position(|call| call.operation == "StartExecution");
    let start = start.expect("an execution was started");
    // The last step begins with the last look at the operation.
    let record = calls.iter().rposition(|call| call.name() == "dynamodb:GetItem");
    let record = record.expect("the outcome was recorded");
    let mut seen = BTreeMap::<String, usize>::new();
    let places = calls.iter().enumerate().map(|(index, call)| {
        let count = seen.entry(call.name()).or_default();
        let before = *count;
        *count += 1;
        let phase = match index {
            index if index <= start => Phase::Accept,
            index if index >= record => Phase::Record,
            _ => Phase::Step,
        };
        Place { call: call.name(), before, phase }
    });
    Clean { places: places.collect(), before, after }
}

/// A fault, and whether it goes away by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Throttled,
    Failed,
    Dropped,
    AnswerLost,
    Delayed,
    Killed,
    Denied,
    Rejected,
    // What Lambda shows of a function that it still works on, or could not make.
    Pending,
    InProgress,
    MakingFailed,
    UpdateFailed,
}

/// What may befall every call.
const TROUBLES: [Trouble; 8] = [
    Trouble::Throttled,
    Trouble::Failed,
    Trouble::Dropped,
    Trouble::AnswerLost,
    Trouble::Delayed,
    Trouble::Killed,
    Trouble::Denied,
    Trouble::Rejected,
];

/// What may befall a look at a function as well.
const LOOKS: [Trouble; 4] =
    [Trouble::Pending, Trouble::InProgress, Trouble::MakingFailed, Trouble::UpdateFailed];

impl Trouble {
    fn fault(self) -> Fault {
        match self {
            Self::Throttled => Fault::Throttle,
            Self::Failed => Fault::Fail,
            Self::Dropped => Fault::Drop,
            Self::AnswerLost => Fault::LoseAnswer,
            // A Lambda's client gives up after 8 s.
            Self::Delayed => Fault::Delay(Duration::from_millis(8500)),
            Self::Killed => Fault::Kill,
            Self::Denied => Fault::Refuse(403, "AccessDeniedException", "injected"),
            Self::Rejected => Fault::Refuse(400, "InvalidParameterValueException", "injected"),
            Self::Pending => Fault::Show(&[
                ("/Configuration/State", "\"Pending\""),
                ("/Configuration/LastUpdateStatus", "null"),
            ]),
            Self::InProgress => {
                Fault::Show(&[("/Configuration/LastUpdateStatus", "\"InProgress\"")])
            }
            Self::MakingFailed => Fault::Show(&[("/Configuration/State", "\"Failed\"")]),
            Self::UpdateFailed => Fault::Show(&[("/Configuration/LastUpdateStatus", "\"Failed\"")]),
        }
    }

    const fn is_permanent(self) -> bool {
        match self {
            Self::Throttled
            | Self::Failed
            | Self::Dropped
            | Self::AnswerLost
            | Self::Delayed
            | Self::Killed
            | Self::Pending
            | Self::InProgress => false,
            Self::Denied | Self::Rejected | Self::MakingFailed | Self::UpdateFailed => true,
        }
    }
}

/// One case: `trouble` at `place` of `act`.
async fn case(world: &World, act: Act, clean: &Clean, place: &Place, trouble: Trouble) {
    let name = world.name("fault");
    act.prepare(world, &name).await;
    // A rule counts from now on: what the preparation called is past.
    let prepared = world.proxy.calls(&name).len();
    world.proxy.inject(Rule {
        call: place.call.clone(),
        function: name.clone(),
        skip: place.before,
        times: 1,
        fault: trouble.fault(),
    });
    let accepted = act.ask(world, &name).await;
    let operation = match accepted.status.as_u16() {
        202 => accepted.read(),
        // The api Lambda died: what it had claimed by then heals.
        502 if trouble == Trouble::Killed && place.phase == Phase::Accept => {
            match running_operation(world, &name).await {
                Some(operation) => operation,
                None => return unchanged(world, &name, clean).await,
            }
        }
        status => {
            assert!(trouble.is_permanent() && place.phase == Phase::Accept, "{}", accepted.json());
            assert!(status >= 500 || status == 422, "{status}");
            return unchanged(world, &name, clean).await;
        }
    };
    let start = "states:StartExecution";
    if place.phase == Phase::Accept && (trouble == Trouble::Killed || place.call == start) {
        // Nobody may have started it.
        world.reconcile_operation(&operation).await;
    }
    let (status, rollback) = world.ended_unseen(&operation).await;
    assert!(was_met(world, &name, place, prepared), "the fault was not met");
    // One that was not is not for what comes now.
    world.proxy.release(&name);
    world
        .until("the delayed call has landed", async || {
            (!world.proxy.has_late_calls(&name)).then_some(())
        })
        .await;
    let found = world.facts(&name).await;
    // Whoever cannot record an outcome leaves it to reconcile, which goes back.
    let may_go_back = trouble.is_permanent();
    match (status, rollback) {
        (OperationStatus::Succeeded, Rollback::NotNeeded) => {
            assert_eq!(found, clean.after, "not what was asked for");
        }
        (OperationStatus::Failed, Rollback::Complete) => {
            assert!(may_go_back, "{trouble:?} at {place:?} was not got over");
            assert_eq!(found, clean.before, "not what was there before");
        }
        // A delete and a repair only go forward, and so does everything else once callers have moved: reconcile
        // finishes them.
        (OperationStatus::Failed, Rollback::Incomplete)
            if act != Act::Create && act != Act::CreateCalled =>
        {
            assert!(may_go_back, "{trouble:?} at {place:?} was not got over");
            if !matches!(act, Act::Delete | Act::DeleteCalled | Act::Repair | Act::RepairRole) {
                assert_eq!(found["live"], clean.after["live"], "its callers had not moved");
            }
            world.reconcile_function(&name).await;
            world
                .until("it is healed", async || {
                    let answer = world.api(Method::GET, &path(&name), None).await;
                    assert!(answer.status == 200 || answer.status == 404, "{answer:?}");
                    let settled = answer.status == 404 || answer.json()["status"] == "AVAILABLE";
                    settled.then_some(())
                })
                .await;
            assert_eq!(world.facts(&name).await, clean.after);
        }
        other => panic!("the operation ended as {other:?}: {found:#}"),
    }
    // The name is usable: what is there can be deleted, what is not can be created.
    let next = match world.api(Method::GET, &path(&name), None).await.status.as_u16() {
        404 => world.ask_for(&name, json!({})).await,
        _ => world.api(Method::DELETE, &path(&name), None).await,
    };
    assert_eq!(next.status, 202, "{}", next.json());
    assert_eq!(world.ended_unseen(&next.read()).await.0, OperationStatus::Succeeded);
}

/// How often a function is looked at until it has settled depends on time: a look that was not
/// needed this time cannot fail.
fn was_met(world: &World, name: &str, place: &Place, prepared: usize) -> bool {
    let calls = world.proxy.calls(name).split_off(prepared);
    let made = calls.iter().filter(|call| call.name() == place.call).count();
    world.proxy.is_spent(name) || (place.call == "lambda:GetFunction" && made <= place.before)
}

fn path(name: &str) -> String {
    format!("/v1/functions/{name}")
}

/// The operation that holds the function, if one does.
async fn running_operation(world: &World, name: &str) -> Option<Operation> {
    if !world.is_known(name).await {
        return None;
    }
    let function = world.function(name).await;
    if function.status == FunctionStatus::Available {
        return None;
    }
    let (name, id) = (&function.spec.function_name, function.operation_id);
    Some(world.client.operation(name, id).await.expect("the operation is there"))
}

/// A request that was refused has changed nothing.
async fn unchanged(world: &World, name: &str, clean: &Clean) {
    assert_eq!(world.facts(name).await, clean.before, "a refused request changed something");
    assert!(world.proxy.is_spent(name), "the fault was not met");
}

fn main() -> ExitCode {
    run(WAIT_SCALE, AT_ONCE, |suite| {
        let mut trials = Vec::new();
        let mut plain = BTreeSet::new();
        for act in ACTS {
            let clean = Arc::new(suite.runtime.block_on(clean_run(&suite.world, act)));
            let mut places: Vec<_> = clean.places.iter().collect();
            if act.is_called() {
                // The others have met every trouble in an act before. This one notes that nothing leads back.
                places.retain(|it| !plain.contains(&it.call) || it.call == "dynamodb:UpdateItem");
            } else {
                plain.extend(clean.places.iter().map(|it| it.call.clone()));
            }
            for place in places {
                let looks = if place.call == "lambda:GetFunction" { &LOOKS[..] } else { &[] };
                for &trouble in TROUBLES.iter().chain(looks) {
                    let (clean, place) = (Arc::clone(&clean), place.clone());
                    let name =
                        format!("{}/{}#{}/{trouble:?}", act.name(), place.call, place.before + 1);
                    trials.push(suite.trial(&name, async move |world| {
                        case(world, act, &clean, &place, trouble).await;
                    }));
                }
            }
        }
        println!("{} cases", trials.len());
        trials
    })
}
