//! The throttled account: AWS's documented rates as buckets of tokens, and a hundred operations at
//! once. All must succeed, none may be rolled back, and together they may take little longer than
//! the slowest bucket allows.
//!
//! Time runs slower here than on AWS, rates and pauses of the state machine alike: one process
//! plays all of AWS, and could not keep up with its rates otherwise. The pauses within steps are
//! not slowed down, so that the steps ask more often for each token than they would on AWS.

#![expect(clippy::expect_used, reason = "these are tests")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use formation_model::{Operation, OperationStatus, Rollback};
use formation_tests::{Bucket, World, run, trials};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http::Method;
use serde_json::{Value, json};

/// How much slower time runs than on AWS.
const SLOWER: f64 = 4.0;
/// How many operations are asked for at once.
const OPERATIONS: usize = 100;
/// How many requests are on their way at once: what a client's connections allow.
const REQUESTS: usize = 16;
/// How much longer than the slowest bucket allows all of them may take.
const FACTOR: f64 = 1.15;
/// How many calls of Lambda that draw on its bucket a create may make, on average. The factor does not see
/// them: what is refused for a role that is not there yet counts as what the bucket allows.
const CALLS: f64 = 3.2;
/// What else the machine does only makes a time longer: the best of so many tries counts.
const TRIES: usize = 3;
/// How long Lambda cannot assume a new role.
const ROLE_PROPAGATION: Duration = Duration::from_secs(8);

/// The rates of an account and Region.
///
/// Event source mappings, addresses and statements draw on the same as functions do.
///
/// Sources: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>,
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html> (50 of each but PutEvents), and
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html> (250 of each in small Regions).
const RATES: [Bucket; 20] = [
    Bucket { calls: &["lambda:*"], except: &["lambda:GetFunction"], rate: 15.0 },
    Bucket { calls: &["lambda:GetFunction"], except: &[], rate: 100.0 },
    Bucket { calls: &["logs:CreateLogGroup"], except: &[], rate: 10.0 },
    Bucket { calls: &["logs:DeleteLogGroup"], except: &[], rate: 10.0 },
    Bucket { calls: &["logs:DescribeLogGroups"], except: &[], rate: 10.0 },
    Bucket { calls: &["logs:PutRetentionPolicy"], except: &[], rate: 5.0 },
    Bucket { calls: &["logs:ListTagsForResource"], except: &[], rate: 5.0 },
    Bucket { calls: &["events:PutRule"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:PutTargets"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:RemoveTargets"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:DeleteRule"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:DescribeRule"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:TestEventPattern"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:TagResource"], except: &[], rate: 50.0 },
    Bucket { calls: &["events:List*"], except: &[], rate: 50.0 },
    Bucket { calls: &["scheduler:CreateSchedule"], except: &[], rate: 250.0 },
    Bucket { calls: &["scheduler:UpdateSchedule"], except: &[], rate: 250.0 },
    Bucket { calls: &["scheduler:DeleteSchedule"], except: &[], rate: 250.0 },
    Bucket { calls: &["scheduler:GetSchedule"], except: &[], rate: 250.0 },
    Bucket { calls: &["scheduler:ListSchedules"], except: &[], rate: 50.0 },
];

fn slowed() -> Vec<Bucket> {
    RATES.iter().map(|bucket| Bucket { rate: bucket.rate / SLOWER, ..bucket.clone() }).collect()
}

/// What came of operations that were asked for at once.
struct Measured {
    /// How many seconds it took until all had ended.
    took: f64,
    /// How many the slowest bucket allows.
    allowed: f64,
    /// How many calls of each operation drew on Lambda's bucket, on average.
    calls: f64,
}

/// Asks for all operations at once, and waits until all have ended.
async fn measure(
    world: &World,
    what: &str,
    asks: Vec<(Method, String, Option<Value>)>,
) -> Measured {
    world.proxy.limit(&slowed());
    let began = Instant::now();
    let accepted: Vec<_> = stream::iter(asks)
        .map(async |(method, path, body)| world.api(method, &path, body.as_ref()).await)
        .buffer_unordered(REQUESTS)
        .collect()
        .await;
    assert!(accepted.iter().all(|answer| answer.status == 202), "{what}: not all were accepted");
    let ended = join_all(accepted.iter().map(async |answer| {
        let operation: Operation = answer.read();
        let (status, rollback) = world.ended_within(&operation, Duration::from_secs(600)).await;
        (began.elapsed(), operation, status, rollback)
    }))
    .await;
    let took = began.elapsed().as_secs_f64();
    for (_, operation, status, rollback) in &ended {
        let outcome = (*status, *rollback);
        let expected = (OperationStatus::Succeeded, Rollback::NotNeeded);
        assert_eq!(outcome, expected, "{what}: {operation:?}");
    }
    let last = ended.iter().max_by_key(|(at, ..)| *at).expect("an operation");
    println!("{what}: the last waited so: {}", waits(world, &last.1).await);

    // Buckets are full when it begins: that much comes at once.
    let (allowed, slowest) = world
        .proxy
        .drawn()
        .into_iter()
        .zip(slowed())
        .map(|((taken, _), bucket)| {
            ((taken as f64 - bucket.rate.max(1.0)) / bucket.rate, bucket.calls[0])
        })
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .expect("there are buckets");
    let refused: usize = world.proxy.drawn().iter().map(|(_, refused)| refused).sum();
    let calls = world.proxy.drawn()[0].0 as f64 / accepted.len() as f64;
    println!(
        "{what}: {:.1} s at AWS's pace, the slowest bucket ({slowest}) allows {:.1} s: factor {:.2}; \
         {refused} calls were throttled, {calls:.2} of each drew on Lambda's bucket",
        took / SLOWER,
        allowed / SLOWER,
        took / allowed,
    );
    world.proxy.limit(&[]);
    Measured { took, allowed, calls }
}

/// The steps of an operation, how often each was tried and how long it took.
async fn waits(world: &World, operation: &Operation) -> String {
    let steps = world.with_steps(operation).await.steps.unwrap_or_default();
    let told = steps.iter().map(|step| {
        let took = step.ended_at.unwrap_or_default().duration_since(step.started_at);
        format!("{} {} x {:.0} s", step.name, step.attempts, took.as_secs_f64() / SLOWER)
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Measures until it is at most `bound`, but not for ever.
async fn at_most(bound: f64, what: &str, measure: impl AsyncFn() -> f64) {
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        best = best.min(measure().await);
        if best <= bound {
            return;
        }
    }
    panic!("{what}: {best:.2}, more than {bound:.2}");
}

/// Creates functions and deletes them, and answers how much longer than the slowest bucket allows
/// that took, and how many calls of Lambda's bucket a create made.
async fn creates_then_deletes(world: &World, propagation: Duration) -> (f64, f64) {
    world.proxy.propagate_roles_in(propagation);
    let names: Vec<_> = (0..OPERATIONS).map(|_| world.name("many")).collect();
    let told = format!("with roles that Lambda may assume after {} s", propagation.as_secs());
    let code = formation_tests::world::EXAMPLE_CODE;
    let create = |name: &String| {
        let body = json!({"functionName": name, "code": code});
        (Method::POST, "/v1/functions".to_owned(), Some(body))
    };
    let creates = names.iter().map(create).collect();
    let creates = measure(world, &format!("{OPERATIONS} creates {told}"), creates).await;
    let delete = |name: &String| (Method::DELETE, format!("/v1/functions/{name}"), None);
    let deletes = names.iter().map(delete).collect();
    let deletes = measure(world, &format!("{OPERATIONS} deletes {told}"), deletes).await;
    let factor = (creates.took + deletes.took) / (creates.allowed + deletes.allowed);
    println!("the whole {told}: factor {factor:.2}");
    (factor, creates.calls)
}

/// One create, with nobody else about: answers how many seconds it took.
async fn create_with_slow_role(world: &World) -> f64 {
    world.proxy.propagate_roles_in(ROLE_PROPAGATION);
    let name = world.name("slow-role");
    let began = Instant::now();
    let accepted = world.ask_for(&name, json!({})).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(world.ended_unseen(&accepted.read()).await.0, OperationStatus::Succeeded);
    let took = began.elapsed();
    let calls = world.proxy.calls(&name);
    let creates = calls.iter().filter(|call| call.operation == "CreateFunction").count();
    println!("a role that Lambda may assume after 8 s: {} refused calls, {took:.1?}", creates - 1);
    assert!((2..=5).contains(&creates), "{creates} calls of CreateFunction");
    world.proxy.propagate_roles_in(Duration::ZERO);
    took.as_secs_f64()
}

async fn a_slow_role_costs_few_refused_calls(world: &World) {
    let bound = ROLE_PROPAGATION + Duration::from_secs(4);
    at_most(bound.as_secs_f64(), "seconds", async || create_with_slow_role(world).await).await;
}

async fn a_hundred_operations_at_once(world: &World) {
    let measure = async || creates_then_deletes(world, Duration::ZERO).await.0;
    at_most(FACTOR, "times what the slowest bucket allows", measure).await;
}

/// How much of each bucket slow roles use up is chance: the factor is reported only, the calls are bounded.
async fn a_hundred_operations_at_once_with_slow_roles(world: &World) {
    let measure = async || creates_then_deletes(world, ROLE_PROPAGATION).await.1;
    at_most(CALLS, "calls of Lambda a create", measure).await;
}

fn main() -> ExitCode {
    // They share the account, so one after the other.
    run(SLOWER, 1, |suite| {
        trials! { suite:
            a_slow_role_costs_few_refused_calls,
            a_hundred_operations_at_once,
            a_hundred_operations_at_once_with_slow_roles,
        }
    })
}
