//! The calls that are made, against a stand-in for Lambda at the wire.

use std::time::Duration;

use aws_sdk_lambda::operation::create_function::CreateFunctionOutput;
use aws_sdk_lambda::operation::delete_function::DeleteFunctionOutput;
use aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput;
use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
use aws_sdk_lambda::types::{
    Architecture, EnvironmentResponse, LastUpdateStatus, LastUpdateStatusReasonCode, LoggingConfig,
    Runtime, StateReasonCode, TagsError, TracingConfigResponse, TracingMode,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use formation_model::ErrorName;
use formation_model::function::Tracing;
use jiff::SignedDuration;
use tokio::time::Instant;

use super::*;
use crate::testing::{assert_all_called, delete, json_error, spec, stack, target, undo};

const IDLE_ROLE: &str = "arn:aws:iam::111122223333:role/formation-IdleRole";
const NO_ROLE: &str = "The role defined for the function cannot be assumed by Lambda.";
const NO_XRAY: &str = "The provided execution role does not have permissions to call \
                       PutTraceSegments on XRAY";
const TAKEN: &str = "Function already exist: hello";
const UPDATING: &str = "The operation cannot be performed at this time. An update is in \
                        progress for resource: arn:aws:lambda:eu-west-1:111122223333:function:hello";
const PENDING: &str = "The operation cannot be performed at this time. The function is \
                       currently in the following state: Pending";
const CONCURRENT: &str = "The function could not be updated due to a concurrent update operation.";

pub(super) fn settings() -> FunctionSettings {
    FunctionSettings { stack: stack(), bucket: "artifacts".into(), idle_role_arn: IDLE_ROLE.into() }
}

pub(super) fn client(rules: &[&Rule]) -> Client {
    mock_client!(aws_sdk_lambda, RuleMode::Sequential, rules)
}

/// The function as Lambda shows it once it is settled.
pub(super) fn configuration(spec: &FunctionSpec) -> FunctionConfiguration {
    let variables = spec.configuration.environment.0.clone().into_iter().collect();
    FunctionConfiguration::builder()
        .state(State::Active)
        .last_update_status(LastUpdateStatus::Successful)
        .runtime(Runtime::from(spec.configuration.runtime.as_str()))
        .handler(&spec.configuration.handler)
        .role(stack().role_arn(&spec.function_name))
        .description(&spec.configuration.description)
        .set_memory_size(i32::try_from(spec.configuration.memory_megabytes).ok())
        .set_timeout(i32::try_from(spec.configuration.timeout_seconds).ok())
        .environment(EnvironmentResponse::builder().set_variables(Some(variables)).build())
        .logging_config(LoggingConfig::builder().log_group("/aws/lambda/hello").build())
        .architectures(architecture(spec))
        .code_sha256(&spec.code.sha256)
        .build()
}

fn shown(configuration: FunctionConfiguration, tags: BTreeMap<String, String>) -> Rule {
    mock!(Client::get_function).then_output(move || {
        GetFunctionOutput::builder()
            .configuration(configuration.clone())
            .set_tags(Some(tags.clone().into_iter().collect()))
            .build()
    })
}

pub(super) fn ours(configuration: FunctionConfiguration) -> Rule {
    shown(configuration, stack().tags(&spec().function_name, &spec().tags))
}

pub(super) fn missing() -> Rule {
    mock!(Client::get_function).then_http_response(|| {
        json_error(404, "ResourceNotFoundException", "Function not found: arn")
    })
}

fn missing_while(condition: impl Fn() -> bool + Send + Sync + 'static) -> Rule {
    mock!(Client::get_function).match_requests(move |_| condition()).then_http_response(|| {
        json_error(404, "ResourceNotFoundException", "Function not found: arn")
    })
}

pub(super) fn created() -> Rule {
    mock!(Client::create_function).then_output(|| CreateFunctionOutput::builder().build())
}

fn create_refused(status: u16, code: &'static str, message: &'static str) -> Rule {
    mock!(Client::create_function).then_http_response(move || json_error(status, code, message))
}

fn no_role() -> Rule {
    create_refused(400, "InvalidParameterValueException", NO_ROLE)
}

#[tokio::test(start_paused = true)]
async fn a_new_function_takes_one_write_and_is_waited_for() {
    let create = mock!(Client::create_function)
        .match_requests(|request| {
            let tags = request.tags().cloned().unwrap_or_default().into_iter().collect();
            let code = request.code().unwrap();
            stack().owns(&spec().function_name, &tags)
                && code.s3_bucket() == Some("artifacts")
                && code.s3_object_version() == Some("v1")
                && request.logging_config().unwrap().log_group() == Some("/aws/lambda/hello")
        })
        .then_output(|| CreateFunctionOutput::builder().build());
    // Not to be seen yet, then Pending, and then Active without a word on updates.
    let pending = FunctionConfiguration::builder()
        .state(State::Pending)
        .state_reason_code(StateReasonCode::Creating)
        .build();
    let active = FunctionConfiguration::builder().state(State::Active).build();
    // A value that the SDK's enum does not list for this field.
    let odd = FunctionConfiguration::builder()
        .state(State::Active)
        .last_update_status(LastUpdateStatus::InProgress)
        .last_update_status_reason_code(LastUpdateStatusReasonCode::from("Creating"))
        .build();
    let rules = [
        &missing(),
        &create,
        &missing(),
        &ours(pending),
        &ours(active),
        &ours(odd),
        &ours(configuration(&spec())),
    ];
    ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_usable_after_8_s_costs_4_refused_calls_and_at_most_4_s_more() {
    let began = Instant::now();
    let refused = mock!(Client::create_function)
        .match_requests(move |_| began.elapsed() < Duration::from_secs(8))
        .then_http_response(|| json_error(400, "InvalidParameterValueException", NO_ROLE));
    let accepted = created();
    let made = accepted.clone();
    let look = missing_while(move || made.num_calls() == 0);
    let get = ours(configuration(&spec()));
    let rules = [&look, &refused, &accepted, &get];
    let lambda = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, &rules);
    ensure(&lambda, &settings(), &target(&spec(), None), false).await.unwrap();
    assert!(refused.num_calls() <= 4, "{} refused calls", refused.num_calls());
    assert!(began.elapsed() <= Duration::from_secs(12), "took {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_stays_unusable_is_left_to_the_state_machine() {
    let rules = [&missing(), &no_role(), &no_role(), &no_role(), &no_role(), &no_role()];
    let error =
        ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady);
    assert_eq!(error.aws().unwrap().request_id.as_deref(), Some("r-1"));
}

#[tokio::test(start_paused = true)]
async fn tracing_waits_until_iam_has_spread_that_the_role_may_write_to_x_ray() {
    let mut traced = spec();
    traced.configuration.tracing = Tracing::Active;
    let refused = || {
        mock!(Client::update_function_configuration)
            .match_requests(|it| it.tracing_config().unwrap().mode() == Some(&TracingMode::Active))
            .then_http_response(|| json_error(400, "InvalidParameterValueException", NO_XRAY))
    };
    let taken = mock!(Client::update_function_configuration)
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let mut active = configuration(&traced);
    let mode = TracingConfigResponse::builder().mode(TracingMode::Active).build();
    active.tracing_config = Some(mode);
    let rules = [&ours(configuration(&spec())), &refused(), &refused(), &taken, &ours(active)];
    let aim = || target(&traced, None);
    ensure(&client(&rules), &settings(), &aim(), false).await.unwrap();
    assert_all_called(&rules);

    // Whoever needs longer waits in the state machine, which has an end, too.
    let refusals: [Rule; 5] = std::array::from_fn(|_| refused());
    let look = ours(configuration(&spec()));
    let rules: Vec<_> = [&look].into_iter().chain(&refusals).collect();
    let error = ensure(&client(&rules), &settings(), &aim(), false).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady);
    assert!(error.aws().unwrap().message.contains("XRAY"), "{error}");
    assert_all_called(&rules);

    // So does a create.
    let no_xray = create_refused(400, "InvalidParameterValueException", NO_XRAY);
    let mut active = configuration(&traced);
    active.tracing_config =
        Some(TracingConfigResponse::builder().mode(TracingMode::Active).build());
    let rules = [&missing(), &no_xray, &created(), &ours(active)];
    ensure(&client(&rules), &settings(), &aim(), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test(start_paused = true)]
async fn a_function_made_by_a_lost_attempt_is_recognised() {
    // It was not to be seen at first, or another execution of the attempt was faster.
    let rules = [
        &missing(),
        &create_refused(409, "ResourceConflictException", TAKEN),
        &ours(configuration(&spec())),
    ];
    ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap();
    assert_all_called(&rules);
}

fn foreign() -> Rule {
    let mut configuration = configuration(&spec());
    configuration.handler = Some("theirs.handler".into());
    shown(configuration, [("owner".to_owned(), "finance-team".to_owned())].into())
}

#[tokio::test]
async fn a_foreign_function_is_left_alone_and_nothing_is_created_over_it() {
    // CreateFunction may strip the tags of a function that is there: it is not even tried.
    let rules = [&foreign()];
    let wanted = spec();
    let error =
        ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned);
    assert_all_called(&rules);

    // One that appeared in between.
    let taken = create_refused(409, "ResourceConflictException", TAKEN);
    let rules = [&missing(), &taken, &foreign()];
    let error =
        ensure(&client(&rules), &settings(), &target(&wanted, None), false).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned);
    assert_all_called(&rules);

    let rules = [&foreign()];
    remove(&client(&rules), &stack(), &undo(&wanted.function_name)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_delete_does_not_pass_over_a_function_that_was_taken_from_us() {
    let error = remove(&client(&[&foreign()]), &stack(), &delete(&spec().function_name)).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::NotOwned);
    remove(&client(&[&missing()]), &stack(), &delete(&spec().function_name)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_told_of_a_foreign_function_but_that_it_is_there() {
    let found = compare(&client(&[&foreign()]), &stack(), &spec()).await.unwrap();
    assert_eq!(found, [Difference::not_owned(Part::Function)]);
    // Nor why it failed.
    let failed = FunctionConfiguration::builder()
        .state(State::Failed)
        .state_reason("cannot reach payroll-db")
        .build();
    let failed = shown(failed, [("owner".to_owned(), "finance-team".to_owned())].into());
    let rules = [&missing(), &created(), &failed];
    let error = ensure(&client(&rules), &settings(), &target(&spec(), None), false).await;
    let error = error.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned);
    assert!(!error.to_string().contains("payroll"), "{error}");
}

/// A function that was made `seconds` ago and shows no tags.
fn untagged(seconds: i64) -> Rule {
    let made = Timestamp::now() - SignedDuration::from_secs(seconds);
    // As Lambda spells it.
    let made = made.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string();
    let mut configuration = configuration(&spec());
    configuration.last_modified = Some(made);
    shown(configuration, BTreeMap::new())
}

/// Our function, without its tags but with the reason.
fn tags_error(seconds: i64, code: &'static str) -> Rule {
    let made = Timestamp::now() - SignedDuration::from_secs(seconds);
    let mut configuration = configuration(&spec());
    configuration.last_modified = Some(made.to_string());
    mock!(Client::get_function).then_output(move || {
        let error = TagsError::builder().error_code(code).message("told").build().unwrap();
        GetFunctionOutput::builder().configuration(configuration.clone()).tags_error(error).build()
    })
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_not_show_its_tags_yet_is_not_foreign() {
    for (seconds, name) in [(1, ErrorName::NotReady), (300, ErrorName::NotOwned)] {
        let function = spec().function_name;
        let undone = remove(&client(&[&untagged(seconds)]), &stack(), &delete(&function)).await;
        assert_eq!(undone.unwrap_err().name(), name);
        let rules = [&untagged(seconds)];
        let made = ensure(&client(&rules), &settings(), &target(&spec(), None), false).await;
        assert_eq!(made.unwrap_err().name(), name);
    }
    let undone = remove(&client(&[&untagged(1)]), &stack(), &undo(&spec().function_name)).await;
    assert_eq!(undone.unwrap_err().name(), ErrorName::NotReady);
    remove(&client(&[&untagged(300)]), &stack(), &undo(&spec().function_name)).await.unwrap();

    let compared = compare(&client(&[&untagged(1)]), &stack(), &spec()).await;
    assert_eq!(compared.unwrap_err().name(), ErrorName::NotReady);
    let compared = compare(&client(&[&untagged(300)]), &stack(), &spec()).await.unwrap();
    assert_eq!(compared, [Difference::not_owned(Part::Function)]);

    // Right after its own create a step waits for them.
    let rules = [&missing(), &created(), &untagged(0), &ours(configuration(&spec()))];
    ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn tags_that_lambda_cannot_tell_are_not_missing() {
    for (seconds, code, name) in [
        (1, "ServiceException", ErrorName::NotReady),
        (300, "ServiceException", ErrorName::NotReady),
        (300, "TooManyRequestsException", ErrorName::Throttled),
        (1, "AccessDeniedException", ErrorName::NotReady),
        (300, "AccessDeniedException", ErrorName::AccessDenied),
    ] {
        let rule = || tags_error(seconds, code);
        let made = ensure(&client(&[&rule()]), &settings(), &target(&spec(), None), false).await;
        assert_eq!(made.unwrap_err().name(), name, "{code}");
        let undone = remove(&client(&[&rule()]), &stack(), &undo(&spec().function_name)).await;
        assert_eq!(undone.unwrap_err().name(), name, "{code}");
        let compared = compare(&client(&[&rule()]), &stack(), &spec()).await;
        assert_eq!(compared.unwrap_err().name(), name, "{code}");
    }
}

#[tokio::test]
async fn a_function_that_lambda_cannot_make_is_rejected_with_its_reason() {
    let failed = FunctionConfiguration::builder()
        .state(State::Failed)
        .state_reason("The zip file cannot be read")
        .build();
    let rules = [&missing(), &created(), &ours(failed)];
    let error =
        ensure(&client(&rules), &settings(), &target(&spec(), None), false).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Rejected);
    assert!(error.to_string().contains("The zip file cannot be read"), "{error}");
}

#[tokio::test]
async fn lambdas_refusals_get_their_names_and_keep_secrets() {
    let mut spec = spec();
    spec.configuration.environment.0.insert("TOKEN".into(), "s3cr3t".into());
    for (status, code, message, name) in [
        (400, "InvalidParameterValueException", "bad s3cr3t", ErrorName::Rejected),
        (400, "CodeStorageExceededException", "full", ErrorName::QuotaExceeded),
        (403, "AccessDeniedException", "no", ErrorName::AccessDenied),
        (413, "RequestEntityTooLargeException", "too large", ErrorName::Rejected),
    ] {
        let refused = create_refused(status, code, message);
        let rules = [&missing(), &refused];
        let error = ensure(&client(&rules), &settings(), &target(&spec, None), false).await;
        let error = error.unwrap_err();
        assert_eq!(error.name(), name, "{code}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn a_function_that_matches_is_read_and_not_written() {
    let rules = [&ours(configuration(&spec()))];
    ensure(&client(&rules), &settings(), &target(&spec(), Some(&spec())), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test(start_paused = true)]
async fn configuration_comes_before_code_and_each_is_waited_for() {
    let mut wanted = spec();
    wanted.configuration.memory_megabytes = 512;
    wanted.code.sha256 = "bmV3".into();
    let mut half_way = wanted.clone();
    half_way.code = spec().code;
    let updating = FunctionConfiguration::builder()
        .state(State::Active)
        .last_update_status(LastUpdateStatus::InProgress)
        .build();
    let update = mock!(Client::update_function_configuration)
        .match_requests(|request| request.memory_size() == Some(512))
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let code = mock!(Client::update_function_code)
        .then_output(|| UpdateFunctionCodeOutput::builder().build());
    let rules = [
        &ours(configuration(&spec())),
        &update,
        &ours(updating.clone()),
        &ours(configuration(&half_way)),
        &code,
        &ours(updating),
        &ours(configuration(&wanted)),
    ];
    ensure(&client(&rules), &settings(), &target(&wanted, Some(&spec())), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn another_architecture_is_a_matter_of_code() {
    let mut wanted = spec();
    wanted.configuration.architecture = formation_model::function::Architecture::Arm64;
    let code = mock!(Client::update_function_code)
        .match_requests(|request| request.architectures() == [Architecture::Arm64])
        .then_output(|| UpdateFunctionCodeOutput::builder().build());
    let rules = [&ours(configuration(&spec())), &code, &ours(configuration(&wanted))];
    ensure(&client(&rules), &settings(), &target(&wanted, Some(&spec())), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn every_conflict_but_a_taken_name_is_waited_for() {
    let conflict = |text| move || json_error(409, "ResourceConflictException", text);
    for text in [UPDATING, PENDING, CONCURRENT, "something new"] {
        let (name, former) = (spec().function_name, spec());
        let mut wanted = spec();
        wanted.configuration.memory_megabytes = 512;
        let update =
            mock!(Client::update_function_configuration).then_http_response(conflict(text));
        let rules = [&ours(configuration(&spec())), &update];
        let aim = target(&wanted, None);
        let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady, "{text}");

        let mut wanted = spec();
        wanted.code.sha256 = "bmV3".into();
        let code = mock!(Client::update_function_code).then_http_response(conflict(text));
        let rules = [&ours(configuration(&spec())), &code];
        let aim = target(&wanted, None);
        let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady, "{text}");

        let mut wanted = spec();
        wanted.tags.insert("team".into(), "b".into());
        let tag = mock!(Client::tag_resource).then_http_response(conflict(text));
        let rules = [&ours(configuration(&spec())), &tag];
        let aim = target(&wanted, None);
        let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady, "{text}");

        let wanted = FunctionSpec { tags: BTreeMap::new(), ..spec() };
        let untag = mock!(Client::untag_resource).then_http_response(conflict(text));
        let rules = [&ours(configuration(&spec())), &untag];
        let aim = target(&wanted, Some(&former));
        let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady, "{text}");

        let deleted = mock!(Client::delete_function).then_http_response(conflict(text));
        let rules = [&ours(configuration(&spec())), &deleted];
        let error = remove(&client(&rules), &stack(), &undo(&name)).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady, "{text}");

        let create = mock!(Client::create_function).then_http_response(conflict(text));
        let rules = [&missing(), &create];
        let aim = target(&former, None);
        let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady, "{text}");
    }
}

/// The function as it is a moment after it was made: our tags are shown and not yet acted by.
fn new_and_ours() -> Rule {
    let mut configuration = configuration(&spec());
    configuration.last_modified = Some(Timestamp::now().to_string());
    ours(configuration)
}

#[tokio::test]
async fn a_denial_because_of_tags_is_not_final_while_a_function_is_new() {
    let denied = || json_error(403, "AccessDeniedException", "no tag allows it");
    for (found, name) in [
        (new_and_ours as fn() -> Rule, ErrorName::NotReady),
        (|| ours(configuration(&spec())), ErrorName::AccessDenied),
    ] {
        let mut wanted = spec();
        wanted.configuration.memory_megabytes = 512;
        let update = mock!(Client::update_function_configuration).then_http_response(denied);
        let rules = [&found(), &update];
        let aim = target(&wanted, None);
        let error = ensure(&client(&rules), &settings(), &aim, false).await.unwrap_err();
        assert_eq!(error.name(), name);

        let deleted = mock!(Client::delete_function).then_http_response(denied);
        let rules = [&found(), &deleted, &found()];
        let function = spec().function_name;
        let error = remove(&client(&rules), &stack(), &undo(&function)).await.unwrap_err();
        assert_eq!(error.name(), name);
    }
}

#[tokio::test]
async fn a_role_that_was_replaced_is_assigned_anew() {
    let mut spec = spec();
    spec.configuration.environment.0.insert("KEY".into(), "value".into());
    let mut idle = configuration(&spec);
    idle.role = Some(IDLE_ROLE.into());
    let away = mock!(Client::update_function_configuration)
        .match_requests(|request| {
            request.role() == Some(IDLE_ROLE) && request.environment().is_none()
        })
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let back = mock!(Client::update_function_configuration)
        .match_requests(|request| {
            let role = stack().role_arn(&"hello".parse().unwrap());
            request.role() == Some(role.as_str()) && request.environment().is_some()
        })
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let rules =
        [&ours(configuration(&spec)), &away, &ours(idle), &back, &ours(configuration(&spec))];
    let former = spec.clone();
    let aim = target(&spec, Some(&former));
    ensure(&client(&rules), &settings(), &aim, true).await.unwrap();
    assert_all_called(&rules);

    // Without an environment there is no grant; and a new function got its own.
    let mut bare = spec.clone();
    bare.configuration.environment = Default::default();
    let rules = [&ours(configuration(&bare))];
    ensure(&client(&rules), &settings(), &target(&bare, None), true).await.unwrap();
    assert_all_called(&rules);
    let rules = [&missing(), &created(), &ours(configuration(&spec))];
    ensure(&client(&rules), &settings(), &aim, true).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn an_update_that_fails_later_is_rejected_with_its_reason() {
    let mut wanted = spec();
    wanted.code.sha256 = "bmV3".into();
    let failed = FunctionConfiguration::builder()
        .state(State::Active)
        .last_update_status(LastUpdateStatus::Failed)
        .last_update_status_reason("The zip file cannot be read")
        .build();
    let code = mock!(Client::update_function_code)
        .then_output(|| UpdateFunctionCodeOutput::builder().build());
    let rules = [&ours(configuration(&spec())), &code, &ours(failed)];
    let error = ensure(&client(&rules), &settings(), &target(&wanted, Some(&spec())), false)
        .await
        .unwrap_err();
    assert_eq!(error.name(), ErrorName::Rejected);
    assert!(error.to_string().contains("The zip file cannot be read"), "{error}");
}

#[tokio::test]
async fn what_a_failed_update_left_is_set_anew_though_it_looks_right() {
    let mut left = configuration(&spec());
    left.last_update_status = Some(LastUpdateStatus::Failed);
    let update = mock!(Client::update_function_configuration)
        .then_output(|| UpdateFunctionConfigurationOutput::builder().build());
    let rules = [&ours(left), &update, &ours(configuration(&spec()))];
    ensure(&client(&rules), &settings(), &target(&spec(), Some(&spec())), false).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test(start_paused = true)]
async fn a_function_counts_as_removed_when_lambda_no_longer_knows_it() {
    let deleted =
        mock!(Client::delete_function).then_output(|| DeleteFunctionOutput::builder().build());
    let deleting = FunctionConfiguration::builder().state(State::Deleting).build();
    let rules = [&ours(configuration(&spec())), &deleted, &ours(deleting), &missing()];
    remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&rules);

    remove(&client(&[&missing()]), &stack(), &undo(&spec().function_name)).await.unwrap();
}
