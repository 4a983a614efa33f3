//! Which names exist where.

use indexmap::IndexMap;

use super::draft::Site;
use super::yaml::Report;
use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::plan::{Field, HandlerKind};

const RUN: [&str; 6] = [
    "id",
    "scheduled_at",
    "started_at",
    "trigger",
    "interval_start",
    "interval_end",
];
/// What handlers know of the run beside that.
const RUN_IN_HANDLERS: &str = "summary";
/// What is known of a run before it begins.
const RUN_BEFORE: [&str; 2] = ["scheduled_at", "started_at"];
const WORKFLOW: [&str; 2] = ["name", "version"];
/// The question in the handler `waiting`.
const APPROVAL: [&str; 4] = ["title", "url", "step", "deadline"];
/// The failure in handlers.
const FAILURE: [&str; 8] = [
    "step",
    "kind",
    "code",
    "message",
    "hint",
    "attempt",
    "traceback",
    "event",
];
/// What the name of a round in an until stands for.
pub(super) const ROUND: [&str; 2] = ["index", "previous"];
/// Names that exist in some places only, and where.
const ELSEWHERE: [(&str, &str); 6] = [
    ("changes", "in the steps of the workflow"),
    ("check", "in `approve_code.when`"),
    ("approval", "in the handler `waiting`"),
    ("failure", IN_FAILURES),
    ("failures", IN_FAILURES),
    ("round", "in the steps of an `until`"),
];
const IN_FAILURES: &str = "in the handlers failure, reject, cancel and finish";
/// Names that no loop can have.
const RESERVED: [&str; 10] = [
    "inputs", "steps", "run", "workflow", "check", "approval", "failure", "failures", "secrets",
    "changes",
];

/// Whether a loop can't have this name, since it means something by itself.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// A place where an expression stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here {
    pub(super) site: Site,
    /// The handler around it.
    pub(super) handler: Option<HandlerKind>,
}

impl Here {
    /// The first names of expressions there, the names of loops left out.
    fn roots(self) -> Vec<&'static str> {
        let mut roots = match self.site {
            Site::Step | Site::ArmSet { .. } | Site::LoopBody | Site::ItemKey => {
                vec!["inputs", "steps", "run", "workflow", "changes"]
            }
            Site::ApproveCode => vec!["check", "inputs", "steps", "run", "workflow", "changes"],
            Site::RunOutput => vec!["inputs", "steps", "run", "workflow"],
            Site::RunStart => vec!["inputs", "run", "workflow"],
            Site::InputDefault => vec!["run"],
        };
        match self.handler {
            Some(HandlerKind::Waiting) => roots.push("approval"),
            Some(
                HandlerKind::Failure
                | HandlerKind::Reject
                | HandlerKind::Cancel
                | HandlerKind::Finish,
            ) => roots.extend(["failure", "failures"]),
            Some(HandlerKind::Success) | None => {}
        }
        roots
    }

    /// Whether expressions there can begin with this name.
    pub(super) fn knows(self, root: &str) -> bool {
        self.roots().contains(&root)
    }

    /// Checks a reference to anything but a step, whose first name is known.
    pub(super) fn check(
        self,
        report: &mut Report<'_>,
        inputs: &IndexMap<String, Field>,
        span: Span,
        (root, path): (&str, &[String]),
    ) {
        let mut run: Vec<&str> = match self.site {
            Site::InputDefault => RUN_BEFORE.to_vec(),
            Site::Step
            | Site::ArmSet { .. }
            | Site::LoopBody
            | Site::ItemKey
            | Site::ApproveCode
            | Site::RunStart
            | Site::RunOutput => RUN.to_vec(),
        };
        if self.handler.is_some() {
            run.push(RUN_IN_HANDLERS);
        }
        let (parts, code, what): (Vec<&str>, Code, &str) = match root {
            "inputs" => (
                inputs.keys().map(String::as_str).collect(),
                code::UNKNOWN_INPUT,
                "there is no input",
            ),
            "run" => (run, code::UNKNOWN_FIELD, "`run` has no"),
            "workflow" => (WORKFLOW.to_vec(), code::UNKNOWN_FIELD, "`workflow` has no"),
            "approval" => (APPROVAL.to_vec(), code::UNKNOWN_FIELD, "`approval` has no"),
            "failure" => (FAILURE.to_vec(), code::UNKNOWN_FIELD, "`failure` has no"),
            _ => return,
        };
        let Some(part) = path.first().filter(|part| !parts.contains(&part.as_str())) else {
            return;
        };
        if root == "run" && part == RUN_IN_HANDLERS {
            let message = "`run.summary` exists only in handlers";
            let help = "a summary can be told when the run ends: `handlers: {finish: […]}`";
            report.error_with(code::UNKNOWN_FIELD, span, message, help);
            return;
        }
        unknown_part(report, span, (code, what), (part, &parts));
    }

    /// Reports a first name that does not exist there; `meant` is what the author had in mind, when it is
    /// plain, `loops` are the names of loops in scope.
    pub(super) fn unknown_root(
        self,
        report: &mut Report<'_>,
        span: Span,
        root: &str,
        (meant, loops): (Option<String>, Vec<String>),
    ) {
        let known: Vec<&str> = loops
            .iter()
            .map(String::as_str)
            .chain(self.roots())
            .collect();
        let mut fault = Diagnostic::error(
            code::UNKNOWN_NAME,
            format!("the name `{root}` does not exist here"),
        );
        let near = || did_you_mean(root, known.iter().copied()).map(str::to_owned);
        let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == root);
        fault = match (meant, elsewhere) {
            (Some(near), _) => fault.help(format!("did you mean `{near}`?")),
            (None, Some((name, place))) => fault.help(format!("`{name}` exists only {place}")),
            (None, None) => match near() {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("in scope are: {}", known.join(", "))),
            },
        };
        report.add(span, fault);
    }
}

/// Reports a part that something does not have, and those that it has.
pub(super) fn unknown_part(
    report: &mut Report<'_>,
    span: Span,
    (code, what): (Code, &str),
    (part, known): (&str, &[&str]),
) {
    let mut fault = Diagnostic::error(code, format!("{what} `{part}`"));
    if let Some(near) = did_you_mean(part, known.iter().copied()) {
        fault = fault.help(format!("did you mean `{near}`?"));
    } else if !known.is_empty() {
        fault = fault.help(format!("there is: {}", known.join(", ")));
    }
    report.add(span, fault);
}
