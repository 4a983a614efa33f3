//! Another version of the plan in the fold: what has begun keeps its state, by its path.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{IllegalEvent, illegal};
use crate::plan::{Body, Plan};
use crate::run::event::{Event, Recorded};
use crate::run::frame::{Frame, NodeId};
use crate::run::payload::PlanMigrated;
use crate::run::state::{RunState, StepState, StepStatus};

impl RunState {
    /// Folds [`Event::PlanMigrated`]; `plan` is the plan that it names.
    ///
    /// # Errors
    /// The event is another one or can't follow this state.
    pub fn migrate(&mut self, recorded: &Recorded, plan: Arc<Plan>) -> Result<(), IllegalEvent> {
        let refuse = |why: &str| Err(illegal(recorded, why.to_owned()));
        let Event::PlanMigrated(migrated) = &recorded.event else {
            return refuse("it changes no plan");
        };
        if recorded.seq != self.seq + 1 {
            return refuse("its place is not the next");
        }
        if self.ending.is_some() {
            return refuse("the run has ended");
        }
        if migrated.from != self.plan_digest() {
            return refuse("the run follows another plan than it says");
        }
        if let Some(step) = self.lost_in(&plan) {
            let why = format!("the new plan lacks `{step}`, which has begun");
            return Err(illegal(recorded, why));
        }
        self.rebuild(plan, migrated);
        self.seq = recorded.seq;
        self.updated_at = recorded.time;
        self.wind(recorded.time);
        Ok(())
    }

    /// A step that has begun and would have no place.
    fn lost_in(&self, plan: &Plan) -> Option<String> {
        self.frames().find_map(|(_, frame)| {
            let members = self.plan.steps.members(frame.body).iter();
            let mut steps = members.zip(&frame.steps);
            steps.find_map(|(index, state)| {
                let step = self.plan.steps.get(*index)?;
                let begun = state.status != StepStatus::Pending;
                let kept = new_body(&self.plan, plan, frame.body)
                    .is_some_and(|body| place_of(plan, body, step.path.as_str()).is_some());
                (begun && !kept).then(|| state.path.to_string())
            })
        })
    }

    fn rebuild(&mut self, plan: Arc<Plan>, migrated: &PlanMigrated) {
        let old = Arc::clone(&self.plan);
        let holding: Vec<String> = self
            .holding
            .iter()
            .filter_map(|node| Some(self.node(*node)?.1.path.to_string()))
            .collect();
        let rewinds: Vec<_> = self
            .rewinds
            .iter()
            .filter_map(|(approval, node)| {
                Some((approval.clone(), self.node(*node)?.1.path.clone()))
            })
            .collect();
        let frames: Vec<Arc<Frame>> = self
            .frames
            .iter()
            .enumerate()
            .map(|(number, frame)| Arc::new(self.carried(number, frame, &old, &plan)))
            .collect();
        self.frames = frames;
        self.plan = plan;
        self.versions.push(migrated.clone());
        let live = || self.frames.iter().filter(|frame| !frame.abandoned);
        let total = live().map(|frame| frame.steps.len()).sum();
        let unsettled: usize = live().map(|frame| frame.unsettled).sum();
        self.total = total;
        self.settled = total.saturating_sub(unsettled);
        self.frontier = BTreeSet::new();
        let whole: Vec<usize> = self
            .frames()
            .filter(|(_, frame)| frame.owner.is_none())
            .map(|(number, _)| number)
            .collect();
        for frame in whole {
            self.wake_frame(frame);
        }
        self.rewinds = rewinds
            .into_iter()
            .filter_map(|(approval, path)| Some((approval, self.find(&path)?)))
            .collect();
        self.holding = holding
            .iter()
            .filter_map(|path| self.find(&crate::id::StepPath::new(path.as_str())))
            .collect();
    }

    /// A frame as the new plan has it.
    fn carried(&self, number: usize, frame: &Frame, old: &Plan, new: &Plan) -> Frame {
        let owner = frame.owner.and_then(|owner| {
            let path = &self.node(owner)?.0.path;
            let index = new.steps.position(path)?;
            let (_, place) = new.steps.home(index)?;
            let frame = owner.frame;
            Some(NodeId { frame, place })
        });
        let lost = owner.is_none() && frame.owner.is_some();
        let Some(body) = new_body(old, new, frame.body).filter(|_| !lost) else {
            // Only what was left behind can have no place any more.
            return Frame {
                body: Body::Inside(usize::MAX),
                owner,
                steps: Vec::new(),
                unsettled: 0,
                abandoned: true,
                ..frame.clone()
            };
        };
        let mut steps = Vec::new();
        for (place, index) in new.steps.members(body).iter().enumerate() {
            let Some(step) = new.steps.get(*index) else {
                continue;
            };
            let node = NodeId {
                frame: number,
                place,
            };
            let known = place_of(old, frame.body, step.path.as_str())
                .and_then(|place| frame.steps.get(place));
            let state = match known {
                Some(state) => {
                    let given = |plan: &Plan| {
                        let position = plan.steps.position(&step.path)?;
                        plan.steps.get(position)?.kind.as_python()?.code()
                    };
                    let state = state.as_ref().clone();
                    StepState {
                        node,
                        // Other code of the author's goes before what a person made of the code before.
                        edit: state.edit.filter(|_| given(old) == given(new)),
                        ..state
                    }
                }
                None => {
                    let (prefix, cut) = self.prefix(&frame.kind, frame.owner);
                    let rest = step.path.as_str().get(cut..).unwrap_or_default();
                    let path = crate::id::StepPath::new(format!("{prefix}{rest}"));
                    StepState::new(node, path, 0)
                }
            };
            steps.push(Arc::new(state));
        }
        let unsettled = steps.iter().filter(|state| !state.status.is_settled());
        Frame {
            body,
            owner,
            unsettled: unsettled.count(),
            steps,
            ..frame.clone()
        }
    }
}

/// The body of the new plan that stands where this one stood.
fn new_body(old: &Plan, new: &Plan, body: Body) -> Option<Body> {
    match body {
        Body::Run | Body::Handler(_) => Some(body),
        Body::Inside(index) => {
            let around = old.steps.get(index)?;
            new.steps.position(&around.path).map(Body::Inside)
        }
    }
}

fn place_of(plan: &Plan, body: Body, path: &str) -> Option<usize> {
    let index = plan.steps.position(&crate::id::StepPath::new(path))?;
    let (home, place) = plan.steps.home(index)?;
    (home == body).then_some(place)
}
