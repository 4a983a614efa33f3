//! A question of a run and what became of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::payload::{ApprovalEscalated, ApprovalRequested, ApprovalVoted, Closed};
use super::state::RunState;
use crate::approval::{self, Answer, Asked, Denied, Tally, Voter};
use crate::id::ApprovalId;
use crate::time::Timestamp;

/// The questions of a run, in order. Cheap to clone, and quick to say which are open: a run may have asked thousands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Questions {
    all: Arc<IndexMap<ApprovalId, Arc<ApprovalState>>>,
    /// Places of those that are open.
    open: BTreeSet<usize>,
}

impl Questions {
    /// A question.
    #[must_use]
    pub fn get(&self, id: &ApprovalId) -> Option<&ApprovalState> {
        self.all.get(id).map(Arc::as_ref)
    }

    /// Whether it was asked.
    #[must_use]
    pub fn contains_key(&self, id: &ApprovalId) -> bool {
        self.all.contains_key(id)
    }

    /// All ids, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &ApprovalId> {
        self.all.keys()
    }

    /// All questions, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &ApprovalState> {
        self.all.values().map(Arc::as_ref)
    }

    /// Those that are open, in order.
    pub fn open(&self) -> impl Iterator<Item = &ApprovalState> {
        let open = self.open.iter();
        open.filter_map(|place| Some(self.all.get_index(*place)?.1.as_ref()))
    }

    /// How many were asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn ask(&mut self, request: ApprovalRequested, at: Timestamp) {
        let id = request.approval.clone();
        let asked = Arc::new(ApprovalState::new(request, at));
        let (place, _) = Arc::make_mut(&mut self.all).insert_full(id, asked);
        self.open.insert(place);
    }

    pub(super) fn get_mut(&mut self, id: &ApprovalId) -> Option<&mut ApprovalState> {
        Arc::make_mut(&mut self.all).get_mut(id).map(Arc::make_mut)
    }

    pub(super) fn close(&mut self, id: &ApprovalId, how: (Closed, String, Timestamp)) {
        let all = Arc::make_mut(&mut self.all);
        if let Some((place, _, asked)) = all.get_full_mut(id) {
            Arc::make_mut(asked).closed = Some(how);
            self.open.remove(&place);
        }
    }
}

/// A question and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalState {
    /// What was asked.
    pub request: ApprovalRequested,
    /// When.
    pub requested_at: Timestamp,
    /// The answers, in order.
    pub votes: Vec<(Timestamp, ApprovalVoted)>,
    /// How many of the instants at which people are reminded have passed, since it was asked or escalated.
    pub reminded: u32,
    /// Since when more people may answer.
    pub escalated: Option<(Timestamp, ApprovalEscalated)>,
    /// How it was decided, by whom, when.
    pub closed: Option<(Closed, String, Timestamp)>,
    /// On which occasions which channels were told of it.
    pub told: BTreeSet<(String, String)>,
}

impl ApprovalState {
    pub(super) fn new(request: ApprovalRequested, requested_at: Timestamp) -> Self {
        Self {
            request,
            requested_at,
            votes: Vec::new(),
            reminded: 0,
            escalated: None,
            closed: None,
            told: BTreeSet::new(),
        }
    }

    /// What the answers come to.
    #[must_use]
    pub fn tally(&self) -> Tally<'_> {
        let votes = self.votes.iter();
        Tally::of(votes.map(|(_, vote)| (vote.person.as_str(), vote.answer)))
    }

    /// What the answers decide, and whose answer was the last that it took.
    #[must_use]
    pub fn decided(&self) -> Option<(Closed, &str)> {
        let answer = self.tally().decided(&self.request.rules)?;
        Some((answer.into(), &self.last(answer)?.person))
    }

    /// The newest answer of this kind.
    #[must_use]
    pub fn last(&self, answer: Answer) -> Option<&ApprovalVoted> {
        let mut votes = self.votes.iter().rev().map(|(_, vote)| vote);
        votes.find(|vote| vote.answer == answer)
    }

    /// The newest answer of a person.
    #[must_use]
    pub fn answer_of(&self, person: &str) -> Option<&ApprovalVoted> {
        let mut votes = self.votes.iter().rev().map(|(_, vote)| vote);
        votes.find(|vote| vote.person == person)
    }

    /// When people are reminded.
    #[must_use]
    pub fn remind_at(&self) -> &[Timestamp] {
        let escalated = self.escalated.as_ref();
        escalated.map_or(&self.request.remind_at, |(_, escalated)| {
            &escalated.remind_at
        })
    }

    /// When the time to answer is over.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let escalated = self.escalated.as_ref();
        escalated.map_or(self.request.expires_at, |(_, escalated)| {
            escalated.expires_at
        })
    }

    /// The newest occasion to tell channels of it.
    #[must_use]
    pub fn occasion(&self) -> String {
        let opened = if self.escalated.is_some() {
            "escalated"
        } else {
            "asked"
        };
        match self.reminded {
            0 => opened.to_owned(),
            count => format!("{opened}, reminder {count}"),
        }
    }

    /// When something about it is due by itself.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.closed.is_some() {
            return None;
        }
        let passed = usize::try_from(self.reminded).unwrap_or(usize::MAX);
        let reminder = self.remind_at().get(passed).copied();
        reminder.into_iter().chain(self.expires_at()).min()
    }
}

/// Whether the code that a question is about was changed by a person since: nobody's yes is for it any more.
#[must_use]
pub(super) fn was_edited(state: &RunState, asked: &ApprovalState) -> bool {
    let request = &asked.request;
    let edits = state.step(&request.step).map(|(_, step)| &step.edits);
    let mut edits = edits.into_iter().flatten();
    edits.any(|edit| edit.approval == request.approval)
}

/// Whether this person may give this answer to this question now.
///
/// # Errors
/// She may not, and why.
pub fn may_answer(
    state: &RunState,
    asked: &ApprovalState,
    voter: Voter<'_>,
    answer: Answer,
) -> Result<(), Denied> {
    approval::authorize(&question(state, asked), voter, answer)
}

/// Whether fewer people than must say yes to it may; `people` says who has a role. `editor` is who changes its code now.
#[must_use]
pub fn nobody_may_approve(
    state: &RunState,
    asked: &ApprovalState,
    editor: Option<&str>,
    people: &dyn Fn(&str) -> Vec<String>,
) -> bool {
    let mut question = question(state, asked);
    question.editor = editor.or(question.editor);
    approval::nobody_may_approve(&question, people)
}

fn question<'a>(state: &'a RunState, asked: &'a ApprovalState) -> Asked<'a> {
    let request = &asked.request;
    Asked {
        rules: &request.rules,
        starter: state.starter.as_deref(),
        editor: request.edited_by.as_deref(),
        escalated: asked.escalated.is_some(),
        changes_left: request.changes.as_ref().map(|_| request.changes_left),
    }
}
