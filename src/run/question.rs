//! A question of a run and what became of it.

use std::collections::BTreeSet;

use super::payload::{ApprovalEscalated, ApprovalRequested, ApprovalVoted, Closed};
use super::state::RunState;
use crate::approval::{self, Answer, Asked, Denied, Tally, Voter};
use crate::time::Timestamp;

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
    let request = &asked.request;
    let question = Asked {
        rules: &request.rules,
        starter: state.starter.as_deref(),
        escalated: asked.escalated.is_some(),
        changes_left: request.changes.as_ref().map(|_| request.changes_left),
    };
    approval::authorize(&question, voter, answer)
}
