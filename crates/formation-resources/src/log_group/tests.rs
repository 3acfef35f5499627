//! The calls that are made, against a stand-in for CloudWatch Logs at the wire.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupOutput;
use aws_sdk_cloudwatchlogs::operation::delete_log_group::DeleteLogGroupOutput;
use aws_sdk_cloudwatchlogs::operation::delete_retention_policy::DeleteRetentionPolicyOutput;
use aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput;
use aws_sdk_cloudwatchlogs::operation::describe_log_streams::DescribeLogStreamsOutput;
use aws_sdk_cloudwatchlogs::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_cloudwatchlogs::operation::put_retention_policy::PutRetentionPolicyOutput;
use aws_sdk_cloudwatchlogs::operation::untag_resource::UntagResourceOutput;
use aws_sdk_cloudwatchlogs::types::LogStream;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use formation_model::ErrorName;

use super::*;
use crate::testing::{assert_all_called, delete, json_error, spec, stack, target, undo};

const GROUP: &str = "/aws/lambda/hello";

fn client(rules: &[&Rule]) -> Client {
    mock_client!(aws_sdk_cloudwatchlogs, RuleMode::Sequential, rules)
}

fn listed(name: &'static str, days: Option<i32>) -> Rule {
    listed_of(300, name, days)
}

/// A group that was made `seconds` ago.
fn listed_of(seconds: i64, name: &'static str, days: Option<i32>) -> Rule {
    let made = Timestamp::now().as_millisecond() - seconds * 1000;
    mock!(Client::describe_log_groups).then_output(move || {
        let group = LogGroup::builder().log_group_name(name).creation_time(made);
        let group = group.set_retention_in_days(days).build();
        DescribeLogGroupsOutput::builder().log_groups(group).build()
    })
}

fn tagged(tags: BTreeMap<String, String>) -> Rule {
    let tags: HashMap<_, _> = tags.into_iter().collect();
    mock!(Client::list_tags_for_resource).then_output(move || {
        ListTagsForResourceOutput::builder().set_tags(Some(tags.clone())).build()
    })
}

fn ours() -> Rule {
    tagged(stack().tags(&spec().function_name, &spec().tags))
}

fn foreign() -> Rule {
    tagged([("team".to_owned(), "theirs".to_owned())].into())
}

fn exists() -> Rule {
    mock!(Client::create_log_group).then_http_response(|| {
        let text = "The specified log group already exists";
        json_error(400, "ResourceAlreadyExistsException", text)
    })
}

fn retention_put() -> Rule {
    mock!(Client::put_retention_policy)
        .match_requests(|request| request.retention_in_days() == Some(30))
        .then_output(|| PutRetentionPolicyOutput::builder().build())
}

#[tokio::test]
async fn a_new_log_group_takes_two_writes() {
    let create = mock!(Client::create_log_group)
        .match_requests(|request| {
            let tags = request.tags().cloned().unwrap_or_default().into_iter().collect();
            request.log_group_name() == Some(GROUP) && stack().owns(&spec().function_name, &tags)
        })
        .then_output(|| CreateLogGroupOutput::builder().build());
    let rules = [&create, &retention_put()];
    ensure(&client(&rules), &stack(), &target(&spec(), None)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_log_group_made_by_a_lost_attempt_gets_its_retention() {
    let rules = [&exists(), &listed(GROUP, None), &ours(), &retention_put()];
    ensure(&client(&rules), &stack(), &target(&spec(), None)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_log_group_that_matches_is_read_and_not_written() {
    let rules = [&listed(GROUP, Some(30)), &ours()];
    ensure(&client(&rules), &stack(), &target(&spec(), Some(&spec()))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_foreign_log_group_is_left_alone() {
    let rules = [&exists(), &listed(GROUP, None), &foreign()];
    let error = ensure(&client(&rules), &stack(), &target(&spec(), None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotOwned);

    let rules = [&foreign()];
    remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_longer_name_is_another_log_group() {
    let create =
        mock!(Client::create_log_group).then_output(|| CreateLogGroupOutput::builder().build());
    let rules = [&listed("/aws/lambda/hello-2", Some(1)), &create, &retention_put()];
    ensure(&client(&rules), &stack(), &target(&spec(), Some(&spec()))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn refusals_get_their_names() {
    for (code, name) in [
        ("OperationAbortedException", ErrorName::Transient),
        ("InvalidParameterException", ErrorName::Rejected),
        ("AccessDeniedException", ErrorName::AccessDenied),
    ] {
        let create = mock!(Client::create_log_group)
            .then_http_response(move || json_error(400, code, "told"));
        let error =
            ensure(&client(&[&create]), &stack(), &target(&spec(), None)).await.unwrap_err();
        assert_eq!(error.name(), name, "{code}");
    }
}

#[tokio::test]
async fn a_log_group_that_is_gone_is_removed() {
    let missing = || json_error(400, "ResourceNotFoundException", "no such group");
    let gone = mock!(Client::list_tags_for_resource).then_http_response(missing);
    remove(&client(&[&gone]), &stack(), &undo(&spec().function_name)).await.unwrap();

    let deleted = mock!(Client::delete_log_group).then_http_response(missing);
    remove(&client(&[&ours(), &deleted]), &stack(), &undo(&spec().function_name)).await.unwrap();

    // The second try of a delete whose answer was lost: denied, since no tag is there any more.
    let denied = mock!(Client::delete_log_group)
        .then_http_response(|| json_error(400, "AccessDeniedException", "denied"));
    let gone = mock!(Client::list_tags_for_resource).then_http_response(missing);
    let rules = [&ours(), &denied, &gone];
    remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&rules);
}

fn deleted() -> Rule {
    mock!(Client::delete_log_group)
        .match_requests(|request| request.log_group_name() == Some(GROUP))
        .then_output(|| DeleteLogGroupOutput::builder().build())
}

#[tokio::test]
async fn our_log_group_is_removed_with_two_calls() {
    let rules = [&ours(), &deleted()];
    remove(&client(&rules), &stack(), &undo(&spec().function_name)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn a_delete_does_not_pass_over_a_log_group_that_was_taken_from_us() {
    let function = spec().function_name;
    let untagged = || tagged(BTreeMap::new());
    for rules in [vec![&foreign()], vec![&untagged(), &listed(GROUP, None)]] {
        let error = remove(&client(&rules), &stack(), &delete(&function)).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::NotOwned);
    }
}

#[tokio::test]
async fn nothing_is_told_of_a_foreign_log_group_but_that_it_is_there() {
    let rules = [&listed(GROUP, Some(1)), &foreign()];
    let found = compare(&client(&rules), &stack(), &spec()).await.unwrap();
    assert_eq!(found, [Difference::not_owned(Part::LogGroup)]);
}

#[tokio::test(start_paused = true)]
async fn a_retention_that_is_denied_right_after_the_create_is_put_again() {
    let denied = || {
        mock!(Client::put_retention_policy)
            .then_http_response(|| json_error(400, "AccessDeniedException", "denied"))
    };
    let create =
        || mock!(Client::create_log_group).then_output(|| CreateLogGroupOutput::builder().build());
    let rules = [&create(), &denied(), &retention_put()];
    ensure(&client(&rules), &stack(), &target(&spec(), None)).await.unwrap();
    assert_all_called(&rules);

    // In vain: the state machine waits.
    let rules = [&create(), &denied(), &denied(), &denied()];
    let error = ensure(&client(&rules), &stack(), &target(&spec(), None)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady);
    assert_all_called(&rules);

    // The next try finds what the first has made.
    for (seconds, name) in [(1, ErrorName::NotReady), (300, ErrorName::AccessDenied)] {
        let rules = [&exists(), &listed_of(seconds, GROUP, None), &ours(), &denied()];
        let error = ensure(&client(&rules), &stack(), &target(&spec(), None)).await;
        assert_eq!(error.unwrap_err().name(), name);
    }
}

#[tokio::test]
async fn a_log_group_that_does_not_show_its_tags_yet_is_not_foreign() {
    let function = spec().function_name;
    let untagged = || tagged(BTreeMap::new());
    for (seconds, name) in [(1, ErrorName::NotReady), (300, ErrorName::NotOwned)] {
        let listed = || listed_of(seconds, GROUP, Some(30));
        let rules = [&exists(), &listed(), &untagged()];
        let error = ensure(&client(&rules), &stack(), &target(&spec(), None)).await;
        assert_eq!(error.unwrap_err().name(), name);
        let rules = [&untagged(), &listed()];
        let error = remove(&client(&rules), &stack(), &delete(&function)).await;
        assert_eq!(error.unwrap_err().name(), name);
    }
    let rules = [&untagged(), &listed_of(1, GROUP, None)];
    let error = remove(&client(&rules), &stack(), &undo(&function)).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady);
    let rules = [&untagged(), &listed_of(300, GROUP, None)];
    remove(&client(&rules), &stack(), &undo(&function)).await.unwrap();
    let rules = [&listed_of(1, GROUP, None), &untagged()];
    let error = compare(&client(&rules), &stack(), &spec()).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady);
}

#[tokio::test]
async fn a_delete_that_is_denied_is_not_final_while_a_log_group_is_new() {
    for (seconds, name) in [(1, ErrorName::NotReady), (300, ErrorName::AccessDenied)] {
        let denied = mock!(Client::delete_log_group)
            .then_http_response(|| json_error(400, "AccessDeniedException", "denied"));
        let rules = [&ours(), &denied, &ours(), &listed_of(seconds, GROUP, None)];
        let error = remove(&client(&rules), &stack(), &undo(&spec().function_name)).await;
        assert_eq!(error.unwrap_err().name(), name);
        assert_all_called(&rules);
    }
}

fn streams(names: &'static [&'static str]) -> Rule {
    mock!(Client::describe_log_streams).then_output(move || {
        let streams = names.iter().map(|name| LogStream::builder().log_stream_name(*name));
        let streams = streams.map(|stream| stream.build()).collect();
        DescribeLogStreamsOutput::builder().set_log_streams(Some(streams)).build()
    })
}

#[tokio::test]
async fn a_log_group_that_another_has_written_into_is_left_without_our_tags() {
    let spec = spec();
    let function = spec.function_name.clone();
    let untag = mock!(Client::untag_resource)
        .match_requests(|request| {
            let mut keys = request.tag_keys().to_vec();
            keys.sort_unstable();
            keys == ["formation:function", "formation:stack", "team"]
        })
        .then_output(|| UntagResourceOutput::builder().build());
    let kept = || {
        mock!(Client::delete_retention_policy)
            .match_requests(|request| request.log_group_name() == Some(GROUP))
            .then_output(|| DeleteRetentionPolicyOutput::builder().build())
    };
    let rules = [&ours(), &streams(&["2026/11/25/[$LATEST]ab"]), &kept(), &untag];
    give_up(&client(&rules), &stack(), Some(&spec), &undo(&function)).await.unwrap();
    assert_all_called(&rules);

    // The second try of a call whose answer was lost.
    let denied = mock!(Client::untag_resource)
        .then_http_response(|| json_error(400, "AccessDeniedException", "denied"));
    let gone = tagged(BTreeMap::new());
    let rules = [&ours(), &streams(&["2026/11/25/[$LATEST]ab"]), &kept(), &denied, &gone];
    give_up(&client(&rules), &stack(), Some(&spec), &undo(&function)).await.unwrap();
    assert_all_called(&rules);

    // Nobody has written.
    let rules = [&ours(), &streams(&[]), &deleted()];
    give_up(&client(&rules), &stack(), Some(&spec), &undo(&function)).await.unwrap();
    assert_all_called(&rules);

    // It never was ours.
    give_up(&client(&[&foreign()]), &stack(), Some(&spec), &undo(&function)).await.unwrap();
}
