//! Deleting versions that nobody runs any more, one a second at the most.

use std::time::{Duration, Instant};

use formation_aws::Chain;
use formation_control::{Records, Refusal, Retired, Verdict};
use formation_model::{PublishedVersion, StackIdentity};
use formation_resources::live::Pruned;
use formation_resources::{ResourceError, live};
use jiff::Timestamp;
use tokio::time::sleep;

/// How many are looked at in a run, and the pause behind each: Lambda allows 15 calls a second for all tools together.
const MOST: i32 = 40;
const PAUSE: Duration = Duration::from_secs(1);

/// Deletes versions that are due.
#[derive(Clone, Debug)]
pub struct Pruner {
    /// Which are due, and which are kept.
    pub records: Records,
    /// Lambda, by a role that can delete versions and no function.
    pub lambda: aws_sdk_lambda::Client,
    /// Whose they are.
    pub stack: StackIdentity,
}

/// Why something could not be deleted. It is put off.
#[derive(Debug, thiserror::Error)]
enum PruneError {
    #[error(transparent)]
    Records(#[from] Refusal),
    #[error(transparent)]
    Lambda(#[from] ResourceError),
    #[error("an operation runs on the function")]
    Busy,
    #[error("an alias leads there, which is not where it is recorded to lead")]
    InUse,
    #[error("this release does not know what it is")]
    Unknown,
}

impl Pruner {
    /// Deletes what is due by now until `deadline` is near. What cannot be deleted now is logged and put off.
    ///
    /// # Errors
    /// That the index cannot be read or written.
    pub async fn on_schedule(&self, deadline: Instant) -> Result<(), Refusal> {
        let now = Timestamp::now();
        for due in self.records.retired(now, MOST).await? {
            if Instant::now() >= deadline {
                break;
            }
            let retired = Retired::of(&due);
            let pruned = match &retired {
                Some(retired) => self.prune(retired).await,
                None => Err(PruneError::Unknown),
            };
            match (pruned, &retired) {
                (Ok(()), Some(retired)) => self.records.forget_retired(retired, now).await?,
                (Ok(()), None) => {}
                (Err(error), _) => {
                    tracing::warn!(%due, error = %Chain(&error), "a version is not deleted yet");
                    self.records.put_off_retired(&due).await?;
                }
            }
        }
        Ok(())
    }

    async fn prune(&self, retired: &Retired) -> Result<(), PruneError> {
        let function = retired.function();
        let versions: Vec<PublishedVersion> = match retired {
            Retired::Version(_, version) => vec![*version],
            Retired::OfOperation(_, operation) => {
                live::published_by(&self.lambda, function, *operation).await?
            }
        };
        // One that stays keeps no other from going.
        let mut kept = Ok(());
        for version in versions {
            match self.records.may_go(function, version).await? {
                Verdict::Undecided => return Err(PruneError::Busy),
                Verdict::Kept => {}
                Verdict::Free => {
                    let pruned = live::prune(&self.lambda, &self.stack, function, version).await?;
                    tracing::info!(functionName = %function, %version, ?pruned, "{retired}");
                    if pruned == Pruned::InUse {
                        kept = Err(PruneError::InUse);
                    }
                    sleep(PAUSE).await;
                }
            }
        }
        kept
    }
}
