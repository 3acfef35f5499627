//! Whether what is found under a name is ours. Tags prove it, and AWS shows tags late, and authorises
//! by them late: see [`Age`].

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use formation_aws::{AwsError, ErrorKind};
use formation_model::{FunctionName, StackIdentity};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use crate::error::ResourceError;

/// For how long after something was made AWS may not show its tags, or not act by them. AWS publishes
/// no number. Terraform's AWS provider allows IAM 2 minutes, and tries PutRetentionPolicy again that
/// is denied right after CreateLogGroup: <https://github.com/hashicorp/terraform-provider-aws/issues/27028>.
const TAGS_SHOW_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// By how much clocks may differ; IAM cuts off fractions of seconds besides.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);
/// Pauses between tries of a write to what was just made. Who needs longer waits in the state machine.
const WRITE_PAUSES: [Duration; 2] = [Duration::from_secs(1); 2];

/// How old something is, as far as its tags are concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Age {
    /// An operation may just have made it: that it shows no tags, or that a call is denied because of
    /// its tags, does not prove that it is somebody else's.
    New,
    /// What its tags tell now, they will tell later.
    Settled,
}

impl Age {
    /// Of what was made at `made`, to an operation that began at `since`. What does not tell when it
    /// was made is settled.
    pub fn of(made: Option<Timestamp>, since: Timestamp) -> Self {
        let is_new = made.is_some_and(|made| {
            may_be_of(made, since) && made.duration_until(Timestamp::now()) < TAGS_SHOW_WITHIN
        });
        if is_new { Self::New } else { Self::Settled }
    }

    /// That `tags` prove `what` to be ours.
    ///
    /// # Errors
    /// [`ResourceError::NotOwned`] if they prove the contrary, [`ResourceError::NotReady`] if AWS may
    /// not show them yet. AWS shows the tags that something was made with together, so another's tags
    /// without ours are proof.
    pub fn prove(
        self,
        stack: &StackIdentity,
        function: &FunctionName,
        tags: &BTreeMap<String, String>,
        what: impl Display,
    ) -> Result<(), ResourceError> {
        if stack.owns(function, tags) {
            Ok(())
        } else if self == Self::New && tags.is_empty() {
            Err(ResourceError::not_ready(format!("AWS does not show the tags of {what} yet")))
        } else {
            Err(ResourceError::NotOwned { what: what.to_string() })
        }
    }

    /// What `error` means of a call that concerns `what`: our policies allow changing what carries our
    /// tags, so a denial may mean that AWS does not act by them yet.
    pub fn judge(self, error: AwsError, what: impl Display) -> ResourceError {
        if self == Self::New && is_denied(&error) { not_spread(error, what) } else { error.into() }
    }
}

/// Whether what was made at `made` may be the work of an operation that began at `since`.
pub(crate) fn may_be_of(made: Timestamp, since: Timestamp) -> bool {
    made.duration_until(since) <= CLOCKS_DIFFER
}

/// What a comparison takes for the beginning of an operation. What is compared may have been made
/// just now, and be without its tags for a moment; whatever else is without them has lost them, and
/// whoever asks is told so.
pub(crate) fn a_moment_ago() -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(15)
}

/// Repeats a write to `what`, which this process has just made, while AWS does not know it or denies
/// the call.
///
/// # Errors
/// [`ResourceError::NotReady`] if that does not end, otherwise what AWS answered.
pub(crate) async fn once_spread(
    write: impl AsyncFn() -> Result<(), AwsError>,
    is_unknown: impl Fn(&AwsError) -> bool,
    what: impl Display,
) -> Result<(), ResourceError> {
    once_spread_after(&WRITE_PAUSES, write, is_unknown, what).await
}

/// The same with these pauses between the tries.
pub(crate) async fn once_spread_after(
    pauses: &[Duration],
    write: impl AsyncFn() -> Result<(), AwsError>,
    is_unknown: impl Fn(&AwsError) -> bool,
    what: impl Display,
) -> Result<(), ResourceError> {
    let mut pauses = pauses.iter();
    loop {
        match write().await {
            Err(error) if is_denied(&error) || is_unknown(&error) => match pauses.next() {
                Some(pause) => sleep(*pause).await,
                None => return Err(not_spread(error, what)),
            },
            other => return Ok(other?),
        }
    }
}

/// That AWS does not know, or does not allow for, what was there a moment ago.
pub(crate) fn not_spread(error: AwsError, what: impl Display) -> ResourceError {
    let what = format!("AWS has not spread {what} with its tags yet");
    ResourceError::NotReady { what, source: Some(error) }
}

pub(crate) fn is_denied(error: &AwsError) -> bool {
    error.kind == ErrorKind::AccessDenied
}

#[cfg(test)]
mod tests {
    use formation_model::ErrorName;

    use super::*;
    use crate::testing::{spec, stack};

    fn ago(seconds: i64) -> Timestamp {
        Timestamp::now() - SignedDuration::from_secs(seconds)
    }

    #[test]
    fn only_what_an_operation_may_just_have_made_is_new() {
        for (made, since, age) in [
            (Some(ago(1)), ago(10), Age::New),
            (Some(ago(10)), ago(10), Age::New),
            // IAM cuts off fractions of seconds, and clocks differ.
            (Some(ago(12)), ago(10), Age::New),
            (Some(ago(-2)), ago(10), Age::New),
            (Some(ago(30)), ago(10), Age::Settled),
            (Some(ago(121)), ago(600), Age::Settled),
            (Some(ago(100)), Timestamp::MIN, Age::New),
            (None, ago(10), Age::Settled),
        ] {
            assert_eq!(Age::of(made, since), age, "{made:?} {since}");
        }
    }

    #[test]
    fn what_does_not_show_its_tags_yet_is_not_foreign_and_what_shows_others_is() {
        let name = spec().function_name;
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let prove = |age: Age, tags: &BTreeMap<String, String>| {
            age.prove(&stack(), &name, tags, "it").map_err(|error| error.name())
        };
        for age in [Age::New, Age::Settled] {
            assert_eq!(prove(age, &stack().tags(&name, &BTreeMap::new())), Ok(()));
            assert_eq!(prove(age, &tags(&[("team", "theirs")])), Err(ErrorName::NotOwned));
            let half = tags(&[("formation:function", "hello")]);
            assert_eq!(prove(age, &half), Err(ErrorName::NotOwned));
        }
        assert_eq!(prove(Age::New, &tags(&[])), Err(ErrorName::NotReady));
        assert_eq!(prove(Age::Settled, &tags(&[])), Err(ErrorName::NotOwned));
    }

    #[test]
    fn a_denial_is_not_final_while_a_thing_is_new() {
        let denied = || AwsError::told("iam:X", "AccessDenied", "no");
        assert_eq!(Age::New.judge(denied(), "it").name(), ErrorName::NotReady);
        assert_eq!(Age::Settled.judge(denied(), "it").name(), ErrorName::AccessDenied);
        let refused = AwsError::told("iam:X", "MalformedPolicyDocument", "no");
        assert_eq!(Age::New.judge(refused, "it").name(), ErrorName::Rejected);
    }
}
