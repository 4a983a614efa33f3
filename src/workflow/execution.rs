//! Where code runs: `execution`, and what a step says of itself for the rules that decide it.

use super::compiler::Compiler;
use super::quantity;
use super::yaml::{self, Fields};
use crate::code;
use crate::plan::{Execution, ExecutionFacts, IsolationLevel, SecurityLevel};

impl Compiler<'_, '_> {
    /// `execution:` of a step or of the defaults.
    pub(super) fn execution(&mut self, fields: Fields<'_>) -> Option<Execution> {
        let node = fields.get("execution")?;
        yaml::word(&mut self.report, node, &Execution::WORDS)
    }

    /// Refuses a promise that nobody can keep: what stands around a kernel is known to whoever started it alone.
    pub(super) fn can_be_held(
        &mut self,
        fields: Fields<'_>,
        execution: Option<Execution>,
        isolation: Option<IsolationLevel>,
    ) {
        let required = isolation == Some(IsolationLevel::Require);
        if !required || execution != Some(Execution::Container) {
            return;
        }
        let node = fields.get("isolation").or(fields.get("execution"));
        let span = node.unwrap_or(fields.node()).span;
        self.report.error_with(
            code::CONFLICTING_KEYS,
            span,
            "`isolation: require` can't be held in a container",
            "write `execution: local`, or leave `isolation` out: what keeps a container apart is for whoever runs it",
        );
    }

    /// The facts of a step.
    pub(super) fn facts(&mut self, fields: Fields<'_>) -> ExecutionFacts {
        let report = &mut self.report;
        let mut flag = |key: &str| {
            let node = fields.get(key)?;
            yaml::boolean(report, node)
        };
        let requires_isolation = flag("requires_isolation").unwrap_or_default();
        let has_special_dependencies = flag("has_special_dependencies").unwrap_or_default();
        let time = fields.get("estimated_time");
        let level = fields.get("security_level");
        ExecutionFacts {
            requires_isolation,
            has_special_dependencies,
            estimated_time: time.and_then(|node| quantity::duration(&mut self.report, node)),
            security_level: level
                .and_then(|node| yaml::word(&mut self.report, node, &SecurityLevel::WORDS))
                .unwrap_or_default(),
        }
    }
}
