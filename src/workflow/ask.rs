//! The rules of a question: who may answer, how many must, how long there is time.

use std::time::Duration;

use super::compiler::Compiler;
use super::installed::Sort;
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{keys, quantity};
use crate::code;
use crate::expression::Template;
use crate::plan::{AskRules, NamedReviewers, OnTimeout, Reviewers};

/// Most people that a question can ask for.
pub(super) const PEOPLE_MAX: u32 = 100;

pub(super) const ON_TIMEOUT: [(&str, OnTimeout); 3] = [
    ("reject", OnTimeout::Reject),
    ("fail", OnTimeout::Fail),
    ("escalate", OnTimeout::Escalate),
];

impl Compiler<'_, '_> {
    /// What questions of the author and questions about code have in common.
    pub(super) fn ask_rules(&mut self, fields: Fields<'_>, uses: &mut Uses<'_>) -> AskRules {
        let reviewers = fields
            .get("reviewers")
            .and_then(|node| self.reviewers(node, uses));
        let escalate_to = fields
            .get("escalate_to")
            .and_then(|node| self.escalate_to(node, uses));
        let notify = fields
            .get("notify")
            .map(|node| self.plain_names(node, Sort::Channel));
        let remind = fields.get("remind").map(|node| self.remind(node));
        let report = &mut self.report;
        let mut people = |key| {
            fields
                .get(key)
                .and_then(|node| yaml::whole(report, node, 1, PEOPLE_MAX))
        };
        let (required, reject_quorum) = (people("required"), people("reject_quorum"));
        let rules = AskRules {
            reviewers,
            required: required.unwrap_or(1),
            reject_quorum: reject_quorum.unwrap_or(1),
            allow_self: fields
                .get("allow_self")
                .and_then(|node| yaml::boolean(report, node)),
            remind: remind.unwrap_or_default(),
            timeout: fields
                .get("timeout")
                .and_then(|node| quantity::duration(report, node)),
            on_timeout: fields
                .get("on_timeout")
                .and_then(|node| yaml::word(report, node, &ON_TIMEOUT))
                .unwrap_or_default(),
            escalate_to,
            notify: notify.unwrap_or_default(),
        };
        self.check_time_to_answer(fields, &rules);
        self.check_enough_people(fields, &rules);
        rules
    }

    /// Who may answer: text for people, a list of names, or names and roles.
    fn reviewers(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Reviewers> {
        match node.kind {
            Kind::Text { .. } => self.text_template(node, uses).map(Reviewers::Text),
            Kind::List(_) | Kind::Map(_) => self.named_reviewers(node, uses).map(Reviewers::Named),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {
                let help = "write `{roles: [shift_lead], users: [m.beam]}`, a list of names, or text for people";
                yaml::wrong_type_with(&mut self.report, node, "reviewers", Some(help));
                None
            }
        }
    }

    fn escalate_to(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Reviewers> {
        if matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
            return self.named_reviewers(node, uses).map(Reviewers::Named);
        }
        let help = "write `{roles: [head_of_shift]}` or a list of names";
        yaml::wrong_type_with(&mut self.report, node, "names and roles", Some(help));
        None
    }

    fn named_reviewers(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<NamedReviewers> {
        let named = if matches!(node.kind, Kind::List(_)) {
            NamedReviewers {
                users: self.text_templates(node, "a name", uses),
                roles: Vec::new(),
            }
        } else {
            let fields = yaml::fields(&mut self.report, node, &keys::REVIEWERS)?;
            NamedReviewers {
                users: fields
                    .get("users")
                    .map_or_else(Vec::new, |node| self.text_templates(node, "a name", uses)),
                roles: fields
                    .get("roles")
                    .map_or_else(Vec::new, |node| self.plain_names(node, Sort::Role)),
            }
        };
        let nobody = match &node.kind {
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries
                .iter()
                .all(|entry| matches!(&entry.node.kind, Kind::List(items) if items.is_empty())),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text { .. } => false,
        };
        if nobody {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                "nobody is named, so nobody could answer",
                "name people or roles; without the key everybody may answer",
            );
        }
        Some(named)
    }

    /// When people are reminded: one duration, or several, each longer than the one before it.
    fn remind(&mut self, node: &Node) -> Vec<Duration> {
        let Kind::List(items) = &node.kind else {
            return quantity::duration(&mut self.report, node)
                .into_iter()
                .collect();
        };
        let mut remind: Vec<Duration> = Vec::new();
        for item in items {
            let Some(after) = quantity::duration(&mut self.report, item) else {
                continue;
            };
            if remind.last().is_some_and(|before| *before >= after) {
                self.report.error_with(
                    code::BAD_VALUE,
                    item.span,
                    "a reminder that is not later than the one before it",
                    "all of them count from the moment of the question: `[2h, 8h]`",
                );
            }
            remind.push(after);
        }
        remind
    }

    /// Keys that need a time to answer, and that fit together.
    fn check_time_to_answer(&mut self, fields: Fields<'_>, rules: &AskRules) {
        if let Some(entry) = fields.entry("on_timeout")
            && fields.get("timeout").is_none()
        {
            self.report.error_with(
                code::MISSING_KEY,
                entry.key_span,
                "`on_timeout` needs the key `timeout`",
                "without it there is no end of the time to answer: `timeout: 12h`",
            );
        }
        let escalates = rules.on_timeout == OnTimeout::Escalate;
        match (fields.entry("on_timeout"), fields.entry("escalate_to")) {
            (Some(entry), None) if escalates => self.report.error_with(
                code::MISSING_KEY,
                entry.node.span,
                "`on_timeout: escalate` needs the key `escalate_to`",
                "say who may answer then: `escalate_to: {roles: [head_of_shift]}`",
            ),
            (_, Some(entry)) if !escalates => self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                "`escalate_to` does nothing without `on_timeout: escalate`",
                "write `on_timeout: escalate`, or leave it out",
            ),
            (Some(_) | None, Some(_) | None) => {}
        }
        if let (Some(node), Some(timeout), Some(last)) =
            (fields.get("remind"), rules.timeout, rules.remind.last())
            && !escalates
            && *last >= timeout
        {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                "a reminder that comes when the time to answer is over",
                "reminders are shorter than `timeout`",
            );
        }
    }

    /// More answers than people could never be given.
    fn check_enough_people(&mut self, fields: Fields<'_>, rules: &AskRules) {
        let Some(Reviewers::Named(named)) = &rules.reviewers else {
            return;
        };
        let fixed = named
            .users
            .iter()
            .all(|user| matches!(user, Template::Literal(_)));
        if !named.roles.is_empty() || named.users.is_empty() || !fixed {
            return;
        }
        if rules.escalate_to.is_some() {
            return;
        }
        let people = u32::try_from(named.users.len()).unwrap_or(u32::MAX);
        for (key, count) in [
            ("required", rules.required),
            ("reject_quorum", rules.reject_quorum),
        ] {
            if let Some(node) = fields.get(key).filter(|_| count > people) {
                self.report.error_with(
                    code::BAD_VALUE,
                    node.span,
                    format!("`{key}: {count}` can never be met: only {people} may answer"),
                    "name more people, or a role",
                );
            }
        }
    }

    /// A list of names that are the same in every run.
    fn plain_names(&mut self, node: &Node, sort: Sort) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in yaml::texts(&mut self.report, node).unwrap_or_default() {
            if name.trim().is_empty() || name.contains("${{") {
                let message = format!("`{name}` can't be the name of a {}", sort.word());
                let help = "it is fixed text of config.yml, without expressions";
                self.report
                    .error_with(code::BAD_VALUE, node.span, message, help);
            } else if names.contains(&name) {
                self.report.error(
                    code::BAD_VALUE,
                    node.span,
                    format!("`{name}` is named twice"),
                );
            } else {
                names.push(name);
            }
        }
        if let Kind::List(items) = &node.kind {
            for item in items {
                if let Some(name) = item.text() {
                    self.check_installed(sort, name, item.span);
                }
            }
        }
        names
    }

    /// A list of texts that may hold expressions.
    pub(super) fn text_templates(
        &mut self,
        node: &Node,
        what: &str,
        uses: &mut Uses<'_>,
    ) -> Vec<Template> {
        let Kind::List(items) = &node.kind else {
            let help = node
                .text()
                .map(|text| format!("write it in brackets: [{text}]"));
            yaml::wrong_type_with(&mut self.report, node, "a list", help.as_deref());
            return Vec::new();
        };
        let mut texts: Vec<Template> = Vec::new();
        for item in items {
            let Some(text) = self.text_template(item, uses) else {
                continue;
            };
            if let Template::Literal(value) = &text {
                if value.as_str().is_some_and(|text| text.trim().is_empty()) {
                    let message = format!("{what} can't be empty");
                    self.report.error(code::BAD_VALUE, item.span, message);
                }
                if texts.contains(&text) {
                    let message = format!("{value} is named twice");
                    self.report.error(code::BAD_VALUE, item.span, message);
                }
            }
            texts.push(text);
        }
        texts
    }
}
