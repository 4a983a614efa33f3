//! Where code runs: `execution`, and what a step says of itself for the rules that decide it.

use super::compiler::Compiler;
use super::quantity;
use super::yaml::{self, Fields};
use crate::plan::{Execution, ExecutionFacts, SecurityLevel};

impl Compiler<'_, '_> {
    /// `execution:` of a step or of the defaults.
    pub(super) fn execution(&mut self, fields: Fields<'_>) -> Option<Execution> {
        let node = fields.get("execution")?;
        yaml::word(&mut self.report, node, &Execution::WORDS)
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
