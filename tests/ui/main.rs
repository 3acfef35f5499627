//! `formation ui` in a real browser, on the real state machine and Lambdas of a local AWS. `make ui-pictures` runs
//! the same, and keeps what it has looked like.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "these are tests")]

mod act;
mod browser;
mod look;
mod served;
mod watch;

use std::process::{Command, ExitCode};

use formation_tests::{run, trials};

/// Slow enough for waits to be seen, in seconds as they are on AWS divided by three.
const WAIT_SCALE: f64 = 0.3;
/// Each has a browser.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    if Command::new("chromedriver").arg("--version").output().is_err() {
        // `make browser` installs it, where there is a way.
        eprintln!(
            "error: there is no chromedriver, so that the pages of `formation ui` cannot be tested: make browser"
        );
        return ExitCode::FAILURE;
    }
    run(WAIT_SCALE, AT_ONCE, |suite| {
        trials! { suite:
            watch::what_the_command_does_appears_by_itself,
            watch::a_create_that_takes_long_says_why_and_lights_up_as_it_goes,
            watch::a_create_that_fails_says_why_and_is_seen_to_leave_nothing,
            watch::what_a_failed_undo_leaves_is_said_until_it_is_gone,
            watch::eight_tabs_are_all_shown_what_happens,
            watch::a_page_that_is_not_kept_up_to_date_says_so,
            act::a_setting_is_changed_rolled_back_and_a_drift_repaired_each_with_its_plan,
            act::a_function_is_invoked_and_its_log_followed,
            look::every_page_is_accessible_light_and_dark_wide_and_narrow,
            look::the_pages_can_be_used_by_keyboard,
            look::a_file_leads_the_browser_in_once,
            look::a_thousand_functions_are_listed_and_filtered_without_a_pause,
        }
    })
}
