//! The decision about a run, its handlers, and messages about its questions in the fold.

use std::sync::Arc;

use super::Applied;
use crate::plan::{Body, HandlerKind};
use crate::run::event::RunCancelRequested;
use crate::run::frame::{FrameKind, Stop};
use crate::run::handler::{HandlerState, specific};
use crate::run::payload::{HandlerEnded, HandlerNamed, NotificationSent, RunDecided};
use crate::run::state::RunState;
use crate::time::Timestamp;

impl RunState {
    pub(super) fn decided(&mut self, decided: &RunDecided) -> Applied {
        if !self.all_settled() {
            return Err("not every step has settled".to_owned());
        }
        if !decided.status.is_terminal() {
            return Err(format!("a run does not end {}", decided.status.as_str()));
        }
        match self.decided.replace(Arc::new(decided.clone())) {
            Some(_) => Err("the run is decided already".to_owned()),
            None => Ok(()),
        }
    }

    pub(super) fn cancel_requested(&mut self, request: &RunCancelRequested) -> Applied {
        if self.decided.is_some() {
            return Err("the run is decided".to_owned());
        }
        self.cancel.get_or_insert_with(|| request.reason.clone());
        // What is left to do is the end and its handlers; nobody holds those.
        self.paused = None;
        self.forget_rewinds();
        self.stop_frame(0, Stop::Cancelled)
    }

    pub(super) fn handler_started(&mut self, named: &HandlerNamed, at: Timestamp) -> Applied {
        let word = named.kind.as_str();
        if self.handlers.iter().any(|known| known.named == *named) {
            return Err(format!("handler `{word}` was started already"));
        }
        let status = self.decided.as_ref().map(|decided| decided.status);
        let due = match (named.kind, &named.about) {
            (HandlerKind::Waiting, Some(asked)) => self.approvals.contains_key(asked),
            (HandlerKind::Waiting, None) | (_, Some(_)) => false,
            (HandlerKind::Finish, None) => status.is_some(),
            (kind, None) => status.and_then(specific) == Some(kind),
        };
        if !due || self.plan.handlers.of(named.kind).is_empty() {
            return Err(format!("handler `{word}` has nothing to do"));
        }
        let kind = FrameKind::Handler {
            kind: named.kind,
            about: named.about.clone(),
        };
        let former = self.revive_handler(&kind, at);
        let frame =
            former.unwrap_or_else(|| self.open_frame(Body::Handler(named.kind), kind, None, at));
        self.handlers.push(HandlerState {
            named: named.clone(),
            frame,
            started_at: at,
            timed_out: false,
            ended: None,
        });
        Ok(())
    }

    fn open_handler(&mut self, named: &HandlerNamed) -> Result<&mut HandlerState, String> {
        let mut open = self.handlers.iter_mut();
        open.find(|known| known.named == *named && known.ended.is_none())
            .ok_or_else(|| format!("handler `{}` is not under way", named.kind.as_str()))
    }

    pub(super) fn handler_timed_out(&mut self, named: &HandlerNamed) -> Applied {
        let handler = self.open_handler(named)?;
        handler.timed_out = true;
        let frame = handler.frame;
        self.stop_frame(frame, Stop::Timeout)
    }

    pub(super) fn handler_ended(&mut self, ended: &HandlerEnded, at: Timestamp) -> Applied {
        let frame = self.open_handler(&ended.handler)?.frame;
        if self.frame(frame).is_none_or(|frame| !frame.all_settled()) {
            return Err("not every step of the handler has settled".to_owned());
        }
        self.open_handler(&ended.handler)?.ended = Some((at, ended.failure.clone()));
        Ok(())
    }

    pub(super) fn notification_sent(&mut self, sent: &NotificationSent) -> Applied {
        let Some(asked) = self.approvals.get_mut(&sent.approval) else {
            return Err(format!("{} was never asked", sent.approval));
        };
        let new = asked
            .told
            .insert((sent.occasion.clone(), sent.channel.clone()));
        if new {
            Ok(())
        } else {
            Err(format!("`{}` was told already", sent.channel))
        }
    }
}
