//! Runs inside runs in the fold.

use super::Applied;
use crate::id::StepPath;
use crate::plan::{Step, StepKind};
use crate::run::RunStatus;
use crate::run::payload::{ChildRunClosed, ChildRunStarted, ChildRunWaiting};
use crate::run::state::{ChildState, RunState, StepStatus};

impl RunState {
    pub(super) fn child_started(&mut self, started: &ChildRunStarted) -> Applied {
        let state = self.expect(&started.step, &[StepStatus::Ready])?;
        state.status = StepStatus::Running;
        state.children.push(ChildState {
            run: started.run,
            waiting: None,
            closed: None,
        });
        let node = state.node;
        match self.node(node) {
            Some((
                Step {
                    kind: StepKind::Workflow(_),
                    ..
                },
                _,
            )) => Ok(()),
            Some(_) | None => Err(format!("`{}` runs no workflow", started.step)),
        }
    }

    pub(super) fn child_waits(&mut self, waiting: &ChildRunWaiting) -> Applied {
        let rests = matches!(waiting.status, RunStatus::Waiting | RunStatus::Paused);
        self.open_child(&waiting.step)?.waiting = rests.then(|| waiting.clone());
        Ok(())
    }

    pub(super) fn child_closed(&mut self, closed: &ChildRunClosed) -> Applied {
        if !closed.status.is_terminal() {
            return Err(format!("the run of `{}` has not ended", closed.step));
        }
        let child = self.open_child(&closed.step)?;
        child.waiting = None;
        child.closed = Some(closed.clone());
        Ok(())
    }

    fn open_child(&mut self, path: &StepPath) -> Result<&mut ChildState, String> {
        let state = self.expect(path, &[StepStatus::Running])?;
        let child = state
            .children
            .last_mut()
            .filter(|child| child.closed.is_none());
        child.ok_or_else(|| format!("`{path}` has no run under way"))
    }
}
