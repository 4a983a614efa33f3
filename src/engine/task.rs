//! What a task of the engine and the driver of its run say to each other.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

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
    /// Whether the state that the task was begun with is durable.
    pub(super) durable: Durable,
}

/// Whether a state is durable, as its driver says: by default it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Durable(Option<watch::Receiver<bool>>);

impl Durable {
    /// That of a state that is not yet: true is sent when it is, and the sender dropped when it never will be.
    pub(super) fn not_yet() -> (watch::Sender<bool>, Self) {
        let (sender, durable) = watch::channel(false);
        (sender, Self(Some(durable)))
    }

    /// Waits until it is. False = it never will be.
    async fn stands(&self) -> bool {
        match self.0.clone() {
            Some(mut durable) => durable.wait_for(|durable| *durable).await.is_ok(),
            None => true,
        }
    }
}

impl Driver {
    /// The same for a task that works for a step, as the step is now.
    pub(super) fn of(self, life: Option<Life>) -> Self {
        Self { life, ..self }
    }

    /// Waits until the state that the task was begun with is durable. False = it never will be: nothing that
    /// the task has found out may be taken in.
    pub(super) async fn stands(&self) -> bool {
        self.durable.stands().await
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
        if !self.stands().await {
            return Err(Refusal::Stale("it went on otherwise".to_owned()));
        }
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
        if !self.stands().await {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_stands_when_it_became_durable() {
        assert!(Durable::default().stands().await);
        for becomes in [true, false] {
            let (sender, durable) = Durable::not_yet();
            let mut stands = Box::pin(durable.stands());
            let early = std::future::poll_fn(|context| {
                std::task::Poll::Ready(stands.as_mut().poll(context).is_ready())
            });
            assert!(!early.await, "nobody has said anything yet");
            if becomes {
                sender.send(true).unwrap();
            }
            drop(sender);
            assert_eq!(stands.await, becomes);
        }
    }
}
