//! Whether a person may answer a question: the one function that says so, for the command line, for lists and
//! for whatever else lets people answer.

use std::collections::BTreeSet;

use super::rules::{Answer, People, Rules};
use crate::code::{self, Code};

/// A person who would answer. Whoever sits at the keyboard for somebody else is in the record, but it is the
/// person spoken for who must be allowed to: only the owner of a store can open it at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voter<'a> {
    /// The name.
    pub name: &'a str,
    /// The roles that config.yml gives to that name.
    pub roles: &'a [String],
}

/// A question as far as it matters for who may answer it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked<'a> {
    /// Its rules.
    pub rules: &'a Rules,
    /// Who started the run, if a person did.
    pub starter: Option<&'a str>,
    /// Who changed the code that it is about, if a person did.
    pub editor: Option<&'a str>,
    /// Whether it was escalated.
    pub escalated: bool,
    /// How often changes may still be asked for; `None` = this question can't be sent back.
    pub changes_left: Option<u32>,
}

/// Why somebody may not give an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The question is for others.
    #[error("{person} is not asked: this question is for {people}")]
    NotAReviewer {
        /// Who wanted to answer.
        person: String,
        /// Who may, in words.
        people: String,
    },
    /// Who started the run may not answer its questions.
    #[error("{person} started this run, and this question must be answered by somebody else")]
    SelfApproval {
        /// Who wanted to answer.
        person: String,
    },
    /// Who changed the code may not approve it.
    #[error("{person} changed this code, and somebody else must say yes to it")]
    OwnEdit {
        /// Who wanted to answer.
        person: String,
    },
    /// Nothing can be made anew.
    #[error("changes can't be asked for here: {reason}")]
    NoChanges {
        /// Why.
        reason: &'static str,
    },
    /// An answer is somebody's.
    #[error("an answer needs the name of a person")]
    Nobody,
}

impl Denied {
    /// Its code in the error catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotAReviewer { .. } | Self::Nobody => code::NOT_A_REVIEWER,
            Self::SelfApproval { .. } | Self::OwnEdit { .. } => code::SELF_APPROVAL,
            Self::NoChanges { .. } => code::NO_CHANGES_HERE,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAReviewer { .. } => {
                "ask one of them; who has a role is said by `roles` in config.yml"
            }
            Self::Nobody => "write --as NAME, or nothing to answer as yourself",
            Self::SelfApproval { .. } => {
                "ask somebody else; `stepwell cancel` stops the run without an answer"
            }
            Self::OwnEdit { .. } => "ask somebody else; you may say no, or change it again",
            Self::NoChanges { .. } => "answer with yes or no",
        }
    }
}

/// Whether this person may give this answer to this open question.
///
/// # Errors
/// She may not, and why.
pub fn authorize(asked: &Asked<'_>, voter: Voter<'_>, answer: Answer) -> Result<(), Denied> {
    if voter.name.trim().is_empty() {
        return Err(Denied::Nobody);
    }
    if !is_asked(asked, voter) {
        return Err(Denied::NotAReviewer {
            person: voter.name.to_owned(),
            people: told(asked),
        });
    }
    if !asked.rules.allow_self && asked.starter == Some(voter.name) {
        return Err(Denied::SelfApproval {
            person: voter.name.to_owned(),
        });
    }
    let own_edit = asked.editor == Some(voter.name) && answer == Answer::Approve;
    if !asked.rules.allow_self && own_edit {
        return Err(Denied::OwnEdit {
            person: voter.name.to_owned(),
        });
    }
    match (answer, asked.changes_left) {
        (Answer::Approve | Answer::Reject, _) | (Answer::RequestChanges, Some(1..)) => Ok(()),
        (Answer::RequestChanges, None) => Err(Denied::NoChanges {
            reason: "the question names no step that could be made anew (`on_changes`)",
        }),
        (Answer::RequestChanges, Some(0)) => Err(Denied::NoChanges {
            reason: "they were asked for as often as `max_changes` allows",
        }),
    }
}

/// Whether a yes can't come: the question is for certain people, and fewer of them than must say yes may, since who
/// started the run or changed the code is kept from it, or since there are no more. `people` says who has a role.
#[must_use]
pub fn nobody_may_approve(asked: &Asked<'_>, people: &dyn Fn(&str) -> Vec<String>) -> bool {
    if asked.rules.people.is_none() {
        return false;
    }
    let barred = match asked.rules.allow_self {
        true => [None, None],
        false => [asked.starter, asked.editor],
    };
    // Who is asked later counts: the time for it comes by itself.
    let all = asked.rules.people.iter().chain(&asked.rules.escalate_to);
    let names = all.flat_map(|group| {
        let roles = group.roles.iter().flat_map(|role| people(role));
        group.users.iter().cloned().chain(roles)
    });
    let able: BTreeSet<String> = names
        .filter(|name| !barred.contains(&Some(name.as_str())))
        .collect();
    able.len() < usize::try_from(asked.rules.required).unwrap_or(usize::MAX)
}

fn is_asked(asked: &Asked<'_>, voter: Voter<'_>) -> bool {
    let includes = |people: &People| people.include(voter.name, voter.roles);
    let reviewer = asked.rules.people.as_ref().is_none_or(includes);
    let later = asked.rules.escalate_to.as_ref().is_some_and(includes);
    reviewer || (asked.escalated && later)
}

fn told(asked: &Asked<'_>) -> String {
    let reviewers = asked.rules.people.iter();
    let later = asked.rules.escalate_to.iter();
    let later = later.filter(|_| asked.escalated);
    let people: Vec<String> = reviewers.chain(later).map(People::told).collect();
    people.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::People;

    #[test]
    fn a_yes_can_come_only_where_enough_people_may_say_it() {
        let roles = |role: &str| match role {
            "lead" => vec!["ada".to_owned()],
            "crew" => vec!["ada".to_owned(), "bob".to_owned()],
            _ => Vec::new(),
        };
        let asked_of = |role: &str| Rules {
            people: Some(People {
                roles: vec![role.to_owned()],
                ..People::default()
            }),
            allow_self: false,
            ..Rules::default()
        };
        let stuck = |rules: &Rules, (starter, editor)| {
            let asked = Asked {
                rules,
                starter,
                editor,
                escalated: false,
                changes_left: None,
            };
            nobody_may_approve(&asked, &roles)
        };
        let (ada, bob) = (Some("ada"), Some("bob"));
        for (role, required, who, expected) in [
            ("lead", 1, (bob, None), false),
            ("lead", 1, (ada, None), true),
            ("lead", 2, (None, None), true),
            ("crew", 2, (None, None), false),
            ("crew", 2, (ada, None), true),
            ("crew", 1, (ada, None), false),
            ("crew", 1, (ada, bob), true),
            ("none", 1, (None, None), true),
        ] {
            let rules = Rules {
                required,
                ..asked_of(role)
            };
            assert_eq!(stuck(&rules, who), expected, "{role} {required} {who:?}");
        }
        let anybody = Rules {
            required: 9,
            ..Rules::default()
        };
        assert!(
            !stuck(&anybody, (ada, bob)),
            "there may be any number of people"
        );
        let own = Rules {
            allow_self: true,
            ..asked_of("lead")
        };
        assert!(!stuck(&own, (ada, ada)));
    }
}
