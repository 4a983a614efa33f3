//! Modules that code imports and its environment does not have: said before a person is asked to look at it.

use super::modules::Digests;
use super::{Shared, analyse};
use crate::approval::{Decision, Verdict};
use crate::failure::Failure;
use crate::plan::PythonStep;
use crate::python::analysis::{Finding, Needed, Report, Severity, needed_imports};
use crate::python::cells;
use crate::run::StepState;

/// How findings about it are called, and the failure.
const RULE: &str = crate::code::MODULE_MISSING.as_str();

/// Looks for what the code imports. What it can't do without and is not there blocks it, instead of a question; the
/// rest that is not there is a note among the findings.
pub(super) async fn look(
    shared: &Shared,
    (step_state, python): (&StepState, &PythonStep),
    (code, modules): (&str, &Digests),
    report: &mut Report,
    decision: &mut Decision,
) -> Result<(), Failure> {
    if decision.verdict == Verdict::Block {
        return Ok(());
    }
    let beside = |name: &str| {
        let mut files = modules.keys();
        files.any(|file| file.split(['/', '.']).next() == Some(name))
    };
    let names: Vec<String> = report
        .imports
        .iter()
        .filter(|name| !beside(name))
        .cloned()
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let spec = analyse::spec_of(shared, python).await?;
    let path = step_state.env.get("PYTHONPATH");
    let path = path.or_else(|| {
        shared
            .options
            .mode_environment
            .of(python.mode)
            .get("PYTHONPATH")
    });
    let path = path.map(String::as_str);
    let missing = shared.ports.executor.missing(&spec, &names, path).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let is_notebook = cells::is_notebook(&python.file_name);
    let needed = needed_imports(code);
    for module in &missing {
        let first = needed.iter().find(|needed| &needed.module == module);
        let finding = first.map_or_else(|| note(module), |needed| fault(needed, code, is_notebook));
        if first.is_some() && decision.verdict != Verdict::Block {
            *decision = Decision::module_missing(&finding);
        }
        report.findings.push(finding);
    }
    Ok(())
}

/// What would fail at once.
fn fault(needed: &Needed, code: &str, is_notebook: bool) -> Finding {
    let module = &needed.module;
    let line = usize::try_from(needed.line).unwrap_or_default();
    let place = is_notebook.then(|| cells::place(code, line)).flatten();
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    Finding {
        line: needed.line,
        column: needed.column,
        end_line: needed.line,
        end_column: needed.column,
        severity: Severity::Error,
        message: format!("{place}The module `{module}` is not in the environment."),
        ..note(module)
    }
}

/// What may be meant to be absent.
fn note(module: &str) -> Finding {
    Finding {
        rule: RULE.to_owned(),
        severity: Severity::Info,
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
        message: format!(
            "The module `{module}` is not in the environment; it is imported only where the code, or a module beside it, gets there."
        ),
        snippet: format!("import {module}"),
        name: Some(module.to_owned()),
        file: None,
    }
}
