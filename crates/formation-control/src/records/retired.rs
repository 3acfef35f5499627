//! Versions that nobody runs any more: each is noted when it leaves what is kept, and deleted once callers of an
//! alias that has moved cannot be sent there any more.

use std::fmt;

use formation_aws::AwsError;
use formation_model::{FunctionName, OperationId, PublishedVersion};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::to_attribute_value;

use super::due::{Due, Queue};
use super::looks::delete_as_seen;
use super::table::{FUNCTION_PARTITION, Item, RETIRED_PREFIX, Records, function_partition, key};
use crate::refusal::Refusal;

/// How long after it has left the alias a version stays. Moves of an alias spread eventually, and callers who were sent
/// to a version that is gone are answered that there is no function; AWS's support says to leave it
/// (<https://github.com/DataBiosphere/azul/issues/7883>). Asynchronous events wait up to 6 hours for their version.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>.
const STAYS: SignedDuration = SignedDuration::from_hours(6);

const VERSION: &str = "VERSION#";
const OPERATION: &str = "OPERATION#";

/// What is to be deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Retired {
    /// A version that no kept revision has.
    Version(FunctionName, PublishedVersion),
    /// Whatever an operation that failed has published.
    OfOperation(FunctionName, OperationId),
}

/// Whether a version may be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nobody needs it.
    Free,
    /// It is kept again: callers run it, or a revision has it.
    Kept,
    /// An operation runs, which may move callers to it.
    Undecided,
}

impl Retired {
    /// What something that is due in [`Queue::Versions`] is; none if a later release has noted it.
    pub fn of(due: &Due) -> Option<Self> {
        let Due::Unknown(pk, sk) = due else { return None };
        let function = pk.strip_prefix(FUNCTION_PARTITION)?.strip_prefix('#')?.parse().ok()?;
        let what = sk.strip_prefix(RETIRED_PREFIX)?;
        let version = |it: &str| it.trim_start_matches('0').parse().ok();
        match (what.strip_prefix(VERSION), what.strip_prefix(OPERATION)) {
            (Some(number), _) => Some(Self::Version(function, version(number)?)),
            (_, Some(id)) => Some(Self::OfOperation(function, id.parse().ok()?)),
            _ => None,
        }
    }

    /// The function.
    pub fn function(&self) -> &FunctionName {
        match self {
            Self::Version(function, _) | Self::OfOperation(function, _) => function,
        }
    }

    fn key(&self) -> Item {
        let what = match self {
            Self::Version(_, version) => format!("{VERSION}{:0>10}", version.to_string()),
            Self::OfOperation(_, operation) => format!("{OPERATION}{operation}"),
        };
        key(&function_partition(self.function()), &format!("{RETIRED_PREFIX}{what}"))
    }
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(function, version) => write!(f, "version {version} of {function}"),
            Self::OfOperation(function, operation) => {
                write!(f, "what the operation {operation} has published of {function}")
            }
        }
    }
}

impl Records {
    /// Notes that something is to be deleted, 6 hours after `left`, when it left the alias at the latest. Noting it
    /// again puts that off.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn retire(&self, retired: &Retired, left: Timestamp) -> Result<(), Refusal> {
        let mut item = retired.key();
        item.insert("due".to_owned(), Queue::Versions.partition());
        let due = (left + STAYS).as_second();
        item.insert("dueAt".to_owned(), to_attribute_value(due)?);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(|error| AwsError::new("dynamodb:PutItem", error))?;
        Ok(())
    }

    /// What is to be deleted by `now`, the longest overdue first, at most `limit`.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn retired(&self, now: Timestamp, limit: i32) -> Result<Vec<Due>, Refusal> {
        Ok(self.due(Queue::Versions, now, limit, None).await?.due)
    }

    /// Looks later at what could not be deleted now: after a pause that grows with the failures in a row.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn put_off_retired(&self, due: &Due) -> Result<(), Refusal> {
        self.put_off(due).await
    }

    /// Forgets what is gone, or is kept again, unless it was noted anew since it was found to be due at `seen`.
    ///
    /// # Errors
    /// [`Refusal::Aws`]: what DynamoDB answered.
    pub async fn forget_retired(&self, retired: &Retired, seen: Timestamp) -> Result<(), Refusal> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(retired.key()))
            .condition_expression("#dueAt <= :seen")
            .expression_attribute_names("#dueAt", "dueAt")
            .expression_attribute_values(":seen", to_attribute_value(seen.as_second())?);
        delete_as_seen(delete).await
    }

    /// Whether a version of a function may be deleted. A rollback that is accepted later finds it gone, and publishes it
    /// anew.
    ///
    /// # Errors
    /// [`Refusal::Aws`] if DynamoDB refuses or cannot be reached, [`Refusal::Record`] if a record cannot be
    /// read.
    pub async fn may_go(
        &self,
        function: &FunctionName,
        version: PublishedVersion,
    ) -> Result<Verdict, Refusal> {
        let Some(record) = self.function(function).await? else { return Ok(Verdict::Free) };
        if record.is_busy() {
            return Ok(Verdict::Undecided);
        }
        let kept = self.kept_revisions(function).await?;
        let has = |it: Option<PublishedVersion>| it == Some(version);
        let is_kept = has(record.live.version) || kept.iter().any(|it| has(it.version));
        Ok(if is_kept { Verdict::Kept } else { Verdict::Free })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_found_by_its_key() {
        let name: FunctionName = "hello".parse().unwrap();
        let operation = OperationId::generate();
        for retired in [
            Retired::Version(name.clone(), "1".parse().unwrap()),
            Retired::Version(name.clone(), "1200".parse().unwrap()),
            Retired::OfOperation(name, operation),
        ] {
            let key = retired.key();
            let text = |field: &str| key[field].as_s().unwrap().clone();
            assert_eq!(Retired::of(&Due::Unknown(text("pk"), text("sk"))), Some(retired));
        }
        for (pk, sk) in [
            ("FUNCTION#hello", "RETIRED#VERSION#0000000000"),
            ("FUNCTION#hello", "RETIRED#LATER#1"),
            ("FUNCTION#hello", "REVISION#0000000001"),
            ("OTHER", "RETIRED#VERSION#0000000001"),
        ] {
            assert_eq!(Retired::of(&Due::Unknown(pk.to_owned(), sk.to_owned())), None, "{sk}");
        }
    }
}
