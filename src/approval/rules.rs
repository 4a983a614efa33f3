//! The rules of one question as they stand when it is asked, and what the answers so far come to.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::OnTimeout;

/// A person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Not like this: something is to be made anew.
    #[serde(rename = "changes")]
    RequestChanges,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Reject, Self::RequestChanges];

    /// The word in files and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::RequestChanges => "changes",
        }
    }
}

/// People by name and by role, with nothing left to evaluate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Names of people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Roles of config.yml.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

impl People {
    /// Whether a person with these roles is one of them.
    #[must_use]
    pub fn include(&self, name: &str, roles: &[String]) -> bool {
        self.users.iter().any(|user| user == name)
            || self.roles.iter().any(|role| roles.contains(role))
    }

    /// In words: "ada, everybody with the role shift_lead".
    #[must_use]
    pub fn told(&self) -> String {
        let roles = self.roles.iter();
        let roles = roles.map(|role| format!("everybody with the role {role}"));
        let names: Vec<String> = self.users.iter().cloned().chain(roles).collect();
        if names.is_empty() {
            return "nobody".to_owned();
        }
        names.join(", ")
    }
}

/// Who may answer a question, how many must, and how long there is time. The default is that of a question
/// that says nothing, and of histories from before there were rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Who may answer; none = everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<People>,
    /// How many different people must say yes.
    pub required: u32,
    /// How many must say no until it is a no.
    pub reject_quorum: u32,
    /// Whether the person who started the run may answer.
    pub allow_self: bool,
    /// How long after it was asked people are reminded, in milliseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remind_ms: Vec<u64>,
    /// How long there is time to answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What the end of that time means.
    pub on_timeout: OnTimeout,
    /// Who may answer, beside the others, once it was escalated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate_to: Option<People>,
    /// Channels of config.yml that hear of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            people: None,
            required: 1,
            reject_quorum: 1,
            allow_self: true,
            remind_ms: Vec::new(),
            timeout_ms: None,
            on_timeout: OnTimeout::default(),
            escalate_to: None,
            notify: Vec::new(),
        }
    }
}

impl Rules {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// How long there is time to answer.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// The same people, one of whom is enough, without a limit of time.
    #[must_use]
    pub fn one_of_them(&self) -> Self {
        Self {
            people: self.people.clone(),
            allow_self: self.allow_self,
            notify: self.notify.clone(),
            ..Self::default()
        }
    }
}

/// What the answers so far come to. Of each person only the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally<'a> {
    /// Who says yes.
    pub yes: BTreeSet<&'a str>,
    /// Who says no.
    pub no: BTreeSet<&'a str>,
    /// Who asked for changes.
    pub changes: Option<&'a str>,
}

impl<'a> Tally<'a> {
    /// Counts answers, oldest first.
    pub fn of(answers: impl IntoIterator<Item = (&'a str, Answer)>) -> Self {
        let mut tally = Self::default();
        for (person, answer) in answers {
            tally.yes.remove(person);
            tally.no.remove(person);
            match answer {
                Answer::Approve => {
                    tally.yes.insert(person);
                }
                Answer::Reject => {
                    tally.no.insert(person);
                }
                Answer::RequestChanges => tally.changes = Some(person),
            }
        }
        tally
    }

    /// The answer of all, once there is one.
    #[must_use]
    pub fn decided(&self, rules: &Rules) -> Option<Answer> {
        let reached = |people: &BTreeSet<&str>, needed: u32| {
            people.len() >= usize::try_from(needed.max(1)).unwrap_or(usize::MAX)
        };
        if self.changes.is_some() {
            Some(Answer::RequestChanges)
        } else if reached(&self.no, rules.reject_quorum) {
            Some(Answer::Reject)
        } else if reached(&self.yes, rules.required) {
            Some(Answer::Approve)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer::{Approve, Reject, RequestChanges};
    use super::*;

    fn decided(required: u32, reject_quorum: u32, answers: &[(&str, Answer)]) -> Option<Answer> {
        let rules = Rules {
            required,
            reject_quorum,
            ..Rules::default()
        };
        Tally::of(answers.iter().copied()).decided(&rules)
    }

    #[test]
    fn only_the_newest_answer_of_each_person_counts() {
        assert_eq!(decided(1, 1, &[]), None);
        assert_eq!(decided(1, 1, &[("ada", Approve)]), Some(Approve));
        assert_eq!(decided(2, 1, &[("ada", Approve), ("ada", Approve)]), None);
        assert_eq!(
            decided(2, 1, &[("ada", Approve), ("bob", Approve)]),
            Some(Approve)
        );
        assert_eq!(
            decided(2, 1, &[("ada", Approve), ("ada", Reject)]),
            Some(Reject)
        );
        assert_eq!(
            decided(2, 2, &[("ada", Reject), ("ada", Approve), ("bob", Reject)]),
            None
        );
        assert_eq!(
            decided(3, 2, &[("ada", Reject), ("bob", Reject)]),
            Some(Reject)
        );
        assert_eq!(
            decided(2, 2, &[("ada", Approve), ("bob", RequestChanges)]),
            Some(RequestChanges)
        );
        assert_eq!(decided(0, 0, &[]), None, "nobody is never enough");
    }
}
