//! What a task of the engine and the driver of its run say to each other.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::key::Key;
use crate::run::payload::{AnalysisReported, AttemptStarted};
use crate::run::{Command, Life, Refusal, RunState};

/// Everything that can wake the driver.
pub(super) enum Input {
    /// A task asks for a command to be durable before it goes on.
    Submit {
        /// The command.
        command: Command,
        /// Hears whether it was taken.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// The report of an analysis is to be durable, and with it the beginning of the attempt that it lets run.
    Begin {
        /// The report.
        analysed: Command,
        /// The attempt.
        started: AttemptStarted,
        /// Hears the state of the run since; none when the attempt was not begun.
        reply: oneshot::Sender<Option<Arc<RunState>>>,
    },
    /// A task has ended.
    Done {
        /// What it worked on.
        key: Key,
        /// What follows, if anything.
        command: Option<Command>,
    },
}

/// What a task needs of its driver.
#[derive(Clone)]
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) inputs: mpsc::Sender<Input>,
    /// The life of the step that the task works for.
    pub(super) life: Option<Life>,
}

impl Driver {
    /// The same for a task that works for a step, as the step is now.
    pub(super) fn of(self, life: Option<Life>) -> Self {
        Self { life, ..self }
    }

    /// A command that is refused when the step has begun anew since the task began.
    pub(super) fn stamped(&self, command: Command) -> Command {
        match self.life.clone() {
            Some(life) => Command::Since(life, Box::new(command)),
            None => command,
        }
    }

    /// Makes a command durable. `Err` = refused.
    pub(super) async fn submit(&self, command: Command) -> Result<(), Refusal> {
        let command = self.stamped(command);
        let gone = || Refusal::Stale("the engine is shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        self.inputs
            .send(Input::Submit { command, reply })
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Makes the report durable, and with it the beginning of the attempt when nothing comes in between. None = it was
    /// not begun; the driver goes on from what stands there then.
    pub(super) async fn begin(
        &self,
        report: AnalysisReported,
        started: AttemptStarted,
    ) -> Option<Arc<RunState>> {
        let analysed = self.stamped(Command::Analysed(report));
        let (reply, answer) = oneshot::channel();
        let input = Input::Begin {
            analysed,
            started,
            reply,
        };
        self.inputs.send(input).await.ok()?;
        answer.await.ok()?
    }
}
