//! Reading functions and operations.

use std::borrow::Borrow;

use formation_model::view::Function;
use formation_model::{FunctionName, Operation, OperationId, Page, Revision};

use super::Control;
use crate::history;
use crate::records::{FunctionRecord, ListFilter, OperationRecord, RevisionRecord};
use crate::refusal::Refusal;
use crate::version_tag::VersionTag;

/// How many attempts after the first one have their steps shown.
const LAST_ATTEMPTS: u32 = 9;

/// An operation as it was when it was looked at.
#[derive(Clone, Debug)]
pub struct OperationSeen {
    operation: Operation,
    record: OperationRecord,
}

impl Borrow<Operation> for OperationSeen {
    fn borrow(&self) -> &Operation {
        &self.operation
    }
}

impl From<OperationSeen> for Operation {
    fn from(seen: OperationSeen) -> Self {
        seen.operation
    }
}

impl Control {
    /// The function of that name, and its version.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], or why it cannot be read.
    pub async fn function(&self, name: &FunctionName) -> Result<(Function, VersionTag), Refusal> {
        let record = self.function_record(name).await?;
        let version_tag = record.version_tag();
        Ok((self.to_function(record), version_tag))
    }

    /// One page of functions, ordered by name, of those whose record can be read.
    ///
    /// # Errors
    /// [`Refusal::InvalidNextToken`], or why they cannot be read.
    pub async fn list(
        &self,
        filter: &ListFilter,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page<Function>, Refusal> {
        let page = self.records.list(filter, limit, token).await?;
        let functions = page.items.into_iter().map(|record| self.to_function(record));
        Ok(Page { items: functions.collect(), next_token: page.next_token })
    }

    /// The operation of that id.
    ///
    /// # Errors
    /// [`Refusal::OperationNotFound`], or why it cannot be read.
    pub async fn operation(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<Operation, Refusal> {
        Ok(self.operation_seen(function, operation).await?.operation)
    }

    /// The same, with what [`Control::with_steps`] needs to know.
    ///
    /// # Errors
    /// As for [`Control::operation`].
    pub async fn operation_seen(
        &self,
        function: &FunctionName,
        operation: OperationId,
    ) -> Result<OperationSeen, Refusal> {
        let record = self.operation_record(function, operation).await?;
        Ok(OperationSeen { operation: self.to_operation(&record), record })
    }

    /// An operation that was looked at, with the steps of its attempts: of the first, which tells what
    /// went wrong, and of the last ones. Only its executions are read.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn with_steps(&self, seen: OperationSeen) -> Result<Operation, Refusal> {
        let OperationSeen { operation, record } = seen;
        let mut steps = Vec::new();
        for attempt in shown_attempts(record.attempt) {
            let attempt = OperationRecord { attempt, ..record.clone() };
            steps.extend(history::steps(&self.executions.history(&attempt).await?));
        }
        Ok(Operation { steps: Some(steps), ..operation })
    }

    /// One page of a function's operations, newest first, also of one that was deleted.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`] if there never was such a function, as far as anybody
    /// remembers; [`Refusal::InvalidNextToken`], or why they cannot be read.
    pub async fn operations(
        &self,
        function: &FunctionName,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page<Operation>, Refusal> {
        let page = self.records.list_operations(function, limit, token).await?;
        if page.items.is_empty() && page.next_token.is_none() && token.is_none() {
            self.function_record(function).await?;
        }
        let operations = page.items.iter().map(|record| self.to_operation(record));
        Ok(Page { items: operations.collect(), next_token: page.next_token })
    }

    /// One page of a function's revisions that are kept, newest first; none while its create runs.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], [`Refusal::InvalidNextToken`], or why they cannot be read.
    pub async fn revisions(
        &self,
        name: &FunctionName,
        limit: i32,
        token: Option<&str>,
    ) -> Result<Page<Revision>, Refusal> {
        let function = self.function_record(name).await?;
        let page = self.records.list_revisions(name, limit, token).await?;
        let mut kept: Vec<_> = page.items;
        kept.retain(|revision| is_of(revision, &function));
        // An earlier release kept none.
        let newest = kept.first().map_or(0, |revision| revision.revision);
        if token.is_none() && newest < function.revision {
            kept.insert(0, RevisionRecord::current(&function));
        }
        let items = kept.iter().map(|revision| revision.to_revision(false)).collect();
        Ok(Page { items, next_token: page.next_token })
    }

    /// A revision of a function, with what the function was.
    ///
    /// # Errors
    /// [`Refusal::FunctionNotFound`], [`Refusal::RevisionNotFound`], or why it cannot be read.
    pub async fn revision(&self, name: &FunctionName, revision: u64) -> Result<Revision, Refusal> {
        Ok(self.revision_record(name, revision).await?.to_revision(true))
    }

    pub(super) async fn revision_record(
        &self,
        name: &FunctionName,
        revision: u64,
    ) -> Result<RevisionRecord, Refusal> {
        let function = self.function_record(name).await?;
        self.revision_of(&function, revision).await
    }

    /// A revision of a function whose record has just been read.
    pub(super) async fn revision_of(
        &self,
        function: &FunctionRecord,
        revision: u64,
    ) -> Result<RevisionRecord, Refusal> {
        let name = &function.spec.function_name;
        let missing = || Refusal::RevisionNotFound { function: name.clone(), revision };
        if revision == 0 || revision > function.revision {
            return Err(missing());
        }
        match self.records.revision(name, revision).await? {
            Some(found) if is_of(&found, function) => Ok(found),
            // An earlier release kept none.
            _ if revision == function.revision => Ok(RevisionRecord::current(function)),
            _ => Err(missing()),
        }
    }
}

/// Whether a revision is this function's, and not one of an earlier function of the name: such are
/// forgotten when that is deleted, or after a later commit.
fn is_of(revision: &RevisionRecord, function: &FunctionRecord) -> bool {
    revision.created_at >= function.created_at && revision.revision <= function.revision
}

/// The attempts whose steps are shown, of so many. Each is a call at least, and recoveries may go on
/// for months.
fn shown_attempts(attempts: u32) -> impl Iterator<Item = u32> {
    let last_ones = attempts.saturating_sub(LAST_ATTEMPTS).max(1);
    (1..=attempts.min(1)).chain(last_ones + 1..=attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempts_steps_are_shown_and_so_many_of_the_last() {
        let shown = |attempts| shown_attempts(attempts).collect::<Vec<_>>();
        assert_eq!(shown(1), [1]);
        assert_eq!(shown(3), [1, 2, 3]);
        assert_eq!(shown(10), (1..=10).collect::<Vec<_>>());
        assert_eq!(shown(400), [1, 392, 393, 394, 395, 396, 397, 398, 399, 400]);
    }
}
