//! The calls that are made, against a stand-in for IAM at the wire.

mod permissions;

use aws_sdk_iam::operation::create_role::CreateRoleOutput;
use aws_sdk_iam::operation::delete_role::DeleteRoleOutput;
use aws_sdk_iam::operation::delete_role_policy::DeleteRolePolicyOutput;
use aws_sdk_iam::operation::detach_role_policy::DetachRolePolicyOutput;
use aws_sdk_iam::operation::get_role::GetRoleOutput;
use aws_sdk_iam::operation::get_role_policy::GetRolePolicyOutput;
use aws_sdk_iam::operation::list_attached_role_policies::ListAttachedRolePoliciesOutput;
use aws_sdk_iam::operation::list_role_policies::ListRolePoliciesOutput;
use aws_sdk_iam::operation::put_role_policy::PutRolePolicyOutput;
use aws_sdk_iam::operation::tag_role::TagRoleOutput;
use aws_sdk_iam::operation::update_assume_role_policy::UpdateAssumeRolePolicyOutput;
use aws_sdk_iam::types::{AttachedPermissionsBoundary, AttachedPolicy};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_types::DateTime;
use formation_model::ErrorName;
use formation_model::function::Tracing;
use jiff::SignedDuration;

use super::allowed::{BOUNDARY_PAUSES, BOUNDARY_SPREADS_WITHIN};
use super::*;
use crate::testing::{assert_all_called, delete, iam_error, spec, stack, target, undo};

const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";

fn settings() -> RoleSettings {
    RoleSettings {
        stack: stack(),
        boundary_arn: BOUNDARY.into(),
        has_platforms_boundary: true,
        guarded: vec!["arn:aws:iam::111122223333:*/formation-*".into()],
    }
}

fn name() -> String {
    stack().role_name(&spec().function_name)
}

/// A client that is answered by `rules`, in this order, and by nothing else.
fn client(rules: &[&Rule]) -> Client {
    mock_client!(aws_sdk_iam, RuleMode::Sequential, rules)
}

/// The role as IAM would show it: policies URL-encoded.
fn shown(tags: BTreeMap<String, String>, trust: &Value) -> GetRoleOutput {
    shown_of(0, tags, trust)
}

/// The same, made at this second.
fn shown_of(made: i64, tags: BTreeMap<String, String>, trust: &Value) -> GetRoleOutput {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let trust = utf8_percent_encode(&trust.to_string(), NON_ALPHANUMERIC).to_string();
    let boundary = AttachedPermissionsBoundary::builder().permissions_boundary_arn(BOUNDARY);
    let role = Role::builder()
        .path("/")
        .role_name(name())
        .role_id("AROA")
        .arn(stack().role_arn(&spec().function_name))
        .create_date(DateTime::from_secs(made))
        .assume_role_policy_document(trust)
        .permissions_boundary(boundary.build())
        .set_tags(Some(to_iam(&tags).unwrap()))
        .build()
        .unwrap();
    GetRoleOutput::builder().role(role).build()
}

fn ours() -> GetRoleOutput {
    shown(stack().tags(&spec().function_name, &spec().tags), &policies::trust(&stack()))
}

fn created() -> CreateRoleOutput {
    CreateRoleOutput::builder().set_role(ours().role).build()
}

fn shown_policy(policy: &Value) -> GetRolePolicyOutput {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    GetRolePolicyOutput::builder()
        .role_name(name())
        .policy_name(LOGGING_POLICY)
        .policy_document(utf8_percent_encode(&policy.to_string(), NON_ALPHANUMERIC).to_string())
        .build()
        .unwrap()
}

fn listed(policies: &[&str]) -> ListRolePoliciesOutput {
    let names = policies.iter().map(|policy| (*policy).to_owned()).collect();
    ListRolePoliciesOutput::builder().set_policy_names(Some(names)).build().unwrap()
}

fn our_policy() -> Value {
    Policy::logging(&stack(), &spec()).document
}

fn lists_only_ours() -> [Rule; 2] {
    [
        mock!(Client::list_role_policies).then_output(|| listed(&[LOGGING_POLICY])),
        mock!(Client::list_attached_role_policies)
            .then_output(|| ListAttachedRolePoliciesOutput::builder().build()),
    ]
}

#[tokio::test]
async fn a_new_role_takes_two_writes_and_is_bounded_tagged_and_trusted() {
    let create = mock!(Client::create_role)
        .match_requests(|request| {
            let trust: Value =
                serde_json::from_str(request.assume_role_policy_document().unwrap()).unwrap();
            let tags: BTreeMap<_, _> =
                request.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
            request.permissions_boundary() == Some(BOUNDARY)
                && trust == policies::trust(&stack())
                && stack().owns(&spec().function_name, &tags)
                && tags["team"] == "a"
        })
        .then_output(created);
    let put = mock!(Client::put_role_policy)
        .match_requests(|request| request.policy_name() == Some(LOGGING_POLICY))
        .then_output(|| PutRolePolicyOutput::builder().build());
    let rules = [&create, &put];
    let made = ensure(&client(&rules), &settings(), &target(&spec(), None)).await.unwrap();
    let arn = stack().role_arn(&spec().function_name);
    assert_eq!(made, Ensured { arn, id: "AROA".into(), has_more: false });
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_role_made_by_a_lost_attempt_is_finished_and_not_made_again() {
    let create =
        mock!(Client::create_role).then_http_response(|| iam_error(409, "EntityAlreadyExists"));
    let get = mock!(Client::get_role).then_output(ours);
    let no_policy =
        mock!(Client::get_role_policy).then_http_response(|| iam_error(404, "NoSuchEntity"));
    let put = mock!(Client::put_role_policy).then_output(|| PutRolePolicyOutput::builder().build());
    let [inline, attached] = lists_only_ours();
    let rules = [&create, &get, &no_policy, &inline, &attached, &put];
    ensure(&client(&rules), &settings(), &target(&spec(), None)).await.unwrap();
    assert_all_called(&rules);
}

fn exists() -> Rule {
    mock!(Client::create_role).then_http_response(|| iam_error(409, "EntityAlreadyExists"))
}

fn foreign() -> Rule {
    mock!(Client::get_role)
        .then_output(|| shown([("team".to_owned(), "x".to_owned())].into(), &json!({})))
}

#[tokio::test]
async fn a_foreign_role_is_left_alone() {
    let rules = [&exists(), &foreign()];
    let error = ensure(&client(&rules), &settings(), &target(&spec(), None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned);

    let get = mock!(Client::get_role).then_output(|| shown(BTreeMap::new(), &json!({})));
    remove(&client(&[&get]), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&[&get]);
}

#[tokio::test]
async fn a_delete_does_not_pass_over_a_role_that_was_taken_from_us() {
    let function = spec().function_name;
    let error = remove(&client(&[&foreign()]), &stack(), &delete(&function)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned);
    let gone = mock!(Client::get_role).then_http_response(|| iam_error(404, "NoSuchEntity"));
    remove(&client(&[&gone]), &stack(), &delete(&function)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_told_of_a_foreign_role_but_that_it_is_there() {
    let found = compare(&client(&[&foreign()]), &settings(), &spec(), Some("AROA")).await;
    assert_eq!(found.unwrap(), [Difference::not_owned(Part::Role)]);
}

#[tokio::test]
async fn a_role_that_does_not_show_its_tags_yet_is_not_foreign() {
    let untagged = |seconds| {
        let made = Timestamp::now().as_second() - seconds;
        let trust = policies::trust(&stack());
        mock!(Client::get_role).then_output(move || shown_of(made, BTreeMap::new(), &trust))
    };
    let function = spec().function_name;
    for (seconds, name) in [(1, ErrorName::NotReady), (300, ErrorName::NotOwned)] {
        let rules = [&exists(), &untagged(seconds)];
        let error = ensure(&client(&rules), &settings(), &target(&spec(), None)).await;
        assert_eq!(error.unwrap_err().name(), name);
        let error = remove(&client(&[&untagged(seconds)]), &stack(), &delete(&function)).await;
        assert_eq!(error.unwrap_err().name(), name);
    }
    let error = remove(&client(&[&untagged(1)]), &stack(), &undo(&function)).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::NotReady);
    let error = compare(&client(&[&untagged(1)]), &settings(), &spec(), None).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::NotReady);
}

#[tokio::test]
async fn a_role_of_another_id_is_drift_where_the_id_is_known() {
    for (recorded, expected) in [(Some("AROA"), false), (Some("OLD"), true), (None, false)] {
        let get = mock!(Client::get_role).then_output(ours);
        let policy = mock!(Client::get_role_policy).then_output(|| shown_policy(&our_policy()));
        let [inline, attached] = lists_only_ours();
        let rules = [&get, &policy, &inline, &attached];
        let found = compare(&client(&rules), &settings(), &spec(), recorded).await.unwrap();
        let id = Difference::between(Facet::Role, "roleId", "OLD", "AROA");
        assert_eq!(found, id.filter(|_| expected).into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn what_lags_behind_the_making_of_a_role_is_waited_for() {
    let get = mock!(Client::get_role).then_http_response(|| iam_error(404, "NoSuchEntity"));
    let error = ensure(&client(&[&exists(), &get]), &settings(), &target(&spec(), None)).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::NotReady);

    // The policy is denied by the tags that IAM does not act by yet, or the role is not known.
    let refused = |status, code| {
        mock!(Client::put_role_policy).then_http_response(move || iam_error(status, code))
    };
    let create = || mock!(Client::create_role).then_output(created);
    let put = mock!(Client::put_role_policy).then_output(|| PutRolePolicyOutput::builder().build());
    let (denied, unknown) = (refused(403, "AccessDenied"), refused(404, "NoSuchEntity"));
    let rules = [&create(), &denied, &unknown, &put];
    ensure(&client(&rules), &settings(), &target(&spec(), None)).await.unwrap();
    assert_all_called(&rules);

    // In vain: the state machine waits.
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchEntity")] {
        let refused = || refused(status, code);
        let rules = [&create(), &refused(), &refused(), &refused()];
        let error = ensure(&client(&rules), &settings(), &target(&spec(), None)).await;
        let error = error.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotReady);
        assert_eq!(error.aws().unwrap().code.as_deref(), Some(code));
        assert_all_called(&rules);
    }
}

#[tokio::test]
async fn a_denial_because_of_tags_is_not_final_while_a_role_is_new() {
    for (seconds, ago, name) in [(1, 10, ErrorName::NotReady), (300, 200, ErrorName::AccessDenied)]
    {
        let found = || {
            let made = Timestamp::now().as_second() - seconds;
            let tags = stack().tags(&spec().function_name, &spec().tags);
            let trust = policies::trust(&stack());
            mock!(Client::get_role).then_output(move || shown_of(made, tags.clone(), &trust))
        };
        let no_policy =
            mock!(Client::get_role_policy).then_http_response(|| iam_error(404, "NoSuchEntity"));
        let denied =
            mock!(Client::put_role_policy).then_http_response(|| iam_error(403, "AccessDenied"));
        let [inline, attached] = lists_only_ours();
        let rules = [&exists(), &found(), &no_policy, &inline, &attached, &denied];
        let since = Timestamp::now() - SignedDuration::from_secs(ago);
        let wanted = spec();
        let target = Target { since, ..target(&wanted, None) };
        let error = ensure(&client(&rules), &settings(), &target).await;
        assert_eq!(error.unwrap_err().name(), name);

        let denied =
            mock!(Client::delete_role_policy).then_http_response(|| iam_error(403, "AccessDenied"));
        let rules = [&found(), &denied, &found()];
        let error = remove(&client(&rules), &stack(), &undo(&spec().function_name)).await;
        assert_eq!(error.unwrap_err().name(), name);
    }
}

#[tokio::test]
async fn iams_refusals_get_their_names() {
    for (status, code, name) in [
        (409, "LimitExceeded", ErrorName::QuotaExceeded),
        (400, "MalformedPolicyDocument", ErrorName::Rejected),
        (403, "AccessDenied", ErrorName::AccessDenied),
        (409, "ConcurrentModification", ErrorName::Transient),
    ] {
        let create = mock!(Client::create_role).then_http_response(move || iam_error(status, code));
        let error =
            ensure(&client(&[&create]), &settings(), &target(&spec(), None)).await.unwrap_err();
        assert_eq!(error.name(), name, "{code}");
        assert_eq!(error.aws().unwrap().code.as_deref(), Some(code));
    }
}

#[tokio::test]
async fn a_role_that_matches_is_read_and_not_written() {
    let get = mock!(Client::get_role).then_output(ours);
    let policy = mock!(Client::get_role_policy).then_output(|| shown_policy(&our_policy()));
    let [inline, attached] = lists_only_ours();
    let rules = [&get, &policy, &inline, &attached];
    ensure(&client(&rules), &settings(), &target(&spec(), Some(&spec()))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_traced_function_may_write_to_x_ray_and_one_that_is_no_longer_may_not() {
    let mut traced = spec();
    traced.configuration.tracing = Tracing::Active;
    let writes = |spec: &FunctionSpec| {
        let policy = Policy::logging(&stack(), spec).document;
        let statements = policy["Statement"].as_array().unwrap().clone();
        let actions = statements.iter().flat_map(|it| it["Action"].as_array().unwrap());
        actions.map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
    assert_eq!(writes(&spec()), logs);
    let xray = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];
    assert_eq!(writes(&traced), [logs, xray].concat());

    for (from, to) in [(spec(), traced.clone()), (traced.clone(), spec())] {
        let had = Policy::logging(&stack(), &from).document;
        let policy = mock!(Client::get_role_policy).then_output(move || shown_policy(&had));
        let wanted = Policy::logging(&stack(), &to).document.to_string();
        let put = mock!(Client::put_role_policy)
            .match_requests(move |it| it.policy_document() == Some(wanted.as_str()))
            .then_output(|| PutRolePolicyOutput::builder().build());
        let get = mock!(Client::get_role).then_output(ours);
        let [inline, attached] = lists_only_ours();
        let rules = [&get, &policy, &inline, &attached, &put];
        ensure(&client(&rules), &settings(), &target(&to, Some(&from))).await.unwrap();
        assert_all_called(&rules);
    }

    // It is one write more for no function, and a difference where somebody takes it away.
    let put = mock!(Client::put_role_policy).then_output(|| PutRolePolicyOutput::builder().build());
    let rules = [&mock!(Client::create_role).then_output(created), &put];
    ensure(&client(&rules), &settings(), &target(&traced, None)).await.unwrap();
    assert_all_called(&rules);
    let get = mock!(Client::get_role).then_output(ours);
    let policy = mock!(Client::get_role_policy).then_output(|| shown_policy(&our_policy()));
    let [inline, attached] = lists_only_ours();
    let client = client(&[&get, &policy, &inline, &attached]);
    let found = compare(&client, &settings(), &traced, None).await.unwrap();
    let properties: Vec<_> = found.iter().map(|it| it.property.as_str()).collect();
    assert_eq!(properties, [LOGGING_POLICY]);
}

#[tokio::test]
async fn every_facet_that_differs_is_brought_back() {
    let tags = stack().tags(&spec().function_name, &BTreeMap::new());
    let trusts_anyone = json!({"Statement": [{"Effect": "Allow", "Principal": "*"}]});
    let get = mock!(Client::get_role).then_output(move || shown(tags.clone(), &trusts_anyone));
    let trust = mock!(Client::update_assume_role_policy)
        .then_output(|| UpdateAssumeRolePolicyOutput::builder().build());
    let policy = mock!(Client::get_role_policy)
        .then_output(|| shown_policy(&json!({"Statement": [{"Action": "*"}]})));
    let put = mock!(Client::put_role_policy).then_output(|| PutRolePolicyOutput::builder().build());
    let inline =
        mock!(Client::list_role_policies).then_output(|| listed(&[LOGGING_POLICY, "extra"]));
    let delete = mock!(Client::delete_role_policy)
        .match_requests(|request| request.policy_name() == Some("extra"))
        .then_output(|| DeleteRolePolicyOutput::builder().build());
    let attached = mock!(Client::list_attached_role_policies).then_output(|| {
        let admin = AttachedPolicy::builder().policy_arn("arn:aws:iam::aws:policy/Admin");
        ListAttachedRolePoliciesOutput::builder().attached_policies(admin.build()).build()
    });
    let detach = mock!(Client::detach_role_policy)
        .match_requests(|request| request.policy_arn() == Some("arn:aws:iam::aws:policy/Admin"))
        .then_output(|| DetachRolePolicyOutput::builder().build());
    let tag = mock!(Client::tag_role)
        .match_requests(|request| request.tags().iter().any(|tag| tag.key == "team"))
        .then_output(|| TagRoleOutput::builder().build());
    let rules = [&get, &trust, &policy, &inline, &attached, &delete, &detach, &put, &tag];
    ensure(&client(&rules), &settings(), &target(&spec(), Some(&spec()))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_comparison_names_every_facet_that_differs_and_changes_nothing() {
    let mut tags = stack().tags(&spec().function_name, &spec().tags);
    tags.insert("somebody".into(), "elses".into());
    let trust = policies::trust(&stack());
    let get = mock!(Client::get_role).then_output(move || shown(tags.clone(), &trust));
    let policy = mock!(Client::get_role_policy)
        .then_output(|| shown_policy(&json!({"Statement": [{"Action": "*"}]})));
    let inline =
        mock!(Client::list_role_policies).then_output(|| listed(&[LOGGING_POLICY, "extra"]));
    let attached = mock!(Client::list_attached_role_policies).then_output(|| {
        let admin = AttachedPolicy::builder().policy_arn("arn:aws:iam::aws:policy/Admin");
        ListAttachedRolePoliciesOutput::builder().attached_policies(admin.build()).build()
    });
    let rules = [&get, &policy, &inline, &attached];
    let found = compare(&client(&rules), &settings(), &spec(), None).await.unwrap();
    let properties: Vec<_> = found.iter().map(|it| it.property.as_str()).collect();
    assert_eq!(properties, [LOGGING_POLICY, "otherInlinePolicies", "attachedPolicies"]);
    assert_all_called(&rules);

    let gone = mock!(Client::get_role).then_http_response(|| iam_error(404, "NoSuchEntity"));
    let found = compare(&client(&[&gone]), &settings(), &spec(), None).await.unwrap();
    assert_eq!(found, [Difference::missing(Part::Role)]);
}

#[tokio::test]
async fn a_role_that_others_gave_policies_is_taken_apart() {
    let gone = || DeleteRolePolicyOutput::builder().build();
    let get = mock!(Client::get_role).then_output(ours);
    let own = mock!(Client::delete_role_policy).then_output(gone);
    let conflict =
        mock!(Client::delete_role).then_http_response(|| iam_error(409, "DeleteConflict"));
    let inline = mock!(Client::list_role_policies).then_output(|| listed(&["extra"]));
    let extra = mock!(Client::delete_role_policy).then_output(gone);
    let attached = mock!(Client::list_attached_role_policies)
        .then_output(|| ListAttachedRolePoliciesOutput::builder().build());
    let last = mock!(Client::delete_role).then_output(|| DeleteRoleOutput::builder().build());
    let rules = [&get, &own, &conflict, &inline, &attached, &extra, &last];
    remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn what_a_function_was_allowed_goes_without_a_refused_delete() {
    let mut spec = spec();
    let statements = json!([{"actions": ["s3:GetObject"], "resources": ["*"]}]);
    spec.permissions.policy_statements = serde_json::from_value(statements).unwrap();
    let wanted = Policy::permissions(&settings(), &spec).unwrap().name;
    let get = mock!(Client::get_role).then_output(ours);
    let goes = |name: String| {
        mock!(Client::delete_role_policy)
            .match_requests(move |request| request.policy_name() == Some(&name))
            .then_output(|| DeleteRolePolicyOutput::builder().build())
    };
    let (logging, permissions) = (goes(LOGGING_POLICY.to_owned()), goes(wanted));
    let last = mock!(Client::delete_role).then_output(|| DeleteRoleOutput::builder().build());
    let rules = [&get, &logging, &permissions, &last];
    let removal = Removal { spec: Some(&spec), ..undo(&spec.function_name) };
    remove(&client(&rules), &stack(), &removal).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_role_that_is_gone_is_removed() {
    let gone = mock!(Client::get_role).then_http_response(|| iam_error(404, "NoSuchEntity"));
    remove(&client(&[&gone]), &stack(), &undo(&spec().function_name)).await.unwrap();

    // The second try of a delete whose answer was lost: denied, since no tag is there any more.
    let get = mock!(Client::get_role).then_output(ours);
    let policy =
        mock!(Client::delete_role_policy).then_http_response(|| iam_error(404, "NoSuchEntity"));
    let denied = mock!(Client::delete_role).then_http_response(|| iam_error(403, "AccessDenied"));
    let gone = mock!(Client::get_role).then_http_response(|| iam_error(404, "NoSuchEntity"));
    let rules = [&get, &policy, &denied, &gone];
    remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_delete_that_is_really_denied_is_told() {
    let get = mock!(Client::get_role).then_output(ours);
    let policy =
        mock!(Client::delete_role_policy).then_output(|| DeleteRolePolicyOutput::builder().build());
    let denied = mock!(Client::delete_role).then_http_response(|| iam_error(403, "AccessDenied"));
    let still = mock!(Client::get_role).then_output(ours);
    let rules = [&get, &policy, &denied, &still];
    let error = remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::AccessDenied);
}
