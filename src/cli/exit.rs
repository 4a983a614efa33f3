//! The exit codes that scripts rely on.

use std::process::ExitCode;

use crate::run::RunStatus;

/// How a command ended, as its caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what it was asked; a run succeeded.
    Succeeded,
    /// A run failed, was rejected or was cancelled; a command to a run was refused.
    Failed,
    /// Wrong use, an invalid workflow or configuration, an unknown run.
    Usage,
    /// A run waits for a person.
    Waiting,
    /// A fault of the store or of Stepwell itself.
    Internal,
    /// Ctrl-C or SIGTERM; the run is resumable.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Waiting => 3,
            Self::Internal => 4,
            Self::Interrupted => 130,
        }
    }

    /// What the status of a run that was driven means. A driven run that neither ended nor waits is a fault of ours.
    pub(super) const fn of(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded => Self::Succeeded,
            RunStatus::Failed | RunStatus::Rejected | RunStatus::Cancelled => Self::Failed,
            RunStatus::Waiting | RunStatus::Paused => Self::Waiting,
            RunStatus::Pending | RunStatus::Running => Self::Internal,
        }
    }

    /// The exit code for many runs: the gravest of theirs.
    pub(super) fn gravest(exits: impl IntoIterator<Item = Self>) -> Self {
        let rank = |exit: &Self| match exit {
            Self::Succeeded => 0,
            Self::Waiting => 1,
            Self::Failed => 2,
            Self::Usage => 3,
            Self::Internal => 4,
            Self::Interrupted => 5,
        };
        exits
            .into_iter()
            .max_by_key(rank)
            .unwrap_or(Self::Succeeded)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_runs_the_gravest_counts() {
        use Exit::{Failed, Internal, Succeeded, Waiting};
        assert_eq!(Exit::gravest([]), Succeeded);
        assert_eq!(Exit::gravest([Succeeded, Waiting, Succeeded]), Waiting);
        assert_eq!(Exit::gravest([Waiting, Failed, Succeeded]), Failed);
        assert_eq!(Exit::gravest([Internal, Failed, Waiting]), Internal);
    }
}
