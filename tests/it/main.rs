//! The end-to-end tests: the real template, state machine and Lambdas on a local AWS that is
//! started once for all of them.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod boundary;
mod calls;
mod command;
mod concurrency;
mod description;
mod drift;
mod events;
mod examples;
mod fencing;
mod healing;
mod idempotency;
mod input;
mod lifecycle;
mod live;
mod moments;
mod moves;
mod operations;
mod ownership;
mod paths;
mod permissions;
mod plans;
mod policies;
mod problems;
mod properties;
mod readme;
mod refusals;
mod replay;
mod requests;
mod revisions;
mod state_machine;
mod template;
mod triggers;
mod triggers_input;
mod undo;
mod update;
mod upgrades;
mod uploads;
mod waiting;

use std::process::ExitCode;

use formation_tests::{WAIT_SCALE, run, trials};

/// Tests mostly wait for local AWS, so more of them run at once than there are cores.
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    run(WAIT_SCALE, AT_ONCE, |suite| {
        trials! { suite:
            // First, since one of them takes half a minute.
            waiting::a_request_that_waits_gets_the_outcome,
            waiting::a_request_that_waits_gets_the_failures_own_status,
            waiting::a_wait_ends_before_the_gateway_gives_up,
            waiting::a_look_at_an_operation_waits_for_its_end,
            command::deploy::a_manifest_is_planned_applied_changed_and_pruned,
            command::deploy::a_function_of_another_manifest_is_left_alone,
            command::deploy::what_is_wrong_with_a_manifest_is_told_at_its_place,
            command::deploy::the_exit_code_tells_how_an_operation_ended,
            command::action::a_pull_request_has_one_comment_with_the_plan,
            command::conflict::what_somebody_changes_after_the_plan_is_shown_and_left_alone,
            command::doctor::nothing_is_wrong_with_local_aws,
            command::doctor::what_is_wrong_is_told_with_its_remedy_and_decides_the_exit_code,
            command::doctor::what_a_caller_may_do_is_told_by_the_policy_that_allows_it,
            command::init::a_new_folder_is_applied_as_it_is_and_works,
            command::init::nothing_is_overwritten,
            command::init::a_function_that_exists_is_deployed_under_a_new_name,
            command::init::what_a_caller_may_not_read_is_told,
            command::connect::where_the_api_is_and_who_asks_is_found_or_told,
            command::deploy::interrupted_it_leaves_the_operation_running_and_finds_it_again,
            command::invoke::a_payload_comes_from_the_command_line_a_file_or_standard_input,
            command::invoke::a_function_that_fails_is_told_beside_its_answer,
            command::invoke::nobody_waits_for_an_asynchronous_invocation,
            command::invoke::what_cannot_be_invoked_is_refused_with_what_helps,
            command::invoke::only_who_has_full_access_invokes_and_only_what_is_the_stacks,
            command::logs::what_was_logged_is_shown_folded_and_filtered,
            command::logs::logs_in_json_are_shown_as_those_in_text,
            command::logs::logs_are_followed_until_they_are_interrupted_or_the_function_is_deleted,
            command::logs::the_logs_of_several_functions_are_one,
            command::logs::a_log_that_cannot_be_read_is_told_with_what_helps,
            command::logs::readers_read_the_logs_of_the_stacks_functions_and_no_others,
            calls::lambda_is_asked_for_what_differs_and_nothing_else,
            calls::a_rollback_to_a_version_that_is_kept_moves_callers_before_anything_else,
            concurrency::a_function_is_stopped_and_says_so_and_answers_again,
            concurrency::it_is_changed_by_one_call_and_only_where_it_differs,
            concurrency::an_account_without_room_takes_the_operation_back_with_the_reason,
            concurrency::what_others_reserve_is_drift_and_a_repair_takes_it_back,
            description::the_api_describes_itself,
            drift::drift_in_every_part_is_found_announced_and_repaired,
            drift::what_is_gone_is_found_and_repair_brings_it_back,
            drift::nobody_is_fought_for_ever,
            drift::of_what_is_not_ours_drift_tells_only_that,
            drift::tags_that_lambda_cannot_tell_now_are_no_drift,
            drift::a_role_that_was_made_anew_is_drift_and_repair_renews_the_grant_to_it,
            events::a_function_lives_by_events,
            events::an_event_that_is_delivered_twice_acts_once,
            events::a_request_that_cannot_be_accepted_is_announced_with_the_problem,
            events::a_request_whose_json_is_at_fault_is_rejected,
            events::a_rejection_is_small_however_much_is_wrong,
            events::a_busy_function_is_tried_again_later,
            events::what_is_no_request_acts_on_nothing_and_is_not_lost,
            events::everything_that_is_announced_fits_its_schema,
            examples::the_sample_requests_do_what_their_titles_say,
            examples::the_node_example_is_built_deployed_and_answers,
            examples::the_rust_example_is_built_deployed_and_answers,
            examples::every_example_shows_what_a_manifest_can_hold,
            readme::every_block_is_run_or_says_why_not,
            readme::what_a_newcomer_types_from_top_to_bottom_does_what_it_says,
            fencing::two_executions_of_one_attempt_end_in_one_state,
            fencing::an_operation_that_is_cancelled_at_any_moment_ends_in_one_state,
            fencing::a_cancelled_create_is_undone_and_says_so,
            healing::an_execution_that_is_stopped_at_any_moment_leaves_the_target_or_what_was_before,
            healing::an_operation_that_nobody_started_is_started,
            healing::an_api_lambda_that_dies_between_claim_and_start_heals,
            healing::recoveries_in_a_row_pause_longer,
            healing::an_outcome_that_its_execution_did_not_announce_is_announced,
            healing::a_rollback_that_stayed_incomplete_is_finished,
            healing::what_the_previous_release_kept_is_forgotten_whoever_comes_first,
            healing::a_delete_that_could_not_be_finished_is_finished,
            healing::what_cannot_be_looked_at_is_put_off_and_holds_up_nothing_behind_it,
            healing::a_part_that_was_taken_from_us_is_told_and_not_repaired,
            idempotency::a_request_that_is_repeated_under_its_key_acts_once,
            idempotency::a_failed_request_is_replayed_as_it_failed,
            idempotency::a_request_that_changed_nothing_changes_nothing_when_repeated,
            idempotency::a_request_that_is_repeated_starts_what_was_not_started,
            idempotency::simultaneous_requests_under_one_key_are_one_operation,
            idempotency::a_key_is_forgotten_when_it_has_expired,
            input::what_an_archive_lacks_is_told_beside_the_plan_and_the_operation,
            input::an_archive_that_lambda_could_not_unzip_is_refused_and_nothing_is_made,
            input::inline_source_keeps_a_handler_and_a_runtime_that_can_run_it,
            input::a_function_made_by_the_previous_release_learns_that_its_source_is_inline,
            input::a_tag_whose_key_changes_in_case_only_is_changed_on_every_part,
            lifecycle::the_examples_function_answers_and_everything_is_as_designed,
            lifecycle::every_field_reaches_aws,
            lifecycle::code_from_s3_is_taken_over_when_it_is_accepted,
            lifecycle::code_that_is_too_large_to_be_read_is_copied_within_s3,
            lifecycle::delete_removes_all_parts_and_frees_the_name,
            lifecycle::lists_are_ordered_paged_and_filtered,
            lifecycle::functions_are_listed_by_their_tags,
            lifecycle::eight_simultaneous_creates_of_one_name_give_one_operation,
            live::callers_run_a_version_that_an_update_moves_them_to,
            live::an_update_that_fails_never_reaches_callers,
            live::where_nothing_leads_back_it_only_goes_forward,
            live::permissions_come_before_the_move_and_go_after_it,
            live::a_rollback_moves_callers_before_anything_else,
            live::callers_are_back_at_once_when_an_update_is_cancelled,
            live::either_part_of_what_is_made_and_what_is_run_is_drift,
            live::versions_that_nobody_runs_go_and_nothing_else,
            live::a_function_of_an_earlier_release_gets_a_version_before_it_is_changed,
            moves::who_dies_at_the_move_is_tried_again,
            moves::an_operation_that_is_taken_over_at_the_move_ends_as_its_callers_are,
            moves::a_late_move_of_a_superseded_attempt_is_refused_and_changes_nothing,
            moves::a_cancel_that_comes_after_the_move_has_landed_changes_nothing,
            moves::who_flees_from_a_stopped_function_is_answered_whatever_fails_afterwards,
            moves::a_runtime_that_is_blocked_by_now_holds_up_no_way_back,
            operations::operations_are_listed_newest_first_page_by_page,
            operations::steps_tell_what_happened_and_what_is_waited_for,
            operations::a_request_makes_few_calls,
            ownership::the_name_of_a_foreign_function_is_refused_before_anything_is_made,
            ownership::a_create_is_not_accepted_while_nobody_can_tell_whose_the_name_is,
            ownership::a_foreign_function_that_appears_later_is_found_before_its_role_is_made,
            ownership::what_a_foreign_function_has_logged_is_left_to_it,
            ownership::what_another_logs_while_a_function_is_deleted_is_left_to_it,
            ownership::what_a_failed_create_left_is_said_until_it_is_gone,
            ownership::a_delete_says_what_it_leaves_because_it_was_taken_from_us,
            ownership::a_write_that_is_denied_right_after_the_create_is_made_good,
            ownership::tags_that_are_shown_late_are_waited_for,
            ownership::an_undo_does_not_take_for_foreign_what_does_not_show_its_tags_yet,
            ownership::a_foreign_log_group_makes_the_create_fail_and_stays_untouched,
            ownership::a_foreign_role_makes_the_create_fail_and_stays_untouched,
            paths::a_path_leads_to_what_was_authorised_and_nowhere_else,
            paths::a_permission_for_one_action_gives_no_other,
            paths::odd_bytes_in_a_request_are_no_failure,
            permissions::no_step_can_do_another_steps_work,
            permissions::an_unsigned_request_is_forbidden,
            permissions::whoever_has_a_policy_of_the_stack_finds_the_api_by_name,
            permissions::readers_read_operators_operate_and_strangers_do_neither,
            permissions::a_key_is_a_roles_own_in_every_session,
            plans::a_dry_run_tells_what_would_be_done_and_writes_nothing,
            plans::many_functions_are_planned_at_once_and_nothing_is_written,
            plans::a_hundred_functions_are_planned_with_one_request,
            policies::under_a_boundary_of_everything_the_guard_keeps_formation_from_its_functions,
            policies::a_function_uses_what_it_is_allowed_and_nothing_else,
            policies::what_the_boundary_cannot_allow_is_refused_at_once,
            policies::permissions_are_planned_told_as_drift_and_restored_statement_by_statement,
            policies::every_resource_of_the_stack_is_guarded,
            boundary::the_example_of_a_boundary_lets_functions_use_data_and_change_nothing,
            policies::the_stack_tells_what_its_functions_can_be_allowed,
            problems::every_bad_request_is_a_problem,
            problems::no_secret_is_logged,
            properties::each_property_is_planned_set_seen_by_drift_and_restored,
            properties::each_property_is_set_by_event,
            properties::what_formation_does_not_name_is_told_of_kept_and_taken_back_by_a_repair,
            refusals::an_invalid_function_is_refused_with_every_problem,
            refusals::a_body_that_is_not_json_is_refused,
            refusals::whole_numbers_are_whole_however_they_are_spelled,
            refusals::an_answer_is_small_however_much_is_wrong,
            refusals::what_does_not_exist_is_not_found,
            refusals::an_operation_has_one_id,
            refusals::a_busy_function_is_a_conflict,
            refusals::a_protected_function_is_not_deleted,
            refusals::a_reference_to_a_missing_object_is_refused_with_its_pointer,
            replay::an_answer_lost_by_any_call_of_a_functions_life_is_made_good,
            replay::a_step_that_runs_twice_writes_once_and_answers_the_same,
            replay::a_superseded_attempt_does_nothing,
            state_machine::names_follow_from_the_states,
            state_machine::errors_are_those_of_the_code,
            state_machine::retries_are_as_patient_as_what_they_wait_for,
            state_machine::what_is_left_over_is_the_failed_part_and_all_behind_it,
            state_machine::the_states_that_code_names_are_there,
            state_machine::where_an_execution_is_that_has_not_begun_is_its_lanes_first_step,
            state_machine::nothing_acts_after_its_undo_has_begun,
            state_machine::the_time_limit_exceeds_all_attempts_and_waits,
            revisions::what_a_function_has_been_is_listed_and_told,
            revisions::as_many_as_the_stack_keeps_stay_with_their_code,
            revisions::an_update_that_fails_is_no_revision,
            command::revisions::a_functions_revisions_are_shown,
            command::revisions::a_function_goes_back_to_the_revision_that_was_shown,
            template::every_lambda_has_a_role_of_its_own_with_just_its_calls,
            template::what_prunes_versions_can_delete_no_function,
            template::the_role_that_functions_have_for_a_moment_may_do_nothing,
            template::schedules_invoke_what_callers_run_of_the_stacks_functions_and_nothing_else,
            template::no_function_has_a_rule_on_the_stacks_own_bus,
            template::what_local_aws_cannot_evaluate_is_in_the_template,
            template::all_that_make_or_compare_roles_have_the_same_boundary_and_guard,
            template::the_routes_are_those_of_the_table_and_each_is_authorised,
            template::the_managed_policies_hold_the_routes_that_the_table_says,
            template::whoever_may_call_the_api_may_find_it,
            template::the_managed_policies_read_logs_and_invoke_by_the_stacks_tag,
            template::a_reader_is_denied_code_whatever_else_it_holds,
            template::the_api_reaches_uploads_and_bundles_and_nothing_else_of_the_bucket,
            template::every_lambda_logs_as_json_and_its_errors_are_charted,
            template::requests_that_wait_can_be_kept_from_starving_the_steps,
            template::only_formation_announces_on_the_bus,
            template::nothing_that_was_asked_for_by_event_is_lost,
            template::logs_and_records_are_kept_as_designed,
            template::every_name_that_all_regions_share_carries_its_own,
            template::every_log_group_that_aws_delivers_to_is_outside_of_its_resource_policy,
            template::every_condition_on_a_key_of_many_values_says_which_of_them,
            template::nobody_may_announce_who_may_ask,
            template::every_partition_has_its_arns,
            template::a_parameter_of_few_values_names_them,
            template::whoever_marks_or_stores_bundles_is_told_which_are_missing,
            triggers::an_address_a_message_an_event_and_a_schedule_reach_what_is_live,
            triggers::an_update_that_fails_leaves_what_calls_a_function_as_it_was,
            triggers::what_fails_once_callers_have_moved_is_finished_forward,
            triggers::changing_one_leaves_the_others_alone,
            triggers::what_others_have_made_survives_everything,
            triggers::a_trigger_that_is_changed_by_hand_is_drift_and_a_repair_takes_it_back,
            triggers::what_an_operation_has_left_goes_with_the_next,
            triggers::an_update_of_triggers_alone_goes_back_until_something_is_taken_away,
            triggers::a_stream_is_read_from_elsewhere_by_another_mapping,
            triggers::whatever_comes_next_finds_what_calls_a_function_gone_or_changed,
            triggers::a_create_that_meets_a_foreign_source_leaves_nothing,
            triggers::a_source_that_cannot_be_read_takes_the_operation_back_with_the_reason,
            triggers_input::all_that_is_wrong_with_what_calls_a_function_is_told_at_once,
            triggers_input::too_much_that_calls_a_function_is_refused,
            triggers_input::a_plan_names_each_trigger_and_warns_of_what_cannot_be_undone,
            undo::a_create_that_lambda_refuses_is_undone_and_the_name_is_free,
            undo::a_create_waits_for_its_role_with_few_refused_calls,
            undo::an_undo_that_fails_leaves_a_record_of_what_is_left,
            update::an_update_changes_what_differs_and_nothing_else,
            update::a_change_that_changes_nothing_is_no_operation,
            update::put_creates_and_replaces_on_condition,
            update::an_update_that_fails_leaves_the_last_good_state,
            update::a_restore_that_fails_can_be_repaired,
            update::a_repair_brings_back_what_was_deleted_or_changed_behind_our_back,
            update::a_repair_finishes_undoing_a_create,
            update::a_repairs_dry_run_tells_what_aws_has_and_changes_nothing,
            update::code_that_is_gone_holds_up_no_delete,
            uploads::forty_megabytes_are_uploaded_past_the_api,
            uploads::code_that_was_uploaded_is_judged_as_all_code_is,
            uploads::s3_takes_what_was_announced_once_and_nothing_else,
            uploads::an_upload_is_its_callers_own_and_for_a_day,
            uploads::an_upload_is_a_roles_own_in_every_session,
            uploads::a_copy_that_fails_is_asked_for_again_under_the_same_key,
            uploads::an_answer_lost_by_any_call_that_takes_over_an_upload_is_made_good,
            uploads::a_link_leads_to_the_code_of_a_function,
            upgrades::steps_are_upgraded_before_the_doors_that_start_them,
        }
    })
}
