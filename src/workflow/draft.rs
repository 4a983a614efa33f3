//! A step while its workflow is still being read: the plan's step, and what its edges will be made of.

use crate::diagnostic::Span;
use crate::expression::Reference;
use crate::plan::{HandlerKind, Step};

/// A step whose edges are not known yet.
#[derive(Debug)]
pub(super) struct Draft {
    /// The step, without edges.
    pub(super) step: Step,
    /// Where its id stands.
    pub(super) id_span: Span,
    /// Whether the id was made up for a step of a handler, so that nothing can refer to it.
    pub(super) unnamed: bool,
    /// `needs:`, when written.
    pub(super) needs: Option<Vec<Named>>,
    /// `after:`, when written.
    pub(super) after: Option<Vec<Named>>,
    /// `notebook.merge`.
    pub(super) merge: Vec<Named>,
    /// The step before it in its list.
    pub(super) previous: Option<usize>,
    /// What stands around it.
    pub(super) around: Option<Around>,
    /// What its expressions refer to.
    pub(super) uses: Vec<Use>,
}

impl Draft {
    /// A draft of which only the step is known.
    pub(super) fn new(step: Step, id_span: Span, around: Option<&Around>) -> Self {
        Self {
            step,
            id_span,
            unnamed: false,
            needs: None,
            after: None,
            merge: Vec::new(),
            previous: None,
            around: around.cloned(),
            uses: Vec::new(),
        }
    }
}

/// What stands around a nested step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Around {
    /// The position of the container among the drafts; none in a handler.
    pub(super) outer: Option<usize>,
    /// The position of the arm, the branch or the handler; 0 in a foreach and an until.
    pub(super) part: usize,
    /// What it is.
    pub(super) block: Block,
}

/// What a list of nested steps is to the container around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// The arm of a switch with this name.
    Arm(String),
    /// The branch of a parallel with this name.
    Branch(String),
    /// What a foreach does for every item; the item has this name.
    Item(String),
    /// What an until does in every round; the round has this name.
    Round(String),
    /// A handler.
    Handler(HandlerKind),
}

impl Block {
    /// The name of the arm, the branch or the handler; empty in a foreach and an until.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Arm(name) | Self::Branch(name) => name,
            Self::Item(_) | Self::Round(_) => "",
            Self::Handler(kind) => kind.as_str(),
        }
    }

    /// The name that the steps can use in expressions, in a foreach and an until.
    pub(super) fn loop_name(&self) -> Option<&str> {
        match self {
            Self::Item(name) | Self::Round(name) => Some(name),
            Self::Arm(_) | Self::Branch(_) | Self::Handler(_) => None,
        }
    }
}

/// The id of a step, written somewhere.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) span: Span,
}

/// A reference of an expression.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) reference: Reference,
    /// Where it stands in the file.
    pub(super) span: Span,
    pub(super) site: Site,
}

/// Where an expression stands; it decides which names are in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// In a step: `if`, `with`, `env`, a title, an arm's `when` …
    Step,
    /// In the `set` of an arm, which also sees the arm's own steps.
    ArmSet {
        /// The position of the arm in the switch.
        arm: usize,
    },
    /// In `collect` and `condition` of a loop, which also see the steps inside and the loop's own name.
    LoopBody,
    /// In the `key` of a foreach, which also sees the item, but no step inside.
    ItemKey,
    /// In `approve_code.when`, which also sees `check`.
    ApproveCode,
    /// In the default of an input, evaluated before the run begins.
    InputDefault,
    /// In what decides whether the run may begin: its inputs are known, none of its steps is.
    RunStart,
    /// In the outputs of the run.
    RunOutput,
}
