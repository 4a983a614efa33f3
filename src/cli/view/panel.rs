//! Who may answer a question, how far it is, how long there is time: as rows for people, and as a document.

use serde_json::{Value, json};

use super::Frame;
use super::text::{line, time};
use crate::approval::{Answer, Denied, Voter};
use crate::cli::edit::NOBODY;
use crate::plan::OnTimeout;
use crate::run::{ApprovalState, RunState, may_answer};

/// Somebody who may want to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct You {
    /// The name.
    pub(in crate::cli) name: String,
    /// The roles that config.yml gives to it.
    pub(in crate::cli) roles: Vec<String>,
}

impl You {
    pub(in crate::cli) fn may(
        &self,
        state: &RunState,
        asked: &ApprovalState,
        answer: Answer,
    ) -> Result<(), Denied> {
        let voter = Voter {
            name: &self.name,
            roles: &self.roles,
        };
        may_answer(state, asked, voter, answer)
    }

    /// What this person may do with the question.
    pub(in crate::cli) fn document(&self, state: &RunState, asked: &ApprovalState) -> Value {
        let all = Answer::ALL.into_iter();
        let answers = all.filter(|answer| self.may(state, asked, *answer).is_ok());
        let denied = self.may(state, asked, Answer::Approve).err();
        json!({
            "person": self.name,
            "roles": self.roles,
            "answers": answers.collect::<Vec<_>>(),
            "denied": denied.map(|denied| json!({
                "code": denied.code(),
                "message": denied.to_string(),
            })),
        })
    }
}

/// Rows about the people and the time of a question; nothing of what goes without saying.
pub(super) fn facts(frame: &Frame<'_>, asked: &ApprovalState) -> Vec<(String, String)> {
    let (request, rules) = (&asked.request, &asked.request.rules);
    let mut facts = Vec::new();
    let mut fact = |name: &str, text: String| facts.push((name.to_owned(), line(&text)));
    if let Some(people) = &rules.people {
        fact("reviewers", people.told());
    } else if let Some(text) = &request.reviewers {
        fact("reviewers", text.clone());
    }
    if asked.escalated.is_some()
        && let Some(people) = &rules.escalate_to
    {
        fact("and now", people.told());
    }
    let tally = asked.tally();
    if rules.required > 1 || !tally.yes.is_empty() {
        fact("yes", count(tally.yes.iter(), rules.required));
    }
    if rules.reject_quorum > 1 || !tally.no.is_empty() {
        fact("no", count(tally.no.iter(), rules.reject_quorum));
    }
    if let Some(until) = asked.expires_at() {
        let then = match rules.on_timeout {
            OnTimeout::Fail => "then the step fails",
            OnTimeout::Escalate if asked.escalated.is_none() => "then more people are asked",
            OnTimeout::Reject | OnTimeout::Escalate => "then it counts as a no",
        };
        fact("until", format!("{}, {then}", time(until)));
    }
    if asked.reminded > 0 {
        fact("reminders", asked.reminded.to_string());
    }
    if !rules.allow_self || rules.people.is_some() {
        let may = frame.you.may(frame.state, asked, Answer::Approve);
        let text = may.map_or_else(|denied| denied.to_string(), |()| "may answer".to_owned());
        fact("you", text);
    }
    if frame.is_stuck(&request.approval) {
        fact("nobody", NOBODY.to_owned());
    }
    facts
}

fn count<'a>(people: impl ExactSizeIterator<Item = &'a &'a str>, needed: u32) -> String {
    let count = people.len();
    let names: Vec<&str> = people.copied().collect();
    if names.is_empty() {
        return format!("0 of {needed}");
    }
    format!("{count} of {needed}: {}", names.join(", "))
}
