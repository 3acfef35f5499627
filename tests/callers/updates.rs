//! Updates of code, configuration and permissions together, some of which fail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use formation_model::{DriftStatus, OperationStatus, Rollback};
use formation_tests::{Fault, Rule, World};
use http::Method;
use serde_json::json;

use crate::edition::{Answer, Call, Editions};

/// How many updates there are.
const UPDATES: usize = 50;

/// A call that an update makes.
#[derive(Clone, Debug)]
struct Place {
    call: String,
    /// How many calls of this name come before it.
    before: usize,
}

impl Place {
    fn first(call: &str) -> Self {
        Self { call: call.to_owned(), before: 0 }
    }
}

/// Calls whose lost answers and whose Lambdas' deaths are got over, in updates between those that fail.
const GOT_OVER: [&str; 5] = [
    "iam:PutRolePolicy",
    "lambda:UpdateFunctionCode",
    "lambda:PublishVersion",
    "lambda:UpdateAlias",
    "iam:DeleteRolePolicy",
];

const REFUSED: Fault = Fault::Refuse(400, "InvalidParameterValueException", "injected");

/// Asks for an edition while `fault` is done to a call, and answers how that ended: none where it was not
/// accepted. Nothing else is asked of Formation meanwhile: it would be taken for a call of the update.
async fn update(
    it: &Editions<'_>,
    edition: u32,
    fault: Option<(&Place, Fault)>,
) -> Option<(OperationStatus, Rollback)> {
    let path = format!("/v1/functions/{}", it.name);
    let (proxy, name) = (&it.world.proxy, &it.name);
    let place = fault.as_ref().map(|(place, _)| *place);
    let rule = fault.map(|(place, fault)| Rule {
        call: place.call.clone(),
        function: name.clone(),
        skip: place.before,
        times: 1,
        fault,
    });
    rule.into_iter().for_each(|rule| proxy.inject(rule));
    let accepted = it.world.api(Method::PATCH, &path, Some(&it.fields(edition))).await;
    let ended = if accepted.status == 202 {
        if place.is_some_and(|place| place.call == "states:StartExecution") {
            // Nobody may have started it.
            it.world.reconcile_operation(&accepted.read()).await;
        }
        Some(it.world.ended_unseen(&accepted.read()).await)
    } else {
        assert!(accepted.status.is_server_error() || accepted.status == 422, "{accepted:?}");
        None
    };
    let well = Some((OperationStatus::Succeeded, Rollback::NotNeeded));
    // How often Lambda is asked whether it is ready is chance.
    assert!(proxy.is_spent(name) || ended == well, "{place:?} was not met: {ended:?}");
    proxy.release(name);
    ended
}

/// The calls that an update makes, from its request until its outcome is recorded, in their order.
async fn places(it: &Editions<'_>, edition: u32) -> Vec<Place> {
    let before = it.world.proxy.calls(&it.name).len();
    let well = (OperationStatus::Succeeded, Rollback::NotNeeded);
    assert_eq!(update(it, edition, None).await, Some(well));
    let calls = it.world.proxy.calls(&it.name).split_off(before);
    let mut seen = BTreeMap::<String, usize>::new();
    let places = calls.iter().map(|call| {
        let count = seen.entry(call.name()).or_default();
        let place = Place { call: call.name(), before: *count };
        *count += 1;
        place
    });
    places.collect()
}

/// Which call fails in each of the other updates, and how: each in turn for good, and some for a moment.
fn faults(places: &[Place]) -> Vec<(Place, Fault)> {
    let mut faults: Vec<_> = places.iter().map(|place| (place.clone(), REFUSED)).collect();
    // The last of them succeeds, and the first has shown the places.
    let room = UPDATES - 2 - faults.len();
    let got_over = GOT_OVER
        .iter()
        .flat_map(|call| [Fault::LoseAnswer, Fault::Kill].map(|fault| (Place::first(call), fault)));
    let got_over: Vec<_> = got_over.cycle().take(room).collect();
    let every = faults.len() / room.max(1) + 1;
    for (index, fault) in got_over.into_iter().enumerate() {
        faults.insert((index * every).min(faults.len()), fault);
    }
    faults
}

pub async fn callers_meet_fifty_updates_one_whole_edition_at_a_time(world: &World) {
    let it = Editions::new(world, UPDATES + 1).await;
    let began = Instant::now();
    let (committed, calls) = it
        .called_during(async |called| {
            let mut committed = BTreeSet::from([1, 2]);
            let places = places(&it, 2).await;
            for call in GOT_OVER {
                assert!(places.iter().any(|it| it.call == call), "{call} is not made: {places:?}");
            }
            let faults = faults(&places).into_iter().map(Some).chain([None]);
            for (edition, fault) in (3..).zip(faults) {
                let asked = Instant::now();
                let told = format!("edition {edition}, {fault:?}");
                let fault = fault.as_ref().map(|(place, fault)| (place, fault.clone()));
                let ended = update(&it, edition, fault).await;
                let told = format!("{told}: {ended:?}");
                match ended {
                    // Once callers have moved it only goes forward.
                    Some((OperationStatus::Succeeded, Rollback::NotNeeded))
                    | Some((OperationStatus::Failed, Rollback::Incomplete)) => {
                        committed.insert(edition);
                        called.reach(world, edition, asked).await;
                    }
                    None | Some((OperationStatus::Failed, Rollback::Complete)) => {}
                    Some(other) => panic!("{told} {other:?}"),
                }
                println!("{told} {:.1?}", asked.elapsed());
            }
            committed
        })
        .await;
    let last = *committed.last().unwrap();
    println!(
        "{UPDATES} updates, {} of which callers noticed, in {:.0?}: {} answers",
        committed.len() - 1,
        began.elapsed(),
        calls.len()
    );
    assert_eq!(usize::try_from(last).unwrap(), UPDATES + 1);
    assert!(committed.len() > 10 && committed.len() < UPDATES - 10, "{committed:?}");
    assert_whole(&committed, &calls);
    // That they are allowed it is the edition's own doing.
    let denied = Answer { outcome: "AccessDeniedException".to_owned(), ..Answer::of(last) };
    assert_eq!(it.answer(&json!({"table": 1})).await, Ok(denied));
    let drift = world.drift(&it.name).await.drift;
    assert_eq!(*drift.status.known().unwrap(), DriftStatus::InSync, "{drift:#?}");
}

/// That every answer is of one edition, whole, of which the update did not fail; and that no caller goes back.
fn assert_whole(committed: &BTreeSet<u32>, calls: &[Call]) {
    let mut newest = BTreeMap::new();
    for call in calls {
        let answer =
            call.answer.as_ref().unwrap_or_else(|told| panic!("it was not answered: {told}"));
        assert_eq!(*answer, Answer::of(answer.code), "it is not of one edition");
        assert!(committed.contains(&answer.code), "its update failed: {answer:?}");
        let newest = newest.entry(call.caller).or_insert(answer.code);
        assert!(*newest <= answer.code, "after edition {newest} came {answer:?}");
        *newest = answer.code;
    }
}
