//! Effects meet the outside world here; each gives at most one command back.

use std::sync::Arc;

use super::task::Driver;
use super::{act, analyse, cache, child, execute, generate, slots, tell};
use crate::run::{Command, Effect, Life, RunState};

/// Performs one effect of the run as it stood when the effect was owed.
pub(super) async fn perform(
    driver: Driver,
    state: Arc<RunState>,
    effect: Effect,
) -> Option<Command> {
    let life = effect.step().and_then(|step| Life::of(&state, step));
    let driver = driver.of(life);
    let command = match effect {
        Effect::Analyse { step } => analyse::analyse(&driver, &state, &step).await,
        Effect::Generate { step, attempt } => {
            generate::generate(&driver, &state, &step, attempt).await
        }
        Effect::LookUp { step } => cache::look_up(&driver, &state, &step).await,
        Effect::Execute { step, attempt } => {
            execute::execute(&driver, &state, &step, attempt).await
        }
        Effect::Act { step, attempt } => act::act(&driver, &state, &step, attempt).await,
        Effect::Attend { step, attempt } => execute::adopt(&driver, &state, &step, attempt).await,
        Effect::Acquire { step } => slots::acquire(&driver, &state, step.as_ref()).await,
        Effect::StartChild { step } => child::start(&driver, &state, &step).await,
        Effect::AttendChild { step, run } => child::attend(&driver, &state, &step, run).await,
        Effect::LookAtChild { step, run } => child::look(&driver, &step, run).await,
        Effect::CancelChild { step, run } => child::cancel(&driver, &step, run).await,
        Effect::Tell {
            approval,
            occasion,
            channel,
        } => tell::tell(&driver, &state, (&approval, &occasion, &channel)).await,
        Effect::Kill { step, attempt } => execute::kill(&driver, &state, &step, attempt).await,
        Effect::WakeAt { at, .. } => {
            driver.shared.ports.clock.sleep_until(at).await;
            None
        }
    };
    let command = command.map(|command| driver.stamped(command));
    // What was found out of a state that never came to be is nothing.
    let stands = driver.stands().await;
    command.filter(|_| stands)
}
