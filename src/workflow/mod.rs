//! From the text of a workflow to a plan: YAML, what it means, and every fault with its place.
//!
//! - [`yaml`]: bytes to a tree of values that know where they stand
//! - `top`, `step`, `field`, `retry` and a file for each kind of step: the tree to drafts of steps, by the
//!   tables of `keys`
//! - `secrets`, `schedule`, `limits`, `keeping`, `ask`: the head of the file and what steps have in common
//! - `resolve`, `sight`, `scope`, `parts`, `cycle`, `rewind`: what expressions refer to, and the edges that follow
//! - `child`: the files of `workflow` steps
//! - [`fmt`]: the one way to lay out a file
//!
//! Nothing here reads a disk: files come through [`Sources`].

mod action;
mod approval;
mod ask;
mod child;
mod compiler;
mod cycle;
mod draft;
mod ending;
mod execution;
mod field;
pub mod fmt;
mod handlers;
mod http;
mod installed;
mod keeping;
mod keys;
mod kinds;
mod limits;
mod loops;
mod name;
mod parallel;
mod parts;
mod python;
pub mod quantity;
mod resolve;
mod retry;
mod rewind;
mod schedule;
mod schema;
mod scope;
mod secrets;
mod sight;
mod sources;
mod step;
mod switch;
mod task;
mod text;
mod top;
mod wait;
pub mod yaml;

pub use child::WORKFLOW_DEPTH_MAX;
pub use name::NAME_CHARS_MAX;
pub use schema::schema;
pub use sources::{NoSources, SourceError, Sources};

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::id::Digest;
use crate::plan::{Execution, Mode, PLAN_FORMAT, Plan, Source, Step, Steps};
use child::Setting;
use compiler::Compiler;
pub use installed::Installed;
use yaml::Report;

/// Version of the workflow language that is read.
pub const LANGUAGE: u32 = 1;
/// Most steps of a workflow, nested ones included.
pub const STEPS_MAX: usize = 2_000;

/// What may be decided outside the file.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// Mode of the steps that name none; goes before `defaults.python.mode`.
    pub default_mode: Option<Mode>,
    /// Where those steps run that name no place; goes before `defaults.python.execution`.
    pub default_execution: Option<Execution>,
    /// What the installation has that the file may name; none = that is not looked at.
    pub installed: Option<Installed>,
    /// The actions that the program has; none = that is not looked at.
    pub actions: Option<BTreeSet<String>>,
}

/// The outcome of a compilation.
#[derive(Debug, Default)]
pub struct Compilation {
    /// The plan; none when there are errors.
    pub plan: Option<Plan>,
    /// Errors and warnings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// What the plan names by digest: the workflow's text, code, requirements.
    pub blobs: Vec<(Digest, Vec<u8>)>,
}

/// Compiles the text of a workflow. `file` is its name as the person wrote it, for messages.
/// The files of its `workflow` steps are compiled with it; their faults come after its own.
#[must_use]
pub fn compile(
    file: &str,
    text: &[u8],
    sources: &dyn Sources,
    options: &CompileOptions,
) -> Compilation {
    child::compile_all(file, text, sources, options)
}

/// Compiles one file; the ones that it names are looked up in the family.
fn compile_one(file: &str, text: &[u8], setting: Setting<'_>) -> Compilation {
    let decoded = match yaml::decode(file, text) {
        Ok(decoded) => decoded,
        Err(fault) => {
            return Compilation {
                plan: None,
                diagnostics: vec![*fault],
                blobs: Vec::new(),
            };
        }
    };
    let mut compiler = Compiler::new(Report::new(file, decoded), setting);
    let digest = compiler.blobs.add(text);
    let plan = yaml::tree(&mut compiler.report).map(|root| {
        let head = compiler.workflow(&root);
        compiler.resolve(&head);
        compiler.resolve_rewinds();
        compiler.warn_of_unused_secrets();
        compiler.refuse_cycle();
        let steps: Vec<Step> = compiler.drafts.drain(..).map(|draft| draft.step).collect();
        Plan {
            format: PLAN_FORMAT,
            language: LANGUAGE,
            name: head.name,
            description: head.description,
            labels: head.labels,
            source: Source {
                file: file.to_owned(),
                digest,
                mode: compiler.setting.options.default_mode,
                execution: compiler.setting.options.default_execution,
            },
            inputs: head.inputs,
            timeout: head.timeout,
            fail_fast: head.fail_fast,
            concurrency: head.concurrency,
            secrets: compiler.secrets.sources(),
            schedules: head.schedules,
            retention: head.retention,
            handlers: head.handlers,
            steps: Steps::from(steps),
            outputs: head.outputs,
        }
    });
    Compilation {
        plan: plan.filter(|_| !compiler.report.has_errors()),
        diagnostics: compiler.report.into_diagnostics(),
        blobs: compiler.blobs.into_list(),
    }
}
