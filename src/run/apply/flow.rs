//! Frames, items and rounds in the fold.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Applied, unknown};
use crate::id::StepPath;
use crate::plan::{Body, Handlers, OnFailure, Step, StepKind};
use crate::run::frame::{Frame, FrameKind, NodeId, Stop, key_text};
use crate::run::payload::{
    BlockStatus, MapExpanded, MapItemClosed, MapItemStarted, RoundClosed, RoundStarted,
};
use crate::run::state::{MapState, RoundsState, RunState, StepState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    /// Brings the steps of a body to life; gives the number of their frame.
    pub(super) fn open_frame(
        &mut self,
        body: Body,
        kind: FrameKind,
        owner: Option<NodeId>,
        at: Timestamp,
    ) -> usize {
        let plan = Arc::clone(&self.plan);
        let number = self.frames.len();
        let (prefix, cut) = self.prefix(&kind, owner);
        let members = plan.steps.members(body);
        let mut steps = Vec::with_capacity(members.len());
        for (place, step) in members
            .iter()
            .filter_map(|index| plan.steps.get(*index))
            .enumerate()
        {
            let rest = step.path.as_str().get(cut..).unwrap_or_default();
            let path = StepPath::new(format!("{prefix}{rest}"));
            // What lies outside of the body has settled before the body comes to life.
            let edges = step.edges.iter().filter(|edge| {
                let from = plan.steps.position(&edge.from);
                let home = from.and_then(|index| plan.steps.home(index));
                home.is_some_and(|(home, _)| home == body)
            });
            let node = NodeId {
                frame: number,
                place,
            };
            steps.push(Arc::new(StepState::new(node, path, edges.count())));
        }
        let unsettled = steps.len();
        self.total += unsettled;
        self.frames.push(Arc::new(Frame {
            body,
            kind,
            owner,
            opened_at: at,
            stop: None,
            steps,
            unsettled,
            changes: Vec::new(),
            abandoned: false,
            parked: false,
        }));
        self.let_frame_in(number);
        number
    }

    /// Puts the steps of a new frame that wait for nothing into the frontier.
    fn let_frame_in(&mut self, frame: usize) {
        let places = 0..self.frame(frame).map_or(0, |frame| frame.steps.len());
        for place in places {
            let node = NodeId { frame, place };
            let free = self
                .node(node)
                .is_some_and(|(_, state)| state.unsettled_edges == 0);
            if free && self.is_active(node) {
                self.frontier.insert(node);
            }
        }
    }

    /// What the paths of a frame's steps begin with, and how much of their path in the plan that replaces.
    pub(super) fn prefix(&self, kind: &FrameKind, owner: Option<NodeId>) -> (String, usize) {
        let around = owner.and_then(|owner| self.node(owner));
        let (outer, cut) = match around {
            Some((step, state)) => (state.path.as_str(), step.path.as_str().len()),
            None => ("", 0),
        };
        match kind {
            FrameKind::Run => (String::new(), 0),
            FrameKind::Item { index } => {
                let map = around.and_then(|(_, state)| state.map.as_ref());
                let key = map.and_then(|map| map.keys.get(*index));
                (
                    format!("{outer}[{}]", key_text(key.map_or("", String::as_str))),
                    cut,
                )
            }
            FrameKind::Round { number } => (format!("{outer}[{number}]"), cut),
            FrameKind::Handler { kind, about } => {
                let plain = format!("{}.{}", Handlers::PATH, kind.as_str());
                let cut = plain.len();
                match about {
                    Some(approval) => (format!("{plain}[{approval}]"), cut),
                    None => (plain, cut),
                }
            }
        }
    }

    /// Stops a frame; the first reason stands, but a cancel outweighs every other.
    pub(super) fn stop_frame(&mut self, frame: usize, stop: Stop) -> Applied {
        let Some(frame) = self.frame_mut(frame) else {
            return Err("there is no such frame".to_owned());
        };
        if frame.stop.is_none() || stop == Stop::Cancelled {
            frame.stop = Some(stop);
        }
        Ok(())
    }

    /// A `succeed` step ends the frame that it stands in.
    pub(super) fn stop_by_success(&mut self, path: &StepPath) -> Applied {
        let node = self.find(path).ok_or_else(|| unknown(path))?;
        match self.node(node) {
            Some((
                Step {
                    kind: StepKind::Succeed(_),
                    ..
                },
                _,
            )) => {
                let step = path.clone();
                self.stop_frame(node.frame, Stop::Succeeded { step })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// With `fail_fast`, a failure of the run itself that nothing tolerates stops the run.
    pub(super) fn stop_by_failure(&mut self, path: &StepPath) -> Applied {
        if !self.plan.fail_fast {
            return Ok(());
        }
        let node = self.find(path).ok_or_else(|| unknown(path))?;
        let fatal = node.frame == 0
            && self.node(node).is_some_and(|(step, _)| {
                step.parent.is_none() && step.failure_means() == OnFailure::Fail
            });
        if fatal {
            let step = path.clone();
            return self.stop_frame(0, Stop::FailFast { step });
        }
        Ok(())
    }

    pub(super) fn map_expanded(&mut self, expanded: &MapExpanded) -> Applied {
        let state = self.expect(&expanded.step, &[StepStatus::Ready])?;
        if expanded.items.len() != expanded.keys.len() {
            return Err("every item has one key".to_owned());
        }
        let by_key: HashMap<String, usize> = expanded
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key_text(key), index))
            .collect();
        if by_key.len() != expanded.keys.len() {
            return Err("keys are unique".to_owned());
        }
        let count = expanded.items.len();
        state.status = StepStatus::Running;
        state.map = Some(Box::new(MapState {
            items: Arc::new(expanded.items.clone()),
            keys: Arc::new(expanded.keys.clone()),
            by_key: Arc::new(by_key),
            frames: vec![None; count],
            closed: vec![None; count],
            open: BTreeSet::new(),
            again: BTreeSet::new(),
            next: 0,
            failed: 0,
        }));
        let node = state.node;
        match self.node(node) {
            Some((
                Step {
                    kind: StepKind::Foreach(_),
                    ..
                },
                _,
            )) => Ok(()),
            Some(_) | None => Err(format!("`{}` is not a foreach", expanded.step)),
        }
    }

    pub(super) fn map_item_started(&mut self, started: &MapItemStarted, at: Timestamp) -> Applied {
        let index = started.index;
        let state = self.expect(&started.step, &[StepStatus::Running])?;
        let owner = state.node;
        if self.item_again(owner, index) {
            return Ok(());
        }
        let state = self.expect(&started.step, &[StepStatus::Running])?;
        let Some(map) = state.map.as_mut().filter(|map| map.next == index) else {
            return Err(format!(
                "item {index} of `{}` is not the next",
                started.step
            ));
        };
        if index >= map.items.len() {
            return Err(format!("`{}` has no item {index}", started.step));
        }
        map.next += 1;
        map.open.insert(index);
        let body = Body::Inside(self.index_of(owner).unwrap_or_default());
        let kind = FrameKind::Item { index };
        let key = self
            .node(owner)
            .and_then(|(_, state)| state.map.as_ref()?.keys.get(index).map(|key| key_text(key)));
        let former = key.and_then(|key| self.revive(owner, &key, &kind, at));
        let frame = former.unwrap_or_else(|| self.open_frame(body, kind, Some(owner), at));
        let state = self.expect(&started.step, &[StepStatus::Running])?;
        let slot = state.map.as_mut().and_then(|map| map.frames.get_mut(index));
        if let Some(slot) = slot {
            *slot = Some(frame);
        }
        Ok(())
    }

    pub(super) fn map_item_closed(&mut self, closed: &MapItemClosed) -> Applied {
        let index = closed.index;
        let node = self.expect(&closed.step, &[StepStatus::Running])?.node;
        let Some((
            Step {
                kind: StepKind::Foreach(foreach),
                ..
            },
            state,
        )) = self.node(node)
        else {
            return Err(format!("`{}` is not a foreach", closed.step));
        };
        let map = state.map.as_ref().filter(|map| map.open.contains(&index));
        let Some(map) = map else {
            return Err(format!(
                "item {index} of `{}` is not under way",
                closed.step
            ));
        };
        let frame = map.frames.get(index).copied().flatten();
        if frame
            .and_then(|frame| self.frame(frame))
            .is_none_or(|frame| !frame.all_settled())
        {
            return Err(format!(
                "steps of item {index} of `{}` have not settled",
                closed.step
            ));
        }
        let failed = map.failed + usize::from(closed.status != BlockStatus::Succeeded);
        let allowed = foreach
            .tolerate
            .map_or(0, |tolerate| tolerate.of(map.items.len()));
        let stops = foreach.fail_fast && failed > allowed;
        let key = map.keys.get(index).cloned().unwrap_or_default();
        let state = self.expect(&closed.step, &[StepStatus::Running])?;
        if stops && state.stop.is_none() {
            state.stop = Some(Stop::ItemFailed { key });
        }
        if let Some(map) = &mut state.map {
            map.open.remove(&index);
            map.failed = failed;
            if let Some(slot) = map.closed.get_mut(index) {
                *slot = Some(Arc::new(closed.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn round_started(&mut self, started: &RoundStarted, at: Timestamp) -> Applied {
        let state = self.expect(&started.step, &[StepStatus::Ready, StepStatus::Running])?;
        let owner = state.node;
        let rounds = state.rounds.get_or_insert_with(RoundsState::default);
        let (begun, ended) = (rounds.frames.len(), rounds.closed.len());
        if begun != ended || u32::try_from(begun + 1).ok() != Some(started.number) {
            return Err(format!(
                "round {} of `{}` can't begin now",
                started.number, started.step
            ));
        }
        state.status = StepStatus::Running;
        match self.node(owner) {
            Some((
                Step {
                    kind: StepKind::Until(_),
                    ..
                },
                _,
            )) => {}
            Some(_) | None => return Err(format!("`{}` is not an until", started.step)),
        }
        let body = Body::Inside(self.index_of(owner).unwrap_or_default());
        let number = started.number;
        let kind = FrameKind::Round { number };
        let former = self.revive(owner, &number.to_string(), &kind, at);
        let frame = former.unwrap_or_else(|| self.open_frame(body, kind, Some(owner), at));
        let state = self.expect(&started.step, &[StepStatus::Running])?;
        if let Some(rounds) = &mut state.rounds {
            rounds.frames.push(frame);
        }
        Ok(())
    }

    pub(super) fn round_closed(&mut self, closed: &RoundClosed) -> Applied {
        let state = self.expect(&closed.step, &[StepStatus::Running])?;
        let rounds = state.rounds.as_ref();
        let under_way = rounds.filter(|rounds| {
            rounds.closed.len() + 1 == rounds.frames.len()
                && u32::try_from(rounds.frames.len()).ok() == Some(closed.number)
        });
        let Some(frame) = under_way.and_then(|rounds| rounds.frames.last().copied()) else {
            return Err(format!(
                "round {} of `{}` is not under way",
                closed.number, closed.step
            ));
        };
        if self.frame(frame).is_none_or(|frame| !frame.all_settled()) {
            return Err(format!(
                "steps of round {} of `{}` have not settled",
                closed.number, closed.step
            ));
        }
        let state = self.expect(&closed.step, &[StepStatus::Running])?;
        if let Some(rounds) = &mut state.rounds {
            rounds.closed.push(Arc::new(closed.clone()));
        }
        Ok(())
    }
}
