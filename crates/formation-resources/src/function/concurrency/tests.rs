//! The calls that are made, and AWS's odd answers to them.

use aws_sdk_lambda::operation::delete_function_concurrency::DeleteFunctionConcurrencyOutput;
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::put_function_concurrency::PutFunctionConcurrencyOutput;
use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
use aws_sdk_lambda::types::Concurrency;
use aws_smithy_mocks::{Rule, mock};
use formation_model::ErrorName;
use jiff::{SignedDuration, Timestamp};

use super::super::tests::{client, configuration, created, missing, ours, settings};
use super::super::{compare, ensure};
use super::*;
use crate::testing::{assert_all_called, json_error, spec, stack, target};

const NO_ROOM: &str = "Specified ReservedConcurrentExecutions for function decreases account's \
                       UnreservedConcurrentExecution below its minimum value of [100].";

fn reserving(reserved_concurrency: Option<u32>) -> FunctionSpec {
    FunctionSpec { reserved_concurrency, ..spec() }
}

/// Our function, as made `seconds` ago, with so much concurrency reserved for it.
fn shown_of(seconds: i64, reserved: Option<i32>) -> Rule {
    let mut configuration = configuration(&spec());
    configuration.last_modified =
        Some((Timestamp::now() - SignedDuration::from_secs(seconds)).to_string());
    let tags = stack().tags(&spec().function_name, &spec().tags);
    mock!(Client::get_function).then_output(move || {
        // Where none is reserved, Lambda shows no object at all.
        let concurrency = reserved
            .map(|number| Concurrency::builder().reserved_concurrent_executions(number).build());
        GetFunctionOutput::builder()
            .configuration(configuration.clone())
            .set_concurrency(concurrency)
            .set_tags(Some(tags.clone().into_iter().collect()))
            .build()
    })
}

fn shown(reserved: Option<i32>) -> Rule {
    shown_of(600, reserved)
}

fn put(number: i32) -> Rule {
    mock!(Client::put_function_concurrency)
        .match_requests(move |it| {
            it.function_name() == Some("hello")
                && it.reserved_concurrent_executions() == Some(number)
        })
        .then_output(|| PutFunctionConcurrencyOutput::builder().build())
}

fn refused(status: u16, code: &'static str, message: &'static str) -> Rule {
    mock!(Client::put_function_concurrency)
        .then_http_response(move || json_error(status, code, message))
}

fn deleted() -> Rule {
    mock!(Client::delete_function_concurrency)
        .match_requests(|it| it.function_name() == Some("hello"))
        .then_output(|| DeleteFunctionConcurrencyOutput::builder().build())
}

#[tokio::test]
async fn it_is_changed_where_it_differs_and_only_there() {
    for (from, to, call) in [
        (None, Some(5), Some(put(5))),
        (Some(5), Some(0), Some(put(0))),
        (Some(0), Some(5), Some(put(5))),
        (Some(5), None, Some(deleted())),
        (Some(0), None, Some(deleted())),
        (None, None, None),
        (Some(0), Some(0), None),
        (Some(5), Some(5), None),
    ] {
        let look = shown(from);
        let rules: Vec<_> = [&look].into_iter().chain(&call).collect();
        let (wanted, former) = (reserving(to), reserving(from.map(i32::unsigned_abs)));
        let aim = target(&wanted, Some(&former));
        ensure(&client(&rules), &settings(), &aim, false).await.unwrap();
        assert_all_called(&rules);

        let found = compare(&client(&[&shown(from)]), &stack(), &wanted).await.unwrap();
        let found: Vec<_> = found.iter().map(|it| (&it.expected, &it.actual)).collect();
        let (expected, actual) = (json!(to), json!(from));
        let differs = call.is_some().then_some((&expected, &actual));
        assert_eq!(found, differs.into_iter().collect::<Vec<_>>(), "{from:?} to {to:?}");
    }
}

#[tokio::test]
async fn a_new_function_without_it_takes_no_call_and_one_with_it_takes_one() {
    for (wanted, call) in [(None, None), (Some(5), Some(put(5))), (Some(0), Some(put(0)))] {
        let rules = [missing(), created(), ours(configuration(&spec()))];
        let rules: Vec<_> = rules.iter().chain(&call).collect();
        let wanted = reserving(wanted);
        ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap();
        assert_all_called(&rules);
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_good_by_the_next_try() {
    // Of a create: what is found is ours, and the number is reserved already, or not yet.
    let wanted = reserving(Some(5));
    for (found, call) in [(Some(5), None), (None, Some(put(5)))] {
        let look = shown_of(1, found);
        let rules: Vec<_> = [&look].into_iter().chain(&call).collect();
        ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap();
        assert_all_called(&rules);
    }
    // A rollback takes back what the update has changed, whether the update was told so or not.
    for (found, call) in [(Some(5), Some(deleted())), (None, None)] {
        let look = shown(found);
        let rules: Vec<_> = [&look].into_iter().chain(&call).collect();
        let last_good = reserving(None);
        let aim = target(&last_good, Some(&wanted));
        ensure(&client(&rules), &settings(), &aim, false).await.unwrap();
        assert_all_called(&rules);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_get_their_names() {
    let wanted = reserving(Some(5));
    for (status, code, message, name) in [
        (400, "InvalidParameterValueException", NO_ROOM, ErrorName::Rejected),
        (409, "ResourceConflictException", "An update is in progress", ErrorName::NotReady),
        (500, "ServiceException", "told", ErrorName::Transient),
        (429, "TooManyRequestsException", "Rate exceeded", ErrorName::Throttled),
        (404, "ResourceNotFoundException", "Function not found: arn", ErrorName::NotReady),
        (403, "AccessDeniedException", "no", ErrorName::AccessDenied),
    ] {
        let refusal = || refused(status, code, message);
        let lambda = client(&[&shown(None), &refusal(), &refusal(), &refusal()]);
        let error = ensure(&lambda, &settings(), &target(&wanted, Some(&spec())), false).await;
        let error = error.unwrap_err();
        assert_eq!(error.name(), name, "{code}");
        if name == ErrorName::Rejected {
            assert!(error.to_string().contains("UnreservedConcurrentExecution"), "{error}");
        }
    }
    // Of a rejection there is one call: the account has no room the next moment either.
    let rules = [missing(), created(), ours(configuration(&spec()))];
    let rejected = refused(400, "InvalidParameterValueException", NO_ROOM);
    let rules: Vec<_> = rules.iter().chain([&rejected]).collect();
    let error = ensure(&client(&rules), &settings(), &target(&wanted, None), false).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::Rejected);
    assert_all_called(&rules);
}

#[tokio::test(start_paused = true)]
async fn a_denial_because_of_tags_is_not_final_while_a_function_is_new() {
    let wanted = reserving(Some(5));
    let denied = || refused(403, "AccessDeniedException", "no");
    // Right after its own create a step tries again.
    let rules = [missing(), created(), ours(configuration(&spec())), denied(), denied(), put(5)];
    let rules: Vec<_> = rules.iter().collect();
    ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap();
    assert_all_called(&rules);

    let rules = [missing(), created(), ours(configuration(&spec())), denied(), denied(), denied()];
    let rules: Vec<_> = rules.iter().collect();
    let error = ensure(&client(&rules), &settings(), &target(&wanted, None), false).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::NotReady);
    assert_all_called(&rules);

    for (seconds, name) in [(1, ErrorName::NotReady), (600, ErrorName::AccessDenied)] {
        let lambda = client(&[&shown_of(seconds, None), &denied()]);
        let error = ensure(&lambda, &settings(), &target(&wanted, None), false).await;
        assert_eq!(error.unwrap_err().name(), name);
    }
}

#[tokio::test]
async fn it_is_given_up_last_of_all() {
    // What was given up may be another's by the time that it is to be had back.
    let mut wanted = reserving(None);
    wanted.configuration.memory_megabytes = 512;
    let update = mock!(Client::update_function_configuration)
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let rules = [&shown(Some(5)), &update, &ours(configuration(&wanted)), &deleted()];
    let former = reserving(Some(5));
    ensure(&client(&rules), &settings(), &target(&wanted, Some(&former)), false).await.unwrap();
    assert_all_called(&rules);
}
