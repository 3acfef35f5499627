//! What callers meet while the function that they call is changed, taken back and rolled back: one edition of
//! it, whole, and never one of an operation that failed.
//!
//! Callers invoke it without pause from before the first operation until after the last, by the ARN that the
//! API tells them, and no answer is left out.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod back;
mod edition;
mod updates;

use std::process::ExitCode;

use formation_tests::{run, trials};

/// How much shorter the state machine waits than on AWS: what it waits for local AWS does at once.
const WAIT_SCALE: f64 = 0.005;

fn main() -> ExitCode {
    // One after the other: what is measured is how soon callers are where they belong.
    run(WAIT_SCALE, 1, |suite| {
        trials! { suite:
            updates::callers_meet_fifty_updates_one_whole_edition_at_a_time,
            back::callers_are_back_at_once_after_a_rollback_whatever_fails_afterwards,
            back::callers_are_back_at_once_after_a_cancel_whatever_fails_afterwards,
        }
    })
}
