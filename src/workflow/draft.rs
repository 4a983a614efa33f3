//! A step while its workflow is still being read: the plan's step, and what its edges will be made of.

use crate::diagnostic::Span;
use crate::expression::Reference;
use crate::plan::Step;

/// A step whose edges are not known yet.
#[derive(Debug)]
pub(super) struct Draft {
    /// The step, without edges.
    pub(super) step: Step,
    /// Where its id stands.
    pub(super) id_span: Span,
    /// `needs:`, when written.
    pub(super) needs: Option<Vec<Named>>,
    /// `after:`, when written.
    pub(super) after: Option<Vec<Named>>,
    /// The step before it in its list.
    pub(super) previous: Option<usize>,
    /// The arm around it.
    pub(super) around: Option<Around>,
    /// What its expressions refer to.
    pub(super) uses: Vec<Use>,
}

/// The arm around a nested step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Around {
    /// The position of the switch among the drafts.
    pub(super) switch: usize,
    /// The position of the arm in the switch.
    pub(super) arm: usize,
    /// The name of the arm.
    pub(super) name: String,
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
    /// In `approve_code.when`, which also sees `check`.
    ApproveCode,
    /// In the default of an input, evaluated before the run begins.
    InputDefault,
    /// In what decides whether the run may begin: its inputs are known, none of its steps is.
    RunStart,
    /// In the outputs of the run.
    RunOutput,
}
