//! How a command ends: its exit code, by which scripts and CI tell what happened.

use formation_model::{Operation, OperationStatus, Rollback};

/// How a command has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// 0: as it was asked.
    Done,
    /// 1: failed and rolled back, or another error.
    Failed,
    /// 2: there are differences, and `--exit-code` asks to tell.
    Differs,
    /// 3: it is still running.
    Running,
    /// 4: refused, and nothing was started.
    Refused,
    /// 5: failed, and something is left.
    Incomplete,
    /// 64: the command line is wrong.
    Usage,
    /// 77: credentials, or IAM, do not allow it.
    Denied,
}

impl Outcome {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Differs => 2,
            Self::Running => 3,
            Self::Refused => 4,
            Self::Incomplete => 5,
            Self::Usage => 64,
            Self::Denied => 77,
        }
    }

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "succeeded",
            Self::Failed => "failed",
            Self::Differs => "differs",
            Self::Running => "goes on",
            Self::Refused => "refused",
            Self::Incomplete => "failed, and something is left",
            Self::Usage => "not understood",
            Self::Denied => "not allowed",
        }
    }

    /// How an operation has ended, or that it has not.
    pub fn of(operation: &Operation) -> Self {
        match (operation.status.known(), operation.rollback.known()) {
            (Some(OperationStatus::Succeeded), _) => Self::Done,
            (Some(OperationStatus::Running), _) => Self::Running,
            (Some(OperationStatus::Failed), Some(Rollback::Incomplete)) => Self::Incomplete,
            // What a later release says of an end is not as asked.
            (Some(OperationStatus::Failed) | None, _) => Self::Failed,
        }
    }

    /// What several functions come to: what needs somebody most.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        const WORST_FIRST: [Outcome; 8] = [
            Outcome::Incomplete,
            Outcome::Failed,
            Outcome::Denied,
            Outcome::Usage,
            Outcome::Running,
            Outcome::Refused,
            Outcome::Differs,
            Outcome::Done,
        ];
        let worst = WORST_FIRST.into_iter().find(|it| [self, other].contains(it));
        worst.unwrap_or(Self::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_functions_the_worst_counts() {
        use Outcome::{Denied, Done, Failed, Incomplete, Refused, Running};
        for (outcomes, expected) in [
            (vec![Done, Done], Done),
            (vec![Done, Refused, Done], Refused),
            (vec![Refused, Running], Running),
            (vec![Running, Failed, Refused], Failed),
            (vec![Failed, Incomplete, Done], Incomplete),
            (vec![Denied, Incomplete], Incomplete),
            (vec![Denied, Failed], Failed),
            (vec![Running, Denied, Refused], Denied),
        ] {
            let all = outcomes.iter().fold(Done, |all, one| all.and(*one));
            assert_eq!(all, expected, "{outcomes:?}");
        }
    }
}
